"""What a state checkpoint writes: the groups touched since the last one, closed spans' tombstones, a new manifest.

Chunks written together are a layer of their span. A layer holds what was touched since the one before; of a group that
is in several, the last counts. A span whose layers become too many, or too large beside its oldest, is written whole.
So a restart reads at most about one and a half times the state.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from operator import attrgetter

from msgspec.structs import replace

from jobplane.processors.state.chunks import chunk_key
from jobplane.processors.state.manifest import ChunkPlace, DeadChunks, Manifest, SavedPartition
from jobplane.sql.runtime.groups import Marks
from jobplane.sql.runtime.groups_chunks import Chunk
from jobplane.sql.runtime.groups_parts import At

MOST_LAYERS = 12
"""Of a span."""
Span = tuple[At, str]
Whole = Callable[[At, str], Sequence[Chunk]]
"""All groups of a span."""


@dataclass(frozen=True, slots=True)
class SnapshotVersions:
    """What is known of a job's snapshots: of all versions up to `asked` there are only `kept`, which are in order."""

    asked: int = -1
    kept: Sequence[int] = ()


NO_SNAPSHOTS = SnapshotVersions()


@dataclass(frozen=True, slots=True)
class NewChunk:
    """A record to write under a key."""

    key: str
    chunk: Chunk


@dataclass(frozen=True, slots=True)
class Save:
    """A state checkpoint: records to write, keys to delete, and the manifest once the records' offsets are known."""

    chunks: tuple[NewChunk, ...]
    deleted: tuple[str, ...]
    unplaced: Manifest
    """New chunks have offset -1 in it, in the order of `chunks`."""

    def manifest(self, offsets: Iterable[int]) -> Manifest:
        """`offsets` are those of the chunks, in their order."""
        if not self.chunks:
            return self.unplaced
        left = iter(offsets)

        def placed(one: ChunkPlace) -> ChunkPlace:
            return replace(one, offset=next(left)) if one.offset < 0 else one

        partitions = tuple(
            replace(one, chunks=tuple(placed(place) for place in one.chunks)) for one in self.unplaced.partitions
        )
        return replace(self.unplaced, partitions=partitions)


def close_spans(
    manifest: Manifest, live: Collection[Span], versions: SnapshotVersions
) -> tuple[Manifest, tuple[str, ...]]:
    """The manifest without the chunks of spans that have closed, and the keys to delete.

    Chunks that only snapshots named which are gone are deleted too.
    """
    deleted, partitions = list[str](), list[SavedPartition]()
    for one in manifest.partitions:
        gone = [place for place in one.chunks if (one.at, place.span) not in live]
        kept = tuple(place for place in one.chunks if (one.at, place.span) in live) if gone else one.chunks
        keys, dead = _let_go(one, gone, versions)
        deleted += keys
        partitions.append(replace(one, chunks=kept, dead=dead))
    return replace(manifest, partitions=tuple(partitions)), tuple(deleted)


def is_releasing(manifest: Manifest, versions: SnapshotVersions) -> bool:
    """Whether there are chunks to delete that only snapshots named that are gone."""
    return any(not _are_named(dead, versions) for one in manifest.partitions for dead in one.dead)


def _let_go(
    one: SavedPartition, places: Iterable[ChunkPlace], versions: SnapshotVersions
) -> tuple[list[str], tuple[DeadChunks, ...]]:
    """Of chunks that this job needs no more, and of those before: the keys to delete, and what snapshots still name."""
    unnamed = [place.number for place in places if place.pinned is False]
    pinned = [(place.number, place.pinned) for place in places if not isinstance(place.pinned, bool)]
    dead = [*one.dead, *_in_rows(pinned, one.pinned)]
    left = tuple(chunks for chunks in dead if _are_named(chunks, versions))
    freed = [chunks for chunks in dead if not _are_named(chunks, versions)] if len(left) < len(dead) else []
    numbers = chain(unnamed, *(range(chunks.number, chunks.number + chunks.count) for chunks in freed))
    return [chunk_key(one.at, number) for number in numbers], left


def _in_rows(pinned: Iterable[tuple[int, int]], last: int) -> Iterable[DeadChunks]:
    """Chunks by their number and the first version that names them, those with numbers in a row together."""
    rows: list[DeadChunks] = []
    for number, first in sorted(pinned):
        before = rows[-1] if rows else None
        if before is not None and (before.number + before.count, before.first) == (number, first):
            rows[-1] = replace(before, count=before.count + 1)
        else:
            rows.append(DeadChunks(number, 1, first, last))
    return rows


def _are_named(chunks: DeadChunks, versions: SnapshotVersions) -> bool:
    at = bisect_left(versions.kept, chunks.first)
    return chunks.last > versions.asked or (at < len(versions.kept) and versions.kept[at] <= chunks.last)


def plan_save(
    manifest: Manifest,
    young: Iterable[Chunk],
    live: Collection[Span],
    whole: Whole,
    positions: Mapping[At, int],
    marks: Marks,
    versions: SnapshotVersions = NO_SNAPSHOTS,
) -> Save:
    """The state checkpoint at these positions and watermarks; `versions` as in `close_spans`.

    `young` are the groups touched since the last one, `live` the spans that have groups.
    """
    manifest, deleted = close_spans(manifest, live, versions)
    known, deleted_keys = manifest.by_partition, [*deleted]
    touched: defaultdict[At, dict[str, list[Chunk]]] = defaultdict(dict)
    for chunk in young:
        touched[chunk.at].setdefault(chunk.span, []).append(chunk)
    written, partitions = list[NewChunk](), list[SavedPartition]()
    for at, position in sorted(positions.items()):
        one = known.get(at) or SavedPartition(*at, position)
        held, number, gone = defaultdict[str, list[ChunkPlace]](list), one.next_number, list[ChunkPlace]()
        for place in one.chunks:
            held[place.span].append(place)
        for span, new in touched[at].items():
            old, layer = held[span], number
            is_whole = _is_whole_due(old, new)
            if is_whole:
                gone += old
                held[span] = []
            for chunk in whole(at, span) if is_whole else new:
                written.append(NewChunk(chunk_key(at, number), chunk))
                held[span].append(ChunkPlace(span, number, layer, chunk.groups, len(chunk.data), -1))
                number += 1
        chunks = sorted(chain.from_iterable(held.values()), key=attrgetter("number"))
        keys, left = _let_go(one, gone, versions)
        deleted_keys += keys
        mark, *more = [of_grouping.get(at) for of_grouping in marks] or [None]
        saved = SavedPartition(*at, position, mark, number, tuple(chunks), left, one.pinned, tuple(more))
        partitions.append(saved)
    return Save(tuple(written), tuple(deleted_keys), replace(manifest, partitions=tuple(partitions)))


def _is_whole_due(old: Sequence[ChunkPlace], new: Sequence[Chunk]) -> bool:
    """Whether a span is written whole instead of its new chunks."""
    layers = [sum(place.size for place in one) for _, one in groupby(old, lambda place: place.layer)]
    if not layers:
        return False
    return len(layers) >= MOST_LAYERS or 2 * (sum(layers[1:]) + sum(len(one.data) for one in new)) > layers[0]
