"""What becomes of a record that cannot be read, evaluated or written, as a table: the job's onError decides."""

from collections.abc import Callable
from typing import Any

from jobplane.processors.kafka.cluster import Message, Taken
from jobplane.schemas.failures import RecordFailure, RecordTooLarge, WithoutKey
from jobplane.schemas.options import OnError

Place = tuple[str, int, int]
Treat = Callable[[Message, RecordFailure], bool]
"""Whether the task goes on with the record after it. Raises RecordFailure where its dead letter cannot be written."""


def place_of(message: Message) -> str:
    """`topic-partition@offset`"""
    return f"{message.topic()}-{message.partition()}@{message.offset()}"


def position(message: Message) -> Place:
    """Topic, partition and offset."""
    return message.topic() or "", message.partition() or 0, message.offset() or 0


def into_sink(produce: Callable[..., None], topic: str, taken: Taken, letter_limit: int) -> Callable[..., None]:
    """Producer.produce into the sink `topic`, that raises for what the sink does not take where Kafka's client would
    not, or would not say which record it was.
    """
    if letter_limit > taken.limit:
        produce = sized(produce, taken.limit)
    return keyed(produce, topic) if taken.keyed else produce


def sized(produce: Callable[..., None], limit: int) -> Callable[..., None]:
    """Producer.produce that raises RecordTooLarge for a value and key of more than `limit` bytes.

    The client takes what the larger of sink and dead-letter topic takes, so it does not say so by itself.
    """

    def produce_if_not_too_large(topic: str, value: bytes | None, key: bytes | str | None, *rest: Any) -> None:
        if len(value or b"") + len(key or b"") > limit:
            raise RecordTooLarge("too large for its topic")
        produce(topic, value, key, *rest)

    return produce_if_not_too_large


def keyed(produce: Callable[..., None], topic: str) -> Callable[..., None]:
    """Producer.produce that raises WithoutKey for a record without a key to `topic`, which is compacted.

    Kafka would refuse it with all others of its batch, and not say which.
    """

    def produce_with_key(to: str, value: bytes | None, key: bytes | str | None, *rest: Any) -> None:
        if key is None:
            raise WithoutKey(f"'{topic}' is compacted and takes only records with a key: write … AS __key in the query")
        produce(to, value, key, *rest)

    return produce_with_key


def treatment(on_error: OnError, count: Callable[[str], None], send: Callable[[Message, RecordFailure], None]) -> Treat:
    """`count` is told the code of a record left out, `send` writes a dead letter."""

    def fail(_: Message, __: RecordFailure) -> bool:
        return False

    def skip(_: Message, failure: RecordFailure) -> bool:
        count(failure.code)
        return True

    def dead_letter(message: Message, failure: RecordFailure) -> bool:
        send(message, failure)
        count(failure.code)
        return True

    return {OnError.FAIL: fail, OnError.SKIP: skip, OnError.DEAD_LETTER: dead_letter}[on_error]
