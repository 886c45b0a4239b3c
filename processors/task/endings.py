"""The step REPORT: copies of a checkpoint for the snapshots that were asked for, and the report that ends a task."""

import hashlib
from collections.abc import Iterable

from jobplane.processors.protocol.messages import TaskGoal
from jobplane.processors.protocol.steps import TaskEnd
from jobplane.processors.state.manifest import size_of_state
from jobplane.processors.task.context import TaskContext
from jobplane.processors.task.reports import Reporter
from jobplane.schemas.failures import JobFailure
from jobplane.schemas.records.checkpoints import Checkpoint
from jobplane.schemas.records.failure import Failure
from jobplane.schemas.records.reports import ReportKind
from jobplane.schemas.records.snapshots import SnapshotPart, SnapshotRequest
from jobplane.schemas.wire.codec import encode


def copy_for_snapshots(
    context: TaskContext, goal: TaskGoal, checkpoint: Checkpoint, requests: Iterable[SnapshotRequest]
) -> None:
    """Copies a committed checkpoint for each request, and reports each copy."""
    for request in requests:
        _copy(context.services.reporter, goal, context.attempt, checkpoint, request)
        context.copied.add(request.version)


def _copy(reporter: Reporter, goal: TaskGoal, attempt: int, checkpoint: Checkpoint, request: SnapshotRequest) -> None:
    """Raises Doubt where the copy was not acknowledged. If Kafka refuses the copy, a failed snapshot is reported."""
    value = encode(checkpoint)
    key = f"{request.name}/{request.version}/{goal.task}/{checkpoint.number}"
    try:
        offset = reporter.keep(key, value)
    except JobFailure as failure:
        cause = Failure(failure.code, failure.message)
        reporter.snapshot(goal, attempt, ReportKind.SNAPSHOT_FAILED, request, failure=cause)
    else:
        state_bytes = size_of_state(checkpoint.state)
        part = SnapshotPart(goal.task, key, offset, hashlib.sha256(value).hexdigest(), checkpoint.sources, state_bytes)
        reporter.snapshot(goal, attempt, ReportKind.SNAPSHOTTED, request, part=part)


def stop(context: TaskContext, goal: TaskGoal, checkpoint: Checkpoint) -> TaskEnd:
    """The task record says that the task stops, and everything is committed: copy what is asked for, report, end."""
    latest = context.latest_goal
    current = latest if latest.generation == goal.generation else goal
    copy_for_snapshots(context, goal, checkpoint, context.snapshots_due(current))
    return report_end(context, goal, ReportKind.STOPPED, TaskEnd.STOPPED)


def complete(context: TaskContext, goal: TaskGoal) -> TaskEnd:
    """A bounded job has read everything, and everything is committed."""
    return report_end(context, goal, ReportKind.COMPLETED, TaskEnd.COMPLETED)


def report_end(
    context: TaskContext, goal: TaskGoal, said: ReportKind, end: TaskEnd, failure: Failure | None = None
) -> TaskEnd:
    """Reports the end of a task with its counters."""
    context.services.reporter.phase(goal, context.attempt, said, failure=failure, progress=context.last_progress())
    return end
