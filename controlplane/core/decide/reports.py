"""Decides reports of tasks. Reports are levels: an outdated or repeated one changes nothing."""

import hashlib
from collections import defaultdict
from typing import assert_never

from jobplane.controlplane.core.decide.drop_job import close_job
from jobplane.controlplane.core.decide.groups import signature_text
from jobplane.controlplane.core.facts import Facts
from jobplane.controlplane.core.state import State
from jobplane.controlplane.core.transitions import JobInput, reported_status
from jobplane.schemas.failures import SPARE_JOB
from jobplane.schemas.options import JobOptions
from jobplane.schemas.records.events import (
    Body,
    SnapshotClosed,
    SnapshotFailed,
    TaskCompleted,
    TaskFailed,
    TaskSnapshotted,
    TaskStarted,
    TaskStopped,
)
from jobplane.schemas.records.failure import Failure
from jobplane.schemas.records.offsets import PartitionOffset, SourceOffsets
from jobplane.schemas.records.reports import Report, ReportKind
from jobplane.schemas.records.snapshots import SnapshotPart
from jobplane.schemas.records.state import TASK_ENDED, Job, PendingSnapshot, Phase, Snapshot, Status, Target, TopicEnds


def decide_report(state: State, report: Report, facts: Facts, time: int) -> tuple[Body, ...]:
    """The events that follow from one report. Never refuses: no client waits for an answer."""
    job = state.jobs.get(report.uid)
    if job is None or job.closed or not 0 <= report.task < len(job.tasks):
        return ()
    match report.said:
        case ReportKind.SNAPSHOTTED:
            return _decide_snapshotted(state, job, report, facts, time)
        case ReportKind.SNAPSHOT_FAILED:
            return _decide_snapshot_failed(state, job, report)
        case ReportKind.PROGRESS | ReportKind.RESTING:
            return ()
        case ReportKind.RUNNING | ReportKind.STOPPED | ReportKind.FAILED | ReportKind.COMPLETED if _is_outdated(
            job, report
        ):
            return ()
        case ReportKind.RUNNING:
            return _decide_running(job, report)
        case ReportKind.STOPPED:
            return _decide_stopped(state, job, report)
        case ReportKind.FAILED:
            return _decide_failed(state, job, report)
        case ReportKind.COMPLETED:
            return _decide_completed(state, job, report)
        case never:
            assert_never(never)


def _is_outdated(job: Job, report: Report) -> bool:
    task = job.tasks[report.task]
    return report.generation != job.generation or report.attempt < task.attempt or task.phase in TASK_ENDED


def _decide_running(job: Job, report: Report) -> tuple[Body, ...]:
    task = job.tasks[report.task]
    if task.phase is Phase.RUNNING and task.attempt == report.attempt:
        return ()
    others = (one.phase in (Phase.RUNNING, Phase.COMPLETED) for i, one in enumerate(job.tasks) if i != report.task)
    happened = JobInput.ALL_RUN if all(others) else JobInput.SOME_RUN
    status = reported_status(job.status, happened) if job.target is Target.RUN else job.status
    return (TaskStarted(job.uid, report.task, report.attempt, status, report.worker),)


def _decide_stopped(state: State, job: Job, report: Report) -> tuple[Body, ...]:
    """A task of a job whose target is RUN stops only for the next layout."""
    if job.target is Target.RUN and not job.relayout:
        return ()
    status, closed = _status_after_stop(state, job, report.task, job.status, job.target)
    return (TaskStopped(job.uid, report.task, report.attempt, status, _metrics(job, report)), *closed)


def _decide_completed(state: State, job: Job, report: Report) -> tuple[Body, ...]:
    """A task that was asked to stop meanwhile counts as stopped; after RESUME it finds that nothing is left to do."""
    if job.target is not Target.RUN:
        return _decide_stopped(state, job, report)
    metrics = _metrics(job, report)
    if any(one.phase is not Phase.COMPLETED for i, one in enumerate(job.tasks) if i != report.task):
        return (TaskCompleted(job.uid, report.task, report.attempt, job.target, job.status, metrics),)
    status = reported_status(job.status, JobInput.FINISH)
    last = TaskCompleted(job.uid, report.task, report.attempt, Target.END, status, metrics)
    return (last, *(() if job.pending else close_job(state, job.uid, status, JobInput.FINISHED)))


def _metrics(job: Job, report: Report) -> dict[str, float]:
    """The counters of a task that are kept after its end."""
    if report.progress is None or not JobOptions.of(job.options).store_metrics_after_job_completion:
        return {}
    return report.progress.metrics


def _decide_failed(state: State, job: Job, report: Report) -> tuple[Body, ...]:
    failure = report.failure or Failure("UNKNOWN", "the task gave no cause")
    target, status = job.target, job.status
    if target is Target.RUN:
        keep = JobOptions.of(job.options).suspend_on_failure or failure.code in SPARE_JOB
        target = Target.SUSPEND if keep else Target.END
        status = reported_status(status, JobInput.FAIL if keep else JobInput.FAIL_FOR_GOOD)
    status, closed = _status_after_stop(state, job, report.task, status, target)
    failed = TaskFailed(job.uid, report.task, report.attempt, failure, target, status, _metrics(job, report))
    return (failed, *closed)


def _status_after_stop(
    state: State, job: Job, task: int, status: Status, target: Target
) -> tuple[Status, tuple[Body, ...]]:
    """The status after this task has stopped too, and the job's closing if it was the last."""
    if any(one.phase not in TASK_ENDED for i, one in enumerate(job.tasks) if i != task):
        return status, ()
    if target is Target.END:
        return status, () if job.pending else close_job(state, job.uid, status)
    status = reported_status(status, JobInput.ALL_STOPPED)
    return reported_status(status, JobInput.EXPORT) if job.pending else status, ()


def _decide_snapshotted(state: State, job: Job, report: Report, facts: Facts, time: int) -> tuple[Body, ...]:
    pending = _find_pending(job, report)
    if pending is None or report.part is None or any(part.task == report.task for part in pending.parts):
        return ()
    came = TaskSnapshotted(job.uid, pending.request.version, report.part)
    parts = (*pending.parts, report.part)
    if len(parts) < len(job.tasks):
        return (came,)
    snapshot = _manifest(job, pending, parts, _sink_ends(job, facts), time)
    last = len(job.pending) == 1
    status = reported_status(job.status, JobInput.EXPORTED) if last else job.status
    ended = job.target is Target.END and last and all(task.phase in TASK_ENDED for task in job.tasks)
    return (came, SnapshotClosed(snapshot, status), *(_close_after_snapshot(state, job, status) if ended else ()))


def _close_after_snapshot(state: State, job: Job, status: Status) -> tuple[Body, ...]:
    """The end of a job that waited for its last snapshot."""
    finished = status is Status.COMPLETING and job.failure is None
    return close_job(state, job.uid, status, JobInput.FINISHED if finished else JobInput.ALL_STOPPED)


def _decide_snapshot_failed(state: State, job: Job, report: Report) -> tuple[Body, ...]:
    """A drop whose snapshot failed is undone: the job is suspended instead. A job that has failed still ends."""
    pending = _find_pending(job, report)
    if pending is None:
        return ()
    failure = report.failure or Failure("UNKNOWN", "the task gave no cause")
    target, last = job.target, len(job.pending) == 1
    status = reported_status(job.status, JobInput.EXPORTED) if last else job.status
    stopped = all(task.phase in TASK_ENDED for task in job.tasks)
    if status is Status.CANCELLING:
        target, status = Target.SUSPEND, reported_status(status, JobInput.DROP_UNDONE)
        status = reported_status(status, JobInput.ALL_STOPPED) if stopped else status
    ended = target is Target.END and last and stopped
    failed = SnapshotFailed(job.uid, pending.request, failure, target, status)
    return (failed, *(_close_after_snapshot(state, job, status) if ended else ()))


def _find_pending(job: Job, report: Report) -> PendingSnapshot | None:
    return next((one for one in job.pending if one.request == report.snapshot), None)


def _sink_ends(job: Job, facts: Facts) -> tuple[TopicEnds, ...]:
    """The end of each topic that the job writes to; of one that is gone, none."""
    topics = dict.fromkeys(sink.topic for sink in job.sinks)
    return tuple(TopicEnds(one, facts.topics[one].latest if one in facts.topics else ()) for one in topics)


def _manifest(
    job: Job, pending: PendingSnapshot, parts: tuple[SnapshotPart, ...], sinks: tuple[TopicEnds, ...], time: int
) -> Snapshot:
    """The record that names exactly one part a task. Its digest is over those of the parts, in the tasks' order."""
    ordered = tuple(sorted(parts, key=lambda part: part.task))
    return Snapshot(
        name=pending.request.name,
        version=pending.request.version,
        uid=job.uid,
        job=job.name,
        statement=job.statement,
        options=job.options,
        sources=_merge_offsets(ordered),
        sink=sinks[0].topic,
        sink_ends=sinks[0].ends,
        parts=ordered,
        digest=hashlib.sha256("".join(part.digest for part in ordered).encode()).hexdigest(),
        time=time,
        groups=signature_text(job.plan),
        more_sinks=sinks[1:],
        states=pending.states,
    )


def _merge_offsets(parts: tuple[SnapshotPart, ...]) -> tuple[SourceOffsets, ...]:
    """The offsets of all parts, by source, in the order of the partitions."""
    offsets: dict[tuple[str, str], list[PartitionOffset]] = defaultdict(list)
    for part in parts:
        for source in part.sources:
            offsets[source.topic, source.topic_id] += source.offsets
    return tuple(
        SourceOffsets(topic, topic_id, tuple(sorted(held, key=lambda one: one.partition)))
        for (topic, topic_id), held in offsets.items()
    )
