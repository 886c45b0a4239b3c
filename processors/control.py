"""What a task host reads of the control topics, and what it says: task records, checkpoints, snapshots, reports.

One producer serves all tasks of a host. Consumers are lent: whoever waits for a transaction to end keeps nobody else.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from processors.abandoning import returns
from processors.kafka import (
    CALL_S,
    Consumer,
    Doubt,
    Kafka,
    KafkaError,
    Message,
    Producer,
    TopicPartition,
    delivered_offset,
    judged,
    judging,
)
from schemas.failures import CheckpointLost, SnapshotLost
from schemas.records.checkpoints import Checkpoint, Pointer, read_pointer
from schemas.records.progress import Progress
from schemas.records.reports import Report, Said
from schemas.records.snapshots import SnapshotPart, SnapshotRequest
from schemas.records.state import ENDED, Phase
from schemas.records.tasks import Task
from schemas.wire.codec import NotOurs, decode, encode

REPEAT_S = 30.0
DELIVERY_S = 30.0
MOST_IDLE = 8
Alive = Callable[[], None]


class Control:
    """Reads for the runners of one host. Thread-safe; every method may raise Doubt."""

    def __init__(self, kafka: Kafka, prefix: str) -> None:
        self._kafka, self._prefix = kafka, prefix
        self._lock = threading.Lock()
        self._idle = {committed: [self._made(committed=committed)] for committed in (True, False)}
        """Consumers that nobody uses, by whether they read committed records only."""

    def task(self, key: str, partition: int, alive: Alive) -> Task | None:
        """The task's record as it is at the end of its partition; None where it is gone."""
        found, _ = self._last(f"{self._prefix}tasks", partition, key, alive)
        return decode(found, Task) if found else None

    def checkpoint(
        self, key: str, layout: int, partition: int, committed: Iterable[TopicPartition], alive: Alive
    ) -> Checkpoint | None:
        """The newest committed checkpoint under a key. Its task has been fenced, so no transaction of it is open.

        The pointers only say where to begin: after a broker's death its group may have lost a commit that the rest of
        its transaction has. If nothing under the key lies behind the pointer's record, committed or not, that is it.
        """
        topic = f"{self._prefix}checkpoints"
        pointers = [pointer for at in committed if (pointer := read_pointer(at.metadata))]
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
        except NotOurs as bad:
            raise CheckpointLost(f"the checkpoint {key} cannot be read: {bad}") from bad

    def snapshot(self, part: SnapshotPart, alive: Alive) -> Checkpoint:
        """The checkpoint kept in a part of a snapshot. Raises SnapshotLost where it is gone or not what it was."""
        topic = f"{self._prefix}snapshots"
        data = self._pointed(topic, Pointer(0, 0, part.offset), part.key)
        if data is None:
            data, _ = self._last(topic, 0, part.key, alive)
        if data is None or hashlib.sha256(data).hexdigest() != part.digest:
            raise SnapshotLost(f"the snapshot record '{part.key}' is {'damaged' if data else 'gone'}")
        try:
            return decode(data, Checkpoint)
        except NotOurs as bad:
            raise SnapshotLost(f"the snapshot record '{part.key}' cannot be read: {bad}") from bad

    def _pointed(self, topic: str, pointer: Pointer, key: str) -> bytes | None:
        with self._consumer(committed=False) as consumer:
            message = self._kafka.record_at(consumer, topic, pointer.partition, pointer.offset)
        return message.value() if message is not None and message.key() == key.encode() else None

    def _last(
        self, topic: str, partition: int, key: str, alive: Alive, start: int | None = None, *, committed: bool = True
    ) -> tuple[bytes | None, int]:
        """The last record under a key from `start` or the first offset on, and how many there are."""
        wanted, last, count = key.encode(), None, 0
        starts = {(topic, partition): start} if start is not None else None
        with self._consumer(committed=committed) as consumer:
            for message in self._kafka.read_to_end(consumer, topic, [partition], alive, starts):
                if message.key() == wanted:
                    last, count = message.value(), count + 1
        return last, count

    @contextmanager
    def _consumer(self, *, committed: bool) -> Iterator[Consumer]:
        """One that was interrupted while it read is not used again: it may know a broker, and a place, of before."""
        with self._lock:
            idle = self._idle[committed]
            consumer = idle.pop() if idle else None
        if consumer is None:
            consumer = self._made(committed=committed)
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

    def _made(self, *, committed: bool) -> Consumer:
        return self._kafka.consumer(f"{self._prefix}control", committed=committed, fetch_wait_max_ms=10)

    def close(self) -> None:
        for consumer in (*self._idle[True], *self._idle[False]):
            consumer.close()


class Reporter:
    """Says what tasks of this host came to, and repeats each report until the task's record shows it was heard."""

    def __init__(self, kafka: Kafka, prefix: str, worker: str) -> None:
        self._producer: Producer = kafka.producer()
        self._prefix, self.worker = prefix, worker
        self._lock = threading.Lock()
        self._unheard: dict[tuple[str, int], tuple[float, Report]] = {}
        """By task key and snapshot version (0: the task's phase)."""

    def phase(self, task: Task, attempt: int, said: Said, **details: object) -> None:
        self._say(
            task.key,
            0,
            Report(task.uid, task.task, task.generation, attempt, said, self.worker, **details),  # type: ignore[arg-type]
        )

    def snapshot(self, task: Task, attempt: int, said: Said, request: SnapshotRequest, **details: object) -> None:
        report = Report(
            task.uid,
            task.task,
            task.generation,
            attempt,
            said,
            self.worker,
            snapshot=request,
            **details,  # type: ignore[arg-type]
        )
        self._say(task.key, request.version, report)

    def progress(self, task: Task, attempt: int, progress: Progress) -> None:
        """Said once: the next one comes in seconds."""
        said = Report(task.uid, task.task, task.generation, attempt, Said.PROGRESS, self.worker, progress=progress)
        self._send(said)

    def keep(self, key: str, value: bytes) -> int:
        """Write a snapshot's record; returns its offset once it is acknowledged. Raises Doubt or a JobFailure."""
        delivered: list[tuple[KafkaError | None, Message]] = []
        with judging():
            self._producer.produce(
                f"{self._prefix}snapshots",
                value,
                key,
                0,
                on_delivery=lambda error, message: delivered.append((error, message)),
            )
        deadline = time.monotonic() + DELIVERY_S
        while not delivered and time.monotonic() < deadline:
            self._producer.poll(0.01)
        if not delivered:
            raise Doubt(f"the snapshot record was not acknowledged within {DELIVERY_S:.0f} s")
        error, message = delivered[0]
        if error is not None:
            raise judged(error)
        return delivered_offset(message)

    def heard(self, task: Task) -> None:
        """Forget the reports that the task's record takes into account."""
        versions = {request.version for request in task.snapshots}
        with self._lock:
            for (key, version), (_, report) in list(self._unheard.items()):
                if key == task.key and (version not in versions if version else _answered(task, report)):
                    del self._unheard[key, version]

    def forget(self, key: str) -> None:
        with self._lock:
            for one in [one for one in self._unheard if one[0] == key]:
                del self._unheard[one]

    def repeat(self) -> None:
        """Say again what has not been heard for 30 s. Called every second or so."""
        now = time.monotonic()
        with self._lock:
            due = [report for said, report in self._unheard.values() if now - said >= REPEAT_S]
            self._unheard = {
                one: (now, report) if report in due else (said, report) for one, (said, report) in self._unheard.items()
            }
        for report in due:
            self._send(report)
        self._producer.poll(0)

    def _say(self, key: str, version: int, report: Report) -> None:
        with self._lock:
            self._unheard[key, version] = (time.monotonic(), report)
        self._send(report)

    def _send(self, report: Report) -> None:
        self._producer.produce(f"{self._prefix}reports", encode(report), f"{report.uid}/{report.task}", 0)
        self._producer.poll(0)

    def close(self) -> None:
        self._producer.flush(CALL_S)


_PHASE = {
    Said.RUNNING: Phase.RUNNING,
    Said.STOPPED: Phase.STOPPED,
    Said.FAILED: Phase.STOPPED,
    Said.COMPLETED: Phase.COMPLETED,
}


def _answered(task: Task, report: Report) -> bool:
    return task.generation > report.generation or (
        task.attempt >= report.attempt and task.phase in (_PHASE[report.said], *ENDED)
    )
