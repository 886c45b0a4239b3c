"""What one transactional producer and one consumer do for a task between fence and end: steps 2 to 12 of the runner.

With processingGuarantee 'exactlyOnce' the output is in the transaction. 'atLeastOnce' flushes it before one of offsets
and checkpoint; 'none' keeps no checkpoint: its transactional id only fences.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from jobplane.processors.kafka.cluster import (
    Consumer,
    Doubt,
    KafkaException,
    Message,
    OutOfRange,
    Taken,
    TopicPartition,
    assign,
    delivered_offset,
    judged,
    poll,
    poll_one,
)
from jobplane.processors.kafka.plain_output import PlainOutput
from jobplane.processors.kafka.transactions import TransactionalProducer
from jobplane.processors.pipeline import Pipeline, Positions
from jobplane.processors.task.context import BATCH, UNHURRIED, End, Narrowed, Released, Run
from jobplane.processors.task.culprit import Blame
from jobplane.processors.task.dead_letters import letters_of, sending
from jobplane.processors.task.evaluation import Evaluation
from jobplane.processors.task.on_error import into_sink, position, treatment
from jobplane.processors.task.packages import step_here
from jobplane.processors.task.restore import made, restore
from jobplane.processors.task.snapshots import copy_checkpoint
from jobplane.processors.task.topic_checks import check_end, check_held, confirm
from jobplane.schemas.failures import JobFailure, RecordFailure
from jobplane.schemas.options import Guarantee
from jobplane.schemas.records.checkpoints import Checkpoint, Pointer
from jobplane.schemas.records.progress import PartitionProgress
from jobplane.schemas.records.reports import ReportKind
from jobplane.schemas.records.snapshots import SnapshotRequest
from jobplane.schemas.records.tasks import Task
from jobplane.schemas.wire.codec import encode
from jobplane.sql.codegen.compile import Step

GATHER_S, IDLE_S = 0.02, 0.2
"""How long records gather in an open transaction; how long a task without one waits for the first record at once."""
LOOK_S, CONFIRM_S = 2.0, 10.0
"""A quiet task asks so often whether its topics are the same, and whether a source has more partitions."""


class Life:
    """What one producer and one consumer do between fence and end."""

    def __init__(
        self,
        run: Run,
        task: Task,
        pipeline: Pipeline,
        producer: TransactionalProducer,
        output: TransactionalProducer | PlainOutput,
        consumer: Consumer,
        sink: Taken,
        letters: Taken,
    ) -> None:
        self.run, self.task, self.pipeline, self.producer, self.consumer = run, task, pipeline, producer, consumer
        self.output = output
        self.house, self.counters, self.step = run.house, run.counters, run.step
        self.guarantee = pipeline.options.processing_guarantee
        self.taken = sink, letters
        self.evaluation: Evaluation
        self.most = UNHURRIED if task.packages else BATCH
        self.known = self.grown = {topic: len(source.start) for topic, source in pipeline.sources.items()}
        self.bounded = bool(pipeline.ends)
        self.ends = {(topic, p): end for (topic, p), end in pipeline.ends.items() if task.owns(p)}
        self.checkpoint = made(task, pipeline, pipeline.starts)
        self.positions: Positions = {}
        self.watermarks: Positions = {}
        self.open_since = 0.0
        self.in_transaction = False
        self.looked = self.confirmed = time.monotonic()
        self.culprit: JobFailure | None = None
        self.last_read: Message | None = None

    def _evaluation(self, step: Step) -> Evaluation:
        options, task, sink = self.pipeline.options, self.task, self.pipeline.sink.topic
        taken, letter_limit = self.taken[0], self.taken[1].limit
        topic = options.letters_topic(self.house.prefix)
        letters = self.pipeline.letters  # what fails again is its job's dead letter, not the retry's
        job, uid = (letters.job, letters.uid) if letters else (task.job, task.uid)
        produce = self.output.produce
        self.blame = Blame(self.run, options.on_error, sink, taken.limit, topic)
        return Evaluation(
            step,
            into_sink(produce, sink, taken, letter_limit),
            self._when_full,
            self._blame,
            treatment(
                options.on_error,
                self.counters.refused,
                sending(produce, self._when_full, topic, letter_limit, job, uid),
            ),
            self.house.registry,
            self.run.refused,
        )

    def restore(self) -> None:
        """Finds where the task goes on."""
        self.checkpoint = restore(self.house, self.task, self.pipeline, self.consumer, self.run.alive)
        self.positions = dict(self.run.flushed) or self.checkpoint.positions
        self.run.attempt = max(self.task.attempt, self.checkpoint.attempt, self.run.attempt) + 1

    def assign(self) -> None:
        """The first commit of this life proves that its checkpoint can be written; then the task is running."""
        step, self.counters.notice = step_here(self.task, self.pipeline, self.house.reporter.worker)
        self.evaluation = self._evaluation(step)
        self._confirm()
        self._adopt()
        check_held(self.house.kafka, self.positions)
        assign(self.consumer, self.positions)
        self._begin()
        self._commit()
        self.house.reporter.phase(self.task, self.run.attempt, ReportKind.RUNNING)

    def _adopt(self) -> list[tuple[str, int]]:
        """Takes partitions added to a source since into account, from their beginning; a bounded job has none."""
        added = [
            (topic, p)
            for topic, count in self.grown.items()
            for p in range(self.known[topic], count)
            if self.task.owns(p) and (topic, p) not in self.positions
        ]
        self.known = {topic: max(count, self.grown[topic]) for topic, count in self.known.items()}
        if self.bounded:
            return []
        self.positions |= dict.fromkeys(added, 0)
        self.evaluation.step = self.pipeline.step_for(self.positions)
        return added

    def loop(self) -> End:
        """Steps 4 to 12 until the task is told to stop, comes to its end, fails or is fenced."""
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
            due = self.open_since + interval - time.monotonic() if self.open_since else interval
            looking = self.run.batch < BATCH
            if self.open_since and (due <= 0 or asked or not told.run or self.culprit or looking or self._is_through()):
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
            if self._is_through():
                return self._end(ReportKind.COMPLETED, End.COMPLETED)
            self._look_round()
            if self._poll_and_produce() < self.most // 10:
                self._rest(due)

    def _rest(self, due: float) -> None:
        """Waits for the first record; in an open transaction until some more have gathered, or the commit is due."""
        if self.open_since:
            self.run.release.wait(min(due, GATHER_S))
            return
        with self._checking_offsets():
            first = poll_one(self.consumer, IDLE_S)
        if first:  # at once: the consumer's position is behind it already
            self._poll_and_produce(first)

    def _is_through(self) -> bool:
        """A bounded job's task has read all it was to read; others never have."""
        return self.bounded and all(self.positions[at] >= end for at, end in self.ends.items())

    def _look_round(self) -> None:
        """Now and then: how far the task is, and whether a source has more partitions than it had."""
        now = time.monotonic()
        if now - self.looked > LOOK_S:
            self._look()
        if now - self.confirmed > CONFIRM_S and not self.open_since:
            self._confirm()
        if not self.open_since and any(count > self.known[topic] for topic, count in self.grown.items()):
            added = self._adopt()
            for topic in {topic for topic, _ in added}:
                self.consumer.list_topics(topic, 5)
            if added:
                self.consumer.incremental_assign([TopicPartition(topic, p, 0) for topic, p in added])

    def _look(self) -> None:
        """Where the task is in each partition. Positions pass the markers of transactions, which no record shows."""
        self.looked = time.monotonic()
        if not self.open_since and self.culprit is None:
            self._advance()
        found = []
        for (topic, p), reached in self.positions.items():
            heard = self.consumer.get_watermark_offsets(TopicPartition(topic, p), cached=True)[1]
            end = self.watermarks[topic, p] = max(heard, self.watermarks.get((topic, p), heard))
            if end >= 0:  # below, the client has not heard of it yet
                found.append(PartitionProgress(topic, p, reached, end, max(0, end - reached)))
        self.counters.looked(tuple(found))

    def _advance(self) -> None:
        """Positions are those of the consumer; where a bounded job's partition ends, it reads no further."""
        for at in self.consumer.position([TopicPartition(topic, p) for topic, p in self.positions]):
            place = at.topic, at.partition
            end = self.ends.get(place, at.offset)
            if at.offset > end:
                self.consumer.pause([TopicPartition(*place)])
            if at.offset >= 0:
                self.positions[place] = min(at.offset, end)

    def _poll_and_produce(self, first: Sequence[Message] = ()) -> int:
        """Steps 4 to 7 for `first` and what has been fetched. Returns the number of records.

        Tasks of a host take turns: threads that contend for the interpreter in these steps cost half as much again.
        """
        while not self.house.turn.acquire(timeout=1):
            self.run.alive()
        try:
            self.step(4)
            with self._checking_offsets():
                messages = [*first, *poll(self.consumer, min(self.run.batch, self.most), 0)]
            count = len(messages)
            if self.ends:
                messages = [one for one in messages if (one.offset() or 0) < self.ends[position(one)[:2]]]
            if messages:
                self._batch(messages)
            elif count:
                self._advance()
            self.output.poll(0)
            return count
        finally:
            self.house.turn.release()

    @contextmanager
    def _checking_offsets(self) -> Iterator[None]:
        """Raises DataLost where the client says that an offset is not there, and the broker says so as well."""
        try:
            yield
        except OutOfRange:
            self._confirm()
            check_held(self.house.kafka, self.positions)
            check_end(self.house.kafka, self.positions, self.run.alive)
            raise

    def stop(self) -> End:
        """The task record says stop: everything is committed; copy what is asked for, say so, end."""
        told = self.run.told
        task = told if told.generation == self.task.generation else self.task
        self._copy(self.run.snapshots_due(task))
        return self._end(ReportKind.STOPPED, End.STOPPED)

    def _end(self, said: ReportKind, end: End) -> End:
        self.house.reporter.phase(self.task, self.run.attempt, said, progress=self.run.last_progress())
        return end

    def _begin(self) -> None:
        self.step(5)
        if self.output is self.producer:
            self._begin_transaction()
        self.open_since = time.monotonic()

    def _begin_transaction(self) -> None:
        self.producer.begin()
        self.in_transaction = True

    def _batch(self, messages: list[Message]) -> None:
        if not self.open_since:
            self._begin()
        self.step(6)
        if letters := self.pipeline.letters:
            messages = letters_of(letters.uid, messages)
        self.last_read = messages[-1] if messages else None
        batch = self.evaluation.through(messages)
        self.culprit = batch.culprit and self.blame.named(batch.culprit, batch.unread[0])
        self.step(7)
        self._advance()
        for message in reversed(batch.unread):
            record = getattr(message, "record", message)
            self.positions[position(record)[:2]] = record.offset() or 0
        self.counters.batch(len(messages) - len(batch.unread), batch.written, batch.skipped)

    def _blame(self, error: Exception, message: Message) -> RecordFailure:
        """The failure a record causes. Raises Fenced or Doubt where Kafka, not the record, is the reason."""
        return self.blame.of(error, message, self.evaluation.several if self.in_transaction else None)

    def judged(self, error: KafkaException) -> Exception:
        """What an error of the client means.

        Once a record was refused, producing says only _STATE, not why. Batches grow smaller then, until the record that
        is refused stands alone in one, and is named.
        """
        failed = self.producer.cause() if error.args[0].name() == "_STATE" and self.in_transaction else None
        cause = judged(failed or error)
        if isinstance(cause, RecordFailure) and not self.run.narrow() and self.last_read is not None:
            return self.blame.alone(cause, self.last_read, self.evaluation.treated)
        return Narrowed(str(cause)) if isinstance(cause, RecordFailure) else cause

    def abandon(self) -> None:
        """Ends an open transaction, so that readers of the sink need not wait for its time-out."""
        if self.in_transaction:
            with suppress(KafkaException):
                self.producer.abort()
                self.counters.aborted()

    def _when_full(self, *record: Any) -> None:
        """The client's queue is full: wait for room, while others take their turn, then produce the record."""
        while True:
            self.run.alive()
            self.house.turn.release()
            try:
                self.output.poll(0.05)
            finally:
                self.house.turn.acquire()
            with suppress(BufferError):
                return self.output.produce(*record)

    def _commit(self) -> None:
        began = time.monotonic()
        self.step(8)
        if isinstance(self.output, PlainOutput):
            self.output.flush(self._patience(), self._confirm_waiting)
        if self.guarantee is Guarantee.NONE:
            self._confirm()
            self.run.flushed = dict(self.positions)
            self.consumer.commit(offsets=self._offsets(""), asynchronous=True)  # for those who watch the lag
        else:
            self._commit_checkpoint()
        self.open_since = 0.0
        self.step(12)
        self.counters.committed(time.monotonic() - began, time.time(), len(self.checkpoint.state))
        self._look()

    def _commit_checkpoint(self) -> None:
        """Steps 8 to 11."""
        task, producer = self.task, self.producer
        if not self.in_transaction:
            self._begin_transaction()
        checkpoint = made(task, self.pipeline, self.positions, self.checkpoint.number + 1, self.run.attempt)
        pointer = Pointer(task.layout, task.partition, self._write(checkpoint))
        self.step(9)
        producer.send_offsets(self._offsets(str(pointer)), self.consumer)
        self.step(10)
        self._confirm()
        self.step(11)
        producer.commit()
        self.checkpoint, self.in_transaction = checkpoint, False

    def _offsets(self, metadata: str) -> list[TopicPartition]:
        return [TopicPartition(topic, p, offset, metadata) for (topic, p), offset in self.positions.items()]

    def _patience(self) -> float:
        return self.pipeline.interval_ms / 1000 + 30

    def _write(self, checkpoint: Checkpoint) -> int:
        """The checkpoint's offset, once all of the transaction is acknowledged."""
        delivered: list[Message] = []
        record = (
            *(f"{self.house.prefix}checkpoints", encode(checkpoint), self.task.checkpoint_key, self.task.partition),
            lambda error, message: delivered.append(message),
        )
        try:
            self.producer.produce(*record)
        except BufferError:  # the client's queue is full
            self.producer.flush(self._patience(), self._confirm_waiting)
            self.producer.produce(*record)
        self.producer.flush(self._patience(), self._confirm_waiting)
        if not delivered or delivered[0].error() is not None:  # it goes under with the record that was refused
            raise self.producer.cause() or Doubt("the checkpoint was not written")
        return delivered_offset(delivered[0])

    def _confirm(self) -> None:
        """Raises DataLost or SinkLost where a topic is not the one the job was created with."""
        self.confirmed = time.monotonic()
        self.grown = confirm(self.house, self.pipeline, self.run.alive)

    def _confirm_waiting(self) -> None:
        self.run.alive()
        self._confirm()

    def _copy(self, asked: list[SnapshotRequest]) -> None:
        for request in asked:
            copy_checkpoint(self.house.reporter, self.task, self.run.attempt, self.checkpoint, request)
            self.run.copied.add(request.version)
