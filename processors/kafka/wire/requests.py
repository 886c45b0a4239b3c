"""The requests that carry records, and their answers: bytes in and out, no network. One topic a request.

Produce in version 7 and Fetch in version 11 know all codecs, and have no tagged fields.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

PRODUCE, PRODUCE_VERSION = 0, 7
_HEAD = struct.Struct(">hii")
_PART = struct.Struct(">ii")
_ANSWER = struct.Struct(">ihqqq")
_SHORT, _INT = struct.Struct(">h"), struct.Struct(">i")
Part = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Produced:
    """A broker's word on the batches of one partition: an error code, and the offset of the first record."""

    code: int
    offset: int


def text(value: str) -> bytes:
    """A string as requests have it."""
    encoded = value.encode()
    return _SHORT.pack(len(encoded)) + encoded


def produce(transactional_id: str, timeout_ms: int, topic: str, batches: Mapping[int, Sequence[Part]]) -> list[Part]:
    """The body of a request that appends batches to partitions once all replicas in sync have them.

    The parts are those given: no batch is copied.
    """
    parts: list[Part] = [
        text(transactional_id) + _HEAD.pack(-1, timeout_ms, 1) + text(topic) + _INT.pack(len(batches)),
    ]
    for partition, some in batches.items():
        parts += [_PART.pack(partition, sum(map(len, some))), *some]
    return parts


def produced(answer: memoryview) -> tuple[dict[int, Produced], int]:
    """By partition, and how many milliseconds the broker has throttled the client."""
    at = 4 + 2 + _SHORT.unpack_from(answer, 4)[0]
    count = _INT.unpack_from(answer, at)[0]
    at += 4
    found = {}
    for _ in range(count):
        partition, code, offset, _, _ = _ANSWER.unpack_from(answer, at)
        found[partition] = Produced(code, offset)
        at += _ANSWER.size
    return found, _INT.unpack_from(answer, at)[0]


FETCH, FETCH_VERSION = 1, 11
_FETCH = struct.Struct(">iiiibiii")
_FETCHED_PARTITION = struct.Struct(">iiqqi")
_HELD = struct.Struct(">ihqqq")
_ABORTED = struct.Struct(">qq")
_UNCOMMITTED, _COMMITTED = 0, 1


@dataclass(frozen=True, slots=True)
class Fetched:
    """A broker's word on a partition: an error code, the high watermark, the last stable offset, transactions that were
    aborted as (producer id, first offset), and record batches, of which the last may be cut off.
    """

    code: int
    end: int
    stable: int
    aborted: tuple[tuple[int, int], ...]
    records: memoryview


def fetch(
    topic: str, positions: Mapping[int, int], wait_ms: int, most: int, most_each: int, *, committed: bool = True
) -> bytes:
    """The body of a request for records from positions on: at most about so many bytes, in all and of each partition.

    The first batch comes whole, however large. Committed records end where a transaction is open.
    """
    isolation = _COMMITTED if committed else _UNCOMMITTED
    parts = [_FETCHED_PARTITION.pack(partition, -1, at, -1, most_each) for partition, at in positions.items()]
    head = _FETCH.pack(-1, wait_ms, 1, most, isolation, 0, -1, 1) + text(topic) + _INT.pack(len(parts))
    return head + b"".join(parts) + _INT.pack(0) + text("")


def fetched(answer: memoryview) -> tuple[dict[int, Fetched], int, int]:
    """By partition; an error code of the whole answer; how many milliseconds the broker has throttled the client."""
    throttled_ms, code, _, topics = struct.unpack_from(">ihii", answer)
    at, found = 14, dict[int, Fetched]()
    for _ in range(topics):
        at += 2 + _SHORT.unpack_from(answer, at)[0]
        count = _INT.unpack_from(answer, at)[0]
        at += 4
        for _ in range(count):
            partition, failed, end, stable, _ = _HELD.unpack_from(answer, at)
            at += _HELD.size
            ended = max(0, _INT.unpack_from(answer, at)[0])
            at += 4
            aborted = tuple(_ABORTED.unpack_from(answer, at + i * _ABORTED.size) for i in range(ended))
            at += ended * _ABORTED.size + 4  # and the preferred replica
            size = max(0, _INT.unpack_from(answer, at)[0])
            at += 4
            found[partition] = Fetched(failed, end, stable, aborted, answer[at : at + size])
            at += size
    return found, code, throttled_ms
