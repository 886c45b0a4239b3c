"""SHOW JOBS: lag and rate are those of all tasks that write, or not known."""

from dataclasses import replace

import pytest

from jobplane.controlplane.listings.rows import jobs
from jobplane.schemas.records.progress import PartitionProgress, Progress
from jobplane.schemas.records.state import Job, Phase
from jobplane.schemas.records.tasks import task_key
from tests.support.plane import Plane, topic


@pytest.fixture
def plane() -> Plane:
    plane = Plane({"s": topic(2), "out": topic(1)})
    plane.command("CREATE JOB j OPTIONS (parallelism '2') AS INSERT INTO out SELECT * FROM s")
    return plane


def told(job: Job, index: int, lag: int, *, knows: bool = True) -> dict[str, Progress]:
    partitions = (PartitionProgress("s", index, 5, 5 + lag, lag),) if knows else ()
    return {task_key(job.uid, index): Progress(1, partitions, 10.04, 0.0, 1, 0)}


def pace(plane: Plane, progress: dict[str, Progress]) -> tuple[int | None, float | None]:
    (row,) = jobs(plane.state, progress)
    return row["lag"], row["rate"]


def test_lag_and_rate_are_sums(plane: Plane) -> None:
    (job,) = plane.state.jobs.values()
    assert pace(plane, told(job, 0, 3) | told(job, 1, 4)) == (7, 20.1)


def test_neither_is_known_while_a_task_has_told_nothing(plane: Plane) -> None:
    (job,) = plane.state.jobs.values()
    assert pace(plane, {}) == (None, None)
    assert pace(plane, told(job, 0, 3)) == (None, None)
    assert pace(plane, told(job, 0, 3) | told(job, 1, 4, knows=False)) == (None, None)


def test_a_task_that_has_ended_is_not_waited_for(plane: Plane) -> None:
    (job,) = plane.state.jobs.values()
    done = replace(job.tasks[0], phase=Phase.COMPLETED)
    plane.state.apply({("job", job.uid): replace(job, tasks=(done, job.tasks[1]))})
    assert pace(plane, told(job, 1, 4)) == (4, 10.0)


def test_nothing_is_known_of_a_suspended_job(plane: Plane) -> None:
    (job,) = plane.state.jobs.values()
    stopped = tuple(replace(task, phase=Phase.STOPPED) for task in job.tasks)
    plane.state.apply({("job", job.uid): replace(job, tasks=stopped)})
    assert pace(plane, told(job, 0, 3) | told(job, 1, 4)) == (None, None)
