"""What one transactional producer and one consumer do for a task between fence and end: steps 2 to 12 of the runner."""

import hashlib
import time
from contextlib import suppress
from dataclasses import replace
from operator import length_hint
from typing import Any, TypeVar

from processors.kafka import (
    Consumer,
    Doubt,
    Fenced,
    KafkaException,
    Message,
    TopicPartition,
    assign,
    insisting,
    judged,
    poll,
)
from processors.pipeline import Pipeline
from processors.run import BATCH, End, Narrowed, Released, Run
from processors.transactions import TransactionalProducer
from schemas.checkpoints import Checkpoint, Pointer
from schemas.codec import encode
from schemas.errors import (
    BadRecord,
    CheckpointLost,
    DataLost,
    JobFailure,
    RecordFailure,
    RecordTooLarge,
    SinkLost,
)
from schemas.reports import Said
from schemas.tasks import Task
from schemas.values import Failure, PartitionOffset, SnapshotPart, SnapshotRequest, SourceOffsets

IDLE_S = 0.02


class Life:
    """What one producer and one consumer do between fence and end."""

    def __init__(
        self,
        run: Run,
        task: Task,
        pipeline: Pipeline,
        producer: TransactionalProducer,
        consumer: Consumer,
        record_limit: int,
    ) -> None:
        self.run, self.task, self.pipeline, self.producer, self.consumer = run, task, pipeline, producer, consumer
        self.record_limit = record_limit
        self.house, self.counters, self.step = run.house, run.counters, run.step
        self.partitions = [p for p in range(len(pipeline.source.start)) if task.owns(p)]
        self.checkpoint = self._initial(0, 0)
        self.positions: dict[int, int] = {}
        self.open_since = 0.0
        self.culprit: JobFailure | None = None
        self.last_read: Message | None = None

    def _initial(self, number: int, attempt: int) -> Checkpoint:
        return Checkpoint(
            self.task.uid,
            self.task.layout,
            self.task.task,
            number,
            attempt,
            (self._offsets(self.pipeline.source.start),),
        )

    def _offsets(self, next_offset: Any) -> SourceOffsets:
        source = self.pipeline.source
        held = tuple(PartitionOffset(p, next_offset[p]) for p in self.partitions)
        return SourceOffsets(source.topic, source.topic_id, held)

    def restore(self) -> None:
        """Where the task goes on: its own checkpoint; else the snapshot it was created from; else the start offsets."""
        task, alive = self.task, self.run.alive
        committed = self.consumer.committed([TopicPartition(self.pipeline.source.topic, p) for p in self.partitions], 5)
        found = self.house.control.checkpoint(task, committed, alive)
        if found is not None:
            self.checkpoint = found
        elif task.started:
            raise CheckpointLost(
                f"task {task.key} has run before, but has no checkpoint under {task.checkpoint_key}; "
                "DROP the job and create it anew, from a snapshot if there is one"
            )
        elif task.restore is not None:
            parts = [self.house.control.snapshot(part, alive) for part in task.restore.parts]
            held = {one.partition: one.offset for part in parts for source in part.sources for one in source.offsets}
            start = self.pipeline.source.start
            self.checkpoint = replace(
                self.checkpoint, sources=(self._offsets([held.get(p, at) for p, at in enumerate(start)]),)
            )
        self.positions = {one.partition: one.offset for one in self.checkpoint.sources[0].offsets}
        attempt = max(task.attempt, self.checkpoint.attempt, self.run.attempt) + 1
        self.run.attempt = attempt

    def assign(self) -> None:
        """The first commit of this life proves that its checkpoint can be written; then the task is running."""
        topic = self.pipeline.source.topic
        self._confirm()
        earliest = self.house.kafka.offsets([(topic, p) for p in self.partitions], earliest=True)
        for p, offset in self.positions.items():
            if earliest[topic, p] > offset:
                raise _at(
                    DataLost(f"the source begins at offset {earliest[topic, p]} now; the task needs {offset}"),
                    topic,
                    p,
                    offset,
                )
        assign(self.consumer, {(topic, p): offset for p, offset in self.positions.items()})
        self._begin()
        self._commit()
        self.house.reporter.phase(self.task, self.run.attempt, Said.RUNNING)

    def loop(self) -> End:
        """Steps 4 to 12 until the task is told to stop, fails or is fenced."""
        interval = self.pipeline.interval_ms / 1000
        while True:
            self.step(0)
            if self.run.release.is_set():
                if self.open_since:
                    self._commit()
                raise Released
            self.house.in_touch()
            told = self.run.told
            if told.generation != self.task.generation:
                return End.GONE
            asked = self.run.snapshots_due(told)
            due = self.open_since + interval - time.monotonic() if self.open_since else IDLE_S
            looking = self.run.batch < BATCH
            if self.open_since and (due <= 0 or asked or not told.run or self.culprit or looking):
                self._commit()
                if self.culprit is not None:
                    raise self.culprit
                if self.producer.suspect:
                    raise Doubt(self.producer.suspect)
                self.run.widen()
                continue
            self._copy(asked)
            if not told.run:
                return self.stop()
            if self.culprit is not None:
                raise self.culprit
            if self._poll_and_produce() < BATCH // 10:
                self.run.release.wait(min(due, IDLE_S))

    def _poll_and_produce(self) -> int:
        """Steps 4 to 7 for what has been fetched. Returns the number of records.

        Tasks of a host take turns: threads that contend for the interpreter in these steps cost half as much again.
        """
        while not self.house.turn.acquire(timeout=1):
            self.run.alive()
        try:
            self.step(4)
            messages = poll(self.consumer, self.run.batch, 0)
            if messages:
                self._batch(messages)
            self.producer.poll(0)
            return len(messages)
        except DataLost as lost:
            raise self._data_lost(lost) from lost
        finally:
            self.house.turn.release()

    def stop(self) -> End:
        """The task record says stop: everything is committed; copy what is asked for, say so, end."""
        told = self.run.told
        task = told if told.generation == self.task.generation else self.task
        self._copy(self.run.snapshots_due(task))
        self.house.reporter.phase(self.task, self.run.attempt, Said.STOPPED)
        return End.STOPPED

    def _begin(self) -> None:
        self.step(5)
        self.producer.begin()
        self.open_since = time.monotonic()

    def _batch(self, messages: list[Message]) -> None:
        if not self.open_since:
            self._begin()
        self.last_read = messages[-1]
        self.step(6)
        rows = iter(messages)
        try:
            written, skipped = self.pipeline.step(rows, self.producer.produce, self._when_full)
        except Exception as error:  # noqa: BLE001  # what a user's record raises is its fault, if not Kafka's
            written = skipped = 0
            done = len(messages) - length_hint(rows) - 1
            self.culprit = self._blame(error, messages[done])
            unread = messages[done:]
        else:
            done, unread = len(messages), []
        self.step(7)
        for at in self.consumer.position([TopicPartition(self.pipeline.source.topic, p) for p in self.partitions]):
            if at.offset >= 0:
                self.positions[at.partition] = at.offset
        for message in reversed(unread):
            self.positions[message.partition() or 0] = message.offset() or 0
        self.counters.batch(done, written, skipped)

    def _blame(self, error: Exception, message: Message) -> JobFailure:
        """The failure a record causes. Raises Fenced or Doubt where Kafka, not the record, is the reason."""
        if isinstance(error, Fenced | Doubt | Released):
            raise error
        if isinstance(error, KafkaException):
            failure = judged(error)
            if not isinstance(failure, RecordTooLarge):
                raise error
            return self._named(failure, message)
        return self._named(
            BadRecord(error.message if isinstance(error, BadRecord) else str(error) or type(error).__name__), message
        )

    def _named(self, failure: RecordFailure, message: Message) -> RecordFailure:
        """The failure with the record to blame."""
        if isinstance(failure, RecordTooLarge):
            text = f"the record is larger than the {self.record_limit} bytes '{self.pipeline.sink.topic}' takes"
            failure = RecordTooLarge(f"{text}; raise max.message.bytes of the topic, then RESUME")
        return _at(failure, message.topic() or "", message.partition() or 0, message.offset() or 0)

    def judged(self, error: KafkaException) -> Exception:
        """What an error of the client means.

        Once a record was refused, producing says only _STATE, not why. Batches grow smaller then, until the record that
        is refused stands alone in one, and is named.
        """
        failed = self.producer.cause() if error.args[0].name() == "_STATE" and self.open_since else None
        cause = judged(failed or error)
        if isinstance(cause, RecordFailure) and not self.run.narrow() and self.last_read is not None:
            return self._named(cause, self.last_read)
        return Narrowed(str(cause)) if isinstance(cause, RecordFailure) else cause

    def abandon(self) -> None:
        """Ends an open transaction, so that readers of the sink need not wait for its time-out."""
        if self.open_since:
            with suppress(KafkaException):
                self.producer.abort()
                self.counters.aborted()

    def _when_full(self, *record: Any) -> None:
        """The client's queue is full: wait for room, while others take their turn, then produce the record."""
        while True:
            self.run.alive()
            self.house.turn.release()
            try:
                self.producer.poll(0.05)
            finally:
                self.house.turn.acquire()
            with suppress(BufferError):
                return self.producer.produce(*record)

    def _commit(self) -> None:
        began = time.monotonic()
        task, producer = self.task, self.producer
        self.step(8)
        checkpoint = Checkpoint(
            task.uid,
            task.layout,
            task.task,
            self.checkpoint.number + 1,
            self.run.attempt,
            (self._offsets(self.positions),),
        )
        pointer = Pointer(task.layout, task.partition, self._write(checkpoint))
        self.step(9)
        topic = self.pipeline.source.topic
        offsets = [TopicPartition(topic, p, offset, str(pointer)) for p, offset in self.positions.items()]
        producer.send_offsets(offsets, self.consumer)
        self.step(10)
        self._confirm()
        self.step(11)
        producer.commit()
        self.checkpoint, self.open_since = checkpoint, 0.0
        self.step(12)
        self.counters.committed(time.monotonic() - began, self._lag())

    def _write(self, checkpoint: Checkpoint) -> int:
        """The checkpoint's offset, once all of the transaction is acknowledged."""
        delivered: list[Message] = []
        limit = self.pipeline.interval_ms / 1000 + 30
        record = (
            *(f"{self.house.prefix}checkpoints", encode(checkpoint), self.task.checkpoint_key, self.task.partition),
            lambda error, message: delivered.append(message),
        )
        try:
            self.producer.produce(*record)
        except BufferError:  # the client's queue is full
            self.producer.flush(limit, self._confirm_waiting)
            self.producer.produce(*record)
        self.producer.flush(limit, self._confirm_waiting)
        if not delivered or delivered[0].error() is not None:  # it goes under with the record that was refused
            raise self.producer.cause() or Doubt("the checkpoint was not written")
        return delivered[0].offset() or 0

    def _confirm(self) -> None:
        """Raises DataLost or SinkLost where a topic is not the one the job was created with."""
        source, sink = self.pipeline.source, self.pipeline.sink
        named = {source.topic, sink.topic}

        def both() -> dict[str, str] | None:
            found = self.house.topics.ids(named, self.run.alive)
            return found if found.keys() == named else None

        ids = insisting(both, self.run.alive) or self.house.topics.ids(named, self.run.alive)
        if ids.get(source.topic) != source.topic_id:
            what = "was deleted and recreated" if source.topic in ids else "was deleted"
            raise DataLost(f"the source topic '{source.topic}' {what}; DROP the job and create it anew")
        if ids.get(sink.topic) != sink.topic_id:
            what = "was deleted and recreated" if sink.topic in ids else "was deleted"
            raise SinkLost(f"the sink topic '{sink.topic}' {what}; DROP the job and create it anew")

    def _confirm_waiting(self) -> None:
        self.run.alive()
        self._confirm()

    def _copy(self, asked: list[SnapshotRequest]) -> None:
        """Step 12: copy the committed checkpoint for each snapshot asked for, and report it."""
        for request in asked:
            value = encode(self.checkpoint)
            key = f"{request.name}/{request.version}/{self.task.task}/{self.checkpoint.number}"
            reporter, attempt = self.house.reporter, self.run.attempt
            try:
                offset = reporter.keep(key, value)
            except JobFailure as failure:
                cause = Failure(failure.code, failure.message)
                reporter.snapshot(self.task, attempt, Said.SNAPSHOT_FAILED, request, failure=cause)
            else:
                part = SnapshotPart(
                    self.task.task, key, offset, hashlib.sha256(value).hexdigest(), self.checkpoint.sources
                )
                reporter.snapshot(self.task, attempt, Said.SNAPSHOTTED, request, part=part)
            self.run.copied.add(request.version)

    def _lag(self) -> int:
        """Records between the task's positions and the ends the consumer last heard of."""
        lag, topic = 0, self.pipeline.source.topic
        for p, offset in self.positions.items():
            ends = self.consumer.get_watermark_offsets(TopicPartition(topic, p), cached=True)
            if ends[1] >= 0:
                lag += max(0, ends[1] - offset)
        return lag

    def _data_lost(self, lost: DataLost) -> JobFailure:
        topic = self.pipeline.source.topic
        earliest = self.house.kafka.offsets([(topic, p) for p in self.partitions], earliest=True)
        for p, offset in self.positions.items():
            if earliest[topic, p] > offset:
                failure = DataLost(f"the source begins at offset {earliest[topic, p]} now; the task needs {offset}")
                return _at(failure, topic, p, offset)
        return lost


F = TypeVar("F", bound=JobFailure)


def _at(failure: F, topic: str, partition: int, offset: int) -> F:
    failure.at = f"{topic}-{partition}@{offset}"
    return failure
