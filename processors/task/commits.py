"""The steps BEGIN and FLUSH to COMMIT: output, checkpoint and offsets become visible together, or not at all.

With processingGuarantee 'exactlyOnce' the output is part of the transaction. 'atLeastOnce' flushes the output before a
transaction of offsets and checkpoint. 'none' keeps no checkpoint: its transactional id only fences.
"""

import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from jobplane.processors.fetch.reader import SourceReader
from jobplane.processors.kafka.cluster import (
    Consumer,
    Doubt,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
    delivered_offset,
)
from jobplane.processors.kafka.plain_output import PlainOutput
from jobplane.processors.kafka.transactions import TransactionalProducer
from jobplane.processors.pipeline import Pipeline
from jobplane.processors.protocol.steps import Step
from jobplane.processors.task.context import TaskContext
from jobplane.processors.task.restore import checkpoint_of
from jobplane.processors.task.sources import SourcePositions
from jobplane.processors.task.topic_checks import confirm
from jobplane.schemas.options import Guarantee
from jobplane.schemas.records.checkpoints import Checkpoint, Pointer
from jobplane.schemas.records.tasks import Task
from jobplane.schemas.wire.codec import encode

TRANSACTION_SLACK_MS = 60_000
"""How much longer than its interval a transaction may be open."""


@dataclass(frozen=True, slots=True)
class TaskClients:
    """The Kafka clients of one session. `producer` has the transactional id; `output` takes the job's output.

    `reader` gives the source records. `consumer` has the group, and may be what `reader` reads with.
    """

    producer: TransactionalProducer
    output: TransactionalProducer | PlainOutput
    consumer: Consumer
    reader: SourceReader


@dataclass(slots=True)
class Commits:
    """`checkpoint` is the one committed last. `partitions` counts the partitions of each source, as last confirmed.

    `confirmed_at` is when that was, of the monotonic clock. `took` is how many seconds the last commit took.
    """

    context: TaskContext
    task: Task
    pipeline: Pipeline
    clients: TaskClients
    sources: SourcePositions
    checkpoint: Checkpoint
    partitions: dict[str, int]
    confirmed_at: float = field(default_factory=time.monotonic)
    in_transaction: bool = False
    took: float = 0.0

    @property
    def atomic(self) -> bool:
        """Whether the output is part of the transaction."""
        return self.clients.output is self.clients.producer

    @property
    def state_bytes(self) -> int:
        """The size of the task's state."""
        return 0

    def state(self) -> bytes:
        """What the checkpoint holds besides the offsets."""
        return b""

    def begin(self) -> None:
        self.context.enter(Step.BEGIN)
        if self.atomic:
            self._begin_transaction()

    def _begin_transaction(self) -> None:
        self.clients.producer.begin()
        self.in_transaction = True

    def commit(self) -> None:
        """Commits what was read and written since `begin`."""
        began, output = time.monotonic(), self.clients.output
        self.context.enter(Step.FLUSH)
        if isinstance(output, PlainOutput):
            output.flush(self._patience_s, self._confirm_while_waiting)
        if self.pipeline.options.processing_guarantee is Guarantee.NONE:
            self.confirm()
            self.context.flushed = dict(self.sources.offsets)
            self.clients.consumer.commit(offsets=self._offsets(""), asynchronous=True)  # so that tools show the lag
        else:
            self._commit_transaction()
        self.context.enter(Step.REPORT)
        self.took = time.monotonic() - began
        self.context.counters.committed(self.took, time.time(), self.state_bytes)

    def _commit_transaction(self) -> None:
        task, producer, enter = self.task, self.clients.producer, self.context.enter
        if not self.in_transaction:
            self._begin_transaction()
        number, attempt = self.checkpoint.number + 1, self.context.attempt
        checkpoint = checkpoint_of(task, self.pipeline, self.sources.offsets, number, attempt, self.state())
        pointer = Pointer(task.layout, task.partition, self._write(checkpoint))
        enter(Step.SEND_OFFSETS)
        producer.send_offsets(self._offsets(str(pointer)), self.clients.consumer)
        enter(Step.CONFIRM)
        self.confirm()
        enter(Step.COMMIT)
        producer.commit()
        self.checkpoint, self.in_transaction = checkpoint, False

    def _write(self, checkpoint: Checkpoint) -> int:
        """Writes the checkpoint; its offset, once all records of the transaction are acknowledged."""
        task, topic = self.task, self.context.services.topics.checkpoints
        (offset,) = self.write_records(topic, task.partition, [(task.checkpoint_key, encode(checkpoint))])
        return offset

    def write_records(self, topic: str, partition: int, records: Iterable[tuple[str, bytes | None]]) -> list[int]:
        """Writes keys and values within the transaction; their offsets, once all in it are acknowledged."""
        producer, delivered, count = self.clients.producer, dict[int, Message](), 0
        for key, value in records:
            record = (topic, value, key, partition, partial(_keep, delivered, count))
            try:
                producer.produce(*record)
            except BufferError:  # the client's queue is full
                producer.flush(self._patience_s, self._confirm_while_waiting)
                producer.produce(*record)
            count += 1
        producer.flush(self._patience_s, self._confirm_while_waiting)
        if len(delivered) < count or any(one.error() is not None for one in delivered.values()):
            raise producer.cause() or Doubt(f"'{topic}' was not written to")  # it fails with the record refused
        return [delivered_offset(delivered[i]) for i in range(count)]

    def _offsets(self, metadata: str) -> list[TopicPartition]:
        return [TopicPartition(topic, p, offset, metadata) for (topic, p), offset in self.sources.offsets.items()]

    @property
    def _patience_s(self) -> float:
        return self.pipeline.interval_ms / 1000 + 30

    def confirm(self) -> None:
        """Raises DataLost or SinkLost where a topic is not the one that the job was created with."""
        self.confirmed_at = time.monotonic()
        self.partitions = confirm(self.context.services, self.pipeline, self.context.alive)

    def _confirm_while_waiting(self) -> None:
        self.context.alive()
        self.confirm()

    def failed_with(self, error: KafkaException) -> KafkaException:
        """Why producing failed: once a record was refused, the client says only _STATE, and is asked for the cause."""
        if error.args[0].name() == "_STATE" and self.in_transaction:
            return self.clients.producer.cause() or error
        return error

    def abandon(self) -> None:
        """Ends an open transaction, so that readers of the sink do not wait for its time-out."""
        if self.in_transaction:
            with suppress(KafkaException):
                self.clients.producer.abort()
                self.context.counters.aborted()


def _keep(delivered: dict[int, Message], number: int, _: KafkaError | None, message: Message) -> None:
    delivered[number] = message
