"""What the admin client is asked: topic ids, offsets, settings. Asked together, believed only when answered.

What a round of questions got no answer to is asked again for 5 s: of the same client where it answered nothing, of a
new one after an error, because one that has met a broker's end may know the leaders and the controller of before for
minutes (FENCED_LEADER_EPOCH). Then it is Doubt.
"""

import threading
import time
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, TypeVar

from confluent_kafka import IsolationLevel, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, ConfigSource, OffsetSpec, ResourceType

from jobplane.processors.kafka.answers import Doubt, NoAnswer, offset_answer, setting_answer, topic_answer
from jobplane.processors.kafka.judging import judged
from jobplane.processors.kafka.together import Answers, Together
from jobplane.schemas.failures import JobFailure, SinkLost

K = TypeVar("K")
V = TypeVar("V")
At = tuple[str, int]
"""A topic and its partition."""
Resource = tuple[ResourceType, str]
CALL_S = 5.0
"""Longest one call to Kafka may block; what takes longer is asked again or is doubt."""
ASK_S = 2.5
"""Longest one read of the admin client may take; with those after a doubt, less than a task may be silent for."""
AGAIN_S = 0.1


class Questions:
    """Thread-safe; all threads of a process share one, and so its answers."""

    def __init__(self, create: Callable[[], AdminClient]) -> None:
        self._create = create
        self._admin: AdminClient | None = None
        self._lock = threading.Lock()
        self._topics = Together(partial(self._answers, self._send_topics, _topic))
        self._settings = Together(partial(self._answers, self._send_settings, _settings))
        self._first = Together(self._offsets(OffsetSpec.earliest()))  # type: ignore[no-untyped-call]
        self._last = Together(self._offsets(OffsetSpec.latest()))  # type: ignore[no-untyped-call]
        stable = IsolationLevel.READ_COMMITTED
        self._stable = Together(self._offsets(OffsetSpec.latest(), level=stable))  # type: ignore[no-untyped-call]

    @property
    def admin(self) -> AdminClient:
        with self._lock:  # the calls of a client that is made twice, and collected, are lost
            if self._admin is None:
                self._admin = self._create()
            return self._admin

    def topics(self, names: Collection[str], alive: Callable[[], None]) -> dict[str, tuple[str, int]]:
        """(topic id, partitions) of those topics that exist. Raises Doubt where Kafka does not answer."""
        return self._topics.get(names, alive)

    def first_offsets(self, partitions: Collection[At], alive: Callable[[], None]) -> dict[At, int]:
        """Raises Doubt where Kafka does not answer, or the broker asked does not know a partition (yet)."""
        return _complete(partitions, self._first.get(partitions, alive))

    def last_offsets(self, partitions: Collection[At], alive: Callable[[], None]) -> dict[At, int]:
        """High watermarks, asked read_uncommitted: an open transaction hides nothing. Raises as `first_offsets`."""
        return _complete(partitions, self._last.get(partitions, alive))

    def stable_offsets(self, partitions: Collection[At], alive: Callable[[], None]) -> dict[At, int]:
        """Last stable offsets: those who read committed records get no further now. Raises as `first_offsets`."""
        return _complete(partitions, self._stable.get(partitions, alive))

    def offsets_since(self, partitions: Collection[At], instant: int) -> dict[At, int]:
        """The first offset with a timestamp not before an instant in epoch milliseconds; NOTHING_SINCE without one."""
        ask = self._offsets(OffsetSpec.for_timestamp(instant), least=-1)
        return _complete(partitions, Together(ask).get(partitions))

    def settings(self, resources: Collection[Resource], alive: Callable[[], None]) -> dict[Resource, dict[str, Any]]:
        """All settings of those topics and brokers that exist, by name."""
        return self._settings.get(resources, alive)

    def changed_settings(self, topic: str) -> dict[str, str]:
        """The settings of a topic that are its own, not those of the brokers."""
        resource = (ResourceType.TOPIC, topic)
        answers = self._answers(self._send_settings, _changed, [resource])
        match answers.get(resource):
            case Exception() as error:
                raise error
            case found:
                return found or {}

    def _answers(
        self,
        send: Callable[[AdminClient, Collection[K]], Mapping[K, Any]],
        read: Callable[[K, Any], V],
        keys: Collection[K],
    ) -> Answers[K, V]:
        """The answer about each key. `send` gives futures by key, `read` makes a value of what one holds."""
        deadline, left, found = time.monotonic() + CALL_S, set(keys), dict[K, V | Exception]()
        while True:
            client = self.admin  # held, so that nobody's discarding takes it away before the answer
            answers = {key: _settled(partial(read, key), future) for key, future in send(client, left).items()}
            found |= answers
            left = {key for key, answer in answers.items() if isinstance(answer, Doubt)}
            if not left or time.monotonic() > deadline:
                return {key: answer for key, answer in found.items() if not isinstance(answer, SinkLost)}
            if not all(isinstance(answers[key], NoAnswer) for key in left):
                self._discard(client)
            time.sleep(AGAIN_S)

    def _discard(self, client: AdminClient) -> None:
        """The next to ask makes a new client, unless that was done already."""
        with self._lock:
            if self._admin is client:
                self._admin = None

    def _offsets(
        self, spec: OffsetSpec, least: int = 0, level: IsolationLevel = IsolationLevel.READ_UNCOMMITTED
    ) -> Callable[[Collection[At]], Answers[At, int]]:
        def send(client: AdminClient, partitions: Collection[At]) -> dict[At, Any]:
            asked = {TopicPartition(*at): spec for at in partitions}
            sent = client.list_offsets(asked, isolation_level=level, request_timeout=ASK_S)
            return {(at.topic, at.partition): future for at, future in sent.items()}

        def read(at: At, answer: Any) -> int:
            return offset_answer(f"{at[0]}-{at[1]}", answer.offset, least)

        return partial(self._answers, send, read)

    @staticmethod
    def _send_topics(client: AdminClient, names: Collection[str]) -> dict[str, Any]:
        return client.describe_topics(TopicCollection(list(names)), request_timeout=ASK_S)

    @staticmethod
    def _send_settings(client: AdminClient, resources: Collection[Resource]) -> dict[Resource, Any]:
        asked = {ConfigResource(*resource): resource for resource in resources}
        return {asked[one]: future for one, future in client.describe_configs([*asked], request_timeout=ASK_S).items()}


def _settled(read: Callable[[Any], V], future: Any) -> V | Exception:
    try:
        return read(future.result(ASK_S + 0.5))
    except KafkaException as error:
        return judged(error)
    except TimeoutError:
        return Doubt(f"Kafka did not answer within {ASK_S} s")
    except (Doubt, JobFailure) as unset:
        return unset


def _topic(name: str, described: Any) -> tuple[str, int]:
    return topic_answer(name, described.topic_id, described.partitions)


def _settings(resource: Resource, described: Any) -> dict[str, Any]:
    return {name: entry.value for name, entry in described.items()}


def _changed(_: Resource, described: Any) -> dict[str, str]:
    own = ConfigSource.DYNAMIC_TOPIC_CONFIG.value
    return {name: entry.value for name, entry in described.items() if entry.source == own and entry.value is not None}


def setting_of(settings: Mapping[str, Any], resource: str, setting: str) -> str:
    """Raises NoAnswer where the setting is missing or unset."""
    return setting_answer(f"{setting} of {resource}", settings.get(setting))


def _complete(partitions: Collection[At], found: dict[At, int]) -> dict[At, int]:
    """Raises Doubt where a partition was not found."""
    for topic, partition in partitions:
        if (topic, partition) not in found:
            raise Doubt(f"{topic}-{partition}: the broker does not know it")
    return found
