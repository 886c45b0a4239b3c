"""Which tasks this worker must run: the records of the `tasks` partitions it holds, read from 0 and then tailed.

Our own consumer reads new partitions; partitions that the worker keeps continue without a pause.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from jobplane.controlplane.topics import TASKS
from jobplane.processors.kafka.abandoning import returns
from jobplane.processors.kafka.cluster import CALL_S, Consumer, Doubt, Kafka, assign, poll_ready
from jobplane.processors.kafka.control_topics import ControlTopics
from jobplane.processors.kafka.judging import judging
from jobplane.processors.protocol.messages import TaskGoal, goal_of
from jobplane.schemas.options import JobOptions
from jobplane.schemas.records.tasks import Task
from jobplane.schemas.wire.codec import UnknownRecord, decode

POLL_S = 0.2
"""How often the reader looks for other partitions and for its end, while there is no record."""
LOG = logging.getLogger("jobplane.placement")


@dataclass(frozen=True, slots=True)
class HeldTask:
    """What a worker keeps of a task record, which lies in `tasks` at this partition and offset.

    `job` is the job's name. `has_work` is whether a worker has anything to do for the task. The query and its plan stay
    in Kafka: a worker may hold forty thousand tasks.
    """

    goal: TaskGoal
    job: str
    partition: int
    offset: int
    has_work: bool
    metrics_enabled: bool


Want = Callable[[str, HeldTask | None], None]
"""Called with a task's key and newest record; with None once the record is deleted or its partition is not held."""


class TaskRecords:
    """Follows the task records of the worker's partitions, in a thread. `hold` may be called at any time."""

    def __init__(self, kafka: Kafka, prefix: str, want: Want) -> None:
        self._kafka, self._prefix, self._want = kafka, prefix, want
        self._lock = threading.Lock()
        self._held: frozenset[int] = frozenset()
        self._stop, self._changed = threading.Event(), threading.Event()
        self._keys: dict[str, int] = {}
        self.ready = threading.Event()

    def hold(self, partitions: frozenset[int]) -> None:
        """Sets the partitions that this worker has from now on."""
        with self._lock:
            self._held = partitions
        self._changed.set()

    def holds(self, partition: int) -> bool:
        return partition in self._held

    def close(self) -> None:
        self._stop.set()
        self._changed.set()

    def run(self) -> None:
        """Runs until closed. After an error of Kafka it reads all partitions again."""
        while not self._stop.is_set():
            try:
                with judging(), self._open(ControlTopics(self._kafka, self._prefix).follower()) as consumer:
                    self._follow(consumer)
            except Doubt as doubt:
                LOG.warning("reading the task records again: %s", doubt)
                self._stop.wait(1)

    @contextmanager
    def _open(self, consumer: Consumer) -> Iterator[Consumer]:
        try:
            yield consumer
        finally:
            returns(consumer.close, CALL_S)

    def _follow(self, consumer: Consumer) -> None:
        topic = f"{self._prefix}{TASKS}"
        positions: dict[int, int] = {}
        while not self._stop.is_set():
            held = self._held
            if held != positions.keys():
                self._let_go(held)
                gained = sorted(held - positions.keys())
                ends = self._load(topic, gained)
                positions = {p: positions.get(p, ends.get(p, 0)) for p in held}
                assign(consumer, {(topic, p): offset for p, offset in positions.items()})
                self.ready.set()
            if not held:
                self._changed.wait(POLL_S)
                self._changed.clear()
                continue
            for message in poll_ready(consumer, 1000, POLL_S):
                partition = message.partition() or 0
                positions[partition] = (message.offset() or 0) + 1
                self._take(message.key(), message.value(), partition, message.offset() or 0)

    def _let_go(self, held: frozenset[int]) -> None:
        for key in [key for key, partition in self._keys.items() if partition not in held]:
            del self._keys[key]
            self._want(key, None)

    def _load(self, topic: str, partitions: list[int]) -> dict[int, int]:
        """Reads the partitions to their ends and uses the last record of each key. Returns the ends."""
        if not partitions:
            return {}
        last: dict[bytes, tuple[bytes | None, int, int]] = {}
        with self._open(ControlTopics(self._kafka, self._prefix).state_reader()) as reader:
            for message in self._kafka.read_to_end(reader, topic, partitions):
                last[message.key() or b""] = (message.value(), message.partition() or 0, message.offset() or 0)
            reached = self._kafka.positions(reader, [(topic, p) for p in partitions])
        for key, (value, partition, offset) in last.items():
            self._take(key, value, partition, offset)
        return {partition: offset for (_, partition), offset in reached.items()}

    def _take(self, key: bytes | None, value: bytes | None, partition: int, offset: int) -> None:
        name = (key or b"").decode(errors="replace")
        if value is None:
            if self._keys.pop(name, None) is not None:
                self._want(name, None)
            return
        try:
            task = decode(value, Task)
        except UnknownRecord as unknown:
            LOG.warning("task record %s cannot be read, so the task does not run here: %s", name, unknown)
            return
        self._keys[name] = partition
        metrics_enabled = JobOptions.of(task.options).metrics_enabled
        self._want(name, HeldTask(goal_of(task), task.job, partition, offset, task.wanted, metrics_enabled))
