"""A bounded search through partitions, backwards from their ends or forwards from an offset, window by window.

A window is a range of offsets of each partition. Each window is longer than the previous one, because compaction,
aborted records and transaction markers leave gaps. The search reads only the windows that it needs.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from jobplane.processors.kafka.cluster import Consumer, Doubt, Message, TopicPartition, assign, poll
from jobplane.processors.kafka.questions import At

Range = tuple[int, int]
"""The first offset, and the offset after the last."""
SILENT_S = 10.0
WIDER = 8
LONGEST = 200_000
"""The most offsets of a window, all partitions together."""
SEARCHED = 10_000
"""Offsets of the first window of a search with a condition, all partitions together."""


Ranges = Mapping[At, Range]


def next_window(ranges: Ranges, size: int, *, backwards: bool) -> tuple[dict[At, Range], dict[At, Range]]:
    """The next window, with 1 to `size` offsets of each partition, and the ranges that are left."""
    size = max(1, size)
    if backwards:
        window = {at: (max(first, end - size), end) for at, (first, end) in ranges.items()}
        left = {at: (ranges[at][0], start) for at, (start, _) in window.items()}
    else:
        window = {at: (first, min(end, first + size)) for at, (first, end) in ranges.items()}
        left = {at: (end, ranges[at][1]) for at, (_, end) in window.items()}
    return window, nonempty_ranges(left)


def nonempty_ranges(ranges: Ranges) -> dict[At, Range]:
    return {at: one for at, one in ranges.items() if one[0] < one[1]}


def read(consumer: Consumer, window: Ranges) -> Iterator[list[Message]]:
    """The records of a window in batches, in order within each partition.

    Raises Doubt if Kafka sends nothing for 10 s although offsets are left.
    """
    ends = {at: end for at, (_, end) in window.items()}
    left = {at: start for at, (start, end) in window.items() if start < end}
    assign(consumer, left)
    heard = time.monotonic()
    while left:
        if batch := [one for one in poll(consumer, 5000, 0.02) if _offset(one) < ends.get(_at(one), 0)]:
            yield batch
        for place in consumer.position([TopicPartition(*at) for at in left]):
            at = (place.topic, place.partition)
            if place.offset >= ends[at]:
                del left[at]
                heard = time.monotonic()
            elif place.offset > left[at]:
                left[at], heard = place.offset, time.monotonic()
        if time.monotonic() - heard > SILENT_S:
            waiting = ", ".join(f"{topic}-{p}" for topic, p in sorted(left))
            raise Doubt(f"{waiting}: no record arrived within {SILENT_S:.0f} s")


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The records found, the oldest first; `looked` records were searched; `all` if these are all in the ranges."""

    messages: list[Message]
    looked: int
    all: bool


def search(
    consumer: Consumer,
    ranges: Ranges,
    most: int,
    *,
    backwards: bool,
    condition: Callable[[list[Message]], list[Message]] | None = None,
    limit: int,
    watch: Callable[[int], None] = lambda looked: None,
) -> SearchResult:
    """At most `most` records for which `condition` is true, those nearest to the start of the search.

    The search ends after the window that completes them, or once `limit` records were searched.
    """
    size = max(most, SEARCHED // max(1, len(ranges))) if condition else most
    found: list[Message] = []
    looked, left = 0, nonempty_ranges(ranges)
    while left and len(found) < most and looked < limit:
        window, left = next_window(left, min(size, min(LONGEST, limit - looked) // len(left)), backwards=backwards)
        for batch in read(consumer, window):
            looked += len(batch)
            found += condition(batch) if condition else batch
            if len(found) > 2 * most + SEARCHED:
                found = _nearest(found, most, backwards=backwards)
            watch(looked)
        size *= WIDER
    return SearchResult(_nearest(found, most, backwards=backwards), looked, all=not left)


def _nearest(messages: list[Message], most: int, *, backwards: bool) -> list[Message]:
    ordered = sorted(messages, key=lambda one: (one.timestamp()[1], _at(one), _offset(one)))
    return ordered[-most:] if backwards else ordered[:most]


def _at(message: Message) -> At:
    return message.topic() or "", message.partition() or 0


def _offset(message: Message) -> int:
    return message.offset() or 0
