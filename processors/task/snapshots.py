"""Step 12: a committed checkpoint is copied for each snapshot that was asked for, and the copy is reported."""

import hashlib

from jobplane.processors.task.reports import Reporter
from jobplane.schemas.failures import JobFailure
from jobplane.schemas.records.checkpoints import Checkpoint
from jobplane.schemas.records.failure import Failure
from jobplane.schemas.records.reports import ReportKind
from jobplane.schemas.records.snapshots import SnapshotPart, SnapshotRequest
from jobplane.schemas.records.tasks import Task
from jobplane.schemas.wire.codec import encode


def copy_checkpoint(
    reporter: Reporter, task: Task, attempt: int, checkpoint: Checkpoint, request: SnapshotRequest
) -> None:
    """Raises Doubt where the copy was not acknowledged; one that Kafka refuses is reported as a failed snapshot."""
    value = encode(checkpoint)
    key = f"{request.name}/{request.version}/{task.task}/{checkpoint.number}"
    try:
        offset = reporter.keep(key, value)
    except JobFailure as failure:
        cause = Failure(failure.code, failure.message)
        reporter.snapshot(task, attempt, ReportKind.SNAPSHOT_FAILED, request, failure=cause)
    else:
        part = SnapshotPart(task.task, key, offset, hashlib.sha256(value).hexdigest(), checkpoint.sources)
        reporter.snapshot(task, attempt, ReportKind.SNAPSHOTTED, request, part=part)
