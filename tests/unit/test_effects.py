"""When a statement has had its effect, and when it cannot have it any more."""

from controlplane.effects import Goal, goal
from controlplane.outcome import answer
from schemas.events import Event
from schemas.reports import Report, Said
from schemas.values import Failure, SnapshotPart
from sql.parser import parse
from tests.support.plane import Plane, topic

CREATE = "CREATE JOB a OPTIONS (parallelism '1') AS INSERT INTO out SELECT * FROM src"


def plane() -> Plane:
    return Plane({"src": topic(2), "out": topic(2)})


def aim(sql: str, events: list[Event]) -> Goal:
    reply = answer(events[0], "a")
    assert reply is not None
    found = goal(parse(sql), reply)
    assert found is not None
    found.at(getattr(events[0].body, "status", ""))
    for event in events[1:]:
        found.see(event)
    return found


def said(world: Plane, word: Said, **details: object) -> list[Event]:
    job = next(reversed(world.state.jobs.values()))
    attempt = job.tasks[0].attempt + (word is Said.RUNNING)
    return world.report(Report(job.uid, 0, job.generation, attempt, word, "w", **details))  # type: ignore[arg-type]


def see(goal: Goal, events: list[Event]) -> Goal:
    for event in events:
        goal.see(event)
    return goal


def test_create_waits_until_running() -> None:
    world = plane()
    found = aim(CREATE, world.command(CREATE))
    assert not found.over
    assert see(found, said(world, Said.RUNNING)).reached


def test_create_ends_with_the_cause_when_the_job_fails() -> None:
    world = plane()
    found = aim(CREATE, world.command(CREATE))
    see(found, said(world, Said.FAILED, failure=Failure("DATA_LOST", "gone")))
    assert found.over
    assert not found.reached
    assert "DATA_LOST: gone" in found.failure


def test_drop_waits_for_the_end_and_suspend_for_rest() -> None:
    world = plane()
    world.command(CREATE)
    said(world, Said.RUNNING)
    found = aim("ALTER JOB a SUSPEND", world.command("ALTER JOB a SUSPEND"))
    assert not found.over
    assert see(found, said(world, Said.STOPPED)).reached
    assert aim("DROP JOB a", world.command("DROP JOB a")).reached


def test_a_snapshot_is_awaited_until_it_is_closed() -> None:
    world = plane()
    world.command(CREATE)
    said(world, Said.RUNNING)
    found = aim("CREATE SNAPSHOT s FOR JOB a", world.command("CREATE SNAPSHOT s FOR JOB a"))
    assert not found.over
    request = next(iter(world.tasks.values())).snapshots[0]
    part = SnapshotPart(0, "k", 0, "d", ())
    assert see(found, said(world, Said.SNAPSHOTTED, snapshot=request, part=part)).reached


def test_a_drop_with_snapshot_is_over_when_the_job_is_closed_or_the_snapshot_failed() -> None:
    for word, reached in ((Said.SNAPSHOTTED, True), (Said.SNAPSHOT_FAILED, False)):
        world = plane()
        world.command(CREATE)
        said(world, Said.RUNNING)
        found = aim("DROP JOB a WITH SNAPSHOT s", world.command("DROP JOB a WITH SNAPSHOT s"))
        request = next(iter(world.tasks.values())).snapshots[0]
        details = {"snapshot": request, "part": SnapshotPart(0, "k", 0, "d", ()), "failure": Failure("X", "no")}
        see(found, said(world, word, **details))
        assert not found.reached
        see(found, said(world, Said.STOPPED))
        assert found.over
        assert found.reached is reached


def test_a_repeat_about_another_job_changes_nothing() -> None:
    world = plane()
    found = aim(CREATE, world.command(CREATE))
    other = world.command("CREATE JOB b AS INSERT INTO out SELECT * FROM src")
    assert not see(found, other).over
