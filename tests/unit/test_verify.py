"""Differences between what events fold to and what the state holds are told field by field."""

from jobplane.controlplane.core.state import POSITION, State
from jobplane.controlplane.log.verify import differences
from jobplane.schemas.changed import replace
from jobplane.schemas.records.state import Position, Status
from tests.support.plane import Plane, topic


def test_equal_states_have_none() -> None:
    plane = Plane({"src": topic(1), "out": topic(1)})
    assert list(differences(State().records(), {})) == []
    plane.command("CREATE JOB a AS INSERT INTO out SELECT * FROM src", "id")
    records = plane.state.records()
    assert list(differences(records, dict(reversed(records.items())))) == []
    ahead = {**records, POSITION: replace(plane.state.position, reports=9_000)}
    assert list(differences(records, ahead)) == []


def test_each_field_that_differs_is_named() -> None:
    plane = Plane({"src": topic(1), "out": topic(1)})
    plane.command("CREATE JOB a AS INSERT INTO out SELECT * FROM src", "id")
    records = plane.state.records()
    job = plane.state.jobs[plane.state.names["a"]]
    held = {**records, ("job", job.uid): replace(job, status=Status.RUNNING, generation=7), POSITION: Position(9, 0, 1)}
    del held["command", "id"]
    assert [(one.key[0], one.field, one.folded, one.held) for one in differences(records, held)] == [
        ("command", "", "Answer", "nothing"),
        ("job", "status", repr(Status.NOT_RUNNING), repr(Status.RUNNING)),
        ("job", "generation", "1", "7"),
        ("position", "commands", "1", "9"),
    ]
