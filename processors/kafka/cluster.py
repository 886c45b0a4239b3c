"""The one door to confluent_kafka: how clients are made here, and the rules every reader and writer keeps.

Readers are read_committed, start where they are told, and never guess an offset. "The end" of a topic is its high
watermark asked read_uncommitted; a reader goes on until its position is there.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, ResourceType

from jobplane.processors.kafka.answers import (
    Doubt,
    Fenced,
    NoAnswer,
    OutOfRange,
    bounds_answer,
    brokers_answer,
    offset_answer,
)
from jobplane.processors.kafka.client_properties import wrong_property
from jobplane.processors.kafka.error_words import in_words
from jobplane.processors.kafka.judging import judged, judging
from jobplane.processors.kafka.questions import CALL_S, At, Questions, setting_of
from jobplane.schemas.errors import TopicRefused
from jobplane.schemas.failures import SinkLost
from jobplane.schemas.setup_errors import CredentialsRefused, KafkaUnreachable

__all__ = [
    "CALL_S",
    "Consumer",
    "Doubt",
    "Fenced",
    "Kafka",
    "KafkaError",
    "KafkaException",
    "Message",
    "NoAnswer",
    "OutOfRange",
    "Producer",
    "Replicas",
    "Taken",
    "TopicPartition",
    "assign",
    "bounds",
    "delivered_offset",
    "insisting",
    "judged",
    "judging",
    "poll",
    "poll_one",
    "poll_ready",
]

LOG = logging.getLogger("jobplane.kafka")
T = TypeVar("T")
C = TypeVar("C", AdminClient, Producer, Consumer)
Alive = Callable[[], None]
_NOT_MADE = frozenset(
    {
        *("INVALID_PARTITIONS", "INVALID_REPLICATION_FACTOR", "INVALID_REPLICA_ASSIGNMENT", "INVALID_CONFIG"),
        *("POLICY_VIOLATION", "TOPIC_EXCEPTION", "INVALID_REQUEST"),
    }
)
"""Why Kafka does not make a topic, however often it is asked."""
_CALLBACKS = frozenset({"stats_cb", "on_delivery"})
"""Settings whose names librdkafka's Python client spells with underscores."""
OPEN_S, SILENT_S = 60.0, 10.0
"""How long a reader waits for a transaction to end, and after what silence it asks again."""
REACH_S = 3.0
"""Longest a first call waits for a broker to be there at all: with the client's own end it is under 5 s."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The records that a topic takes: of at most `limit` bytes (max.message.bytes), `keyed` only such with a key."""

    limit: int
    keyed: bool


@dataclass(frozen=True, slots=True)
class Replicas:
    """The brokers that hold a partition: its leader, -1 if it has none; all; and those that are in sync."""

    leader: int
    all: tuple[int, ...]
    in_sync: tuple[int, ...]


def _nothing() -> None:
    pass


class Kafka:
    """A cluster: where it is, and the librdkafka properties of its clients. Cheap: clients are created on demand."""

    def __init__(self, bootstrap: str, properties: Mapping[str, str] | None = None) -> None:
        self.bootstrap = bootstrap
        self.properties = dict(properties or {})
        self.last_error = ""
        self._questions = Questions(lambda: self.client(AdminClient))

    def config(self, **settings: Any) -> dict[str, Any]:
        return {
            "bootstrap.servers": self.bootstrap,
            "error_cb": self._on_error,
            "log_level": 2,
            "reconnect.backoff.ms": 20,  # a new client may wait for half of it before it connects at all
            "reconnect.backoff.max.ms": 1000,
            **self.properties,
            **{key if key in _CALLBACKS else key.replace("_", "."): value for key, value in settings.items()},
        }

    def _on_error(self, error: KafkaError) -> None:
        if error.name() != "_ALL_BROKERS_DOWN":
            LOG.debug("the Kafka client says %s: %s", error.name(), error.str())
            self.last_error = in_words(error.name(), error.str())

    def client(self, kind: Callable[[dict[str, Any]], C], **settings: Any) -> C:
        """A client of a kind. Raises BadSetting where it does not take its properties."""
        try:
            return kind(self.config(**settings))
        except KafkaException as error:
            if error.args[0].name() != "_INVALID_ARG":
                raise judged(error) from error
            given = {"bootstrap.servers": self.bootstrap, **self.properties}
            raise wrong_property(error.args[0].str(), given) from None
        except (TypeError, ValueError):
            raise wrong_property("", self.properties) from None

    @property
    def admin(self) -> AdminClient:
        return self._questions.admin

    def producer(self, **settings: Any) -> Producer:
        """An idempotent producer without transactions, for records that stand alone."""
        return self.client(Producer, **{"enable_idempotence": True, "linger_ms": 0, **settings})

    def consumer(self, group: str, *, committed: bool = True, **settings: Any) -> Consumer:
        """A consumer to be assigned, never subscribed; it commits nothing by itself."""
        return self.client(
            Consumer,
            group_id=group,
            isolation_level="read_committed" if committed else "read_uncommitted",
            auto_offset_reset="error",
            enable_auto_commit=False,
            **{"fetch_wait_max_ms": 100, **settings},
        )

    def require(self, timeout: float = REACH_S) -> None:
        """Raises KafkaUnreachable within `timeout` seconds when no broker answers, CredentialsRefused, BadSetting."""
        try:
            self.admin.list_topics("", timeout=timeout)
        except KafkaException as error:
            self.admin.poll(0)
            reason = self.last_error or in_words(error.args[0].name())
            if "AUTHENTICATION" in reason:
                raise CredentialsRefused(f"{self.bootstrap}: {reason}") from error
            if "_BAD_MSG" in reason:
                raise KafkaUnreachable(
                    f"what answers at {self.bootstrap} is not Kafka, or its listener has TLS; check the address, and "
                    "security.protocol below [kafka]"
                ) from error
            raise KafkaUnreachable(
                f"no Kafka broker answers at {self.bootstrap}: {reason}; is it running, and is this its address?"
            ) from error

    def topic_names(self) -> tuple[str, ...]:
        return tuple(sorted(self.topic_partitions()))

    def topic_partitions(self) -> dict[str, int]:
        """The number of partitions of every topic that the broker knows whole."""
        with judging():
            topics = self.admin.list_topics(timeout=CALL_S).topics
        return {name: len(one.partitions) for name, one in topics.items() if one.error is None and one.partitions}

    def topics(self, names: Collection[str], alive: Alive = _nothing) -> dict[str, tuple[str, int]]:
        """(topic id, partitions) of those topics that exist. Raises Doubt where Kafka does not answer.

        The answer is to a request sent after the call, here as in the other questions; threads that ask at the same
        time share one request, and `alive` is called while a thread waits for another's.
        """
        return self._questions.topics(names, alive)

    def first_offsets(self, partitions: Collection[At], alive: Alive = _nothing) -> dict[At, int]:
        """Raises Doubt where Kafka does not answer, or the broker asked does not know a partition (yet)."""
        return self._questions.first_offsets(partitions, alive)

    def last_offsets(self, partitions: Collection[At], alive: Alive = _nothing) -> dict[At, int]:
        """High watermarks, asked read_uncommitted: an open transaction hides nothing. Raises as `first_offsets`."""
        return self._questions.last_offsets(partitions, alive)

    def stable_offsets(self, partitions: Collection[At], alive: Alive = _nothing) -> dict[At, int]:
        """Last stable offsets: those who read committed records get no further now. Raises as `first_offsets`."""
        return self._questions.stable_offsets(partitions, alive)

    def offsets_since(self, partitions: Collection[At], instant: int) -> dict[At, int]:
        """The first offset with a timestamp not before an instant in epoch milliseconds; -1 where there is none."""
        return self._questions.offsets_since(partitions, instant)

    def broker_setting(self, setting: str) -> str:
        """The value of a setting of the brokers."""
        broker = (ResourceType.BROKER, str(self.brokers()[0]))
        settings = self._questions.settings([broker], _nothing)
        return setting_of(settings.get(broker, {}), "the brokers", setting)

    def topic_settings(self, names: Collection[str], alive: Alive = _nothing) -> dict[str, dict[str, Any]]:
        """All settings of those topics that exist, by topic."""
        found = self._questions.settings([(ResourceType.TOPIC, name) for name in names], alive)
        return {name: settings for (_, name), settings in found.items()}

    def changed_settings(self, topic: str) -> dict[str, str]:
        """The settings of a topic that are its own, not those of the brokers. Empty where it does not exist."""
        return self._questions.changed_settings(topic)

    def replicas(self, topic: str) -> dict[int, Replicas]:
        """Where each partition of a topic is. Empty where it does not exist."""
        with judging():
            found = self.admin.list_topics(topic, timeout=CALL_S).topics[topic].partitions
        return {p: Replicas(one.leader, tuple(one.replicas), tuple(one.isrs)) for p, one in found.items()}

    def brokers(self) -> tuple[int, ...]:
        with judging():
            return brokers_answer(tuple(self.admin.list_topics("", timeout=CALL_S).brokers))

    def create(self, topic: str, partitions: int, replication: int, config: Mapping[str, str]) -> bool:
        """Creates a topic and waits until it is there; False for one that exists already, which is left as it is.

        Partitions or replicas of -1 are as many as the brokers' settings say. Raises TopicRefused, and Doubt where
        Kafka does not say in time.
        """
        new = NewTopic(topic, partitions, replication, config=dict(config))
        try:
            self.admin.create_topics([new], operation_timeout=CALL_S)[topic].result(CALL_S * 2)
        except TimeoutError as slow:
            raise Doubt(f"Kafka did not say within {CALL_S * 2:g} s that topic '{topic}' is made") from slow
        except KafkaException as error:
            code, text = error.args[0].name(), error.args[0].str()
            if code == "TOPIC_ALREADY_EXISTS":
                return False
            if code in _NOT_MADE:
                raise TopicRefused(f"Kafka does not make topic '{topic}': {text}") from error
            raise judged(error) from error
        return True

    def taken(self, topics: Sequence[str], alive: Alive) -> list[Taken]:
        """What each topic takes. Raises SinkLost where one does not exist."""

        def complete() -> dict[str, dict[str, Any]] | None:
            found = self.topic_settings(topics, alive)
            return found if found.keys() >= set(topics) else None

        found = insisting(complete, alive)
        if found is None:
            raise SinkLost(f"a topic of {', '.join(topics)} does not exist any more; DROP the job")
        return [
            Taken(
                int(setting_of(found[topic], topic, "max.message.bytes")),
                keyed="compact" in setting_of(found[topic], topic, "cleanup.policy"),
            )
            for topic in topics
        ]

    def read_to_end(
        self, consumer: Consumer, topic: str, partitions: Sequence[int], alive: Alive = _nothing
    ) -> Iterator[Message]:
        """As `read_from`, from the first records of the partitions."""
        yield from self.read_from(consumer, self.first_offsets([(topic, p) for p in partitions], alive), alive)

    def read_from(self, consumer: Consumer, starts: Mapping[At, int], alive: Alive = _nothing) -> Iterator[Message]:
        """Every committed record of the partitions, each in its order, from `starts` to the end as it is now.

        The consumer is left assigned at that end. `alive` is called while waiting. Raises Doubt after long silence.
        """
        ends, reached = self.last_offsets(starts, alive), dict(starts)
        assign(consumer, reached)
        left = {at for at in starts if ends[at] > reached[at]}
        heard = asked = time.monotonic()
        while left:
            alive()
            try:
                messages = poll_ready(consumer, 5000, 0.02)
            except OutOfRange:  # some were deleted since, or the client has no answer: the broker knows
                if time.monotonic() - heard > SILENT_S:
                    raise
                messages = []
                first = self.first_offsets(starts, alive)
                reached = {at: max(offset, first[at]) for at, offset in reached.items()}
                assign(consumer, reached)
            for message in messages:
                heard = asked = time.monotonic()
                yield message
            for at, offset in _positions(consumer, left).items():
                reached[at] = max(offset, reached[at])
                if offset >= ends[at]:
                    left.discard(at)
            if left and time.monotonic() - heard > OPEN_S:
                topic, partition = min(left)
                raise Doubt(f"{topic}-{partition}: the end was not reached, a transaction is open before it")
            if time.monotonic() - asked > SILENT_S and left:
                asked = time.monotonic()
                assign(consumer, reached)  # one that has met a broker's end may ask for a leader of before

    def record_at(self, consumer: Consumer, topic: str, partition: int, offset: int) -> Message | None:
        """The one record at an offset, by a read_uncommitted consumer; None if it is gone."""
        if offset >= self.last_offsets([(topic, partition)])[topic, partition]:
            return None  # a client that is closed while it looks for an offset beyond the end may never come back
        assign(consumer, {(topic, partition): offset})
        deadline = time.monotonic() + CALL_S
        while time.monotonic() < deadline:
            message = consumer.poll(0.1)
            if message is None:
                continue
            if message.error() is not None:
                return None
            return message if message.offset() == offset else None
        return None

    def positions(self, consumer: Consumer, partitions: Collection[At]) -> dict[At, int]:
        """Where a consumer is; one that has read nothing of a partition is at its first record."""
        with judging():
            found = _positions(consumer, partitions)
        unread = [at for at, offset in found.items() if offset < 0]
        return found | self.first_offsets(unread)


def insisting(ask: Callable[[], T | None], alive: Callable[[], None]) -> T | None:
    """What `ask` finds, asked again for 5 s where it finds nothing: a new topic reaches the brokers one by one."""
    deadline = time.monotonic() + CALL_S
    while (found := ask()) is None and time.monotonic() < deadline:
        alive()
        time.sleep(0.1)
    return found


def _positions(consumer: Consumer, partitions: Collection[At]) -> dict[At, int]:
    return {(at.topic, at.partition): at.offset for at in consumer.position([TopicPartition(*at) for at in partitions])}


def bounds(consumer: Consumer, at: At) -> tuple[int, int]:
    """First offset and last stable one, as a read_committed consumer has them. Raises NoAnswer, Doubt."""
    with judging():
        return bounds_answer(f"{at[0]}-{at[1]}", consumer.get_watermark_offsets(TopicPartition(*at), CALL_S))


def delivered_offset(message: Message) -> int:
    """The offset at which a record came to lie. Raises NoAnswer where the broker did not say: it may be there twice."""
    return offset_answer(f"a record of {message.topic()}-{message.partition()}", message.offset())


def assign(consumer: Consumer, positions: Mapping[At, int]) -> None:
    """Assigns (topic, partition) at offsets. Asks for the topics first: a client waits a second for a new one."""
    with judging():
        for topic in {topic for topic, _ in positions}:
            consumer.list_topics(topic, CALL_S)
        consumer.assign([TopicPartition(topic, p, offset) for (topic, p), offset in positions.items()])


def poll(consumer: Consumer, most: int, timeout: float) -> list[Message]:
    """Records of a consumer; an error among them is raised as what it means."""
    with judging():
        messages = consumer.consume(most, timeout)
    if any(map(_error_of, messages)):
        raise next(judged(error, one.topic() or "") for one in messages if (error := one.error()) is not None)
    return messages


def poll_one(consumer: Consumer, timeout: float) -> list[Message]:
    """The next record, as soon as there is one: `poll` waits for as many as it may bring."""
    with judging():
        message = consumer.poll(timeout)
    if message is None:
        return []
    if (error := message.error()) is not None:
        raise judged(error, message.topic() or "")
    return [message]


def poll_ready(consumer: Consumer, most: int, timeout: float) -> list[Message]:
    """The next record as soon as there is one, with those that the client has beside it: at most `most`.

    Without a record it waits for `timeout` seconds, without waking.
    """
    first = poll_one(consumer, timeout)
    return first + poll(consumer, most - 1, 0) if first and most > 1 else first


_error_of = Message.error
