"""What a checkpoint says of the state: where its chunks lie, and how far the source is folded into them.

A commit is not a state checkpoint. The chunks are those of the last state checkpoint, at `saved` of each partition;
the records from there to the checkpoint's offsets are read again, silently, before a task goes on. All is by source
partition, so that a change of parallelism only hands partitions over.
"""

import zlib
from collections import defaultdict
from collections.abc import Collection, Iterable

import msgspec
from msgspec.structs import replace

from jobplane.processors.state.chunks import UnknownState
from jobplane.schemas.msgspec_types import msgpack_decoder
from jobplane.sql.runtime.groups import Marks
from jobplane.sql.runtime.groups_parts import At

VERSION, COMPRESSED = 1, 2
"""How a state is written, as its first byte: as it is, or compressed by zlib."""
LARGE = 4096
"""Bytes from which on a state is compressed: it is in each checkpoint, and names a chunk for each open window."""
UNKNOWN = -1
"""The number of records is not known."""
_MarkList = tuple[tuple[str, int, int], ...]
"""Watermarks: topic, partition, microseconds."""


class ChunkPlace(msgspec.Struct, frozen=True, array_like=True):
    """Where a chunk lies in the state topic. `layer` is the number of the first chunk that was written with it.

    `pinned` is the first version of a snapshot that may name it, which all later ones do as well; False if there is
    none. It is True in manifests of the first version with groups: then it stays until the topic is deleted.
    """

    span: str
    number: int
    layer: int
    groups: int
    size: int
    offset: int
    pinned: int | bool = False


class DeadChunks(msgspec.Struct, frozen=True, array_like=True):
    """Chunks that only snapshots name, of versions from `first` to `last`: they are deleted when those are gone.

    `number` is that of the first of `count` chunks with numbers in a row.
    """

    number: int
    count: int
    first: int
    last: int


class SavedPartition(msgspec.Struct, frozen=True, array_like=True):
    """The state of a source partition: all records before `saved`, of which `mark` is the watermark in microseconds.

    `next_number` is the number of the next chunk. `pinned` is the newest version of a snapshot that may name the
    chunks. A query with several groupings has the watermarks of all but the first in `more_marks`.
    """

    topic: str
    partition: int
    saved: int
    mark: int | None = None
    next_number: int = 0
    chunks: tuple[ChunkPlace, ...] = ()
    dead: tuple[DeadChunks, ...] = ()
    pinned: int = -1
    more_marks: tuple[int | None, ...] = ()

    @property
    def at(self) -> At:
        return self.topic, self.partition


class Manifest(msgspec.Struct, frozen=True, array_like=True):
    """The live chunks in one state topic. `signature` says what the groups are: keys, window and aggregates."""

    topic: str
    topic_id: str
    signature: str
    partitions: tuple[SavedPartition, ...] = ()

    @property
    def by_partition(self) -> dict[At, SavedPartition]:
        return {one.at: one for one in self.partitions}

    @property
    def saved(self) -> dict[At, int]:
        """Where the records begin that are not in the chunks."""
        return {one.at: one.saved for one in self.partitions}

    @property
    def marks(self) -> tuple[dict[At, int], ...]:
        """The watermarks at that point, by grouping and partition."""
        listed = [(one.at, (one.mark, *one.more_marks)) for one in self.partitions]
        count = max((len(marks) for _, marks in listed), default=0)
        return tuple(
            {at: mark for at, marks in listed if i < len(marks) and (mark := marks[i]) is not None}
            for i in range(count)
        )

    @property
    def chunks(self) -> tuple[ChunkPlace, ...]:
        """Those of all partitions."""
        return tuple(place for one in self.partitions for place in one.chunks)


def pin_chunks(manifest: Manifest, versions: Collection[int]) -> Manifest:
    """The manifest once these versions of snapshots may hold a copy of it."""
    if not versions:
        return manifest
    first, last = min(versions), max(versions)

    def pinned(place: ChunkPlace) -> ChunkPlace:
        if place.pinned is True:
            return place
        return replace(place, pinned=first if place.pinned is False else min(first, place.pinned))

    partitions = tuple(
        replace(one, chunks=tuple(map(pinned, one.chunks)), pinned=max(last, one.pinned)) for one in manifest.partitions
    )
    return replace(manifest, partitions=partitions)


def pin_unseen(manifest: Manifest, versions: Collection[int]) -> Manifest:
    """The manifest in a checkpoint that was found: it may have been copied for versions that it does not know of."""
    parts = (replace(manifest, partitions=(one,)) for one in manifest.partitions)
    pinned = (pin_chunks(one, [v for v in versions if v > one.partitions[0].pinned]) for one in parts)
    return replace(manifest, partitions=tuple(one.partitions[0] for one in pinned))


def is_pinned(manifest: Manifest, versions: Collection[int]) -> bool:
    """Whether these versions may hold a copy of the manifest."""
    return all(
        one.pinned >= max(versions)
        and all(
            place.pinned is True or (place.pinned is not False and place.pinned <= min(versions))
            for place in one.chunks
        )
        for one in manifest.partitions
        if versions
    )


class CheckpointState(msgspec.Struct, frozen=True, array_like=True):
    """The state in a checkpoint: manifests, and the watermarks at the checkpoint's own offsets.

    There is one manifest, but where a task takes over partitions whose chunks lie in several topics. `read` is the
    number of records between the chunks and the checkpoint. `first_marks` are those of the first grouping, `more_marks`
    those of the others.
    """

    manifests: tuple[Manifest, ...]
    first_marks: _MarkList = ()
    read: int = 0
    more_marks: tuple[_MarkList, ...] = ()

    @property
    def marks(self) -> tuple[dict[At, int], ...]:
        """The watermarks by grouping and partition."""
        listed = (self.first_marks, *self.more_marks)
        return tuple({(topic, partition): mark for topic, partition, mark in marks} for marks in listed)

    @property
    def saved(self) -> dict[At, int]:
        """Where the records begin that are not in the chunks."""
        return {at: offset for manifest in self.manifests for at, offset in manifest.saved.items()}


_decoder = msgpack_decoder(CheckpointState)
_encode = msgspec.msgpack.encode


def state_of(manifests: Iterable[Manifest], marks: Marks, read: int) -> CheckpointState:
    listed = [tuple((topic, p, mark) for (topic, p), mark in sorted(one.items())) for one in marks] or [()]
    return CheckpointState(tuple(manifests), listed[0], read, tuple(listed[1:]))


def encode_state(state: CheckpointState) -> bytes:
    data = _encode(state)
    return bytes((VERSION,)) + data if len(data) < LARGE else bytes((COMPRESSED,)) + zlib.compress(data, 1)


def decode_state(data: bytes) -> CheckpointState:
    """Raises UnknownState."""
    version, body = data[0] if data else 0, memoryview(data)[1:]
    if version not in (VERSION, COMPRESSED):
        raise UnknownState(f"version {version} of a manifest; this version reads {VERSION} and {COMPRESSED}")
    try:
        return _decoder.decode(body if version == VERSION else zlib.decompress(body))
    except (msgspec.MsgspecError, zlib.error) as bad:
        raise UnknownState(f"a damaged manifest: {bad}") from bad


def size_of_state(data: bytes) -> int:
    """The bytes of the chunks that the state of a checkpoint names; 0 without a state that can be read."""
    try:
        state = decode_state(data) if data else None
    except UnknownState:
        return 0
    return 0 if state is None else sum(place.size for one in state.manifests for place in one.chunks)


def merge_states(states: Iterable[CheckpointState], owned: Iterable[At]) -> CheckpointState | None:
    """The state of the partitions owned, from the checkpoints of several tasks, and of the snapshot that a job began
    with; None if none has any.

    A later one wins. How many records lie between manifests and checkpoint is known only if there are none.
    """
    wanted, marks, read = set(owned), list[dict[At, int]](), 0
    holders, has_state = dict[At, Manifest](), False
    for state in states:
        has_state, read = True, UNKNOWN if state.read else read
        marks += [{} for _ in state.marks[len(marks) :]]
        for merged, new in zip(marks, state.marks, strict=False):
            merged |= {at: mark for at, mark in new.items() if at in wanted}
        holders |= {at: one for one in state.manifests for at in one.by_partition if at in wanted}
    manifests = join_manifests(replace(one, partitions=(one.by_partition[at],)) for at, one in holders.items())
    return state_of(manifests, marks, read) if has_state else None


def manifest_in(manifests: Iterable[Manifest], topic: str) -> Manifest | None:
    """What lies in one topic, as one manifest; None if nothing does.

    Tasks of two versions may have written other signatures. All their numbers are used, so all must be known.
    """
    held = [one for one in manifests if one.topic == topic]
    return replace(held[0], partitions=tuple(part for one in held for part in one.partitions)) if held else None


def join_manifests(manifests: Iterable[Manifest]) -> tuple[Manifest, ...]:
    """Those of one topic as one: each partition is in one of them."""
    held = defaultdict[Manifest, list[SavedPartition]](list)
    for one in manifests:
        held[replace(one, partitions=())] += one.partitions
    return tuple(replace(one, partitions=tuple(partitions)) for one, partitions in held.items())
