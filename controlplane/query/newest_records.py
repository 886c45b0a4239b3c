"""Reads the newest committed records of topics, spread over their partitions. Leaves nothing behind in Kafka.

A partition that has fewer records than its share leaves the rest to the others. The end of a partition is its last
stable offset: records after an open transaction are not awaited.
"""

from collections.abc import Collection, Mapping
from contextlib import closing

from jobplane.controlplane.fetch.windows import read
from jobplane.processors.kafka.cluster import Consumer, Kafka, Message, bounds
from jobplane.processors.kafka.questions import At

LAST = 1_000
"""How many records are read by default."""
WIDER, ROUNDS = 8, 4
"""If markers, aborted records or compaction leave gaps, reads WIDER times as many offsets, in at most ROUNDS rounds."""


def read_newest(kafka: Kafka, group: str, partitions: Collection[At], last: int) -> list[Message]:
    """At most `last` records, by partition in the given order. Raises Doubt if Kafka does not answer.

    The consumer is assigned its partitions and commits nothing, so the group `group` is not created.
    """
    with closing(kafka.consumer(group)) as consumer:
        first, ends = _bounds(consumer, partitions)
        shares = share_records({at: ends[at] - first[at] for at in partitions}, last)
        found: dict[At, list[Message]] = {at: [] for at in partitions}
        spans = {at: share for at, share in shares.items() if share}
        for _ in range(ROUNDS):
            starts = {at: max(first[at], ends[at] - span) for at, span in spans.items()}
            found |= _read(consumer, starts, ends)
            spans = {
                at: span * WIDER for at, span in spans.items() if len(found[at]) < shares[at] and starts[at] > first[at]
            }
            if not spans:
                break
    return [message for at in partitions for message in found[at][-shares[at] :] if shares[at]]


def share_records(available: Mapping[At, int], last: int) -> dict[At, int]:
    """How many of `last` records to read from each partition: an equal share, or all it has."""
    shares, left = {}, last
    by_size = sorted(available, key=lambda at: available[at])
    for i, at in enumerate(by_size):
        shares[at] = min(max(0, available[at]), left // (len(by_size) - i))
        left -= shares[at]
    return shares


def _bounds(consumer: Consumer, partitions: Collection[At]) -> tuple[dict[At, int], dict[At, int]]:
    """First offsets, and last stable ones."""
    first, ends = {}, {}
    for at in partitions:
        first[at], ends[at] = bounds(consumer, at)
    return first, ends


def _read(consumer: Consumer, starts: Mapping[At, int], ends: Mapping[At, int]) -> dict[At, list[Message]]:
    """The committed records from `starts` to `ends`."""
    found: dict[At, list[Message]] = {at: [] for at in starts}
    for batch in read(consumer, {at: (start, ends[at]) for at, start in starts.items()}):
        for message in batch:
            found[message.topic() or "", message.partition() or 0].append(message)
    return found
