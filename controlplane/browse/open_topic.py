"""Opens a topic for reading: its partitions, with the offsets to read, and the view that decodes its records.

Needs no control plane: if no worker was started yet, there are no mappings.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from jobplane.controlplane.browse.record_query import AtOffset, Newest, Oldest, RecordQuery, Since, Start
from jobplane.controlplane.browse.topic_lookup import state_or_empty
from jobplane.controlplane.browse.topic_view import TopicView
from jobplane.controlplane.core.decide.formats import source_mapping
from jobplane.controlplane.core.facts import Facts, quoted_list, unknown_topic_error
from jobplane.controlplane.fetch.schemas import RegistryLookup
from jobplane.controlplane.fetch.windows import Range
from jobplane.processors.kafka.cluster import Kafka
from jobplane.processors.kafka.questions import At
from jobplane.processors.registry.client import Registry
from jobplane.schemas.errors import (
    STATEMENT_START,
    FactsUnavailable,
    MappingNotFound,
    NoRegistry,
    OffsetNotFound,
    PartitionNotFound,
    Refused,
)
from jobplane.schemas.names import is_topic_name
from jobplane.schemas.records.mappings import TopicMapping
from jobplane.schemas.suggestions import did_you_mean


@dataclass(frozen=True, slots=True)
class OpenTopic:
    """A topic to read. `ranges` are offsets from the requested start to the current end. `notices` are for people."""

    query: RecordQuery
    topic: str
    ranges: dict[At, Range]
    view: TopicView
    notices: tuple[str, ...] = ()


def open_topic(kafka: Kafka, prefix: str, query: RecordQuery, registry: Registry | None) -> OpenTopic:
    """Raises TopicNotFound, PartitionNotFound, MappingNotFound, OffsetNotFound, and errors of decoding with a mapping.

    Does not check the condition of the query.
    """
    mappings = state_or_empty(kafka, prefix).mappings
    topic, over, partitions = _find_topic(kafka, query.topic, mappings)
    if query.mapping and query.mapping not in mappings:
        raise MappingNotFound(f"no mapping is called '{query.mapping}'{did_you_mean(query.mapping, mappings)}")
    view, notices = _choose_view(query, topic, over, mappings, registry)
    check_partitions(topic, partitions, query.partitions)
    chosen = [(topic, p) for p in sorted(query.partitions) or range(partitions)]
    return OpenTopic(query, topic, _ranges(kafka, chosen, query), view, notices)


def _find_topic(kafka: Kafka, name: str, mappings: Mapping[str, TopicMapping]) -> tuple[str, TopicMapping | None, int]:
    """The topic, its mapping if `name` is only the name of a mapping, and the number of partitions."""
    over = mappings.get(name)
    for topic, mapping in ((name, None), *([(over.topic, over)] if over else [])):
        described = kafka.topics([topic]) if is_topic_name(topic) else {}
        if topic in described:
            return topic, mapping, described[topic][1]
    raise unknown_topic_error(name, (*kafka.topic_names(), *mappings), STATEMENT_START)


def check_partitions(topic: str, count: int, partitions: Collection[int]) -> None:
    """Raises PartitionNotFound for the first partition that the topic does not have."""
    for partition in partitions:
        if partition >= count:
            last = f"it has {count}, 0 to {count - 1}" if count > 1 else "it has only partition 0"
            raise PartitionNotFound(f"topic '{topic}' has no partition {partition}: {last}")


def _choose_view(
    query: RecordQuery,
    topic: str,
    over: TopicMapping | None,
    mappings: Mapping[str, TopicMapping],
    registry: Registry | None,
) -> tuple[TopicView, tuple[str, ...]]:
    """The view by the requested mapping, else by the requested formats, else by the topic's mapping; with notices."""
    if (mapping := mappings.get(query.mapping, over)) is not None:
        return _view_through(replace(mapping, topic=topic), topic, registry, columns=bool(query.mapping)), ()
    if query.formats:
        return _view_through(TopicMapping(topic, topic, (), dict(query.formats), ""), topic, registry), ()
    own = sorted(one.name for one in mappings.values() if one.topic == topic)
    if not own:
        return TopicView(topic, topic, registry=registry), ()
    first = topic if topic in own else own[0]
    others = [name for name in own if name != first]
    notices = (f"read with mapping '{first}'; --as-mapping chooses another: {quoted_list(others)}",) if others else ()
    try:
        return _view_through(mappings[first], topic, registry), notices
    except Refused as unread:
        if query.where:
            raise
        return TopicView(topic, topic), (f"shown without mapping '{first}', which cannot read it: {unread.message}",)


def _view_through(mapping: TopicMapping, topic: str, registry: Registry | None, *, columns: bool = False) -> TopicView:
    """The view by a mapping, with the schemas that its formats need, as for a source of a job."""
    try:
        filled, _ = RegistryLookup(registry, {}).judge_with(
            Facts(""), lambda facts: source_mapping(mapping, facts, STATEMENT_START)
        )
    except FactsUnavailable as silent:  # the original message advises to send a statement again
        raise FactsUnavailable(f"{silent.message.partition('; send ')[0]}; try again") from silent
    except NoRegistry as missing:
        remedy = "set JOBPLANE_REGISTRY_URL, or choose a mapping that has the schema with --as-mapping"
        raise NoRegistry(f"Avro records cannot be read without their schema: {remedy}") from missing
    return TopicView(topic, mapping.name, filled, columns, registry)


def _ranges(kafka: Kafka, partitions: Collection[At], query: RecordQuery) -> dict[At, Range]:
    ends = kafka.stable_offsets(partitions) if query.committed else kafka.last_offsets(partitions)
    first = kafka.first_offsets(partitions)
    starts = first | _starts(kafka, partitions, query.start, ends)
    return {at: (min(max(starts[at], first[at]), ends[at]), ends[at]) for at in partitions}


def _starts(kafka: Kafka, partitions: Collection[At], start: Start, ends: Mapping[At, int]) -> dict[At, int]:
    """The first offset of each partition; the end if a partition has no such offset or no record so new."""
    match start:
        case Newest() | Oldest():
            return {}
        case AtOffset(offset):
            if offset > (end := max(ends.values())):
                raise OffsetNotFound(
                    f"offset {offset} does not exist yet: {_longest_partition(ends)} ends before offset {end}"
                )
            return dict.fromkeys(partitions, offset)
        case Since(instant):
            found = kafka.offsets_since(partitions, instant)
            return {at: offset if offset >= 0 else ends[at] for at, offset in found.items()}


def _longest_partition(ends: Mapping[At, int]) -> str:
    (_, partition), count = max(ends, key=lambda at: ends[at]), len(ends)
    return f"partition {partition}, the longest," if count > 1 else f"partition {partition}"
