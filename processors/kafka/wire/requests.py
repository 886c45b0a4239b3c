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
