"""The step of a task with few records: what came is read, evaluated and committed, through connections that are shared.

A task that rests has fenced its transactional id and knows its checkpoint. So it needs no clients of its own for a
record now and then: those cost the broker more than a hundred such records. Only the plain way is gone here. Whatever
is not plain hands the task over to a session with clients of its own, which fences anew and begins at the checkpoint.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from jobplane.processors.dormancy.checkpoint_commit import commit_checkpoint
from jobplane.processors.dormancy.messages import CREATE_TIME, FetchedMessage, Headers, NewRecord
from jobplane.processors.dormancy.sink_limits import SinkLimits
from jobplane.processors.dormancy.surroundings import Surroundings
from jobplane.processors.evaluation.batch import Evaluation, RecordBatch
from jobplane.processors.evaluation.sink import into_sinks
from jobplane.processors.evaluation.verdict import Interrupted, RecordPolicy
from jobplane.processors.kafka.questions import At
from jobplane.processors.kafka.wire.batches import NO_END, Passage, in_parts, new_batch, passage, records_of
from jobplane.processors.kafka.wire.partitioning import partition_of
from jobplane.processors.kafka.wire.producer import WireProducer
from jobplane.processors.kafka.wire.requests import FETCH, FETCH_VERSION, Fetched, fetch, fetched
from jobplane.processors.kafka.wire.wire import check
from jobplane.processors.pipeline import Pipeline, Positions
from jobplane.processors.protocol.steps import Step
from jobplane.processors.task.context import Rest, TaskContext, TaskServices
from jobplane.processors.task.restore import checkpoint_of
from jobplane.schemas.options import Guarantee
from jobplane.schemas.records.checkpoints import Checkpoint
from jobplane.schemas.records.plans import keeps_state
from jobplane.schemas.records.progress import PartitionProgress
from jobplane.schemas.records.tasks import Task

MOST_RECORDS, MOST_BYTES, PARTITION_BYTES = 500, 1 << 18, 1 << 16
"""What a step reads at most; more is work for clients of its own."""
AROUND_RECORD = 1_000
"""Bytes by which a record must stay below what its topic takes: nearer, the client knows better."""
OFTEN_S, OFTEN = 0.5, 10
"""A task that has made so many steps, each less than so many seconds after the one before, is busy."""
WAIT_S = 30.0
T = TypeVar("T")


class NotPlain(Interrupted):
    """The task goes on with clients of its own."""


def may_step(services: TaskServices, task: Task, pipeline: Pipeline) -> bool:
    """Whether a task of this kind may make steps without clients of its own."""
    exactly_once = pipeline.options.processing_guarantee is Guarantee.EXACTLY_ONCE
    if keeps_state(task.plan):
        return False
    return exactly_once and not task.packages and services.registry is None and pipeline.letters is None


@dataclass(slots=True)
class SparseStep:
    """One step of a task from where it rests. `output` are the records to write, by topic and partition.

    `partitions` counts those of each topic written to, `largest` is how many bytes a record of it may have.
    """

    services: TaskServices
    context: TaskContext
    rest: Rest
    limits: SinkLimits
    partitions: dict[str, int] = field(default_factory=dict)
    largest: dict[str, int] = field(default_factory=dict)
    output: defaultdict[At, list[NewRecord]] = field(default_factory=lambda: defaultdict(list))

    def run(self) -> Rest:
        """Where the task rests afterwards. Raises NotPlain, Fenced, Doubt, JobFailure or NotUnderstood."""
        began, used, context = time.monotonic(), _thread_seconds(), self.context
        self.services.require_in_touch()
        context.enter(Step.POLL)
        found = self._wait_for(self._fetch())
        passages = {at: passage(one.records, self.rest.positions[at], NO_END, one.aborted) for at, one in found.items()}
        positions = self.rest.positions | {at: one.position for at, one in passages.items()}
        self._confirm(positions)
        if positions == self.rest.positions:  # nothing came, or it is not committed yet
            waits = any(one.end > positions[at] for at, one in found.items())
            return replace(self.rest, often=self.rest.often + 1) if waits else self.rest
        if any(one.stable > positions[at] for at, one in found.items()):
            raise NotPlain("there is more to read")
        records = self._messages(passages)
        context.enter(Step.EVALUATE)
        batch = self._evaluate(records, positions)
        checkpoint = self._checkpoint(positions)
        self._wait_for(self._commit(checkpoint))
        context.enter(Step.REPORT)
        context.counters.batch(batch.done, batch.written, batch.skipped, context.counters.busy_seconds + used())
        context.counters.committed(time.monotonic() - began, time.time(), 0)
        context.counters.looked(tuple(PartitionProgress(*at, one, one, 0) for at, one in positions.items()))
        often = self.rest.often + 1 if began - self.rest.stepped_at < OFTEN_S else 0
        return replace(self.rest, checkpoint=checkpoint, positions=positions, stepped_at=time.monotonic(), often=often)

    @property
    def _producer(self) -> WireProducer:
        if self.rest.producer is None:
            raise NotPlain("the task has to fence")
        return self.rest.producer

    def _wait_for(self, coroutine: Coroutine[Any, Any, T]) -> T:
        try:
            return self.services.wire.run(coroutine).result(WAIT_S)
        except TimeoutError as slow:
            raise NotPlain("the broker is slow") from slow

    async def _fetch(self) -> dict[At, Fetched]:
        """What each partition has from the task's position on."""
        wire, found = self.services.wire, dict[At, Fetched]()
        wanted: defaultdict[tuple[str, int], dict[int, int]] = defaultdict(dict)
        for (topic, partition), offset in self.rest.positions.items():
            wanted[topic, await wire.leader(topic, partition)][partition] = offset
        for (topic, node), positions in wanted.items():
            lane = await wire.lane(node)
            answer = await lane.send(FETCH, FETCH_VERSION, fetch(topic, positions, 0, MOST_BYTES, PARTITION_BYTES))
            partitions, code, throttled_ms = fetched(answer)
            check(code)
            if throttled_ms:
                raise NotPlain("the broker slows the client down")
            for partition, one in partitions.items():
                check(one.code, topic)
                found[topic, partition] = one
        return found

    def _messages(self, passages: Mapping[At, Passage]) -> list[FetchedMessage]:
        messages = []
        for (topic, partition), one in passages.items():
            for batch in one.batches:
                for record in records_of(batch):
                    if record.timestamp < 0:
                        raise NotPlain("a record without a timestamp")
                    timestamp = record.timestamp_type + CREATE_TIME, record.timestamp
                    at = topic, partition, record.offset
                    headers = record.headers
                    messages.append(FetchedMessage(at, record.key, record.value, headers, timestamp))
        if len(messages) > MOST_RECORDS:
            raise NotPlain("there is much to read")
        return messages

    def _confirm(self, positions: Positions) -> None:
        """The step CONFIRM: the topics are those of the job, asked after the last record was read."""
        pipeline, kafka = self.rest.pipeline, self.services.kafka
        self.context.enter(Step.CONFIRM)
        topics = kafka.topics({*pipeline.sources, *pipeline.sink_topics})
        seen = Surroundings(topics, dict.fromkeys(positions, 0), positions)
        if seen.lag(replace(self.rest, positions=positions)) is None:
            raise NotPlain("a topic is not as it was")
        self.partitions = {topic: topics[topic][1] for topic in pipeline.sink_topics}

    def _evaluate(self, messages: list[FetchedMessage], positions: Positions) -> RecordBatch:
        pipeline, options = self.rest.pipeline, self.rest.pipeline.options
        taken = {topic: self.limits.of(topic) for topic in pipeline.sink_topics}
        self.largest = {topic: one.limit for topic, one in taken.items()}
        produce = into_sinks(self._produce, taken, max(self.largest.values()))
        policy = RecordPolicy(options.on_error, self.largest)
        evaluation = Evaluation(
            pipeline.step_for(positions), produce, self._produce, None, policy, True, self.context.refused
        )
        batch = RecordBatch(messages)  # type: ignore[arg-type]  # they have the calls that are made
        for verdict in evaluation.verdicts(batch):
            raise NotPlain(f"a record fails: {verdict.failure.message}")
        return batch

    def _produce(
        self,
        topic: str,
        value: bytes | str | None,
        key: bytes | str | None,
        partition: int = -1,
        _: object = None,
        __: object = None,
        timestamp: int = 0,
        headers: Mapping[str, bytes | str | None] | Iterable[tuple[str, bytes | str | None]] | None = None,
    ) -> None:
        """Producer.produce: keeps a record until the transaction."""
        key, value = _bytes(key), _bytes(value)
        named = headers.items() if isinstance(headers, Mapping) else headers or ()
        kept: Headers = [(name, _bytes(one)) for name, one in named]
        size = sum(len(one or b"") for one in (key, value)) + sum(len(name) + len(one or b"") for name, one in kept)
        if size + AROUND_RECORD > self.largest[topic]:
            raise NotPlain("a large record")
        if timestamp <= 0:
            raise NotPlain("a record without a timestamp")
        if partition < 0:
            partition = partition_of(key, self.partitions[topic])
        self.output[topic, partition].append(NewRecord(key, value, kept, timestamp))

    def _checkpoint(self, positions: Positions) -> Checkpoint:
        before = self.rest.checkpoint
        return checkpoint_of(self.rest.task, self.rest.pipeline, positions, before.number + 1, self.context.attempt)

    async def _commit(self, checkpoint: Checkpoint) -> None:
        """The steps BEGIN to COMMIT. All partitions enter the transaction in one request."""
        producer, topics, enter = self._producer, self.services.topics, self.context.enter
        task, wire, written = self.rest.task, self.services.wire, defaultdict[str, list[int]](list)
        for topic, partition in self.output:
            written[topic].append(partition)
        enter(Step.BEGIN)
        await producer.add({**written, topics.checkpoints: [task.partition]})
        for (topic, partition), records in self.output.items():
            lane = await wire.lane(await wire.leader(topic, partition))
            for part in in_parts(records, self.largest[topic]):
                sequence = producer.next_sequences(topic, partition, len(part))
                batch = new_batch(part, producer.producer_id, producer.epoch, sequence)
                answer = await producer.send_batches(lane, topic, {partition: [batch]})
                producer.check_produced(topic, answer, {partition})
        await commit_checkpoint(producer, topics, task, checkpoint, enter)


def _bytes(value: bytes | str | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


def _thread_seconds() -> Callable[[], float]:
    """Seconds that this thread has computed since."""
    began = time.thread_time()
    return lambda: time.thread_time() - began
