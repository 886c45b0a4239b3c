"""What the sessions of one task share, and what the task host gives to all of its tasks."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from jobplane.processors.evaluation.place import Place
from jobplane.processors.evaluation.verdict import Interrupted
from jobplane.processors.fetch.shared_fetch import SharedFetch
from jobplane.processors.kafka.abandoning import returns
from jobplane.processors.kafka.cluster import Consumer, Kafka
from jobplane.processors.kafka.control_topics import ControlTopics
from jobplane.processors.kafka.wire.producer import WireProducer
from jobplane.processors.kafka.wire.wire import Wire
from jobplane.processors.pipeline import Pipeline, Positions
from jobplane.processors.protocol.messages import TaskGoal
from jobplane.processors.protocol.steps import Step
from jobplane.processors.registry.client import Registry
from jobplane.processors.task.counters import Counters
from jobplane.processors.task.gate import Gate
from jobplane.processors.task.groups.budget import StateBudget
from jobplane.processors.task.records import ControlRecords
from jobplane.processors.task.reports import Reporter
from jobplane.processors.task.turns import InterpreterTurn
from jobplane.schemas.failures import RecordFailure
from jobplane.schemas.formats.avro.known_schemas import KnownSchemas
from jobplane.schemas.records.checkpoints import Checkpoint
from jobplane.schemas.records.progress import Progress
from jobplane.schemas.records.snapshots import SnapshotRequest
from jobplane.schemas.records.tasks import Task
from jobplane.sql.runtime.groups import GroupState
from jobplane.sql.runtime.idle import SilentPartitions

BATCH = 1_000
"""Records read at once: the memory of more would not stay in the cache of a core."""
SMALL_BATCH = 500
"""Records read at once where functions of packages are called: their run time is unknown, and a step has 10 s."""
NARROWER = 10
STARTING, STARTING_S = 8, 3.0
"""How many tasks of a host start at the same time, and after how long a start no longer counts."""
MOST_LEFT_BEHIND = 20
"""Clients with calls that did not come back, some threads each, after which a host is replaced."""
CLOSE_S = 3.0


class Narrowed(Interrupted):
    """Kafka refused a record: begin again, with smaller batches, to find the record."""


class NotCopied(Interrupted):
    """Whole batches cannot be copied: begin again, and copy record by record."""


class Released(Interrupted):
    """The worker has asked the task to end without a report: the task moves elsewhere, or the process stops."""


@dataclass(frozen=True, slots=True)
class Rest:
    """Where a task rests: its record, what it has committed last, and the next offsets to read.

    Positions may be past those of the checkpoint by markers of transactions, never by records. `producer` has the
    task's transactional id, if nobody was seen to have fenced it since. `stepped_at` is when the task has last moved
    records without clients of its own, `often` how many such steps have followed each other quickly. `until` is when it
    wakes though nothing has come, of the monotonic clock.
    """

    task: Task
    pipeline: Pipeline
    checkpoint: Checkpoint
    positions: Positions
    producer: WireProducer | None = None
    stepped_at: float = 0.0
    often: int = 0
    until: float = math.inf


@dataclass(frozen=True, slots=True)
class TaskServices:
    """What a task host gives to its tasks.

    `require_in_touch` raises Doubt while the worker may have lost its place in the group. `interpreter_turn` is held by
    the one task that evaluates records. `state_budget` limits the memory of groups. After `dormant_after_s` without
    input a task rests. `must_restart` is set when so many calls did not come back that the process must be replaced.
    `schemas` are those of the registry that any of the tasks has needed. Without `shared_fetch` each task fetches for
    itself.
    """

    kafka: Kafka
    topics: ControlTopics
    records: ControlRecords
    reporter: Reporter
    require_in_touch: Callable[[], None]
    registry: Registry | None
    wire: Wire
    dormant_after_s: float = 10.0
    state_budget: StateBudget = field(default_factory=StateBudget)
    shared_fetch: SharedFetch | None = None
    gate: Gate = field(default_factory=lambda: Gate(STARTING, STARTING_S))
    interpreter_turn: InterpreterTurn = field(default_factory=InterpreterTurn)
    must_restart: threading.Event = field(default_factory=threading.Event)
    schemas: KnownSchemas = field(default_factory=KnownSchemas)
    _left_behind: list[str] = field(default_factory=list)

    def leave_behind(self, call: str) -> None:
        """Counts a call that does not come back, with its client."""
        self._left_behind.append(call)
        if len(self._left_behind) >= MOST_LEFT_BEHIND:
            self.must_restart.set()

    def close(self, consumer: Consumer) -> None:
        """Closes a consumer, or leaves it behind: one that looks for an offset may wait for a broker that is gone."""
        if not returns(consumer.close, CLOSE_S):
            self.leave_behind("close")


@dataclass(slots=True)
class TaskContext:
    """What the sessions of one task share.

    `enter` is called with each step, and with None for a sign of life between steps. `latest_goal` is that of the
    newest task record. `release` ends the task without a report. `copied` are the snapshot versions that were copied.

    `batch` is how many records are read at once. While it is below BATCH, the task looks for a record that Kafka
    refuses, and `good` batches of that size have gone through. `refused` are the records found.

    `flushed` is how far the output is known to be written, in a job without checkpoints: the next session goes on
    there. `rest` is where the task has last rested. `rows_because` is why it copies record by record, if it need not.

    `groups` are those of the query that were kept in memory when the task rested. `silent` is what is known of silence
    in its partitions, also while it rests.

    `logged` are the references of the faults that are in the log. `faults` counts those that no single record caused.
    """

    services: TaskServices
    latest_goal: TaskGoal
    enter: Callable[[Step | None], None]
    counters: Counters
    attempt: int
    copied: set[int] = field(default_factory=set)
    release: threading.Event = field(default_factory=threading.Event)
    refused: dict[Place, RecordFailure] = field(default_factory=dict)
    flushed: Positions = field(default_factory=dict)
    rest: Rest | None = None
    groups: GroupState | None = None
    silent: SilentPartitions | None = None
    logged: set[str] = field(default_factory=set)
    rows_because: str = ""
    faults: int = 0
    batch: int = BATCH
    good: int = 0

    def alive(self) -> None:
        """Gives a sign of life while waiting for Kafka; raises Released when the worker asked for it."""
        self.enter(None)
        if self.release.is_set():
            raise Released

    @contextmanager
    def turn(self) -> Iterator[None]:
        """The interpreter's turn, with signs of life until it comes."""
        turn = self.services.interpreter_turn
        while not turn.acquire(timeout=1):
            self.alive()
        try:
            yield
        finally:
            turn.release()

    def let_go_of_groups(self) -> None:
        """Takes the groups out of memory that were kept when the task rested; it loads them when it wakes."""
        self.groups = None

    def narrow(self) -> bool:
        """Reads fewer records at once from now on; False if it is one record already."""
        narrower, self.batch, self.good = self.batch > 1, max(1, self.batch // NARROWER), 0
        return narrower

    def widen(self) -> None:
        """After a commit: reads full batches again, if enough good batches have followed each other."""
        self.good += 1
        if self.good > 2 * NARROWER:
            self.batch = BATCH

    def wakes_at(self, checkpoint: Checkpoint) -> bool:
        """Whether the task rested at this checkpoint, and nobody has run it since."""
        return self.rest is not None and self.rest.checkpoint == checkpoint

    def last_progress(self) -> Progress:
        """The counters, for the report that ends the task."""
        return self.counters.progress(time.time(), None)

    def snapshots_due(self, goal: TaskGoal) -> list[SnapshotRequest]:
        return [request for request in goal.snapshots if request.version not in self.copied]
