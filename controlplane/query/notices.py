"""Notices about a valid query, from the newest records of its sources. They refuse nothing.

`notices_of` is pure; `find_notices` reads from Kafka, through `TopicSamples`. The decider does not use
them: it reads no records.
"""

import threading
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from jobplane.controlplane.core.decide.sources import Sources
from jobplane.controlplane.query.group_notices import group_notices
from jobplane.controlplane.query.newest_records import read_newest
from jobplane.processors.kafka.cluster import Kafka, Message
from jobplane.schemas.records.sources import Sink
from jobplane.sql.analysis.topic_format import takes_any_field
from jobplane.sql.plan.graph import Plan
from jobplane.sql.plan.missing_fields import missing_fields
from jobplane.sql.plan.null_comparisons import null_comparisons
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parts import KEY

SAMPLE_SIZE = 100
"""Records of each source."""


class TopicSamples:
    """The newest records of sources, and whether sinks are compacted: each topic is read once. Thread-safe.

    Its methods raise Doubt if Kafka does not answer.
    """

    def __init__(self, kafka: Kafka, prefix: str) -> None:
        self._kafka, self._prefix = kafka, prefix
        self._lock = threading.Lock()
        self._records: dict[tuple[str, int], list[Message]] = {}
        self._compacted: dict[str, bool] = {}

    def records(self, topic: str, partitions: int) -> list[Message]:
        with self._lock:
            if (topic, partitions) not in self._records:
                places = [(topic, p) for p in range(partitions)]
                self._records[topic, partitions] = read_newest(
                    self._kafka, f"{self._prefix}dry-run", places, SAMPLE_SIZE
                )
            return self._records[topic, partitions]

    def is_compacted(self, topic: str) -> bool:
        with self._lock:
            if topic not in self._compacted:
                policy = self._kafka.topic_settings([topic]).get(topic, {}).get("cleanup.policy", "")
                self._compacted[topic] = "compact" in str(policy)
            return self._compacted[topic]


def find_notices(
    samples: TopicSamples, insert: statements.Insert, planned: Plan, sources: Sources, sink: Sink
) -> tuple[str, ...]:
    """The notices from the newest records of the sources, and from the sink. `planned` is the plan of
    `insert`. Raises Doubt if Kafka does not answer.
    """
    if any(source.letters is not None for source in sources):
        return ()
    messages = {source.name: samples.records(source.topic, len(source.start)) for source in sources}
    return notices_of(insert, planned, sources, sink, messages, is_compacted=samples.is_compacted(sink.topic))


def notices_of(
    insert: statements.Insert,
    planned: Plan,
    sources: Sources,
    sink: Sink,
    messages: Mapping[str, Sequence[Message]],
    *,
    is_compacted: bool,
) -> tuple[str, ...]:
    """`messages` are records by the name of their source."""
    is_open = [source.name for source in sources if takes_any_field(source.mapping)]
    records = {name: json_values(messages.get(name, ())) for name in is_open}
    missing = missing_fields(planned, insert, records)
    return (
        *missing,
        *null_comparisons(insert),
        *(_keyless_notices(planned, sink.topic, messages) if is_compacted else ()),
        *group_notices(planned, sources, sink.topic, messages, is_compacted=is_compacted, most=SAMPLE_SIZE),
    )


def json_values(messages: Collection[Message]) -> list[Any]:
    """The values that are JSON."""
    found = []
    for message in messages:
        with suppress(msgspec.DecodeError, RecursionError, UnicodeError):
            found.append(msgspec.json.decode(message.value() or b""))
    return found


def _keyless_notices(planned: Plan, sink: str, messages: Mapping[str, Sequence[Message]]) -> list[str]:
    """A compacted topic refuses records without a key. Keys that the query sets are not checked."""
    unkeyed = {one.source for one in planned.branches if KEY not in one.parts and not one.key and one.group is None}
    counts = {name: sum(one.key() is None for one in messages.get(name, ())) for name in sorted(unkeyed)}
    takes = f"'{sink}' is compacted and takes only records with a key"
    return [
        f"{takes}; records of '{name}' without a key: {count} of the newest {len(messages[name])}; write … AS {KEY}"
        for name, count in counts.items()
        if count
    ]
