"""What DESCRIBE JOB counts: an ended task by what it kept, one that writes by what it told last."""

from dataclasses import replace

from jobplane.controlplane.listings.describe import describe_job
from jobplane.schemas.records.progress import REFUSED, Progress
from jobplane.schemas.records.state import Phase
from jobplane.schemas.records.tasks import task_key
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
