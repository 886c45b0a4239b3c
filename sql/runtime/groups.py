"""The groups of a task: filled by generated code, emitted when they are due, kept as chunks.

What is emitted is a function of the records of each partition in their order, however those of several partitions come
in between, and however they are divided into batches: a record is late by the watermark of its own partition, and a
window is due when the least watermark of all partitions has passed its end; where the groups are `bound` to their
partitions, that of its own. Groups of one key and window in several partitions are merged when they are emitted.

State that was taken as chunks, with the watermarks of that moment, and the records since then read again in `silent`
mode, is the same state again. Nothing here knows of transactions, clocks or Kafka.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from jobplane.schemas.failures import StateMismatch
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
_LATEST = (FOREVER - EPOCH) // _MICROSECOND
Absorb = Callable[[Iterator[Any], Produce, Produce], tuple[int, int]]


Marks = Sequence[Mapping[At, int]]
"""For each grouping the watermarks, in µs since 1970, of the partitions that have one."""
_NUMBER = "#"
"""Stands between the number of a grouping and a span of it. The first one has no number."""


class GroupState:
    """The groups of the partitions of the sources, all that one task reads.

    Each GROUP BY of the query is a grouping, and has a shape and the partitions whose records fill it. Watermarks are
    by grouping too: what a record asserts follows from the way that it takes.

    `absorb` is a Step (see jobplane.sql.codegen.compile) that produces nothing but the rows of branches without groups:
    where it raises, nothing of the message to blame is in the groups or in the watermark, and all before it is.
    `silent`: emit() closes, and produces nothing.
    """

    def __init__(
        self,
        groupings: Sequence[tuple[GroupShape, Iterable[At]]],
        partitions: Iterable[At],
        bind: Callable[[Sequence[Mapping[At, Partition]]], Absorb],
    ) -> None:
        self.partitions = frozenset(partitions)
        self._shapes = [shape for shape, _ in groupings]
        self._parts = [
            {at: Partition(at, changes=shape.changes) for at in sorted(filled)} for shape, filled in groupings
        ]
        self._sets: list[tuple[int, PartitionSet | SessionSet]] = []
        """With the numbers of their groupings."""
        for number, shape in enumerate(self._shapes):
            parts = list(self._parts[number].values())
            if shape.gap is not None:
                for part in parts:
                    part.spans[ALWAYS] = SessionSpan()
            together = [[one] for one in parts] if shape.bound else [parts]
            self._sets += [
                (number, PartitionSet(shape, some) if shape.gap is None else SessionSet(shape.emit, shape.merge, some))
                for some in together
            ]
        self._ends = False
        self.silent = False
        self.absorb = bind(self._parts)

    @property
    def groups(self) -> int:
        """The number of groups; one of several windows, or slices of windows, or partitions counts for each."""
        return sum(span.groups for _, part in self._all for span in part.spans.values())

    def tiers(self) -> Iterator[Groups]:
        """The dictionaries in which the groups are. Not to be changed."""
        return (tier for _, part in self._all for span in part.spans.values() for tier in span.tiers)

    @property
    def late(self) -> int:
        """How many late records were passed over, where the query does so."""
        return sum(part.late for _, part in self._all)

    @property
    def has_windows(self) -> bool:
        """Whether groups wait for the end of a window."""
        return any(bounds is not None and span.groups for _, part in self._all for bounds, span in part.spans.items())

    def marks(self) -> tuple[dict[At, int], ...]:
        """The watermarks."""
        return tuple(
            {at: mark for at, part in parts.items() if (mark := _micros(part.mark)) is not None}
            for parts in self._parts
        )

    def watermarks(self) -> dict[At, int]:
        """The least watermark of each partition that has one."""
        least: dict[At, int] = {}
        for marks in self.marks():
            for at, mark in marks.items():
                least[at] = min(mark, least.get(at, mark))
        return least

    def set_marks(self, marks: Marks) -> None:
        """The watermarks as they were when the chunks were taken, after an emit()."""
        for parts, known in zip(self._parts, marks, strict=False):
            for at, mark in known.items():
                _part_of(parts, at).mark = EPOCH + mark * _MICROSECOND
        for _, some in self._sets:
            if isinstance(some, PartitionSet):
                some.closed = some.watermark

    def add_partitions(self, known: Collection[At]) -> None:
        """Partitions that are not among these begin with the least watermark: windows have closed without them.

        Groups that are bound to their partitions have not.
        """
        marks = self.marks()
        for shape, parts, of_known in zip(self._shapes, self._parts, marks, strict=True):
            before = parts.keys() & set(known)
            if not shape.bound and before and before == of_known.keys():
                for at in parts.keys() - before:
                    parts[at].mark = min(parts[one].mark for one in before)
        self.set_marks(self.marks())

    def open_windows(self) -> list[OpenWindows]:
        """Those of each set of partitions whose windows close together."""
        found = []
        for number, some in self._sets:
            count, end = some.open()
            marks = {part.at: _micros(part.mark) for part in some.partitions}
            found.append(OpenWindows(marks, count, None if end is None else _micros(end), number))
        return found

    def pass_time(self, grouping: int, partitions: Iterable[At], mark: int) -> None:
        """Time has reached `mark` without records in these partitions: a record of a time before it is late there.

        `grouping` is its number.
        """
        reached = EPOCH + min(mark, _LATEST) * _MICROSECOND
        for at in partitions:
            part = self._parts[grouping][at]
            part.mark = max(part.mark, reached)

    def close_all(self) -> None:
        """All records are read: every window is due at the next emit()."""
        self._ends = True

    def emit(self, produce: Produce, full: Produce, now: datetime = FOREVER) -> int:
        """Emits what changed, or the windows that are due, and drops those; returns the number of records written.

        Windows come in the order of their ends; the time of one that ends after `now` is `now`. After a BufferError
        `full` is called with the arguments of `produce`. Raises GroupFailed for a group that has no result.
        """
        written = 0
        for _, some in self._sets:
            watermark = FOREVER if self._ends else some.watermark
            written += some.close(watermark) if self.silent else some.emit(watermark, now, produce, full)
        return written

    def young_chunks(self) -> list[Chunk]:
        """The groups touched since this was asked last. Call it after emit()."""
        return [
            chunk
            for number, part in self._all
            for bounds, span in part.spans.items()
            if span.is_touched
            for chunk in self._chunks(number, part.at, bounds, span.take_touched())
        ]

    def whole(self, at: At, span: str) -> list[Chunk]:
        """All groups of a span: what takes the place of all its chunks, with those of the last young_chunks()."""
        number, bounds = _place_of(span)
        return list(self._chunks(number, at, bounds, self._parts[number][at].spans[bounds].all()))

    def spans(self) -> set[tuple[At, str]]:
        """Those that have groups: chunks of others are of no use any more."""
        return {
            (part.at, _text_of(number, bounds))
            for number, part in self._all
            for bounds, span in part.spans.items()
            if span.groups
        }

    def load(self, chunk: Chunk, decoders: Sequence[Callable[[bytes], Groups]] = ()) -> None:
        """Chunks of one span in the order in which they were taken.

        Raises ValueError for one that cannot be read, and StateMismatch for one of a partition that fills other groups.
        `decoders` are, by grouping, for chunks of groups that had more than these have.
        """
        number, bounds = _place_of(chunk.span)
        groups = groups_in(chunk, decoders[number] if decoders else self._shapes[number].decode)
        _part_of(self._parts[number], chunk.at).span(bounds).load(groups)

    @property
    def _all(self) -> Iterator[tuple[int, Partition]]:
        """The partitions, with the numbers of their groupings."""
        return ((number, part) for number, parts in enumerate(self._parts) for part in parts.values())

    def _chunks(self, number: int, at: At, bounds: Bounds, groups: Groups) -> Iterator[Chunk]:
        return chunks_of(at, _text_of(number, bounds), groups, self._shapes[number].widen)


def _part_of(parts: Mapping[At, Partition], at: At) -> Partition:
    if at not in parts:
        raise StateMismatch(
            f"the snapshot has groups of '{at[0]}' where the query makes groups of other topics: write its SELECTs and "
            "INSERTs in the order of the snapshot, or create the job without initialSnapshotName"
        )
    return parts[at]


def _micros(moment: datetime) -> int | None:
    """In µs since 1970; None for NEVER."""
    return None if moment == NEVER else (moment - EPOCH) // _MICROSECOND


def _text_of(number: int, bounds: Bounds) -> str:
    """A span of a grouping, as chunks have it."""
    return f"{number}{_NUMBER}{text_of_bounds(bounds)}" if number else text_of_bounds(bounds)


def _place_of(span: str) -> tuple[int, Bounds]:
    """The number of the grouping, and the span. Raises ValueError."""
    number, _, text = span.rpartition(_NUMBER)
    return int(number or 0), bounds_of_text(text)
