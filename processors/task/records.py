"""What a task host reads of the control topics: task records, checkpoints and snapshots.

Each reader borrows a consumer of its own: a reader that waits for a transaction to end blocks no other.
"""

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from jobplane.processors.kafka.abandoning import returns
from jobplane.processors.kafka.cluster import (
    CALL_S,
    Consumer,
)
from jobplane.processors.kafka.control_topics import ControlTopics
from jobplane.processors.kafka.questions import At
from jobplane.schemas.failures import CheckpointLost, SnapshotLost
from jobplane.schemas.records.checkpoints import Checkpoint, Pointer
from jobplane.schemas.records.snapshots import SnapshotPart
from jobplane.schemas.records.tasks import Task
from jobplane.schemas.wire.codec import UnknownRecord, decode

MOST_IDLE = 8
"""Consumers that are kept for the next reader."""
Alive = Callable[[], None]


@dataclass(frozen=True, slots=True)
class RecordAt:
    """A task record: its key, its partition, and an offset where it lies or has been replaced by a later record."""

    key: str
    partition: int
    offset: int


class ControlRecords:
    """Reads for the runners of one host. Thread-safe; every method may raise Doubt."""

    def __init__(self, topics: ControlTopics) -> None:
        self._kafka, self._topics = topics.kafka, topics
        self._lock = threading.Lock()
        self._idle = {committed: [self._topics.record_reader(committed=committed)] for committed in (True, False)}
        """Consumers that are not in use, by whether they read committed records only."""

    def task(self, at: RecordAt, alive: Alive) -> Task | None:
        """The task record as it is at the end of its partition; None if it is gone."""
        found, _ = self._last(self._topics.tasks, at.partition, at.key, alive, at.offset)
        return decode(found, Task) if found else None

    def tasks(self, places: Iterable[RecordAt], alive: Alive) -> dict[str, Task]:
        """The task records of many tasks at once, by key, as they are at the ends of their partitions."""
        keys, starts = set[bytes](), dict[At, int]()
        for at in places:
            place = (self._topics.tasks, at.partition)
            keys.add(at.key.encode())
            starts[place] = min(at.offset, starts.get(place, at.offset))
        last: dict[bytes, bytes | None] = {}
        with self._consumer(committed=True) as consumer:
            for message in self._kafka.read_from(consumer, starts, alive):
                if (key := message.key()) in keys:
                    last[key] = message.value()
        return {key.decode(): decode(value, Task) for key, value in last.items() if value}

    def checkpoint(
        self, key: str, layout: int, partition: int, pointers: Iterable[Pointer], alive: Alive
    ) -> Checkpoint | None:
        """The newest committed checkpoint under a key. Its task has been fenced, so no transaction of it is open.

        The pointers only say where to begin: after a broker's death its group may have lost a commit that the rest of
        its transaction has. If nothing under the key lies behind the pointer's record, committed or not, that is it.
        """
        topic = self._topics.checkpoints
        own = sorted((one for one in pointers if one.layout == layout and one.partition == partition), reverse=True)
        start = next((one.offset for one in own if self._pointed(topic, one, key) is not None), None)
        data = None
        if start is not None:
            data, count = self._last(topic, partition, key, alive, start, committed=False)
            data = data if count == 1 else None
        if data is None and start is not None:
            data, _ = self._last(topic, partition, key, alive, start)
        if data is None:
            data, _ = self._last(topic, partition, key, alive)
        try:
            return decode(data, Checkpoint) if data else None
        except UnknownRecord as bad:
            raise CheckpointLost(f"the checkpoint {key} cannot be read: {bad}") from bad

    def snapshot(self, part: SnapshotPart, alive: Alive) -> Checkpoint:
        """The checkpoint kept in a part of a snapshot. Raises SnapshotLost if it is gone or not what it was."""
        topic = self._topics.snapshots
        data = self._pointed(topic, Pointer(0, 0, part.offset), part.key)
        if data is None:
            data, _ = self._last(topic, 0, part.key, alive)
        if data is None or hashlib.sha256(data).hexdigest() != part.digest:
            raise SnapshotLost(f"the snapshot record '{part.key}' is {'damaged' if data else 'gone'}")
        try:
            return decode(data, Checkpoint)
        except UnknownRecord as bad:
            raise SnapshotLost(f"the snapshot record '{part.key}' cannot be read: {bad}") from bad

    def record_at(self, topic: str, partition: int, offset: int) -> tuple[bytes | None, bytes | None]:
        """The key and value of the record at an offset; None for both if it is gone."""
        with self._consumer(committed=False) as consumer:
            message = self._kafka.record_at(consumer, topic, partition, offset)
        return (message.key(), message.value()) if message is not None else (None, None)

    def _pointed(self, topic: str, pointer: Pointer, key: str) -> bytes | None:
        found, value = self.record_at(topic, pointer.partition, pointer.offset)
        return value if found == key.encode() else None

    def _last(
        self, topic: str, partition: int, key: str, alive: Alive, start: int | None = None, *, committed: bool = True
    ) -> tuple[bytes | None, int]:
        """The last record under a key from `start` or the first offset on, and how many there are."""
        wanted, last, count = key.encode(), None, 0
        at = (topic, partition)
        starts = self._kafka.first_offsets([at], alive) if start is None else {at: start}
        with self._consumer(committed=committed) as consumer:
            for message in self._kafka.read_from(consumer, starts, alive):
                if message.key() == wanted:
                    last, count = message.value(), count + 1
        return last, count

    @contextmanager
    def _consumer(self, *, committed: bool) -> Iterator[Consumer]:
        """A consumer whose reading was interrupted is not used again: it may have an old broker and position."""
        with self._lock:
            idle = self._idle[committed]
            consumer = idle.pop() if idle else None
        if consumer is None:
            consumer = self._topics.record_reader(committed=committed)
        try:
            yield consumer
        except BaseException:
            returns(consumer.close, CALL_S)
            raise
        consumer.unassign()
        with self._lock:
            if len(idle) < MOST_IDLE:
                idle.append(consumer)
                return
        consumer.close()

    def close(self) -> None:
        for consumer in (*self._idle[True], *self._idle[False]):
            consumer.close()
