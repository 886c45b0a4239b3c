"""The verdict on DROP JOB, and the end of a job."""

from jobplane.controlplane.core.decide.snapshots import check_keeps_checkpoints
from jobplane.controlplane.core.facts import live, no_live_job
from jobplane.controlplane.core.state import State
from jobplane.controlplane.core.transitions import Input, follow
from jobplane.schemas.errors import (
    JobNotRunning,
)
from jobplane.schemas.failures import JobWasDropped
from jobplane.schemas.records.events import (
    Body,
    CommandUnchanged,
    JobClosed,
    JobDropped,
    JobForgotten,
    SnapshotFailed,
)
from jobplane.schemas.records.failure import Failure
from jobplane.schemas.records.snapshots import SnapshotRequest
from jobplane.schemas.records.state import TASK_ENDED, Status, Target
from jobplane.sql.syntax import statements

KEPT_ENDED_JOBS = 1_000


def drop_job(state: State, drop: statements.DropJob, offset: int) -> tuple[Body, ...]:
    name = drop.name.text
    job = state.live(name)
    if job is None and drop.if_exists:
        return (CommandUnchanged("", no_live_job(state, name)),)
    if job is not None and job.target is Target.END and drop.if_exists:
        return (CommandUnchanged(job.uid, f"job '{name}' is on its way out already", (), job.status),)
    job = live(state, drop.name)
    if drop.with_snapshot is not None:
        check_keeps_checkpoints(job, drop.with_snapshot.place)
    if drop.with_snapshot is not None and job.waits_for:
        raise JobNotRunning(f"job '{name}' has not run yet: there is nothing to keep", drop.with_snapshot.place)
    request = SnapshotRequest(drop.with_snapshot.text, offset) if drop.with_snapshot else None
    dropped = JobDropped(job.uid, request, follow(job.status, Input.DROP))
    lost = Failure(JobWasDropped.code, f"job '{name}' was dropped before the snapshot was complete")
    failed = tuple(
        SnapshotFailed(job.uid, pending.request, lost, Target.END, dropped.status) for pending in job.pending
    )
    ended = job.waits_for or all(task.phase in TASK_ENDED for task in job.tasks)
    return (dropped, *failed, *(close(state, job.uid, dropped.status) if ended and request is None else ()))


def close(state: State, uid: str, status: Status, happened: Input = Input.ALL_STOPPED) -> tuple[Body, ...]:
    """The end of a job whose tasks can write no more; the oldest ended job is forgotten when too many are kept."""
    oldest = next(iter(state.ended), None) if len(state.ended) >= KEPT_ENDED_JOBS else None
    forgotten = (JobForgotten(oldest),) if oldest is not None else ()
    return (JobClosed(uid, follow(status, happened)), *forgotten)
