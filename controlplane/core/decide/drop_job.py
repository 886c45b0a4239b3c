"""Decides DROP JOB, and closes jobs that have ended."""

from jobplane.controlplane.core.decide.snapshots import check_keeps_checkpoints
from jobplane.controlplane.core.facts import explain_missing_job, require_live_job
from jobplane.controlplane.core.state import State
from jobplane.controlplane.core.transitions import JobInput, next_status, reported_status
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
    job = state.live_job(name)
    if job is None and drop.if_exists:
        return (CommandUnchanged("", explain_missing_job(state, name)),)
    if job is not None and job.target is Target.END and drop.if_exists:
        return (CommandUnchanged(job.uid, f"job '{name}' is already ending", (), job.status),)
    job = require_live_job(state, drop.name)
    if drop.with_snapshot is not None:
        check_keeps_checkpoints(job, drop.with_snapshot.place)
    if drop.with_snapshot is not None and job.waits_for:
        raise JobNotRunning(f"job '{name}' has not run yet, so there is nothing to save", drop.with_snapshot.place)
    request = SnapshotRequest(drop.with_snapshot.text, offset) if drop.with_snapshot else None
    dropped = JobDropped(job.uid, request, next_status(job.status, JobInput.DROP))
    lost = Failure(JobWasDropped.code, f"job '{name}' was dropped before the snapshot was complete")
    failed = tuple(
        SnapshotFailed(job.uid, pending.request, lost, Target.END, dropped.status) for pending in job.pending
    )
    ended = job.waits_for or all(task.phase in TASK_ENDED for task in job.tasks)
    return (dropped, *failed, *(close_job(state, job.uid, dropped.status) if ended and request is None else ()))


def close_job(state: State, uid: str, status: Status, happened: JobInput = JobInput.ALL_STOPPED) -> tuple[Body, ...]:
    """Closes a job whose tasks can no longer write; the oldest ended job is forgotten if too many are kept."""
    oldest = next(iter(state.ended), None) if len(state.ended) >= KEPT_ENDED_JOBS else None
    forgotten = (JobForgotten(oldest),) if oldest is not None else ()
    return (JobClosed(uid, reported_status(status, happened)), *forgotten)
