"""Producer.produce into the sink, which raises for records that the sink topic does not take."""

from collections.abc import Callable
from typing import Any

from jobplane.processors.kafka.cluster import Taken
from jobplane.schemas.failures import RecordTooLarge, WithoutKey


def into_sink(produce: Callable[..., None], topic: str, taken: Taken, largest: int) -> Callable[..., None]:
    """Producer.produce into the sink `topic`. It raises where Kafka's client would accept a record that the topic does
    not take, or would not say which record of a batch was refused. `largest` is what the client accepts.
    """
    if largest > taken.limit:
        produce = sized(produce, taken.limit)
    return keyed(produce, topic) if taken.keyed else produce


def sized(produce: Callable[..., None], limit: int) -> Callable[..., None]:
    """Producer.produce that raises RecordTooLarge for a value and key of more than `limit` bytes.

    The client accepts what the largest of the topics takes that it writes to, so the client does not raise by itself.
    """

    def produce_if_not_too_large(topic: str, value: bytes | None, key: bytes | str | None, *rest: Any) -> None:
        if len(value or b"") + len(key or b"") > limit:
            raise RecordTooLarge("too large for its topic")
        produce(topic, value, key, *rest)

    return produce_if_not_too_large


def keyed(produce: Callable[..., None], topic: str) -> Callable[..., None]:
    """Producer.produce that raises WithoutKey for a record without a key to `topic`, which is compacted.

    Kafka would refuse the whole batch, and would not say which record had no key.
    """

    def produce_with_key(to: str, value: bytes | None, key: bytes | str | None, *rest: Any) -> None:
        if key is None:
            raise WithoutKey(f"'{topic}' is compacted and takes only records with a key: write … AS __key in the query")
        produce(to, value, key, *rest)

    return produce_with_key
