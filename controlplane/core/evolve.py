"""The fold: state and event to the records that change. It judges nothing, never fails, never looks outside.

The state is its records and nothing else, so what is folded from `events` and what is read from `state` are equal.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from jobplane.controlplane.core.outcome import answer
from jobplane.controlplane.topics import COMMANDS, REPORTS, TASK_PARTITIONS
from jobplane.schemas.changed import replace
from jobplane.schemas.records.events import (
    Event,
    JobAltered,
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
)
from jobplane.schemas.records.layouts import FormerLayout, LayoutTask
from jobplane.schemas.records.offsets import PartitionOffset, SourceOffsets
from jobplane.schemas.records.state import (
    TASK_ENDED,
    Answer,
    Job,
    PendingSnapshot,
    Phase,
    Position,
    Snapshot,
    StateKey,
    StateRecord,
    Status,
    Target,
    TaskState,
)

if TYPE_CHECKING:
    from jobplane.schemas.records.mappings import TopicMapping

Changes = dict[StateKey, StateRecord | None]
"""What an event changes, by key; None removes the record."""

POSITION: StateKey = ("position",)
REMEMBERED_COMMANDS = 100_000


class State:
    """All that is known, with the indexes that judging needs; each follows from the records alone."""

    def __init__(self, records: Iterable[tuple[StateKey, StateRecord]] = ()) -> None:
        self.jobs: dict[str, Job] = {}
        self.names: dict[str, str] = {}
        self.closing: dict[str, str] = {}
        self.ended: OrderedDict[str, None] = OrderedDict()
        """Here and in the answers the oldest goes first: a plain dict looks for it among all that went before."""
        self.mappings: dict[str, TopicMapping] = {}
        self.snapshots: dict[str, Snapshot] = {}
        self.answers: OrderedDict[str, Answer] = OrderedDict()
        self._kinds: dict[str, dict[str, Any]] = {
            "job": self.jobs,
            "mapping": self.mappings,
            "snapshot": self.snapshots,
            "command": self.answers,
        }
        self.position = Position()
        self.load = [0] * TASK_PARTITIONS
        for key, record in sorted(records, key=_age):
            self._put(key, record)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, State) and self.records() == other.records()

    __hash__ = None  # type: ignore[assignment]  # it changes

    def records(self) -> dict[StateKey, StateRecord]:
        """Every record by its key, as the topic `state` holds them."""
        found: dict[StateKey, StateRecord] = {("job", uid): job for uid, job in self.jobs.items()}
        found.update((("mapping", name), mapping) for name, mapping in self.mappings.items())
        found.update((("snapshot", name), snapshot) for name, snapshot in self.snapshots.items())
        found.update((("command", given), reply) for given, reply in self.answers.items())
        found[POSITION] = self.position
        return found

    def get(self, key: StateKey) -> StateRecord | None:
        """The record under a key."""
        kind, *name = key
        return self.position if kind == "position" else self._kinds[kind].get(name[0])

    def live(self, name: str) -> Job | None:
        """The job that holds a name."""
        return self.jobs.get(self.names.get(name, ""))

    def pinned(self, name: str, version: int) -> bool:
        """Whether a snapshot version is valid, or a job not yet past its first checkpoint was created from it."""
        current = self.snapshots.get(name)
        return (current is not None and current.version == version) or any(
            job.restore is not None and (job.restore.name, job.restore.version) == (name, version)
            for job in self.jobs.values()
        )

    def apply(self, changes: Changes) -> None:
        for key, record in changes.items():
            if record is None:
                self._remove(key)
            else:
                self._put(key, record)

    def _put(self, key: StateKey, record: StateRecord) -> None:
        match record:
            case Position():
                self.position = record
                return
            case Job():
                self._index(self.jobs.get(record.uid), record)
        self._kinds[key[0]][key[1]] = record

    def _remove(self, key: StateKey) -> None:
        kind, name = key
        if kind == "job":
            self._index(self.jobs.pop(name), None)
        else:
            self._kinds[kind].pop(name)

    def _index(self, old: Job | None, new: Job | None) -> None:
        if old is not None and new is not None and _indexed(old) == _indexed(new):
            return  # what most events change, no index knows
        for job, weight in ((old, -1), (new, 1)):
            if job is not None and not job.closed:
                for task in job.tasks:
                    self.load[task.partition] += weight
        if old is not None:
            self.ended.pop(old.uid, None)
            for index in (self.names, self.closing):
                if index.get(old.name) == old.uid:
                    del index[old.name]
        if new is not None:
            if new.holds_name:
                self.names[new.name] = new.uid
            if new.closed:
                self.ended[new.uid] = None
            elif new.target is Target.END and not new.waits_for:  # one that never ran leaves nothing to wait for
                self.closing[new.name] = new.uid


def _indexed(job: Job) -> tuple[object, ...]:
    """All of a job that its indexes depend on."""
    return job.closed, job.target, bool(job.pending), job.waits_for, job.name, [task.partition for task in job.tasks]


def _age(item: tuple[StateKey, StateRecord]) -> int:
    """Records in the order of their making, whatever the order in which compaction left them."""
    match item[1]:
        case Job() as job:
            offset = job.uid.rpartition("-")[2]
            return int(offset) if offset.isdecimal() else 0
        case Answer() as reply:
            return reply.seq
        case _:
            return 0


def fold(state: State, event: Event) -> Changes:
    """Apply an event to the state in place; returns what changed. An event already folded changes nothing."""
    if event.seq <= state.position.seq:
        return {}
    changes = evolve(state, event)
    state.apply(changes)
    return changes


def evolve(state: State, event: Event) -> Changes:
    """The records an event changes. Total: an event about what is not there changes only the position."""
    changes = _body(state, event)
    changes |= _remember(state, event)
    cause, position = event.cause, state.position
    changes[POSITION] = Position(
        commands=cause.next if cause.topic == COMMANDS else position.commands,
        reports=cause.next if cause.topic == REPORTS else position.reports,
        seq=event.seq,
    )
    return changes


def job_name(state: State, event: Event) -> str:
    """The name of the job an event is about, with the state before it; empty where it is about none."""
    match event.body:
        case JobCreated(name=name) | SnapshotClosed(snapshot=Snapshot(job=name)):
            return name
        case body:
            job = state.jobs.get(getattr(body, "uid", ""))
            return job.name if job else ""


def _body(state: State, event: Event) -> Changes:
    match event.body:
        case JobCreated() as new:
            return {("job", new.uid): _created(new, event.time), **_claimed(state, new)}
        case SnapshotClosed(snapshot=manifest):
            newer = state.snapshots.get(manifest.name)
            changes: Changes = {}
            if newer is None or newer.version < manifest.version:
                changes["snapshot", manifest.name] = manifest
            if job := state.jobs.get(manifest.uid):
                changes["job", job.uid] = _relaid(replace(_without(job, manifest.version), status=event.body.status))
            return changes
        case SnapshotDropped(name=name):
            return {("snapshot", name): None} if name in state.snapshots else {}
        case MappingCreated(mapping=mapping):
            return {("mapping", mapping.name): mapping}
        case MappingDropped(name=name):
            return {("mapping", name): None} if name in state.mappings else {}
        case JobForgotten(uid=uid):
            return {("job", uid): None} if uid in state.jobs else {}
        case JobClosed(uid=uid, status=status) if old := state.jobs.get(uid):
            closed = replace(old, status=status, closed=max(1, event.time), restore=None, relayout=(), former=())
            changes = {("job", uid): closed}
            heir = state.live(old.name)
            if heir is not None and heir.waits_for == uid:
                changes["job", heir.uid] = replace(heir, waits_for="")
            return changes
        case body if (job := state.jobs.get(getattr(body, "uid", ""))) is not None:
            return {("job", job.uid): changed} if (changed := _relaid(_changed(job, event))) != job else {}
        case _:
            return {}


def _changed(job: Job, event: Event) -> Job:
    """The job after an event about it alone."""
    match event.body:
        case JobSuspended(status=status):
            return replace(job, target=Target.SUSPEND, status=status, failure=None)
        case JobResumed(generation=generation, status=status) | JobRestarted(generation=generation, status=status):
            return _resumed(job, generation, status)
        case JobDropped(snapshot=request, status=status):
            pending = (PendingSnapshot(request),) if request else ()
            return replace(job, target=Target.END, status=status, pending=pending)
        case SnapshotRequested(snapshot=request, status=status):
            return replace(job, status=status, pending=(*job.pending, PendingSnapshot(request)))
        case TaskSnapshotted(version=version, part=part):
            return replace(
                job,
                pending=tuple(
                    replace(one, parts=(*one.parts, part)) if one.request.version == version else one
                    for one in job.pending
                ),
            )
        case SnapshotFailed(snapshot=request, target=target, status=status, failure=failure):
            kept = _without(job, request.version)
            return replace(kept, target=target, status=status, failure=failure if target != job.target else job.failure)
        case JobAltered() as altered:  # one whose tasks have stopped is split anew before it goes on
            relayout = altered.partitions or job.relayout
            changed = replace(
                job, options=altered.options, statement=altered.statement, status=altered.status, relayout=relayout
            )
            changed = _relaid(changed)
            return _resumed(changed, altered.generation, altered.status) if altered.resumes else changed
        case TaskStarted(task=task, attempt=attempt, status=status, worker=worker):
            running: dict[str, Any] = {"phase": Phase.RUNNING, "attempt": attempt, "started": True, "worker": worker}
            started = _task(job, task, running, status=status)
            needless = (started.restore is not None or started.former) and all(one.started for one in started.tasks)
            return replace(started, restore=None, former=()) if needless else started
        case TaskStopped(task=task, attempt=attempt, status=status, metrics=metrics):
            return _task(job, task, {"phase": Phase.STOPPED, "attempt": attempt, "metrics": metrics}, status=status)
        case TaskCompleted(task=task, attempt=attempt, target=target, status=status, metrics=metrics):
            completed: dict[str, Any] = {"phase": Phase.COMPLETED, "attempt": attempt, "metrics": metrics}
            return _task(job, task, completed, target=target, status=status)
        case TaskFailed(task=task, attempt=attempt, status=status, target=target, failure=failure, metrics=metrics):
            failed: dict[str, Any] = {"phase": Phase.STOPPED, "attempt": attempt, "metrics": metrics}
            return _task(job, task, failed, status=status, target=target, failure=job.failure or failure)
        case _:
            return job


def _resumed(job: Job, generation: int, status: Status) -> Job:
    waiting = tuple(replace(task, phase=Phase.WAITING) for task in job.tasks)
    return replace(job, target=Target.RUN, status=status, generation=generation, tasks=waiting, failure=None)


def _relaid(job: Job) -> Job:
    """The job in its next layout, where one is due and the present one has nothing more to do."""
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


def _claimed(state: State, new: JobCreated) -> Changes:
    """A retry has a job's dead letters up to its end for itself: no other reads them again."""
    source = next((one for one in new.sources if one.letters is not None), None)
    job = state.jobs.get(source.letters.uid) if source is not None and source.letters is not None else None
    if source is None or job is None:
        return {}
    ends = tuple(PartitionOffset(p, end) for p, end in enumerate(source.end))
    others = tuple(one for one in job.claimed if one.topic_id != source.topic_id)
    claimed = (*others, SourceOffsets(source.topic, source.topic_id, ends))
    return {("job", job.uid): replace(job, claimed=claimed)}


def _created(new: JobCreated, time: int) -> Job:
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
    )


def _task(job: Job, index: int, task: dict[str, Any], **changes: object) -> Job:
    """The job with `task` changed of one of its tasks, if it has that, and `changes` of its own."""
    tasks = list(job.tasks)
    if 0 <= index < len(tasks):
        tasks[index] = replace(tasks[index], **task)
    return replace(job, tasks=tuple(tasks), **changes)


def _without(job: Job, version: int) -> Job:
    return replace(job, pending=tuple(one for one in job.pending if one.request.version != version))


def _remember(state: State, event: Event) -> Changes:
    """The answer to a command that came with an id, and the oldest one when too many are kept."""
    if not event.cause.command_id:
        return {}
    reply = answer(event, job_name(state, event))
    if reply is None or not reply.command_id or reply.command_id in state.answers:
        return {}
    changes: Changes = {("command", reply.command_id): reply}
    if len(state.answers) >= REMEMBERED_COMMANDS:
        changes["command", next(iter(state.answers))] = None
    return changes
