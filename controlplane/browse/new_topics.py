"""Creates topics for jobs to read and write. Naming a topic in a statement does not create it."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from jobplane.processors.kafka.cluster import Doubt, Kafka, insisting
from jobplane.schemas.errors import TopicExists, TopicRefused, TopicReserved
from jobplane.schemas.failures import JobFailure
from jobplane.schemas.names import is_topic_name
from jobplane.schemas.setup_errors import NotSetUp
from jobplane.schemas.shown import quantity
from jobplane.schemas.suggestions import did_you_mean

BROKERS_DEFAULT = -1
"""Stands for the brokers' settings num.partitions and default.replication.factor."""
OWN = "__"
"""The prefix of the names of Kafka's own topics."""


@dataclass(frozen=True, slots=True)
class CreatedTopic:
    """`new` is False if the topic existed before."""

    name: str
    partitions: int
    new: bool


def check_name(name: str, prefix: str) -> None:
    """Raises TopicRefused if `name` is not a topic name, TopicReserved if the control plane or Kafka owns it."""
    if not is_topic_name(name):
        raise TopicRefused(
            f"'{name}' is not a topic name: a topic name has 1 to 249 ASCII letters, digits, '.', '_' and '-'"
        )
    if name.startswith(prefix):
        raise TopicReserved(
            f"topic '{name}' is reserved: names that begin with '{prefix}' are the control plane's own, and the first "
            "worker creates those topics"
        )
    check_not_kafkas(name)


def check_not_kafkas(name: str) -> None:
    """Raises TopicReserved for Kafka's own topics."""
    if name.startswith(OWN):
        raise TopicReserved(f"topic '{name}' is reserved: names that begin with '{OWN}' belong to Kafka")


def check_new(names: Sequence[str], partitions: Mapping[str, int]) -> None:
    """Raises TopicExists for the first name in `partitions`, the cluster's topics with their partition counts."""
    for name in names:
        if name in partitions:
            none = "; none of the other topics was created" if len(names) > 1 else ""
            raise TopicExists(f"topic '{name}' exists, with {quantity(partitions[name], 'partition')}{none}")


def create_topic(
    kafka: Kafka, name: str, partitions: int, replication: int, config: Mapping[str, str], *, if_not_exists: bool
) -> CreatedTopic:
    """Creates a topic; returns once the brokers know it. Raises TopicExists, TopicRefused, NotSetUp."""
    _check_replicas(kafka, name, replication)
    try:
        new = kafka.create(name, partitions, replication, config)
    except TopicRefused as refused:
        raise _unknown_setting(kafka, config) or refused from refused
    found = insisting(lambda: kafka.topics([name]).get(name), lambda: None)
    if found is None:
        raise NotSetUp(
            f"topic '{name}' was created, but the brokers do not know it yet; try `jobplane topic describe {name}`"
        )
    if not new and not if_not_exists:
        raise TopicExists(f"topic '{name}' exists, with {quantity(found[1], 'partition')}")
    return CreatedTopic(name, found[1], new)


def _check_replicas(kafka: Kafka, name: str, replication: int) -> None:
    brokers = len(kafka.brokers())
    if replication > brokers:
        raise TopicRefused(
            f"topic '{name}' cannot have {replication} replicas: the cluster has {quantity(brokers, 'broker')}"
        )


def _unknown_setting(kafka: Kafka, config: Mapping[str, str]) -> TopicRefused | None:
    """The refusal of the first unknown setting; None if all are known, or if Kafka does not answer."""
    known: set[str] = set()
    with suppress(Doubt, JobFailure):
        names = kafka.topic_names()[:1] if config else ()
        known = {name for settings in kafka.topic_settings(names).values() for name in settings}
    unknown = next((name for name in config if known and name not in known), None)
    if unknown is None:
        return None
    return TopicRefused(f"'{unknown}' is not a setting of topics{did_you_mean(unknown, known)}")
