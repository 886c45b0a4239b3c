"""Which answers of Kafka's clients count. A value that the client library left unset is not an answer.

librdkafka answers offset -1001, None or an empty list without an error where it has no answer: when many ask at once,
when a leader moves, when a topic is new. Taken at its word, such a value becomes lost data or an older checkpoint. So
each value passes through here: it is what it must be, or NoAnswer, which is asked again and then is Doubt.
"""

from collections.abc import Sequence

NOTHING_SINCE = -1
"""The answer to "the first offset since": the partition has no record with such a timestamp."""
_ZERO_ID = "AAAAAAAAAAAAAAAAAAAAAA"
"""A topic id of 16 zero bytes, in base64: the broker does not know it yet."""


class Fenced(Exception):
    """Another producer with this transactional id took over."""


class Doubt(Exception):
    """The last answer of the broker is unknown. Discard the producer, create a new one, go back to the last commit."""


class NoAnswer(Doubt):
    """The client answered without an error, and left the value unset."""


class RegistryDenied(Doubt):
    """The schema registry does not let us in, or is not one: to ask again helps only once a person has changed that."""


class OutOfRange(Doubt):
    """A consumer says that the topic does not hold its offset. Only the offsets that the broker names decide that."""


def offset_answer(what: str, offset: object, least: int = 0) -> int:
    """An offset of at least `least`. Raises NoAnswer for any other value."""
    if isinstance(offset, int) and offset >= least:
        return offset
    raise NoAnswer(f"{what}: the client answered offset {offset}")


def bounds_answer(what: str, bounds: tuple[int, int] | None) -> tuple[int, int]:
    """First offset and the offset after the last. Raises NoAnswer where the client gave none."""
    if bounds is None:
        raise NoAnswer(f"{what}: the client answered no offsets")
    return offset_answer(what, bounds[0]), offset_answer(what, bounds[1])


def topic_answer(name: str, topic_id: object, partitions: Sequence[object] | None) -> tuple[str, int]:
    """A topic's id and number of partitions. Raises NoAnswer while the broker does not know both."""
    known = str(topic_id or "")
    if not known or known == _ZERO_ID or not partitions:
        raise NoAnswer(f"topic '{name}': the client answered id '{known}' with {len(partitions or ())} partitions")
    return known, len(partitions)


def setting_answer(what: str, value: object) -> str:
    """The value of a setting. Raises NoAnswer if it is unset."""
    if value is None:
        raise NoAnswer(f"{what}: the client answered no value")
    return str(value)


def brokers_answer(brokers: Sequence[int]) -> tuple[int, ...]:
    """The ids of the brokers. Raises NoAnswer where there are none: one of them answered."""
    if not brokers:
        raise NoAnswer("the client answered that the cluster has no brokers")
    return tuple(brokers)
