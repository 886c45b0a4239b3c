"""What the control plane asks of Kafka: its own topics, made and verified at start; the facts of a batch."""

import base64
import time
from collections.abc import Collection, Mapping
from contextlib import suppress

from controlplane.lookup import Facts, TopicFacts
from controlplane.settings import Settings
from controlplane.topics import COMMANDS, EVENTS, TOPICS
from processors.kafka import Doubt, Kafka
from schemas.errors import NotSetUp, TopicMisconfigured
from schemas.failures import JobFailure
from schemas.names import is_topic_name

VISIBLE_S = 15.0


def ensure_topics(kafka: Kafka, settings: Settings) -> None:
    """Creates the control topics that are missing and verifies all. Safe to run from many workers at once.

    Raises TopicMisconfigured where one exists with other partitions or another cleanup policy.
    """
    names = {f"{settings.prefix}{topic.name}": topic for topic in TOPICS}
    have = kafka.topics(names)
    replication = settings.replication_factor or min(3, len(kafka.brokers()))
    for name, topic in names.items():
        if name not in have:
            safety = {"min.insync.replicas": "2"} if replication >= 3 else {}
            kafka.create(name, topic.partitions, replication, {**topic.creation, **safety})
    have, configs = _await_visible(kafka, names)
    for name, topic in names.items():
        if have[name][1] != topic.partitions:
            raise TopicMisconfigured(
                f"topic '{name}' has {have[name][1]} partitions, it must have {topic.partitions}; "
                "choose another prefix, or delete the topic if nothing in it is needed"
            )
        if configs[name]["cleanup.policy"] != topic.cleanup:
            raise TopicMisconfigured(
                f"topic '{name}' has cleanup.policy={configs[name]['cleanup.policy']}, it must be {topic.cleanup}; "
                f"mend it: kafka-configs --alter --topic {name} --add-config cleanup.policy={topic.cleanup}"
            )


def _await_visible(
    kafka: Kafka, names: Collection[str]
) -> tuple[dict[str, tuple[str, int]], dict[str, dict[str, str]]]:
    """Topics and their settings, once the brokers that are asked know them: a new topic reaches them one by one."""
    deadline = time.monotonic() + VISIBLE_S
    while True:
        have = kafka.topics(names)
        with suppress(Doubt):
            settings = kafka.topic_settings(names)
            if len(have) == len(settings) == len(names):
                return have, settings
        if time.monotonic() > deadline:
            missing = sorted(set(names) - set(have)) or "all"
            raise NotSetUp(f"topics {missing} were created but are not visible to every broker yet; start again")
        time.sleep(0.05)


def require_topics(kafka: Kafka, prefix: str) -> None:
    """Raises NotSetUp where no worker has been started with this prefix."""
    if f"{prefix}{COMMANDS}" not in kafka.topics([f"{prefix}{COMMANDS}"]):
        raise NotSetUp(
            f"there is no topic '{prefix}{COMMANDS}' at {kafka.bootstrap}; start a worker with this prefix first"
        )


def plane_id(kafka: Kafka, prefix: str) -> str:
    """First 8 hex digits of the topic id of `events`: a recreated log is another control plane."""
    topic = f"{prefix}{EVENTS}"
    found = kafka.topics([topic]).get(topic)
    if found is None:
        raise NotSetUp(f"there is no topic '{topic}'")
    return base64.urlsafe_b64decode(found[0] + "==").hex()[:8]


def max_transaction_ms(kafka: Kafka) -> int:
    """The broker's transaction.max.timeout.ms."""
    return int(kafka.broker_setting("transaction.max.timeout.ms"))


def facts(
    kafka: Kafka, plane: str, limit: int, topics: Collection[str], instants: Collection[tuple[str, int]] = ()
) -> Facts:
    """What is known of the topics now. Never raises: what did not answer in time is named in `unavailable`.

    Kafka is not asked for names that no topic can have: it would answer nothing else either.
    """
    try:
        described = kafka.topics([topic for topic in topics if is_topic_name(topic)])
        partitions = [(topic, p) for topic, (_, count) in described.items() for p in range(count)]
        first, last = kafka.first_offsets(partitions), kafka.last_offsets(partitions)
        names = kafka.topic_names() if len(described) < len(topics) else ()
        at = {
            (topic, instant): kafka.offsets_since([(topic, p) for p in range(described[topic][1])], instant)
            for topic, instant in instants
            if topic in described
        }
    except (Doubt, JobFailure) as doubt:
        return Facts(plane, max_transaction_ms=limit, unavailable=str(doubt))
    found = _topic_facts(described, first, last)
    return Facts(plane, found, names, limit, instants=_instants(found, at))


def _instants(
    topics: Mapping[str, TopicFacts], at: Mapping[tuple[str, int], Mapping[tuple[str, int], int]]
) -> dict[tuple[str, int], tuple[int, ...]]:
    """Where no record is so new, the end."""
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
