"""Producer.produce into the sinks, which raises for records that their topics do not take."""

from collections.abc import Callable, Mapping
from typing import Any

from jobplane.processors.kafka.cluster import Taken
from jobplane.schemas.failures import RecordTooLarge, WithoutKey


def into_sinks(produce: Callable[..., None], taken: Mapping[str, Taken], largest: int) -> Callable[..., None]:
    """As `into_sink`, for the topics in `taken`. Where there are several, what is too large says for which of them."""
    if len(taken) == 1:
        ((topic, one),) = taken.items()
        return into_sink(produce, topic, one, largest)
    of_topic = {topic: into_sink(produce, topic, one, one.limit + 1) for topic, one in taken.items()}

    def produce_into(topic: str, *record: Any) -> None:
        of_topic[topic](topic, *record)

    return produce_into


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
            too_large = RecordTooLarge("too large for its topic")
            too_large.topic = topic
            raise too_large
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
