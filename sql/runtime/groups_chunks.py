"""Groups as bytes: many of them in one chunk, which is never changed once it is written.

A chunk is the number of its form and a MessagePack map from the keys of groups to their states. Chunks are read for
ever: a new form has a new number. A later chunk of a span has those groups that are otherwise since the one before.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import msgspec

from jobplane.sql.runtime.groups_parts import At, Groups

FORM = b"\x01"
LARGEST_CHUNK = 512 * 1024
"""Bytes that a chunk has at most, if it has more than one group."""
_encode = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True, slots=True)
class Chunk:
    """Groups of one partition and one span. `span` is the text of its start and end, empty without a window."""

    at: At
    span: str
    groups: int
    data: bytes


def chunks_of(at: At, span: str, groups: Groups, widen: Callable[[Any], Any]) -> Iterator[Chunk]:
    """`widen` makes a group that MessagePack can hold of one that it cannot."""
    waiting = [groups]
    while waiting:
        some = waiting.pop()
        try:
            data = FORM + _encode(some)
        except OverflowError:
            data = FORM + _encode({key: widen(group) for key, group in some.items()})
        if len(data) <= LARGEST_CHUNK or len(some) == 1:
            yield Chunk(at, span, len(some), data)
            continue
        size = max(1, len(some) * LARGEST_CHUNK * 9 // (len(data) * 10))  # groups differ in size
        entries = iter(some.items())
        waiting += reversed(list(iter(lambda: dict(islice(entries, size)), {})))  # noqa: B023  # used at once


def groups_in(chunk: Chunk, decode: Callable[[bytes], Groups]) -> Groups:
    """Raises ValueError for bytes that are not such groups."""
    if chunk.data[:1] != FORM:
        raise ValueError(
            f"a chunk of groups has the form {chunk.data[:1].hex() or 'of nothing'}, which is not known here"
        )
    return decode(chunk.data[1:])
