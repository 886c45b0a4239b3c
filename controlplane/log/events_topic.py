"""Reads the events with their offsets: from any offset to the end, or for ever."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from jobplane.controlplane.core.setup_advice import not_set_up_error
from jobplane.controlplane.topics import EVENTS
from jobplane.processors.kafka.cluster import Consumer, Doubt, Kafka, Message, TopicPartition, assign, poll
from jobplane.processors.kafka.control_topics import ControlTopics
from jobplane.schemas.records.events import Event
from jobplane.schemas.setup_errors import BeyondTheEnd, EventsTruncated, NewerState
from jobplane.schemas.wire.codec import UnknownRecord, decode

Alive = Callable[[], None]
FETCH = 5_000
SILENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Entry:
    """An event and its offset. `time` is when it was appended, by the clock of the only writer: it never decreases."""

    offset: int
    time: int
    job: str
    event: Event


@dataclass(frozen=True, slots=True)
class Bounds:
    """The first offset, and the high watermark: one past the last offset, records of an open transaction included."""

    first: int
    end: int


def read_bounds(kafka: Kafka, prefix: str) -> Bounds:
    """The present bounds of the events. Raises NotSetUp."""
    at = (f"{prefix}{EVENTS}", 0)
    if at[0] not in kafka.topics([at[0]]):
        raise not_set_up_error(at[0], prefix, kafka.bootstrap, kafka.topic_names())
    return Bounds(kafka.first_offsets([at])[at], kafka.last_offsets([at])[at])


def complete_bounds(kafka: Kafka, prefix: str, offset: int = -1) -> Bounds:
    """The bounds of a log that begins at 0 and holds `offset`. Raises EventsTruncated, BeyondTheEnd, NotSetUp."""
    found = read_bounds(kafka, prefix)
    if found.first:
        raise EventsTruncated(
            f"'{prefix}{EVENTS}' begins at offset {found.first}: its first records were deleted, "
            "and the other records cannot be understood without them"
        )
    if offset >= found.end:
        raise BeyondTheEnd(f"'{prefix}{EVENTS}' ends before offset {found.end}; offset {offset} does not exist yet")
    return found


def read_messages(
    consumer: Consumer, topic: str, start: int, end: int, alive: Alive = lambda: None
) -> Iterator[list[Message]]:
    """Batches of the committed records of partition 0 with offsets from `start` to before `end`, in order.

    Raises Doubt after a minute of silence: a transaction is open before the end.
    """
    assign(consumer, {(topic, 0): start})
    heard = time.monotonic()
    while (consumer_position(consumer, topic) or start) < end:
        alive()
        batch = poll(consumer, FETCH, 0.05)
        if batch:
            heard = time.monotonic()
            yield batch if (batch[-1].offset() or 0) < end else [one for one in batch if (one.offset() or 0) < end]
        elif time.monotonic() - heard > SILENCE_S:
            raise Doubt(f"{topic}: offset {end} was not reached, a transaction is open before it")


def consumer_position(consumer: Consumer, topic: str) -> int:
    """The position of the consumer, beyond control records; 0 before it has read anything."""
    return max(0, consumer.position([TopicPartition(topic, 0)])[0].offset)


def decode_event(message: Message) -> Event:
    """Raises NewerState if the record cannot be read: only the decider writes here, perhaps of a newer version."""
    try:
        return decode(message.value() or b"", Event)
    except UnknownRecord as unknown:
        where = f"{message.topic()}-0@{message.offset()}"
        raise NewerState(f"{where} cannot be read ({unknown}); run the newest version of jobplane") from unknown


def decode_entry(message: Message) -> Entry:
    """Raises NewerState."""
    return Entry(message.offset() or 0, message.timestamp()[1], (message.key() or b"").decode(), decode_event(message))


def read_entries(kafka: Kafka, prefix: str, start: int, end: int, alive: Alive = lambda: None) -> Iterator[Entry]:
    """The committed events with offsets from `start` to before `end`."""
    consumer = ControlTopics(kafka, prefix).log_reader()
    try:
        for batch in read_messages(consumer, f"{prefix}{EVENTS}", start, end, alive):
            yield from map(decode_entry, batch)
    finally:
        consumer.close()


def follow_entries(kafka: Kafka, prefix: str, start: int) -> Iterator[Entry]:
    """The committed events from `start` on, present and future ones. Never ends."""
    consumer = ControlTopics(kafka, prefix).log_reader()
    try:
        assign(consumer, {(f"{prefix}{EVENTS}", 0): start})
        while True:
            yield from map(decode_entry, poll(consumer, FETCH, 0.2))
    finally:
        consumer.close()


def offset_at(kafka: Kafka, prefix: str, instant: int) -> int:
    """The offset of the first event appended at `instant` (epoch ms) or later; the end if there is none."""
    at = (f"{prefix}{EVENTS}", 0)
    found = kafka.offsets_since([at], instant)[at]
    return found if found >= 0 else read_bounds(kafka, prefix).end
