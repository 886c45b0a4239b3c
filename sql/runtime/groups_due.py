"""Which groups are emitted, in what order, and when their spans are dropped."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from jobplane.sql.runtime.groups_parts import FOREVER, NEVER, REFUSED, At, Bounds, Groups, Partition, Span, group_failed
from jobplane.sql.runtime.windows import Panes, Windows

Produce = Callable[..., None]
Emit = Callable[[Iterable[tuple[Any, ...]], Bounds, datetime, Produce, Produce], int]
"""`emit(keys with groups, window, now, produce, full)` → records written. Raises GroupFailed."""


@dataclass(frozen=True, slots=True)
class GroupShape:
    """What a query asks of its groups, and the functions made for them.

    `slices`: the windows of which spans are only parts, if groups are kept so. `changes`: a group is emitted whenever
    it changed. `once`: a group is nothing but its key, so it never changes. `retracts`: a group that was emitted may
    cease to be one to emit, so groups know whether they are (`held`). `compares`: a group may change and its row stay,
    so `emit` also takes what the group was when changes were last emitted.
    `gap`: a group has sessions, each of which ends so long after its last record.
    `merge(group, later)` may change states of `group`; `copy` makes a group for that. `widen` is that of chunks.
    """

    emit: Emit
    copy: Callable[[Any], Any]
    merge: Callable[[Any, Any], Any]
    widen: Callable[[Any], Any]
    decode: Callable[[bytes], Groups]
    slices: Windows | None = None
    changes: bool = False
    bound: bool = False
    once: bool = False
    retracts: bool = False
    compares: bool = False
    gap: timedelta | None = None


@dataclass(frozen=True, slots=True)
class OpenWindows:
    """The windows of partitions that close together: how many there are, and the first end. Times are in µs since 1970.

    Where they are sessions, a key counts once. `marks` are the watermarks of the partitions; `grouping` is the number
    of the grouping.
    """

    marks: dict[At, int | None]
    count: int
    end: int | None
    grouping: int = 0


class PartitionSet:
    """Partitions whose groups are merged, and whose windows close together: when the least watermark passes their end.

    `closed`: the windows that end until then are emitted.
    """

    def __init__(self, shape: GroupShape, parts: Sequence[Partition]) -> None:
        self._shape, self._parts = shape, parts
        self._panes = Panes(shape.slices) if shape.slices else None
        self._of_slices: dict[Bounds, Groups] = {}
        """The groups of all partitions of slices that have ended, which wait for the last of their windows."""
        self.closed = NEVER

    @property
    def watermark(self) -> datetime:
        return min((part.mark for part in self._parts), default=NEVER)

    @property
    def partitions(self) -> Sequence[Partition]:
        return self._parts

    def open(self) -> tuple[int, datetime | None]:
        """The number of windows that are not closed, and the first of their ends."""
        count, last, first = 0, self.closed, None
        for bounds in sorted({bounds for part in self._parts for bounds in part.spans if bounds is not None}):
            for _, end in self._windows(bounds, last, FOREVER):  # in the order of their ends, as slices are in theirs
                first = first or end
                count, last = count + 1, end
        return count, first

    def emit(self, watermark: datetime, now: datetime, produce: Produce, full: Produce) -> int:
        """Emits what changed, or the windows that are due, and drops those; returns the number of records written."""
        if self._shape.changes:
            written = self._emit_changes(now, produce, full)
        else:
            written = 0
            for bounds, spans in self._due(watermark):
                written += self._shape.emit(self._groups(spans, bounds), bounds, now, produce, full)
        self._drop(watermark)
        return written

    def close(self, watermark: datetime) -> int:
        """As emit(), without records: their number is 0."""
        if self._shape.retracts:
            self._emit_changes(watermark, _discard, _discard)
        elif self._shape.changes:
            for part in self._parts:
                for span in part.spans.values():
                    span.settle()
        self._drop(watermark)
        return 0

    def _emit_changes(self, now: datetime, produce: Produce, full: Produce) -> int:
        written = 0
        for bounds in self._changed():
            spans = [part.spans[bounds] for part in self._parts if bounds in part.spans]
            several = len(spans) > 1
            groups = self._joined(spans) if several else self._changed_in(spans[0])
            written += self._shape.emit(groups, bounds, now, produce, full)
            if several and self._shape.retracts:
                _spread_held(groups, spans)
            for span in spans:
                span.settle()
        return written

    def _changed(self) -> list[Bounds]:
        bounds = {span.bounds: None for part in self._parts for span in part.spans.values() if span.front}
        return sorted(bounds, key=_by_end)

    def _changed_in(self, span: Span) -> Iterable[tuple[Any, ...]]:
        if not self._shape.compares:
            return span.front.items()
        return [(key, group, span.before.get(key)) for key, group in span.front.items()]

    def _joined(self, spans: Sequence[Span]) -> list[tuple[Any, ...]]:
        """What changed in any partition, with what all partitions have of it."""
        joined: list[tuple[Any, ...]] = []
        for key in {key: None for span in spans for key in span.front}:
            if self._shape.once and any(span.behind(key) is not None for span in spans):
                continue
            try:
                group = self._join(span.find(key) for span in spans)
                last = self._join(span.find_last(key) for span in spans) if self._shape.compares else None
            except REFUSED as error:
                raise group_failed(error, key, spans[0].bounds) from error
            joined.append((key, group, last) if self._shape.compares else (key, group))
        return joined

    def _join(self, found: Iterable[Any]) -> Any:
        """The group that the parts make that are there; None if none is."""
        group, *others = [part for part in found if part is not None] or (None,)
        if others and not self._shape.once:
            group = self._shape.copy(group)
            for other in others:
                group = self._shape.merge(group, other)
        return group

    def _due(self, watermark: datetime) -> list[tuple[Bounds, list[Span]]]:
        if self._is_nothing_over(watermark):
            return []
        spans: dict[Bounds, list[Span]] = {}
        for part in self._parts:
            for bounds, span in part.spans.items():
                spans.setdefault(bounds, []).append(span)
        due: dict[Bounds, list[Span]] = {}
        for bounds, some in spans.items():
            for window in self._windows(bounds, self.closed, watermark):
                due.setdefault(window, []).extend(some)
        return sorted(due.items(), key=lambda one: _by_end(one[0]))

    def _is_nothing_over(self, watermark: datetime) -> bool:
        """Whether no window has ended since windows were closed."""
        if watermark <= self.closed:
            return True
        return self._panes is not None and self._panes.is_same(self.closed, watermark)

    def _windows(self, bounds: Bounds, after: datetime, until: datetime) -> Iterable[tuple[datetime, datetime]]:
        """The windows that a span is a part of, of those that end later than `after` and not later than `until`."""
        if bounds is None:
            return ()
        if self._panes is not None:
            return self._panes.ending(bounds[0], after, until)
        return (bounds,) if after < bounds[1] <= until else ()

    def _groups(self, spans: list[Span], window: Bounds) -> Iterable[tuple[Any, Any]]:
        if self._panes is None:
            return self._merged([span.all() for span in spans], window).items()
        slices: dict[Bounds, list[Groups]] = {}
        for span in spans:
            slices.setdefault(span.bounds, []).append(span.all())
        for bounds, groups in slices.items():
            if bounds not in self._of_slices:
                self._of_slices[bounds] = self._merged(groups, window)
        return self._merged([self._of_slices[bounds] for bounds in sorted(slices, key=_by_end)], window).items()

    def _merged(self, parts: Sequence[Groups], window: Bounds) -> Groups:
        """Not to be changed. Raises GroupFailed."""
        if len(parts) == 1:
            return parts[0]
        merged: Groups = {}
        copied = set()
        key = None
        try:
            for groups in parts:
                for key, group in groups.items():
                    before = merged.get(key)
                    if before is None:
                        merged[key] = group
                        continue
                    if key not in copied:
                        copied.add(key)
                        before = self._shape.copy(before)
                    merged[key] = self._shape.merge(before, group)
        except REFUSED as error:
            raise group_failed(error, key, window) from error
        return merged

    def _drop(self, watermark: datetime) -> None:
        for part in () if self._is_nothing_over(watermark) else self._parts:
            for bounds in list(part.spans):
                if bounds is not None and self._last_end(bounds) <= watermark:
                    del part.spans[bounds]
                    self._of_slices.pop(bounds, None)
        self.closed = watermark

    def _last_end(self, bounds: tuple[datetime, datetime]) -> datetime:
        return bounds[1] if self._panes is None else self._panes.last_end(bounds[0])


def _by_end(bounds: Bounds) -> tuple[datetime, ...]:
    return () if bounds is None else (bounds[1], bounds[0])


def _spread_held(groups: Iterable[tuple[Any, ...]], spans: Sequence[Span]) -> None:
    """All parts of a group know whether it is emitted."""
    for key, group, *_ in groups:
        for span in spans:
            part = span.find(key)
            if part is not None and part.held != group.held:
                part.held = group.held
                span.front[key] = part


def _discard(*_: Any) -> None:
    """Takes what is not to be written."""
