"""The control topics in Kafka: created and verified at a start, and required by their readers."""

import base64
import time
from collections.abc import Mapping

from jobplane.controlplane.core.setup_advice import not_set_up_error
from jobplane.controlplane.settings import Settings
from jobplane.controlplane.topics import COMMANDS, EVENTS, TOPICS, ControlTopic
from jobplane.controlplane.wait_limit import Say, WaitLimit, say_nothing
from jobplane.processors.kafka.cluster import Doubt, Kafka
from jobplane.schemas.setup_errors import NotSetUp, TopicMisconfigured

SET_UP_S = 120.0
"""Longest a start waits for the control topics: Kafka on a machine under heavy load needs long to create them."""


def ensure_topics(kafka: Kafka, settings: Settings, say: Say = say_nothing) -> None:
    """Creates the control topics that are missing and verifies all. Safe to run from many workers at once.

    `say` is called with what is created, and with what is awaited if that takes long. Raises TopicMisconfigured if a
    topic has other partitions or another cleanup policy, NotSetUp if topics are still missing after two minutes.
    """
    names = {f"{settings.prefix}{topic.name}": topic for topic in TOPICS}
    have, configs = _await_topics(kafka, names, settings, say)
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


def _await_topics(
    kafka: Kafka, names: Mapping[str, ControlTopic], settings: Settings, say: Say
) -> tuple[dict[str, tuple[str, int]], dict[str, dict[str, str]]]:
    """Topics and their settings, when all are created and known to the brokers that are asked.

    A new topic reaches the brokers one by one. If Kafka does not answer in time, it is asked again.
    """
    wait_limit, said = WaitLimit(SET_UP_S, say), False
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
        if wait_limit.has_passed(awaited):
            raise NotSetUp(f"no control topics after {SET_UP_S:.0f} s: {awaited}; start again")
        time.sleep(0.05)


def _create(kafka: Kafka, missing: Mapping[str, ControlTopic], settings: Settings) -> None:
    if not missing:
        return
    replication = settings.replication_factor or min(3, len(kafka.brokers()))
    safety = {"min.insync.replicas": "2"} if replication >= 3 else {}
    for name, topic in missing.items():
        kafka.create(name, topic.partitions, replication, {**topic.creation_config, **safety})


def require_topics(kafka: Kafka, prefix: str) -> None:
    """Raises NotSetUp if no worker has been started with this prefix."""
    topic = f"{prefix}{COMMANDS}"
    if topic not in kafka.topics([topic]):
        raise not_set_up_error(topic, prefix, kafka.bootstrap, kafka.topic_names())


def plane_id(kafka: Kafka, prefix: str) -> str:
    """First 8 hex digits of the topic id of `events`: a recreated log is another control plane."""
    topic = f"{prefix}{EVENTS}"
    found = kafka.topics([topic]).get(topic)
    if found is None:
        raise NotSetUp(f"there is no topic '{topic}'")
    return base64.urlsafe_b64decode(found[0] + "==").hex()[:8]
