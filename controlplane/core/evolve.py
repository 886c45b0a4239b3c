"""The fold: state and event → the records that change. It decides nothing, never fails and does no I/O."""

from typing import assert_never

from jobplane.controlplane.core.outcome import answer_of
from jobplane.controlplane.core.state import POSITION, Changes, State
from jobplane.controlplane.core.state_topics import changed_kept
from jobplane.controlplane.topics import COMMANDS, REPORTS
from jobplane.schemas.changed import replace
from jobplane.schemas.records.events import (
    CommandRefused,
    CommandRepeated,
    CommandUnchanged,
    Event,
    JobAltered,
    JobBody,
    JobClosed,
    JobCreated,
    JobDropped,
    JobForgotten,
    JobRestarted,
    JobResumed,
    JobSuspended,
    MappingCreated,
    MappingDropped,
    SnapshotClosed,
    SnapshotDropped,
    SnapshotFailed,
    SnapshotRequested,
    TaskCompleted,
    TaskFailed,
    TaskSnapshotted,
    TaskStarted,
    TaskStopped,
    uid_of,
)
from jobplane.schemas.records.layouts import FormerLayout, LayoutTask
from jobplane.schemas.records.offsets import PartitionOffset, SourceOffsets
from jobplane.schemas.records.plans import keeps_state
from jobplane.schemas.records.snapshots import SnapshotPart, SnapshotRequest
from jobplane.schemas.records.state import (
    TASK_ENDED,
    Job,
    PendingSnapshot,
    Phase,
    Position,
    Status,
    Target,
    TaskState,
)

REMEMBERED_COMMANDS = 100_000
JobChange = (
    JobSuspended
    | JobResumed
    | JobRestarted
    | JobAltered
    | JobDropped
    | SnapshotRequested
    | SnapshotFailed
    | TaskStarted
    | TaskStopped
    | TaskFailed
    | TaskCompleted
    | TaskSnapshotted
)
"""The bodies that change one job and nothing else."""


def fold(state: State, event: Event) -> Changes:
    """Apply an event to the state in place; returns what changed. An event that was folded before changes nothing."""
    if event.seq <= state.position.seq:
        return {}
    changes = evolve(state, event)
    state.apply(changes)
    return changes


def evolve(state: State, event: Event) -> Changes:
    """The records an event changes. Total: an event about something that does not exist changes only the position."""
    changes = _changes(state, event)
    changes |= changed_kept(state, changes)
    changes |= _answer_changes(state, event)
    cause, position = event.cause, state.position
    changes[POSITION] = Position(
        commands=cause.next if cause.topic == COMMANDS else position.commands,
        reports=cause.next if cause.topic == REPORTS else position.reports,
        seq=event.seq,
    )
    return changes


def job_name(state: State, event: Event) -> str:
    """The name of the job that an event is about, with the state before it; empty if it is about none."""
    body = event.body
    match body:
        case JobCreated(name=name):
            return name
        case SnapshotClosed(snapshot=snapshot):
            return snapshot.job
        case CommandRepeated():
            return ""
    job = state.jobs.get(uid_of(body))
    return job.name if job else ""


def _changes(state: State, event: Event) -> Changes:
    """What an event changes, by its subject."""
    body = event.body
    if isinstance(body, JobBody):
        return _job_changes(state, body, event.time)
    match body:
        case SnapshotClosed():
            return _snapshot_changes(state, body)
        case SnapshotDropped(name=name):
            return {("snapshot", name): None} if name in state.snapshots else {}
        case MappingCreated(mapping=mapping):
            return {("mapping", mapping.name): mapping}
        case MappingDropped(name=name):
            return {("mapping", name): None} if name in state.mappings else {}
        case CommandUnchanged() | CommandRefused() | CommandRepeated():
            return {}
        case never:
            assert_never(never)


def _snapshot_changes(state: State, closed: SnapshotClosed) -> Changes:
    """The newest version of a snapshot stays, even if an older one is closed after it."""
    snapshot = closed.snapshot
    newest = state.snapshots.get(snapshot.name)
    changes: Changes = {}
    if newest is None or newest.version < snapshot.version:
        changes["snapshot", snapshot.name] = snapshot
    if job := state.jobs.get(snapshot.uid):
        changes["job", job.uid] = _enter_next_layout(
            replace(_remove_pending(job, snapshot.version), status=closed.status)
        )
    return changes


def _job_changes(state: State, body: JobBody, time: int) -> Changes:
    if isinstance(body, JobCreated):
        return {("job", body.uid): new_job(body, time), **_claim_dead_letters(state, body)}
    job = state.jobs.get(body.uid)
    if job is None:
        return {}
    match body:
        case JobForgotten():
            return {("job", job.uid): None}
        case JobClosed(status=status):
            closed = replace(job, status=status, closed=max(1, time), restore=None, relayout=(), former=())
            changes: Changes = {("job", job.uid): closed}
            heir = state.live_job(job.name)
            if heir is not None and heir.waits_for == job.uid:
                changes["job", heir.uid] = replace(heir, waits_for="")
            return changes
        case change:
            changed = _enter_next_layout(_change_job(job, change))
            return {("job", job.uid): changed} if changed != job else {}


def _change_job(job: Job, change: JobChange) -> Job:
    """The job after an event about it alone."""
    match change:
        case JobSuspended(status=status):
            return replace(job, target=Target.SUSPEND, status=status, failure=None)
        case JobResumed(generation=generation, status=status) | JobRestarted(generation=generation, status=status):
            return _resume_job(job, generation, status)
        case JobDropped(snapshot=request, status=status):
            dropped = replace(job, target=Target.END, status=status, pending=())
            return _ask(dropped, request) if request else dropped
        case JobAltered():
            return _alter_job(job, change)
        case SnapshotRequested(snapshot=request, status=status):
            return _ask(replace(job, status=status), request)
        case SnapshotFailed(snapshot=request, target=target, status=status, failure=failure):
            kept = _remove_pending(job, request.version)
            return replace(kept, target=target, status=status, failure=failure if target != job.target else job.failure)
        case TaskSnapshotted(version=version, part=part):
            return replace(job, pending=tuple(_add_part(one, version, part) for one in job.pending))
        case TaskStarted():
            return _start_task(job, change)
        case TaskStopped(status=status):
            return _end_task(replace(job, status=status), change, Phase.STOPPED)
        case TaskCompleted(target=target, status=status):
            return _end_task(replace(job, target=target, status=status), change, Phase.COMPLETED)
        case TaskFailed(status=status, target=target, failure=failure):
            changed = replace(job, status=status, target=target, failure=job.failure or failure)
            return _end_task(changed, change, Phase.STOPPED)
        case never:
            assert_never(never)


def _alter_job(job: Job, altered: JobAltered) -> Job:
    """A job whose tasks have stopped gets its new layout before it resumes."""
    relayout = altered.partitions or job.relayout
    changed = _enter_next_layout(
        replace(job, options=altered.options, statement=altered.statement, status=altered.status, relayout=relayout)
    )
    return _resume_job(changed, altered.generation, altered.status) if altered.resumes else changed


def _start_task(job: Job, event: TaskStarted) -> Job:
    """When every task has started, the job no longer needs the records that its tasks were restored from."""
    tasks = tuple(
        replace(one, phase=Phase.RUNNING, attempt=event.attempt, started=True, worker=event.worker)
        if task == event.task
        else one
        for task, one in enumerate(job.tasks)
    )
    changed = replace(job, tasks=tasks, status=event.status)
    if (changed.restore is not None or changed.former) and all(one.started for one in tasks):
        return replace(changed, restore=None, former=())
    return changed


def _end_task(job: Job, event: TaskStopped | TaskCompleted | TaskFailed, phase: Phase) -> Job:
    """The job with the task of the event in `phase`; the same if it has no such task."""
    return replace(
        job,
        tasks=tuple(
            replace(one, phase=phase, attempt=event.attempt, metrics=event.metrics) if task == event.task else one
            for task, one in enumerate(job.tasks)
        ),
    )


def _ask(job: Job, request: SnapshotRequest) -> Job:
    """The job with one more snapshot under way."""
    states = job.restore.states if job.restore is not None else ()
    asked = request.version if keeps_state(job.plan) else job.asked
    return replace(job, pending=(*job.pending, PendingSnapshot(request, states=states)), asked=asked)


def _add_part(pending: PendingSnapshot, version: int, part: SnapshotPart) -> PendingSnapshot:
    return replace(pending, parts=(*pending.parts, part)) if pending.request.version == version else pending


def _resume_job(job: Job, generation: int, status: Status) -> Job:
    waiting = tuple(replace(task, phase=Phase.WAITING) for task in job.tasks)
    return replace(job, target=Target.RUN, status=status, generation=generation, tasks=waiting, failure=None)


def _enter_next_layout(job: Job) -> Job:
    """The job in its next layout, if one is requested and the tasks of the present one have stopped."""
    busy = job.pending or any(task.phase not in TASK_ENDED for task in job.tasks)
    if not job.relayout or job.target is Target.END or busy:
        return job
    old = FormerLayout(job.layout, tuple(LayoutTask(task.partition, task.started) for task in job.tasks))
    phase = Phase.WAITING if job.target is Target.RUN else Phase.STOPPED
    return replace(
        job,
        tasks=tuple(TaskState(partition, phase) for partition in job.relayout),
        layout=job.layout + 1,
        generation=job.generation + 1,
        relayout=(),
        former=(old, *job.former),
    )


def _claim_dead_letters(state: State, new: JobCreated) -> Changes:
    """A retry claims a job's dead letters up to its end offset, so that no later retry reads them again."""
    source = next((one for one in new.sources if one.letters is not None), None)
    job = state.jobs.get(source.letters.uid) if source is not None and source.letters is not None else None
    if source is None or job is None:
        return {}
    ends = tuple(PartitionOffset(p, end) for p, end in enumerate(source.end))
    others = tuple(one for one in job.claimed if one.topic_id != source.topic_id)
    claimed = (*others, SourceOffsets(source.topic, source.topic_id, ends))
    return {("job", job.uid): replace(job, claimed=claimed)}


def new_job(new: JobCreated, time: int) -> Job:
    """The job as its first event describes it."""
    return Job(
        uid=new.uid,
        name=new.name,
        statement=new.statement,
        options=new.options,
        sources=new.sources,
        sink=new.sink,
        tasks=tuple(TaskState(partition) for partition in new.partitions),
        restore=new.restore,
        waits_for=new.waits_for,
        created=time,
        target=Target.RUN,
        status=new.status,
        packages=new.packages,
        plan=new.plan,
        more_sinks=new.more_sinks,
    )


def _remove_pending(job: Job, version: int) -> Job:
    return replace(job, pending=tuple(one for one in job.pending if one.request.version != version))


def _answer_changes(state: State, event: Event) -> Changes:
    """The answer to a command that came with an id, and the removal of the oldest answer if too many are kept."""
    if not event.cause.command_id:
        return {}
    given = answer_of(event, job_name(state, event))
    if given is None or not given.command_id or given.command_id in state.answers:
        return {}
    changes: Changes = {("command", given.command_id): given}
    if len(state.answers) >= REMEMBERED_COMMANDS:
        changes["command", next(iter(state.answers))] = None
    return changes
