"""The events: what was decided and what happened, in the past tense. Each is one Avro record on `events`.

An event is complete: its fold needs only the state before it. The first event that a command causes is its outcome.
"""

from dataclasses import dataclass, field
from typing import assert_never, get_args

from jobplane.schemas.records.failure import Failure
from jobplane.schemas.records.mappings import TopicMapping
from jobplane.schemas.records.packages import Package
from jobplane.schemas.records.plans import RecordedPlan
from jobplane.schemas.records.snapshots import Restore, SnapshotPart, SnapshotRequest
from jobplane.schemas.records.sources import Sink, Source
from jobplane.schemas.records.state import Answer, Snapshot, Status, Target


@dataclass(frozen=True, slots=True)
class Cause:
    """The record that caused an event: a command or a report. `next` is the position after it.

    `issued_by` and `traceparent` are what the command said about its origin; its outcome is copied to `reply_to`.
    """

    topic: str
    offset: int
    next: int
    command_id: str = ""
    digest: str = ""
    issued_by: str = ""
    traceparent: str = ""
    reply_to: str = ""


@dataclass(frozen=True, slots=True)
class JobCreated:
    """`plan` is None for a job that a version before recorded plans created.

    `sink` is the first target of the statement; a set with others has them in `more_sinks`, in its order.
    """

    uid: str
    name: str
    statement: str
    options: dict[str, str]
    sources: tuple[Source, ...]
    sink: Sink
    partitions: tuple[int, ...]
    restore: Restore | None
    waits_for: str
    status: Status
    notices: tuple[str, ...] = ()
    packages: tuple[Package, ...] = ()
    plan: RecordedPlan | None = None
    more_sinks: tuple[Sink, ...] = ()


@dataclass(frozen=True, slots=True)
class JobSuspended:
    """ALTER JOB … SUSPEND was accepted; the job is SUSPENDED once its tasks have stopped."""

    uid: str
    status: Status


@dataclass(frozen=True, slots=True)
class JobResumed:
    uid: str
    generation: int
    status: Status


@dataclass(frozen=True, slots=True)
class JobRestarted:
    uid: str
    generation: int
    status: Status


@dataclass(frozen=True, slots=True)
class JobDropped:
    """DROP JOB was accepted. With a snapshot, the name is kept until that is closed."""

    uid: str
    snapshot: SnapshotRequest | None
    status: Status


@dataclass(frozen=True, slots=True)
class SnapshotRequested:
    uid: str
    snapshot: SnapshotRequest
    status: Status
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SnapshotDropped:
    name: str
    version: int


@dataclass(frozen=True, slots=True)
class CommandUnchanged:
    """The command asked for the present state. `uid` is empty if the command is not about a job."""

    uid: str
    message: str
    notices: tuple[str, ...] = ()
    status: str = ""


@dataclass(frozen=True, slots=True)
class CommandRefused:
    """Nothing was done. `length` is the size of the refused record in bytes; its digest is in the cause."""

    code: str
    message: str
    line: int
    column: int
    length: int


@dataclass(frozen=True, slots=True)
class CommandRepeated:
    """A command id seen before: the first answer again, nothing done."""

    first: Answer


@dataclass(frozen=True, slots=True)
class TaskStarted:
    uid: str
    task: int
    attempt: int
    status: Status
    worker: str = ""


@dataclass(frozen=True, slots=True)
class TaskStopped:
    uid: str
    task: int
    attempt: int
    status: Status
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TaskFailed:
    """A task stopped for good: its job goes to `target` with this cause."""

    uid: str
    task: int
    attempt: int
    failure: Failure
    target: Target
    status: Status
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TaskSnapshotted:
    uid: str
    version: int
    part: SnapshotPart


@dataclass(frozen=True, slots=True)
class SnapshotClosed:
    """Every task has copied its checkpoint: the snapshot exists from here on, in place of an older version."""

    snapshot: Snapshot
    status: Status


@dataclass(frozen=True, slots=True)
class SnapshotFailed:
    uid: str
    snapshot: SnapshotRequest
    failure: Failure
    target: Target
    status: Status


@dataclass(frozen=True, slots=True)
class JobClosed:
    """All tasks of an ended job have stopped and can write no more."""

    uid: str
    status: Status


@dataclass(frozen=True, slots=True)
class JobForgotten:
    uid: str


@dataclass(frozen=True, slots=True)
class JobAltered:
    """The options of a suspended job as they are now; `partitions` where its tasks go, empty where they stay."""

    uid: str
    options: dict[str, str]
    statement: str
    partitions: tuple[int, ...]
    resumes: bool
    generation: int
    status: Status
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TaskCompleted:
    """A task of a bounded job has reached the end offsets seen at CREATE. With the last one the job is `target` END."""

    uid: str
    task: int
    attempt: int
    target: Target
    status: Status
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MappingCreated:
    mapping: TopicMapping
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MappingDropped:
    name: str


JobBody = (
    JobCreated
    | JobSuspended
    | JobResumed
    | JobRestarted
    | JobAltered
    | JobDropped
    | JobClosed
    | JobForgotten
    | SnapshotRequested
    | SnapshotFailed
    | TaskStarted
    | TaskStopped
    | TaskFailed
    | TaskCompleted
    | TaskSnapshotted
)
"""The bodies about one job, which `uid` names."""
SnapshotBody = SnapshotClosed | SnapshotDropped
"""The bodies about a snapshot that exists from then on, or no longer."""
MappingBody = MappingCreated | MappingDropped
CommandBody = CommandUnchanged | CommandRefused | CommandRepeated
"""The bodies that answer a command and change nothing else."""
Body = (
    JobCreated
    | JobSuspended
    | JobResumed
    | JobRestarted
    | JobDropped
    | SnapshotRequested
    | SnapshotDropped
    | CommandUnchanged
    | CommandRefused
    | CommandRepeated
    | TaskStarted
    | TaskStopped
    | TaskFailed
    | TaskSnapshotted
    | SnapshotClosed
    | SnapshotFailed
    | JobClosed
    | JobForgotten
    | JobAltered
    | TaskCompleted
    | MappingCreated
    | MappingDropped
)
"""All bodies, in the order in which Avro's union counts them: a new class is the last. Each has one subject, above."""
BODIES: tuple[type[Body], ...] = get_args(Body)
Outcome = (
    JobCreated
    | JobSuspended
    | JobResumed
    | JobRestarted
    | JobAltered
    | JobDropped
    | SnapshotRequested
    | SnapshotDropped
    | MappingBody
    | CommandBody
)
"""The bodies that answer a command."""


def uid_of(body: Body) -> str:
    """The uid of the job that an event is about; empty if the event is about no job."""
    if isinstance(body, JobBody):
        return body.uid
    match body:
        case SnapshotClosed(snapshot=snapshot):
            return snapshot.uid
        case CommandUnchanged(uid=uid):
            return uid
        case CommandRepeated(first=first):
            return first.uid
        case CommandRefused() | SnapshotDropped() | MappingCreated() | MappingDropped():
            return ""
        case never:
            assert_never(never)


def status_of(body: Body) -> str:
    """The status of the job after the event, as the event says it; empty if the event says none."""
    match body:
        case JobForgotten() | TaskSnapshotted():
            return ""
        case SnapshotDropped() | MappingCreated() | MappingDropped() | CommandRefused() | CommandRepeated():
            return ""
        case CommandUnchanged() | SnapshotClosed() | SnapshotRequested() | SnapshotFailed():
            return body.status
        case JobCreated() | JobAltered() | JobSuspended() | JobResumed() | JobRestarted() | JobDropped() | JobClosed():
            return body.status
        case TaskStarted() | TaskStopped() | TaskFailed() | TaskCompleted():
            return body.status
        case never:
            assert_never(never)


def notices_of(body: Outcome) -> tuple[str, ...]:
    """What an outcome says besides: each is a sentence for people."""
    match body:
        case JobCreated() | JobAltered() | SnapshotRequested() | MappingCreated() | CommandUnchanged():
            return body.notices
        case CommandRepeated(first=first):
            return first.notices
        case JobSuspended() | JobResumed() | JobRestarted() | JobDropped() | SnapshotDropped() | MappingDropped():
            return ()
        case CommandRefused():
            return ()
        case never:
            assert_never(never)


@dataclass(frozen=True, slots=True)
class Event:
    """`seq` counts 1, 2, 3 … over the whole log; `time` is that of the record that caused it."""

    seq: int
    time: int
    cause: Cause
    body: Body
