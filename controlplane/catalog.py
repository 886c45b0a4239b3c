"""What the control plane asks of Kafka: its own topics, made and verified at start; the facts of a batch."""

import base64
import time
from collections.abc import Collection, Mapping
from typing import Protocol

from controlplane.lookup import Facts, TopicFacts
from controlplane.patience import Patience, Say, silent
from controlplane.set_up import not_set_up
from controlplane.settings import Settings
from controlplane.topics import COMMANDS, EVENTS, TOPICS, Topic
from processors.kafka.cluster import Doubt, Kafka
from schemas.failures import JobFailure
from schemas.names import is_topic_name
from schemas.setup_errors import NotSetUp, TopicMisconfigured

SET_UP_S = 120.0
"""Longest a start waits for the control topics: a Kafka on a machine under heavy load needs long to make them."""


def ensure_topics(kafka: Kafka, settings: Settings, say: Say = silent) -> None:
    """Creates the control topics that are missing and verifies all. Safe to run from many workers at once.

    `say` is told what is made, and what is awaited when that takes long. Raises TopicMisconfigured where one exists
    with other partitions or another cleanup policy, NotSetUp where they are not there after two minutes.
    """
    names = {f"{settings.prefix}{topic.name}": topic for topic in TOPICS}
    have, configs = _made(kafka, names, settings, say)
    for name, topic in names.items():
        if have[name][1] != topic.partitions:
            raise TopicMisconfigured(
                f"topic '{name}' has {have[name][1]} partitions, it must have {topic.partitions}; "
                "choose another prefix, or delete the topic if nothing in it is needed"
            )
        if configs[name]["cleanup.policy"] != topic.cleanup:
            raise TopicMisconfigured(
                f"topic '{name}' has cleanup.policy={configs[name]['cleanup.policy']}, it must be {topic.cleanup}; "
                f"change it: kafka-configs --alter --topic {name} --add-config cleanup.policy={topic.cleanup}"
            )


def _made(
    kafka: Kafka, names: Mapping[str, Topic], settings: Settings, say: Say
) -> tuple[dict[str, tuple[str, int]], dict[str, dict[str, str]]]:
    """Topics and their settings, once all are made and the brokers that are asked know them.

    A new topic reaches the brokers one by one. Where Kafka does not answer in time, it is asked again.
    """
    patience, said = Patience(SET_UP_S, say), False
    while True:
        try:
            have = kafka.topics(names)
            missing = [name for name in names if name not in have]
            if missing and not said:
                said = True
                say(f"creating {len(missing)} control topics: {', '.join(missing)}")
            _create(kafka, {name: names[name] for name in missing}, settings)
            configs = kafka.topic_settings(names)
            if not missing and len(configs) == len(names):
                return have, configs
            awaited = "not every broker knows the new control topics yet"
        except Doubt as slow:
            awaited = f"Kafka does not answer about the control topics: {slow}"
        if patience.ends(awaited):
            raise NotSetUp(f"no control topics after {SET_UP_S:.0f} s: {awaited}; start again")
        time.sleep(0.05)


def _create(kafka: Kafka, missing: Mapping[str, Topic], settings: Settings) -> None:
    if not missing:
        return
    replication = settings.replication_factor or min(3, len(kafka.brokers()))
    safety = {"min.insync.replicas": "2"} if replication >= 3 else {}
    for name, topic in missing.items():
        kafka.create(name, topic.partitions, replication, {**topic.creation, **safety})


def require_topics(kafka: Kafka, prefix: str) -> None:
    """Raises NotSetUp where no worker has been started with this prefix."""
    topic = f"{prefix}{COMMANDS}"
    if topic not in kafka.topics([topic]):
        raise not_set_up(topic, prefix, kafka.bootstrap, kafka.topic_names())


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

    Kafka is not asked for names that no topic can have: it would answer nothing else either. What it refuses to tell of
    one topic is no matter for the others.
    """
    try:
        described, denied = describe(kafka, [topic for topic in topics if is_topic_name(topic)])
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
    return Facts(plane, found, names, limit, denied=denied, instants=_instants(found, at))


class Describing(Protocol):
    """What tells of topics; it raises JobFailure where it may not."""

    def topics(self, names: Collection[str]) -> dict[str, tuple[str, int]]: ...


def describe(kafka: Describing, topics: Collection[str]) -> tuple[dict[str, tuple[str, int]], dict[str, str]]:
    """Topics that exist, and why Kafka does not tell of others. They are asked for one by one after a refusal."""
    try:
        return kafka.topics(topics), {}
    except JobFailure as refused:
        if len(topics) == 1:
            return {}, dict.fromkeys(topics, refused.message)
    found, denied = dict[str, tuple[str, int]](), dict[str, str]()
    for topic in topics:
        one, no = describe(kafka, [topic])
        found, denied = found | one, denied | no
    return found, denied


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
