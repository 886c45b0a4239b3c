"""The one door to confluent_kafka: how clients are made here, and the rules every reader and writer keeps.

Readers are read_committed, start where they are told, and never guess an offset. "The end" of a topic is its high
watermark asked read_uncommitted; a reader goes on until its position is there.
"""

import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from processors.outcomes import Meaning, failure_of, meaning
from schemas.errors import KafkaUnreachable
from schemas.failures import JobFailure, SinkLost

__all__ = [
    "CALL_S",
    "Consumer",
    "Doubt",
    "Fenced",
    "Kafka",
    "KafkaError",
    "KafkaException",
    "Message",
    "Producer",
    "TopicPartition",
    "assign",
    "insisting",
    "judged",
    "judging",
    "poll",
]

T = TypeVar("T")
P = ParamSpec("P")
_CALLBACKS = frozenset({"stats_cb", "on_delivery"})
"""Settings whose names librdkafka's Python client spells with underscores."""
CALL_S = 5.0
"""Longest one call to Kafka may block; what takes longer is asked again or is doubt."""
ASK_S = 2.5
"""Longest one read of the admin client may take; with those after a doubt, less than a task may be silent for."""
OPEN_S, SILENT_S = 60.0, 10.0
"""How long a reader waits for a transaction to end, and after what silence it asks anew."""
REACH_S = 3.0
"""Longest a first call waits for a broker to be there at all: with the client's own end it is under 5 s."""


class Fenced(Exception):
    """Another producer with this transactional id took over."""


class Doubt(Exception):
    """It is not known what the broker did last. Discard the producer; make a new one; go on from what is committed."""


def judged(error: KafkaException | KafkaError) -> Fenced | Doubt | JobFailure:
    """The exception an error of Kafka stands for: Fenced, Doubt, or the JobFailure that asking again cannot mend."""
    cause = error.args[0] if isinstance(error, KafkaException) else error
    code, text = cause.name(), cause.str()
    match meaning(code):
        case Meaning.FENCED:
            return Fenced(text)
        case Meaning.REFUSED:
            return failure_of(code, f"Kafka says {code}: {text}")
        case Meaning.DOUBT:
            return Doubt(f"{code}: {text}")


@contextmanager
def judging() -> Iterator[None]:
    """Turns a KafkaException of the block into what it means."""
    try:
        yield
    except KafkaException as error:
        raise judged(error) from error


def patient(read: Callable[Concatenate["Kafka", P], T]) -> Callable[Concatenate["Kafka", P], T]:
    """A read of the admin client that is asked again for 5 s after a doubt, each time of a new client.

    One that has met a broker's end may know leaders and controller of before for minutes: FENCED_LEADER_EPOCH.
    """

    @wraps(read)
    def asked(kafka: "Kafka", /, *args: P.args, **kwargs: P.kwargs) -> T:
        deadline = time.monotonic() + CALL_S
        while True:
            client = kafka.admin  # held, so that nobody's discarding takes it away before the answer
            try:
                return read(kafka, *args, **kwargs)
            except Doubt:
                kafka.discard(client)
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    return asked


class Kafka:
    """A cluster: where it is, and the librdkafka properties of its clients. Cheap: clients are made on demand."""

    def __init__(self, bootstrap: str, properties: Mapping[str, str] | None = None) -> None:
        self.bootstrap = bootstrap
        self.properties = dict(properties or {})
        self.last_error = ""
        self._admin: AdminClient | None = None
        self._lock = threading.Lock()

    def config(self, **settings: Any) -> dict[str, Any]:
        return {
            "bootstrap.servers": self.bootstrap,
            "error_cb": self._on_error,
            "log_level": 2,
            "reconnect.backoff.max.ms": 1000,
            **self.properties,
            **{key if key in _CALLBACKS else key.replace("_", "."): value for key, value in settings.items()},
        }

    def _on_error(self, error: KafkaError) -> None:
        if error.name() != "_ALL_BROKERS_DOWN":
            self.last_error = f"{error.name()}: {error.str()}"

    @property
    def admin(self) -> AdminClient:
        with self._lock:  # the calls of a client that is made twice, and collected, are lost
            if self._admin is None:
                self._admin = AdminClient(self.config())
            return self._admin

    def discard(self, client: AdminClient) -> None:
        """The next to ask makes a new admin client, unless that was done already."""
        with self._lock:
            if self._admin is client:
                self._admin = None

    def producer(self, **settings: Any) -> Producer:
        """An idempotent producer without transactions, for records that stand alone."""
        return Producer(self.config(**{"enable_idempotence": True, "linger_ms": 0, **settings}))

    def consumer(self, group: str, *, committed: bool = True, **settings: Any) -> Consumer:
        """A consumer to be assigned, never subscribed; it commits nothing by itself."""
        return Consumer(
            self.config(
                group_id=group,
                isolation_level="read_committed" if committed else "read_uncommitted",
                auto_offset_reset="error",
                enable_auto_commit=False,
                **{"fetch_wait_max_ms": 100, **settings},
            )
        )

    def require(self, timeout: float = REACH_S) -> None:
        """Raises KafkaUnreachable within `timeout` seconds when no broker answers."""
        try:
            self.admin.list_topics("", timeout=timeout)
        except KafkaException as error:
            self.admin.poll(0)
            reason = self.last_error or error.args[0].str()
            raise KafkaUnreachable(
                f"no Kafka broker answers at {self.bootstrap} ({reason}); is it running, and is this its address?"
            ) from error

    def topic_names(self) -> tuple[str, ...]:
        return tuple(sorted(self.topic_partitions()))

    def topic_partitions(self) -> dict[str, int]:
        """The number of partitions of every topic."""
        with judging():
            return {name: len(one.partitions) for name, one in self.admin.list_topics(timeout=CALL_S).topics.items()}

    @patient
    def topics(self, names: Collection[str]) -> dict[str, tuple[str, int]]:
        """(topic id, partitions) of those topics that exist. Raises Doubt where Kafka does not answer."""
        found = {}
        if names:
            asked = self.admin.describe_topics(TopicCollection(list(names)), request_timeout=ASK_S)
            for name, future in asked.items():
                try:
                    described = future.result(ASK_S + 0.5)
                    found[name] = (str(described.topic_id), len(described.partitions))
                except KafkaException as error:
                    if error.args[0].name() not in ("UNKNOWN_TOPIC_OR_PART", "_UNKNOWN_TOPIC"):
                        raise judged(error) from error
                except TimeoutError as error:
                    raise Doubt(f"describe_topics took more than {ASK_S} s") from error
        return found

    @patient
    def offsets(
        self, partitions: Collection[tuple[str, int]], *, earliest: bool = False, since: int | None = None
    ) -> dict[tuple[str, int], int]:
        """First offsets, or high watermarks: those are asked read_uncommitted, so an open transaction hides nothing.

        With `since`, an instant in epoch milliseconds: the first offset with a timestamp not before, -1 where none is.
        """
        if not partitions:
            return {}
        spec = OffsetSpec.earliest() if earliest else OffsetSpec.latest()  # type: ignore[no-untyped-call]
        if since is not None:
            spec = OffsetSpec.for_timestamp(since)
        asked = self.admin.list_offsets(
            {TopicPartition(*one): spec for one in partitions},
            isolation_level=IsolationLevel.READ_UNCOMMITTED,
            request_timeout=ASK_S,
        )
        try:
            with judging():
                return {(at.topic, at.partition): future.result(ASK_S + 0.5).offset for at, future in asked.items()}
        except TimeoutError as error:
            raise Doubt(f"list_offsets took more than {ASK_S} s") from error

    @patient
    def setting(self, kind: ResourceType, name: str, setting: str) -> str | None:
        """The value of a topic's or broker's setting; None where there is no such topic or broker."""
        resource = ConfigResource(kind, name)
        try:
            with judging():
                described = self.admin.describe_configs([resource], request_timeout=ASK_S)[resource].result(ASK_S + 0.5)
        except (SinkLost, TimeoutError) as error:
            if isinstance(error, TimeoutError):
                raise Doubt(f"describe_configs took more than {ASK_S} s") from error
            return None
        return str(described[setting].value)

    def broker_setting(self, setting: str) -> str | None:
        """The value of a setting of the brokers."""
        return self.setting(ResourceType.BROKER, str(self.brokers()[0]), setting)

    @patient
    def topic_settings(self, names: Sequence[str]) -> dict[str, dict[str, str]]:
        """All settings of topics that exist, by topic."""
        asked = self.admin.describe_configs(
            [ConfigResource(ResourceType.TOPIC, name) for name in names], request_timeout=ASK_S
        )
        with judging():
            return {
                resource.name: {name: str(entry.value) for name, entry in future.result(ASK_S + 0.5).items()}
                for resource, future in asked.items()
            }

    def brokers(self) -> tuple[int, ...]:
        with judging():
            return tuple(self.admin.list_topics("", timeout=CALL_S).brokers)

    def create(self, topic: str, partitions: int, replication: int, config: Mapping[str, str]) -> None:
        """Creates a topic and waits until it is there; one that exists already is left as it is."""
        new = NewTopic(topic, partitions, replication, config=dict(config))
        try:
            self.admin.create_topics([new], operation_timeout=CALL_S)[topic].result(CALL_S * 2)
        except KafkaException as error:
            if error.args[0].name() != "TOPIC_ALREADY_EXISTS":
                raise judged(error) from error

    def record_limit(self, topic: str, alive: Callable[[], None]) -> int:
        """The topic's max.message.bytes. Raises SinkLost where it does not exist."""
        limit = insisting(lambda: self.setting(ResourceType.TOPIC, topic, "max.message.bytes"), alive)
        if limit is None:
            raise SinkLost(f"the topic '{topic}' does not exist any more; DROP the job")
        return int(limit)

    def read_to_end(
        self,
        consumer: Consumer,
        topic: str,
        partitions: Sequence[int],
        alive: Callable[[], None] = lambda: None,
        starts: Mapping[tuple[str, int], int] | None = None,
    ) -> Iterator[Message]:
        """Every committed record of the partitions, in their order, from `starts` or the first to the end as it is now.

        The consumer is left assigned at that end. `alive` is called while waiting. Raises Doubt after long silence.
        """
        ends = self.offsets([(topic, one) for one in partitions])
        starts = starts or self.offsets([(topic, one) for one in partitions], earliest=True)
        assign(consumer, starts)
        reached = dict(starts)
        left = {one for one in partitions if ends[topic, one] > starts[topic, one]}
        heard = asked = time.monotonic()
        while left:
            alive()
            for message in poll(consumer, 5000, 0.02):
                heard = asked = time.monotonic()
                yield message
            for at in consumer.position([TopicPartition(topic, one) for one in left]):
                reached[topic, at.partition] = max(at.offset, reached[topic, at.partition])
                if at.offset >= ends[topic, at.partition]:
                    left.discard(at.partition)
            if time.monotonic() - heard > OPEN_S:
                raise Doubt(f"{topic} {sorted(left)}: the end was not reached, a transaction is open before it")
            if time.monotonic() - asked > SILENT_S and left:
                asked = time.monotonic()
                assign(consumer, reached)  # one that has met a broker's end may ask for a leader of before

    def record_at(self, consumer: Consumer, topic: str, partition: int, offset: int) -> Message | None:
        """The one record at an offset, by a read_uncommitted consumer; None where it is gone."""
        if offset >= self.offsets([(topic, partition)])[topic, partition]:
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


def insisting(ask: Callable[[], T | None], alive: Callable[[], None]) -> T | None:
    """What `ask` finds, asked again for 5 s where it finds nothing: a new topic reaches the brokers one by one."""
    deadline = time.monotonic() + CALL_S
    while (found := ask()) is None and time.monotonic() < deadline:
        alive()
        time.sleep(0.1)
    return found


def assign(consumer: Consumer, positions: Mapping[tuple[str, int], int]) -> None:
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
        raise next(judged(error) for error in map(_error_of, messages) if error is not None)
    return messages


_error_of = Message.error
