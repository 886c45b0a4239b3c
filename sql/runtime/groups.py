"""The groups of a task: filled by generated code, emitted when they are due, kept as chunks.

What is emitted is a function of the records of each partition in their order, however those of several partitions come
in between, and however they are divided into batches: a record is late by the watermark of its own partition, and a
window is due when the least watermark of all partitions has passed its end; where the groups are `bound` to their
partitions, that of its own. Groups of one key and window in several partitions are merged when they are emitted.

State that was taken as chunks, with the watermarks of that moment, and the records since then read again in `silent`
mode, is the same state again. Nothing here knows of transactions, clocks or Kafka.
"""

from collections.abc import Callable, Iterable, Iterator, KeysView, Mapping
from datetime import datetime, timedelta
from typing import Any

from jobplane.sql.runtime.groups_chunks import Chunk, chunks_of, groups_in
from jobplane.sql.runtime.groups_due import GroupShape, OpenWindows, PartitionSet, Produce
from jobplane.sql.runtime.groups_parts import (
    ALWAYS,
    FOREVER,
    NEVER,
    At,
    Bounds,
    Groups,
    Partition,
    bounds_of_text,
    text_of_bounds,
)
from jobplane.sql.runtime.groups_sessions import SessionSet, SessionSpan
from jobplane.sql.runtime.record_parts import EPOCH

_MICROSECOND = timedelta(microseconds=1)
_GROUP_BYTES = 150
"""Of a group in memory, besides what its key and its states take, which is about twice what they take in a chunk."""
_LATEST = (FOREVER - EPOCH) // _MICROSECOND
Absorb = Callable[[Iterator[Any], Produce, Produce], tuple[int, int]]


class GroupState:
    """The groups of these partitions of the sources, all that one task reads.

    `absorb` is a Step (see jobplane.sql.codegen.compile) that produces nothing: where it raises, nothing of the message
    to blame is in the groups or in the watermark, and all before it is. `silent`: emit() closes, and produces nothing.
    """

    def __init__(
        self, shape: GroupShape, partitions: Iterable[At], bind: Callable[[Mapping[At, Partition]], Absorb]
    ) -> None:
        self._shape = shape
        self._parts = {at: Partition(at, changes=shape.changes) for at in sorted(partitions)}
        parts = list(self._parts.values())
        if shape.gap is not None:
            for part in parts:
                part.spans[ALWAYS] = SessionSpan()
        together = [[one] for one in parts] if shape.bound else [parts]
        self._sets = [
            PartitionSet(shape, some) if shape.gap is None else SessionSet(shape.emit, shape.merge, some)
            for some in together
        ]
        self._ends = False
        self._encoded_bytes = self._encoded_groups = 0
        self.silent = False
        self.absorb = bind(self._parts)

    @property
    def partitions(self) -> KeysView[At]:
        return self._parts.keys()

    @property
    def groups(self) -> int:
        """The number of groups; one of several windows, or slices of windows, or partitions counts for each."""
        return sum(span.groups for part in self._parts.values() for span in part.spans.values())

    @property
    def size(self) -> int:
        """An estimate of the bytes in memory."""
        encoded = self._encoded_bytes // self._encoded_groups if self._encoded_groups else 0
        return self.groups * (_GROUP_BYTES + 2 * encoded)

    @property
    def late(self) -> int:
        """How many late records were passed over, where the query does so."""
        return sum(part.late for part in self._parts.values())

    def marks(self) -> dict[At, int]:
        """The watermarks in µs since 1970 of the partitions that have one."""
        marks = {at: _micros(part.mark) for at, part in self._parts.items()}
        return {at: mark for at, mark in marks.items() if mark is not None}

    def set_marks(self, marks: Mapping[At, int]) -> None:
        """The watermarks as they were when the chunks were taken, after an emit()."""
        for at, mark in marks.items():
            self._parts[at].mark = EPOCH + mark * _MICROSECOND
        for some in self._sets:
            if isinstance(some, PartitionSet):
                some.closed = some.watermark

    def open_windows(self) -> list[OpenWindows]:
        """Those of each set of partitions whose windows close together."""
        found = []
        for some in self._sets:
            count, end = some.open()
            marks = {part.at: _micros(part.mark) for part in some.partitions}
            found.append(OpenWindows(marks, count, None if end is None else _micros(end)))
        return found

    def pass_time(self, partitions: Iterable[At], mark: int) -> None:
        """Time has reached `mark` without records in these partitions: a record of a time before it is late there."""
        reached = EPOCH + min(mark, _LATEST) * _MICROSECOND
        for at in partitions:
            self._parts[at].mark = max(self._parts[at].mark, reached)

    def close_all(self) -> None:
        """All records are read: every window is due at the next emit()."""
        self._ends = True

    def emit(self, produce: Produce, full: Produce, now: datetime = FOREVER) -> int:
        """Emits what changed, or the windows that are due, and drops those; returns the number of records written.

        Windows come in the order of their ends; the time of one that ends after `now` is `now`. After a BufferError
        `full` is called with the arguments of `produce`. Raises GroupFailed for a group that has no result.
        """
        written = 0
        for some in self._sets:
            watermark = FOREVER if self._ends else some.watermark
            written += some.close(watermark) if self.silent else some.emit(watermark, now, produce, full)
        return written

    def young_chunks(self) -> list[Chunk]:
        """The groups touched since this was asked last. Call it after emit()."""
        taken = [
            chunk
            for part in self._parts.values()
            for bounds, span in part.spans.items()
            if span.is_touched
            for chunk in self._chunks(part.at, bounds, span.take_touched())
        ]
        if taken:
            self._encoded_bytes = sum(len(chunk.data) for chunk in taken)
            self._encoded_groups = sum(chunk.groups for chunk in taken)
        return taken

    def whole(self, at: At, span: str) -> list[Chunk]:
        """All groups of a span: what takes the place of all its chunks, with those of the last young_chunks()."""
        part = self._parts[at]
        bounds = next(one for one in part.spans if text_of_bounds(one) == span)
        return list(self._chunks(at, bounds, part.spans[bounds].all()))

    def spans(self) -> set[tuple[At, str]]:
        """Those that have groups: chunks of others are of no use any more."""
        return {
            (part.at, text_of_bounds(bounds))
            for part in self._parts.values()
            for bounds, span in part.spans.items()
            if span.groups
        }

    def load(self, chunk: Chunk, decode: Callable[[bytes], Groups] | None = None) -> None:
        """Chunks of one span in the order in which they were taken. Raises ValueError for one that cannot be read.

        `decode` is for chunks of groups that had more than these have.
        """
        groups = groups_in(chunk, decode or self._shape.decode)
        self._parts[chunk.at].span(bounds_of_text(chunk.span)).load(groups)

    def _chunks(self, at: At, bounds: Bounds, groups: Groups) -> Iterator[Chunk]:
        return chunks_of(at, text_of_bounds(bounds), groups, self._shape.widen)


def _micros(moment: datetime) -> int | None:
    """In µs since 1970; None for NEVER."""
    return None if moment == NEVER else (moment - EPOCH) // _MICROSECOND
