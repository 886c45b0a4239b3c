"""Reads a topic: a bounded number of its records, or new ones, decoded by a mapping and filtered by a condition.

Writes nothing and creates no consumer group: consumers are assigned partitions, and commit nothing.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

from jobplane.controlplane.browse.open_topic import OpenTopic, open_topic
from jobplane.controlplane.browse.record_query import Newest, Oldest, RecordQuery
from jobplane.controlplane.browse.topic_view import Condition
from jobplane.controlplane.fetch.windows import search
from jobplane.controlplane.query.record_rows import RecordRow, is_framed
from jobplane.processors import user_functions
from jobplane.processors.evaluation.place import place_of
from jobplane.processors.kafka.cluster import Consumer, Kafka, assign, poll
from jobplane.processors.registry.client import Registry
from jobplane.schemas.shown import quantity

LIMIT = 1_000_000
"""How many records a search reads by default."""
BATCH = 500
_AHEAD = {"fetch_message_max_bytes": 4_194_304, "fetch_queue_backoff_ms": 2, "queued_max_messages_kbytes": 32_768}
"""A search reads ahead, up to some megabytes."""


@dataclass(frozen=True, slots=True)
class PeekResult:
    """The records found, the oldest first; `most` were requested. `looked` is the number of records searched.

    `failed` is the number of records for which the condition failed, `failure` the reason for one of them. `all`: every
    record in the range was searched.
    """

    opened: OpenTopic
    records: list[RecordRow]
    most: int
    looked: int
    all: bool
    failed: int = 0
    failure: str = ""
    framed: bool = False
    """Whether values shown as hexadecimal digits may be Avro."""
    missing: tuple[str, ...] = ()
    """Notices about fields of the condition that no record has, if no record was found."""

    def summary(self) -> list[str]:
        """Sentences about the search, for people."""
        lines = []
        if not self.looked:
            is_whole = isinstance(self.opened.query.start, Newest | Oldest)
            lines.append(f"topic '{self.opened.topic}' has no records{'' if is_whole else ' from the given start on'}")
        elif self.opened.query.where:
            short = ", not all: --scan searches more" if len(self.records) < self.most else ""
            rest = ", which are all" if self.all else short
            lines.append(
                f"{quantity(len(self.records), 'record')} found; {quantity(self.looked, 'record')} searched{rest}"
            )
        lines += self.missing
        if self.framed:
            lines.append("the values begin like Avro values with the number of a schema: --format avro reads them")
        if self.failed:
            lines.append(
                f"the condition cannot be evaluated for {quantity(self.failed, 'record')}, such as {self.failure}"
            )
        return lines


def peek(
    kafka: Kafka, prefix: str, query: RecordQuery, most: int, registry: Registry | None = None, limit: int = LIMIT
) -> PeekResult:
    """Finds at most `most` records that meet the condition: with Newest the last ones, else the first from the start.

    Raises what `open_topic` raises, Refused with its place in the condition, Doubt if Kafka does not answer.
    """
    opened = open_topic(kafka, prefix, query, registry)
    return search_topic(kafka, prefix, opened, condition_of(opened), most, limit)


def condition_of(opened: OpenTopic) -> Condition | None:
    """The condition of the query; None if it has none. Raises Refused with its place in the condition."""
    if not opened.query.where:
        return None
    return opened.view.condition(opened.query.where, user_functions.load())


def search_topic(
    kafka: Kafka,
    prefix: str,
    opened: OpenTopic,
    condition: Condition | None,
    most: int,
    limit: int = LIMIT,
    watch: Callable[[int], None] = lambda looked: None,
) -> PeekResult:
    """As `peek`, on an open topic. `watch` is called with the number of records searched so far."""
    with closing(_consumer(kafka, prefix, opened)) as consumer:
        backwards = isinstance(opened.query.start, Newest)
        found = search(
            consumer, opened.ranges, most, backwards=backwards, condition=condition, limit=limit, watch=watch
        )
    records = [*map(opened.view.row_reader(), found.messages)]
    missing = condition.missing(condition.begin) if condition and backwards and not records else ()
    framed = opened.view.mapping is None and any(map(is_framed, found.messages))
    failed, failure = (condition.failed, first_failure(condition)) if condition else (0, "")
    return PeekResult(opened, records, most, found.looked, found.all, failed, failure, framed, missing)


def tail(kafka: Kafka, prefix: str, opened: OpenTopic, condition: Condition | None) -> Iterator[RecordRow]:
    """New records, for ever: from the end that the topic had when it was opened, or from the requested start."""
    view = opened.view.row_reader()
    with closing(_consumer(kafka, prefix, opened)) as consumer:
        newest = isinstance(opened.query.start, Newest)
        assign(consumer, {at: end if newest else first for at, (first, end) in opened.ranges.items()})
        while True:
            messages = poll(consumer, BATCH, 0.1)
            yield from map(view, condition(messages) if condition else messages)


def first_failure(condition: Condition) -> str:
    """Why the condition failed for the first record for which it did; empty if it never failed."""
    if condition.first is None:
        return ""
    message, failure = condition.first
    return f"{place_of(message)}: {failure.message}"


def _consumer(kafka: Kafka, prefix: str, opened: OpenTopic) -> Consumer:
    return kafka.consumer(f"{prefix}peek", committed=opened.query.committed, **_AHEAD)
