"""What the decider knows, one record a key on `state`: the fold of all events.

Keys are JSON arrays: ["job", uid], ["mapping", name], ["snapshot", name], ["command", id], ["position"].
"""

from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from jobplane.schemas.records.failure import Failure
from jobplane.schemas.records.layouts import FormerLayout
from jobplane.schemas.records.mappings import TopicMapping
from jobplane.schemas.records.offsets import SourceOffsets
from jobplane.schemas.records.packages import Package
from jobplane.schemas.records.plans import RecordedPlan
from jobplane.schemas.records.snapshots import Restore, SnapshotPart, SnapshotRequest, StateVersion
from jobplane.schemas.records.sources import Sink, Source

FORMAT = 1
"""Version of the state's format; a process that reads a higher one steps aside."""

StateKey = tuple[str, ...]


def encode_key(key: StateKey) -> bytes:
    return msgspec.json.encode(key)


def decode_key(data: bytes) -> StateKey:
    return msgspec.json.decode(data, type=tuple[str, ...])


class Target(StrEnum):
    """What a job is meant to do, changed by commands in the order of the log."""

    RUN = "RUN"
    SUSPEND = "SUSPEND"
    END = "END"


class Status(StrEnum):
    """What a job does, following what its tasks report."""

    NOT_RUNNING = "NOT_RUNNING"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    SUSPENDING = "SUSPENDING"
    SUSPENDED = "SUSPENDED"
    SUSPENDED_EXPORTING_SNAPSHOT = "SUSPENDED_EXPORTING_SNAPSHOT"
    COMPLETING = "COMPLETING"
    COMPLETED = "COMPLETED"
    CANCELLING = "CANCELLING"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"


class Phase(StrEnum):
    """The latest reported phase of a task in its present generation."""

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    STOPPED = "STOPPED"
    COMPLETED = "COMPLETED"


TASK_ENDED = frozenset({Phase.STOPPED, Phase.COMPLETED})
"""Phases in which a task writes no more."""


@dataclass(frozen=True, slots=True)
class TaskState:
    """`partition` is where its record lies in `tasks` and `checkpoints`; `started`: it has run once in this layout.

    `metrics` are kept where the job's options ask for it.
    """

    partition: int
    phase: Phase = Phase.WAITING
    started: bool = False
    attempt: int = 0
    worker: str = ""
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PendingSnapshot:
    """A snapshot under way, with the parts that have come in."""

    request: SnapshotRequest
    parts: tuple[SnapshotPart, ...] = ()
    states: tuple[StateVersion, ...] = ()
    """Of the snapshot that the job was being created from: its chunks may be named too."""


@dataclass(frozen=True, slots=True)
class Job:
    """`relayout`, where not empty, are the partitions of the tasks of the next layout: it begins when those of the
    present one have stopped. `former` are layouts, newest first, whose checkpoints are still needed.
    """

    uid: str
    name: str
    statement: str
    options: dict[str, str]
    sources: tuple[Source, ...]
    sink: Sink
    tasks: tuple[TaskState, ...]
    restore: Restore | None
    waits_for: str
    created: int
    target: Target
    status: Status
    layout: int = 0
    generation: int = 1
    pending: tuple[PendingSnapshot, ...] = ()
    failure: Failure | None = None
    closed: int = 0
    """Time of its end; 0 while its tasks may still write."""
    relayout: tuple[int, ...] = ()
    former: tuple[FormerLayout, ...] = ()
    packages: tuple[Package, ...] = ()
    claimed: tuple[SourceOffsets, ...] = ()
    """Offsets of each topic of its dead letters before which no retry begins any more."""
    plan: RecordedPlan | None = None
    more_sinks: tuple[Sink, ...] = ()
    """The sinks of a set beside the first."""
    asked: int = -1
    """The newest version that was asked for of its snapshots, if it has groups."""
    kept: tuple[int, ...] = ()
    """The versions of its snapshots that may name chunks of its groups, in order: of all others chunks may go."""

    @property
    def sinks(self) -> tuple[Sink, ...]:
        """One for each target in the statement, in its order; two may write to the same topic."""
        return (self.sink, *self.more_sinks)

    @property
    def holds_name(self) -> bool:
        """A job being dropped with a snapshot keeps its name until that is closed."""
        return self.target is not Target.END or bool(self.pending)


@dataclass(frozen=True, slots=True)
class TopicEnds:
    """The end of each partition of a topic."""

    topic: str
    ends: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The manifest: exactly one record a task in the snapshots topic.

    `groups` says what the groups of its job are (sql/plan/grouping/signature.py), empty where that is not known.
    `more_sinks` are the topics that a set writes to beside the first.
    `states` are versions of other snapshots, whose chunks it may name besides those of its own job.
    """

    name: str
    version: int
    uid: str
    job: str
    statement: str
    options: dict[str, str]
    sources: tuple[SourceOffsets, ...]
    sink: str
    sink_ends: tuple[int, ...]
    parts: tuple[SnapshotPart, ...]
    digest: str
    time: int
    groups: str = ""
    more_sinks: tuple[TopicEnds, ...] = ()
    states: tuple[StateVersion, ...] = ()

    @property
    def state_bytes(self) -> int:
        """The size of the chunks of groups that it names; other snapshots may name some of them too."""
        return sum(part.state_bytes for part in self.parts)

    @property
    def sinks(self) -> tuple[TopicEnds, ...]:
        """The topics written to."""
        return (TopicEnds(self.sink, self.sink_ends), *self.more_sinks)


ACCEPTED, UNCHANGED, REFUSED = "accepted", "unchanged", "refused"
"""The verdicts on a command."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome given to a command id: `verdict` is accepted, unchanged or refused."""

    command_id: str
    digest: str
    offset: int
    seq: int
    verdict: str
    code: str
    message: str
    line: int
    column: int
    notices: tuple[str, ...]
    uid: str
    name: str


@dataclass(frozen=True, slots=True)
class Position:
    """Up to where commands and reports are judged (next offsets), and the last event's seq."""

    commands: int = 0
    reports: int = 0
    seq: int = 0
    format: int = FORMAT


StateRecord = Job | TopicMapping | Snapshot | Answer | Position
