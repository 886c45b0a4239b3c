"""Looks up topics in Kafka for `jobplane topic`. Without a control plane the state is empty."""

from collections.abc import Mapping

from jobplane.controlplane.core.facts import unknown_topic_error
from jobplane.controlplane.core.state import State
from jobplane.controlplane.fetch.windows import Range
from jobplane.controlplane.log import state_topic
from jobplane.controlplane.topics import STATE
from jobplane.processors.kafka.cluster import Kafka
from jobplane.processors.kafka.questions import At
from jobplane.schemas.errors import STATEMENT_START
from jobplane.schemas.names import is_topic_name

_ASKED = frozenset({"job", "mapping"})


def partition_count(kafka: Kafka, name: str) -> int:
    """The number of partitions of a topic. Raises TopicNotFound."""
    described = kafka.topics([name]) if is_topic_name(name) else {}
    if name not in described:
        raise unknown_topic_error(name, kafka.topic_names(), STATEMENT_START)
    return described[name][1]


def offset_ranges(kafka: Kafka, partitions: Mapping[str, int]) -> dict[At, Range]:
    """First offsets and high watermarks, by topic and partition."""
    places = [(topic, p) for topic, count in partitions.items() for p in range(count)]
    first, last = kafka.first_offsets(places), kafka.last_offsets(places)
    return {at: (first[at], last[at]) for at in places}


def state_or_empty(kafka: Kafka, prefix: str) -> State:
    """The jobs and mappings; none if no worker was ever started with this prefix."""
    if f"{prefix}{STATE}" not in kafka.topics([f"{prefix}{STATE}"]):
        return State()
    return state_topic.read_current_state(kafka, prefix, lambda key: key[0] in _ASKED)
