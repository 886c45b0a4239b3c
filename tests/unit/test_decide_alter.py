"""What ALTER JOB of a job that is not meant to run is advised to do."""

import pytest

from jobplane.controlplane.core.outcome import answer_of
from jobplane.schemas.records.reports import Report, ReportKind
from tests.support.plane import Plane, topic


@pytest.mark.parametrize(
    ("action", "stopped", "message"),
    [
        ("SUSPEND", False, "job 'a' is SUSPENDING: it is being suspended already"),
        ("SUSPEND", True, "job 'a' is SUSPENDED: it is suspended already"),
        ("RESTART", True, "job 'a' is SUSPENDED; RESUME it first"),
    ],
)
def test_a_job_at_rest(action: str, *, stopped: bool, message: str) -> None:
    plane = Plane({"src": topic(1), "out": topic(1)})
    plane.command("CREATE JOB a AS INSERT INTO out SELECT * FROM src")
    plane.command("ALTER JOB a SUSPEND")
    if stopped:
        job = next(iter(plane.state.jobs.values()))
        plane.report(Report(job.uid, 0, job.generation, 1, ReportKind.STOPPED, "w"))
    reply = answer_of(plane.command(f"ALTER JOB a {action}")[0], "a")
    assert reply is not None
    assert (reply.code, reply.message) == ("job-not-running", message)
