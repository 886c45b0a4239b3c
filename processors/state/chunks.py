"""Chunks of state as records of a job's state topic: many groups in one record, so that a million are a few records.

A key is never used twice, so a record is what a manifest names until its tombstone. A value begins with the version of
its form; every form is read for ever.
"""

import msgspec

from jobplane.schemas.msgspec_types import msgpack_decoder
from jobplane.sql.runtime.groups_chunks import Chunk
from jobplane.sql.runtime.groups_parts import At

VERSION = 1
_Value = tuple[str, int, bytes]
_decoder = msgpack_decoder(_Value)


class UnknownState(ValueError):
    """The bytes are not state of a known form."""


def chunk_key(at: At, number: int) -> str:
    """The key of a chunk; `number` counts the chunks of a source partition."""
    topic, partition = at
    return f"{topic}/{partition}/{number}"


def encode_chunk(chunk: Chunk) -> bytes:
    """The value of a chunk's record; the key says of which partition it is."""
    value: _Value = (chunk.span, chunk.groups, chunk.data)
    return bytes((VERSION,)) + msgspec.msgpack.encode(value)


def decode_chunk(at: At, value: bytes) -> Chunk:
    """Raises UnknownState."""
    if value[:1] != bytes((VERSION,)):
        raise UnknownState(f"version {value[0] if value else 0} of a chunk; this is version {VERSION}")
    try:
        return Chunk(at, *_decoder.decode(memoryview(value)[1:]))
    except msgspec.MsgspecError as bad:
        raise UnknownState(f"a damaged chunk: {bad}") from bad
