"""Fetches the facts about topics that a batch of commands needs."""

from collections.abc import Collection, Mapping
from typing import Protocol

from jobplane.controlplane.core.facts import Facts, TopicFacts
from jobplane.processors.kafka.cluster import Doubt, Kafka
from jobplane.schemas.failures import JobFailure
from jobplane.schemas.names import is_topic_name
from jobplane.sql.functions import BUILT_IN, FunctionCatalogue


def max_transaction_ms(kafka: Kafka) -> int:
    """The broker's transaction.max.timeout.ms."""
    return int(kafka.broker_setting("transaction.max.timeout.ms"))


def fetch_facts(
    kafka: Kafka,
    plane: str,
    limit: int,
    topics: Collection[str],
    instants: Collection[tuple[str, int]] = (),
    functions: FunctionCatalogue = BUILT_IN,
) -> Facts:
    """The facts about the topics now. Never raises: if Kafka does not answer in time, `unavailable` has the reason.

    Kafka is not asked about names that are not topic names: it would then answer nothing about the other topics. If it
    refuses to describe one topic, it still describes the others.
    """
    try:
        described, denied = describe_topics(kafka, [topic for topic in topics if is_topic_name(topic)])
        partitions = [(topic, p) for topic, (_, count) in described.items() for p in range(count)]
        first, last = kafka.first_offsets(partitions), kafka.last_offsets(partitions)
        names = kafka.topic_names() if len(described) < len(topics) else ()
        at = {
            (topic, instant): kafka.offsets_since([(topic, p) for p in range(described[topic][1])], instant)
            for topic, instant in instants
            if topic in described
        }
    except (Doubt, JobFailure) as doubt:
        return Facts(plane, max_transaction_ms=limit, unavailable=str(doubt), functions=functions)
    found = _topic_facts(described, first, last)
    return Facts(plane, found, names, limit, denied=denied, instants=_instants(found, at), functions=functions)


class TopicSource(Protocol):
    """Describes topics. Raises JobFailure if Kafka refuses."""

    def topics(self, names: Collection[str]) -> dict[str, tuple[str, int]]: ...


def describe_topics(kafka: TopicSource, topics: Collection[str]) -> tuple[dict[str, tuple[str, int]], dict[str, str]]:
    """The topics that exist, and why Kafka refuses to describe others. After a refusal it is asked one by one."""
    try:
        return kafka.topics(topics), {}
    except JobFailure as refused:
        if len(topics) == 1:
            return {}, dict.fromkeys(topics, refused.message)
    found, denied = dict[str, tuple[str, int]](), dict[str, str]()
    for topic in topics:
        one, no = describe_topics(kafka, [topic])
        found, denied = found | one, denied | no
    return found, denied


def _instants(
    topics: Mapping[str, TopicFacts], at: Mapping[tuple[str, int], Mapping[tuple[str, int], int]]
) -> dict[tuple[str, int], tuple[int, ...]]:
    """The first offset at or after each instant, by partition; the end if no record is so new."""
    return {
        (topic, instant): tuple(
            last if offsets[topic, p] < 0 else offsets[topic, p] for p, last in enumerate(topics[topic].latest)
        )
        for (topic, instant), offsets in at.items()
    }


def _topic_facts(
    described: Mapping[str, tuple[str, int]],
    first: Mapping[tuple[str, int], int],
    last: Mapping[tuple[str, int], int],
) -> dict[str, TopicFacts]:
    return {
        topic: TopicFacts(
            topic_id,
            tuple(first[topic, p] for p in range(count)),
            tuple(last[topic, p] for p in range(count)),
        )
        for topic, (topic_id, count) in described.items()
    }
