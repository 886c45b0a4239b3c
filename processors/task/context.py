"""What a run of a task is over all its lives, and what its host gives to it."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from jobplane.processors.kafka.abandoning import returns
from jobplane.processors.kafka.cluster import Consumer, Kafka
from jobplane.processors.registry.client import Registry
from jobplane.processors.task.counters import Counters
from jobplane.processors.task.gate import Gate
from jobplane.processors.task.records import Control
from jobplane.processors.task.reports import Reporter
from jobplane.schemas.failures import RecordFailure
from jobplane.schemas.records.progress import Progress
from jobplane.schemas.records.snapshots import SnapshotRequest
from jobplane.schemas.records.tasks import Task

BATCH = 5_000
UNHURRIED = 500
"""Records read at once where functions of packages are called: nobody knows how long they take, and a step has 10 s."""
NARROWER = 10
STARTING, STARTING_S = 8, 3.0
"""How many tasks of a host start at the same time, and after how long one that still does no longer counts."""
MOST_LEFT_BEHIND = 20
"""Clients with calls that did not come back, some threads each, after which a host is replaced."""
CLOSE_S = 3.0
IN_KAFKA = frozenset({1, 2, 3, 8, 9, 10, 11, 12})
"""Steps that wait for Kafka; librdkafka does not always keep to the time it is given for a call."""


class End(StrEnum):
    """Why a runner ended."""

    STOPPED = "stopped"
    FAILED = "failed"
    COMPLETED = "completed"
    GONE = "gone"
    FENCED = "fenced"
    RELEASED = "released"


class Narrowed(Exception):
    """A record was refused: begin anew, with smaller batches, to find it."""


class Released(Exception):
    """The worker wants the task to end without a word: it moves elsewhere, or the process stops."""


@dataclass(frozen=True, slots=True)
class House:
    """What a task host gives to its runners. `in_touch` raises Doubt while the worker may have lost its place.

    `worn` is set when so much was left behind that the end of the process is to clear it.
    """

    kafka: Kafka
    prefix: str
    control: Control
    reporter: Reporter
    in_touch: Callable[[], None]
    registry: Registry | None
    gate: Gate = field(default_factory=lambda: Gate(STARTING, STARTING_S))
    turn: threading.Lock = field(default_factory=threading.Lock)
    worn: threading.Event = field(default_factory=threading.Event)
    _left_behind: list[str] = field(default_factory=list)

    def leave_behind(self, what: str) -> None:
        """A call that does not come back, with its client."""
        self._left_behind.append(what)
        if len(self._left_behind) >= MOST_LEFT_BEHIND:
            self.worn.set()

    def close(self, consumer: Consumer) -> None:
        """Closes a consumer, or leaves it behind: one that looks for an offset may wait for a broker that is gone."""
        if not returns(consumer.close, CLOSE_S):
            self.leave_behind("close")


@dataclass(slots=True)
class Run:
    """One run of a task, over all its lives. `told` is the newest task record, `release` ends the run without a word.

    `step` is told each numbered step, 0 for a sign of life between them. `copied` holds the snapshot versions served.
    `batch` is how many records are read at once; below BATCH, a record that Kafka refuses is being looked for, and
    `good` batches of that size have gone through. `refused` are those found, by topic, partition and offset.

    `flushed` is how far the output is known to be written, in a job that keeps no checkpoints: a search goes on there.
    `noted` are the references of the faults that the log has, `faults` counts those that were not one record's.
    """

    house: House
    told: Task
    step: Callable[[int], None]
    counters: Counters
    attempt: int
    copied: set[int] = field(default_factory=set)
    release: threading.Event = field(default_factory=threading.Event)
    refused: dict[tuple[str, int, int], RecordFailure] = field(default_factory=dict)
    flushed: dict[tuple[str, int], int] = field(default_factory=dict)
    noted: set[str] = field(default_factory=set)
    faults: int = 0
    batch: int = BATCH
    good: int = 0

    def alive(self) -> None:
        """Marks progress while waiting for Kafka; raises Released when the worker asked for it."""
        self.step(0)
        if self.release.is_set():
            raise Released

    def narrow(self) -> bool:
        """Read fewer records at once from now on; False where that is not possible."""
        narrower, self.batch, self.good = self.batch > 1, max(1, self.batch // NARROWER), 0
        return narrower

    def widen(self) -> None:
        """After a commit: so many good batches in a row hold no record that Kafka refuses."""
        self.good += 1
        if self.good > 2 * NARROWER:
            self.batch = BATCH

    def last_progress(self) -> Progress:
        """For the report that ends the run: its counters as they are."""
        return self.counters.progress(time.time(), None)

    def snapshots_due(self, task: Task) -> list[SnapshotRequest]:
        return [request for request in task.snapshots if request.version not in self.copied]
