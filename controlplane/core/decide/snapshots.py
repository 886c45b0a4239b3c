"""Decides CREATE SNAPSHOT and DROP SNAPSHOT."""

from jobplane.controlplane.core.facts import require_live_job
from jobplane.controlplane.core.state import State
from jobplane.controlplane.core.transitions import JobInput, next_status
from jobplane.schemas.errors import (
    JobNotRunning,
    NoCheckpoints,
    Place,
    SnapshotNotFound,
)
from jobplane.schemas.options import Guarantee, JobOptions
from jobplane.schemas.records.events import (
    Body,
    CommandUnchanged,
    SnapshotDropped,
    SnapshotRequested,
)
from jobplane.schemas.records.snapshots import SnapshotRequest
from jobplane.schemas.records.state import Job, Snapshot
from jobplane.schemas.suggestions import did_you_mean
from jobplane.sql.syntax import statements


def create_snapshot(state: State, create: statements.CreateSnapshot, offset: int) -> tuple[Body, ...]:
    job = require_live_job(state, create.job)
    check_keeps_checkpoints(job, create.job.place)
    if job.waits_for:
        raise JobNotRunning(f"job '{job.name}' waits for the end of the previous job of its name", create.job.place)
    request = SnapshotRequest(create.snapshot.text, offset)
    held = None if create.or_replace else state.snapshots.get(request.name)
    notices = () if held is None else (_replacement_notice(held, job),)
    return (SnapshotRequested(job.uid, request, next_status(job.status, JobInput.EXPORT), notices),)


def _replacement_notice(held: Snapshot, job: Job) -> str:
    """The notice if a snapshot of the name exists and the statement does not say OR REPLACE."""
    owner = "" if held.uid == job.uid else f" of job '{held.job}'"
    return f"snapshot '{held.name}'{owner} is replaced once the new one is complete"


def check_keeps_checkpoints(job: Job, where: Place) -> None:
    if JobOptions.of(job.options).processing_guarantee is Guarantee.NONE:
        message = f"job '{job.name}' has processingGuarantee 'none': it has no checkpoints that a snapshot could copy"
        raise NoCheckpoints(message, where)


def drop_snapshot(state: State, drop: statements.DropSnapshot) -> tuple[Body, ...]:
    name = drop.snapshot.text
    snapshot: Snapshot | None = state.snapshots.get(name)
    if snapshot is not None:
        return (SnapshotDropped(name, snapshot.version),)
    if drop.if_exists:
        return (CommandUnchanged("", f"no snapshot is called '{name}'"),)
    raise SnapshotNotFound(f"no snapshot is called '{name}'{did_you_mean(name, state.snapshots)}", drop.snapshot.place)
