"""Notices about a valid query, from the newest records of its sources. They refuse nothing.

`notices_of` is pure; `find_notices` reads from Kafka, through `TopicSamples`. The decider does not use
them: it reads no records.
"""

import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from jobplane.controlplane.core.decide.sources import Sinks, Sources
from jobplane.controlplane.query.group_notices import group_notices
from jobplane.controlplane.query.newest_records import read_newest
from jobplane.processors.kafka.cluster import Kafka, Message
from jobplane.sql.analysis.topic_format import takes_any_field
from jobplane.sql.plan.graph import Branch, Plan
from jobplane.sql.plan.inserts import branches_into
from jobplane.sql.plan.missing_fields import missing_fields
from jobplane.sql.plan.null_comparisons import null_comparisons
from jobplane.sql.plan.stateful import idle_rules
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
    samples: TopicSamples, inserts: Sequence[statements.Insert], planned: Plan, sources: Sources, sinks: Sinks
) -> tuple[str, ...]:
    """The notices from the newest records of the sources, and from the sinks. `planned` is the plan of `inserts`.

    Raises Doubt if Kafka does not answer.
    """
    if any(source.letters is not None for source in sources):
        return ()
    messages = {source.name: samples.records(source.topic, len(source.start)) for source in sources}
    compacted = {sink.topic for sink in sinks if samples.is_compacted(sink.topic)}
    return notices_of(inserts, planned, sources, sinks, messages, compacted)


def notices_of(
    inserts: Sequence[statements.Insert],
    planned: Plan,
    sources: Sources,
    sinks: Sinks,
    messages: Mapping[str, Sequence[Message]],
    compacted: Collection[str],
) -> tuple[str, ...]:
    """`messages` are records by the name of their source, `compacted` the topics that are."""
    is_open = [source.name for source in sources if takes_any_field(source.mapping)]
    records = {name: json_values(messages.get(name, ())) for name in is_open}
    found = [
        *missing_fields(planned, inserts, records),
        *(one for insert in inserts for one in null_comparisons(insert)),
    ]
    ruled = idle_rules(planned)
    for sink in sinks:
        branches, is_compacted = branches_into(planned, sink.name), sink.topic in compacted
        found += _keyless_notices(branches, sink.topic, messages) if is_compacted else ()
        found += group_notices(
            branches, sources, sink.topic, messages, is_compacted=is_compacted, most=SAMPLE_SIZE, ruled=ruled
        )
    return tuple(dict.fromkeys(found))


def json_values(messages: Collection[Message]) -> list[Any]:
    """The values that are JSON."""
    found = []
    for message in messages:
        with suppress(msgspec.DecodeError, RecursionError, UnicodeError):
            found.append(msgspec.json.decode(message.value() or b""))
    return found


def _keyless_notices(branches: Iterable[Branch], sink: str, messages: Mapping[str, Sequence[Message]]) -> list[str]:
    """A compacted topic refuses records without a key. Keys that the query sets are not checked."""
    unkeyed = {one.source for one in branches if KEY not in one.parts and not one.key and one.group is None}
    counts = {name: sum(one.key() is None for one in messages.get(name, ())) for name in sorted(unkeyed)}
    takes = f"'{sink}' is compacted and takes only records with a key"
    return [
        f"{takes}; records of '{name}' without a key: {count} of the newest {len(messages[name])}; write … AS {KEY}"
        for name, count in counts.items()
        if count
    ]
