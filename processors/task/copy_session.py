"""A session of a task that copies whole record batches: its own POLL, EVALUATE and ADVANCE, and all else the same.

A task copies whole batches where its plan and its options say so, and nothing has shown since that it cannot be.

Raises NotCopied where that cannot go on; the next session copies record by record from the last commit, and finds out
which record is to blame, if one is.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from jobplane.processors.copy_path import why_rows
from jobplane.processors.copying.reader import CopyReader, Throttled
from jobplane.processors.copying.transaction import CopyTransaction
from jobplane.processors.fetch.reader import SourceReader
from jobplane.processors.kafka.cluster import Taken
from jobplane.processors.kafka.hanging import task_place
from jobplane.processors.kafka.questions import setting_of
from jobplane.processors.kafka.wire.batches import NotUnderstood, Passage
from jobplane.processors.kafka.wire.settings import WireUnavailable
from jobplane.processors.pipeline import Pipeline
from jobplane.processors.protocol.steps import Step
from jobplane.processors.task.commits import TRANSACTION_SLACK_MS, TaskClients
from jobplane.processors.task.context import NotCopied, TaskContext
from jobplane.processors.task.session import GATHER_S, IDLE_S, TaskSession
from jobplane.schemas.errors import Refused
from jobplane.schemas.failures import JobFailure, RecordFailure
from jobplane.schemas.records.tasks import Task

NOT_COPIED = (NotUnderstood, Throttled, WireUnavailable)
"""What shows that a task must copy record by record."""
_SINK_SETTINGS = {"message.timestamp.type": "CreateTime", "compression.type": "producer"}
"""With any other value a sink changes the batches that it gets."""
MUCH = 1 << 17
"""So many bytes at once are a sign that there are more."""


class CopySession(TaskSession):
    """The clients are those of `copy_clients`."""

    __slots__ = ()

    def start(self) -> None:
        """As any session; the topics may have more partitions than the sink since the job was created."""
        self._require_mirror()
        with _copied():
            super().start()

    def _wait(self, due: float) -> None:
        """In an open transaction, little has come: until more has gathered, or the commit is due."""
        if self.open_since:
            self.context.release.wait(min(due, GATHER_S))

    def _poll_and_produce(self, first: object = ()) -> bool:
        """Waits at the broker, not by asking again and again."""
        due = self._due(self.pipeline.interval_ms / 1000)
        return self._poll(min(max(due, 0.0), IDLE_S))

    def _poll(self, timeout_s: float) -> bool:
        """The steps POLL to ADVANCE for what has come. Returns whether it is so much that more may be there already."""
        self._require_mirror()
        self.context.enter(Step.POLL)
        reader: Any = self.clients.consumer
        with _copied(), self._checking_offsets():
            passages: Mapping[int, Passage] = reader.take(timeout_s)
            if not passages:
                return False
            self.read_at = time.monotonic()
            batches = {partition: one.batches for partition, one in passages.items() if one.batches}
            if batches:
                self._copy(batches)
            self.sources.advance()
        return sum(len(batch.data) for some in batches.values() for batch in some) >= MUCH

    def _copy(self, batches: Mapping[int, Any]) -> None:
        if not self.open_since:
            self._begin()
        self.context.enter(Step.EVALUATE)
        producer: Any = self.clients.producer
        count: int = producer.copy(batches)
        self.context.enter(Step.ADVANCE)
        self.context.counters.batch(count, count, 0, time.thread_time())

    def _commit(self) -> None:
        with _copied():
            super()._commit()

    def _require_mirror(self) -> None:
        """Raises NotCopied where a partition was added to the source, and the sink has none of its number."""
        (sink,) = self.pipeline.sinks
        if any(partition >= sink.partitions for _, partition in self.sources.offsets):
            raise NotCopied(f"the source has more than the {sink.partitions} partitions of the sink")


@contextmanager
def _copied() -> Iterator[None]:
    """Raises NotCopied for what shows that batches cannot be copied whole, and where Kafka refuses one for a record."""
    try:
        yield
    except (*NOT_COPIED, RecordFailure) as reason:
        raise NotCopied(str(reason)) from reason


def copies_batches(context: TaskContext, task: Task, pipeline: Pipeline) -> bool:
    """Whether the next session of a task copies whole batches."""
    if context.rows_because or not task.run:
        return False
    with suppress(JobFailure, Refused):  # a plan that nobody can read fails where the query is compiled
        sources = tuple(pipeline.sources.values())
        return not why_rows(pipeline.read_plan(), pipeline.options, sources, pipeline.sinks)
    return False


def copy_clients(
    context: TaskContext, task: Task, pipeline: Pipeline, taken: Taken, topics: Mapping[str, tuple[str, int]]
) -> TaskClients:
    """Raises NotCopied where the sink or the cluster does not allow copies of whole batches."""
    services, (sink,) = context.services, pipeline.sink_topics
    if taken.keyed:
        raise NotCopied(f"'{sink}' is compacted")
    found = services.kafka.topic_settings([sink], context.alive).get(sink, {})
    for name, value in _SINK_SETTINGS.items():
        if (held := setting_of(found, sink, name)) != value:
            raise NotCopied(f"{name} of '{sink}' is {held}")
    source, *_ = pipeline.sources
    group = services.topics.job_group(task.uid)
    try:
        producer = CopyTransaction(
            services.kafka,
            services.wire,
            services.topics.transactional_id(task),
            pipeline.interval_ms + TRANSACTION_SLACK_MS,
            sink,
            taken.limit,
            task_place(task, services.topics, topics),
            context.alive,
            lambda: context.enter(None),
        )
    except WireUnavailable as reason:
        raise NotCopied(str(reason)) from reason
    reader: Any = CopyReader(services.wire, source, group, pipeline.ends, lambda: context.enter(None), producer.close)
    output: Any = producer
    return TaskClients(output, output, reader, SourceReader(reader))
