"""The groups of a host take no more memory than state_budget allows: the job that takes most stops, others go on."""

import json
from collections.abc import Iterator

import pytest

from tests.support.broker import KafkaBroker
from tests.support.system import System, system, until

CREATE = """CREATE JOB {job} OPTIONS (parallelism '1', stateIntervalMillis '300') AS INSERT INTO "{sink}"
    SELECT who, COUNT(*) AS n, SUM(x) AS total FROM "{source}" GROUP BY who"""


@pytest.fixture
def plane(broker: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    environment = {"JOBPLANE_STATE_BUDGET": "2", "JOBPLANE_DORMANT_AFTER": "2"}
    with system(
        broker.bootstrap, "budget.", tmp_path_factory.mktemp("budget"), hosts=1, environment=environment
    ) as made:
        made.worker()
        yield made


def send(plane: System, source: str, users: range, x: int) -> None:
    records = [(b"%d" % i, json.dumps({"who": f"user-{i:06}", "x": x}).encode()) for i in users]
    plane.produce(source, records)


def totals(plane: System, sink: str) -> dict[str, tuple[int, int]]:
    rows = [json.loads(value or b"null") for value in plane.values(sink)]
    return {row["who"]: (row["n"], row["total"]) for row in rows}


def await_status(plane: System, job: str, status: str) -> str:
    until(lambda: plane.jobs()[job]["status"] == status, 60, f"{job} is {status}")
    return str(plane.jobs()[job]["failure"])


def test_the_job_whose_groups_take_most_stops_and_goes_on_with_more_room(plane: System) -> None:
    small = plane.topic("small-in", 2), plane.topic("small-out", 2, cleanup_policy="compact")
    large = plane.topic("large-in", 2), plane.topic("large-out", 2, cleanup_policy="compact")
    for job, (source, sink) in {"small": small, "large": large}.items():
        plane.done(CREATE.format(job=job, source=source, sink=sink))
    send(plane, small[0], range(100), 1)
    until(lambda: len(totals(plane, small[1])) == 100, 60, "the small job runs")
    for begin in range(0, 20_000, 2_000):
        send(plane, large[0], range(begin, begin + 2_000), 1)
    failure = await_status(plane, "large", "SUSPENDED")
    assert failure.startswith("STATE_FULL: the groups of this host would take ")
    assert "state_budget allows 2 MiB: raise it in the settings of the worker" in failure

    # to resume it in the same room is of no use, and harms nobody
    result = plane.sql("ALTER JOB large RESUME")
    await_status(plane, "large", "SUSPENDED")
    assert result.reply is not None
    send(plane, small[0], range(100), 2)
    until(lambda: set(totals(plane, small[1]).values()) == {(2, 3)}, 60, "the small job goes on")
    assert plane.jobs()["small"]["status"] == "RUNNING"

    # with more it goes on where it was
    plane.environment["JOBPLANE_STATE_BUDGET"] = "64"
    plane.workers.pop().stop()
    plane.worker()
    plane.done("ALTER JOB large RESUME")
    send(plane, large[0], range(20_000), 5)
    until(lambda: set(totals(plane, large[1]).values()) == {(2, 6)}, 90, "the totals are exact")
    assert len(totals(plane, large[1])) == 20_000
    until(lambda: plane.about("DESCRIBE JOB large")["groups"] >= 20_000, 20, "the groups are counted")
    for job in ("small", "large"):
        plane.done(f"DROP JOB {job}")
