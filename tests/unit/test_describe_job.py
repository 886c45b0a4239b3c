"""What DESCRIBE JOB counts: an ended task by what it kept, one that writes by what it told last."""

from dataclasses import replace

import pytest

from jobplane.controlplane.listings.describe import ABOUT_GROUPS, describe_job
from jobplane.processors.task.groups.silence import window_progress
from jobplane.schemas.records.progress import REFUSED, PartitionProgress, Progress, WindowProgress
from jobplane.schemas.records.state import Job, Phase
from jobplane.schemas.records.tasks import task_key
from jobplane.sql.runtime.groups_due import OpenWindows
from jobplane.sql.runtime.idle import SilentPartitions
from tests.support.plane import Plane, topic


def test_bad_records_are_counted_by_reason_over_all_tasks() -> None:
    plane = Plane({"s": topic(2), "out": topic(1)})
    plane.command("CREATE JOB j OPTIONS (parallelism '2') AS INSERT INTO out SELECT * FROM s")
    (job,) = plane.state.jobs.values()
    ended = replace(job.tasks[0], phase=Phase.STOPPED, metrics={f"{REFUSED}BAD_RECORD": 3.0})
    job = replace(job, tasks=(ended, replace(job.tasks[1], phase=Phase.RUNNING)))
    told = Progress(1, (), 0.0, 0.0, 1, 0, {f"{REFUSED}BAD_RECORD": 2.0, f"{REFUSED}RECORD_TOO_LARGE": 1.0})
    about = describe_job(job, {task_key(job.uid, i): told for i in range(2)}, ()).about
    assert about["refused"] == {"BAD_RECORD": 5, "RECORD_TOO_LARGE": 1}


def grouped_job(plane: Plane, tasks: int, key: str) -> Job:
    plane.command(
        'CREATE MAPPING m EXTERNAL NAME s (at TIMESTAMP WITH TIME ZONE, k VARCHAR EXTERNAL NAME "__key", '
        "WATERMARK FOR at AS at) TYPE Kafka OPTIONS (keyFormat 'varchar')"
    )
    plane.command(
        f"CREATE JOB j OPTIONS (parallelism '{tasks}') AS INSERT INTO out SELECT COUNT(*) AS n "
        f"FROM TUMBLE(TABLE m, DESCRIPTOR(at), INTERVAL '1' MINUTE) GROUP BY window_start, window_end{key}"
    )
    (job,) = plane.state.jobs.values()
    return replace(job, tasks=tuple(replace(task, phase=Phase.RUNNING) for task in job.tasks))


def told(partition: int, watermark: int | None, windows: WindowProgress) -> Progress:
    at = PartitionProgress("s", partition, 5, 5, 0, watermark, 1_000 + partition)
    return Progress(1, (at,), 0.0, 0.0, 1, 70, {"groups": 2.0, f"{REFUSED}LATE": 1.0}, windows=windows)


def test_a_job_with_windows_tells_how_far_time_is_over_all_tasks() -> None:
    job = grouped_job(Plane({"s": topic(2), "out": topic(1)}), 2, ", k")
    first, second = WindowProgress(2, 60_000, 50_000), WindowProgress(3, 30_000, 20_000)
    progress = {task_key(job.uid, 0): told(0, 50_000, first), task_key(job.uid, 1): told(1, 20_000, second)}
    about = describe_job(job, progress, ()).about
    assert [about[name] for name in ABOUT_GROUPS] == [4, 140, 2, 5, 30_000, 20_000, 30_000, "", None]
    without = progress | {task_key(job.uid, 1): told(1, None, WindowProgress(3, 30_000, None))}
    assert describe_job(job, without, ()).about["watermark"] is None


def test_the_partition_that_holds_time_back_is_named() -> None:
    job = grouped_job(Plane({"s": topic(2), "out": topic(1)}), 1, "")
    progress = told(1, None, WindowProgress(1, 60_000, None, "s-1"))
    about = describe_job(job, {task_key(job.uid, 0): progress}, ()).about
    assert (about["held_back_by"], about["held_back_since"]) == ("s-1", 1_001)
    dormant = replace(progress, windows=None)
    assert "held_back_by" not in describe_job(job, {task_key(job.uid, 0): dormant}, ()).about


A, B = ("s", 0), ("s", 1)


@pytest.mark.parametrize(
    ("opened", "expected"),
    [
        ([OpenWindows({A: 9_000, B: 5_000}, 2, 7_000)], WindowProgress(2, 7, 5, "s-1")),
        ([OpenWindows({A: 9_000, B: None}, 1, 7_000)], WindowProgress(1, 7, None, "s-1")),
        ([OpenWindows({A: 9_000, B: 9_000}, 0, None)], WindowProgress(0, None, 9)),
        ([OpenWindows({A: None}, 0, None)], WindowProgress(0, None, None)),
        ([OpenWindows({A: 9_000}, 1, 10_000), OpenWindows({B: 5_000}, 2, 7_000)], WindowProgress(3, 7, 5)),
        ([OpenWindows({A: 3, B: 3}, 1, 4), OpenWindows({A: 9, B: 5}, 1, 8, 1)], WindowProgress(2, 0, 0, "s-1")),
        ([], WindowProgress(0, None, None)),
    ],
)
def test_what_a_task_tells_of_its_windows(opened: list[OpenWindows], expected: WindowProgress) -> None:
    assert window_progress(opened, SilentPartitions({}), 0.0) == expected


def test_an_idle_partition_holds_back_nothing() -> None:
    """Where all are, the watermark is what the clock says."""
    silent, opened = SilentPartitions({"s": 10}), [OpenWindows({A: 9_000, B: 5_000}, 2, 7_000)]
    silent.read({A: 1, B: 1}, 100.0)
    silent.read({A: 2}, 105.0)
    assert window_progress(opened, silent, 109.0) == WindowProgress(2, 7, 5, "s-1")
    assert window_progress(opened, silent, 110.0) == WindowProgress(2, 7, 9)
    assert window_progress(opened, silent, 116.0) == WindowProgress(2, 7, 1_009)
