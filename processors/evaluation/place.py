"""Where a record lies: topic, partition and offset."""

from jobplane.processors.kafka.cluster import Message

Place = tuple[str, int, int]
"""Topic, partition and offset."""


def place_of(message: Message) -> str:
    """`topic-partition@offset`"""
    return f"{message.topic()}-{message.partition()}@{message.offset()}"


def position(message: Message) -> Place:
    """Topic, partition and offset."""
    return message.topic() or "", message.partition() or 0, message.offset() or 0
