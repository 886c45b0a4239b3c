"""The first record of a state topic that was restored from a backup: where the chunks lie that manifests name.

A manifest names chunks by their offsets in a topic, and a copy of the topic has another id and other offsets. The
checkpoints and snapshots in a backup stay as they are; whoever reads their manifests looks the chunks up here, by their
keys, which are never used twice. Read for ever.
"""

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from jobplane.processors.state.chunks import UnknownState, chunk_key
from jobplane.processors.state.manifest import ChunkPlace, Manifest, SavedPartition
from jobplane.schemas.msgspec_types import msgpack_decoder

VERSION = 1
KEY = "restored"
"""Of the record, which is not the key of any chunk."""


class RestoredChunks(msgspec.Struct, frozen=True, array_like=True):
    """`ids` are those that the topic had before, `places` the offsets of its chunks by the two parts of their keys."""

    ids: tuple[str, ...]
    places: dict[str, dict[int, int]]

    def relocate(self, manifest: Manifest, topic: str, topic_id: str) -> Manifest:
        """The manifest for the chunks as they lie here. Raises KeyError with the key of a chunk that is gone."""
        partitions = tuple(
            replace(one, chunks=tuple(self._relocated(one, place) for place in one.chunks))
            for one in manifest.partitions
        )
        return replace(manifest, topic=topic, topic_id=topic_id, partitions=partitions)

    def _relocated(self, one: SavedPartition, place: ChunkPlace) -> ChunkPlace:
        key = chunk_key(one.at, place.number)
        partition, number = _parts_of(key)
        offset = self.places.get(partition, {}).get(number)
        if offset is None:
            raise KeyError(key)
        return replace(place, offset=offset)


def restored_chunks(ids: Iterable[str], keys: Iterable[str]) -> RestoredChunks:
    """What is written before chunks of these keys, which follow it in their order without a gap."""
    places: dict[str, dict[int, int]] = {}
    for offset, key in enumerate(keys, 1):
        partition, number = _parts_of(key)
        places.setdefault(partition, {})[number] = offset
    return RestoredChunks(tuple(ids), places)


def _parts_of(key: str) -> tuple[str, int]:
    partition, _, number = key.rpartition("/")
    return partition, int(number)


_decoder = msgpack_decoder(RestoredChunks)


def encode_restored(restored: RestoredChunks) -> bytes:
    return bytes((VERSION,)) + msgspec.msgpack.encode(restored)


def decode_restored(data: bytes) -> RestoredChunks:
    """Raises UnknownState."""
    if data[:1] != bytes((VERSION,)):
        raise UnknownState(f"version {data[0] if data else 0} of restored chunks; this is version {VERSION}")
    try:
        return _decoder.decode(memoryview(data)[1:])
    except msgspec.MsgspecError as bad:
        raise UnknownState(f"a damaged record of restored chunks: {bad}") from bad
