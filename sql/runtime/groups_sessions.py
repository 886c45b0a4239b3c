"""Groups of sessions: windows that are as long as records of their group come, and end a gap after the last.

A key has the sessions of its group in one partition, the earliest first; they are more than a gap apart. A record joins
those that its time is at most a gap away from, and makes one of several. Sessions of several partitions are joined when
they are emitted, so they are the same however the records of the partitions come in between one another.

What ended before the watermark is emitted, and dropped. No later record can join it: that would be late. All sessions
are in one span, whatever their times. So a chunk has a key without sessions, if one before it had some, and all have
ended.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from heapq import heappop, heappush
from typing import Any, Protocol

from jobplane.sql.runtime.groups_parts import ALWAYS, NEVER, REFUSED, Groups, Partition, Span, group_failed

Merge = Callable[[Any, Any], Any]


class Session(Protocol):
    """`end` is a gap after the time of the last record."""

    start: datetime
    end: datetime
    group: Any


class SessionSpan(Span):
    """All sessions of a partition, by key.

    `opened` are the ends of those that are new, with their keys; `ended` are keys in chunks without sessions any more.
    """

    __slots__ = ("ended", "opened")

    def __init__(self) -> None:
        super().__init__(ALWAYS, changes=False)
        self.opened: list[tuple[datetime, Any]] = []
        self.ended: Groups = {}

    @property
    def is_touched(self) -> bool:
        return bool(self.groups and (self.front or self.ended))

    def take_touched(self) -> Groups:
        ended, self.ended = self.ended, {}
        return {**ended, **super().take_touched()}

    def load(self, groups: Groups) -> None:
        super().load(groups)
        for key, sessions in groups.items():
            if not sessions:
                del self.old[key]
        self.groups = len(self.old)
        self.opened += ((session.end, key) for key, sessions in groups.items() for session in sessions)

    def trial(self, detached: Callable[[Sequence[Session]], list[Session]]) -> "SessionSpan":
        """One to which records may be added without a trace in this."""
        made = SessionSpan()

        def behind(key: Any) -> list[Session] | None:
            sessions = self.find(key)
            return None if sessions is None else detached(sessions)

        made.behind = behind
        return made

    def put(self, key: Any, sessions: list[Session], joined: slice, session: Session) -> None:
        """The session takes the place of those that it is joined of."""
        if key not in self.front:
            if self.behind(key) is None:
                self.groups += 1
            self.front[key] = sessions
        sessions[joined] = [session]
        self.opened.append((session.end, key))

    def drop(self, key: Any, due: Sequence[Session]) -> None:
        sessions = self.find(key)
        sessions[:] = [one for one in sessions if all(one is not other for other in due)]
        if sessions:
            self.front[key] = sessions
            return
        self.front.pop(key, None)
        if self.old.pop(key, None) is not None:
            self.ended[key] = []
        self.groups -= 1


def joined_by(sessions: Sequence[Session], time: datetime, end: datetime) -> slice:
    """Those that a record of this time joins, which would last until `end` alone."""
    low, high = 0, len(sessions)
    while low < high and sessions[low].end < time:
        low += 1
    while low < high and sessions[high - 1].start > end:
        high -= 1
    return slice(low, high)


class SessionSet:
    """Partitions whose sessions are joined and emitted together, when the least watermark passes their end.

    A key waits for the first end that one of its sessions had when it was looked at.
    """

    def __init__(self, emit: Callable[..., int], merge: Merge, parts: Sequence[Partition]) -> None:
        self._emit, self._merge, self._parts = emit, merge, parts
        self._waiting: dict[Any, datetime] = {}
        self._ends: list[tuple[datetime, int, Any]] = []
        self._count = 0

    @property
    def watermark(self) -> datetime:
        return min((part.mark for part in self._parts), default=NEVER)

    @property
    def partitions(self) -> Sequence[Partition]:
        return self._parts

    def open(self) -> tuple[int, datetime | None]:
        """The number of keys with sessions, and the first end that one of them has now."""
        self._wait_for_opened()
        while self._ends:
            known, _, key = self._ends[0]
            end = next((end for _, end, _ in self._joined(key)), None)
            if known == end == self._waiting.get(key):
                return len(self._waiting), end
            heappop(self._ends)
            if known == self._waiting.get(key):  # more records have come since it was looked at
                del self._waiting[key]
                if end is not None:
                    self._wait(key, end)
        return 0, None

    def emit(self, watermark: datetime, now: datetime, produce: Callable[..., None], full: Callable[..., None]) -> int:
        """Emits the sessions that are due, in the order of their ends, and drops them; returns how many."""
        written = 0
        groups: dict[tuple[datetime, datetime], list[tuple[Any, Any]]] = {}
        for start, end, key, sessions in self._take(watermark):
            group = sessions[0].group
            try:
                for other in sessions[1:]:
                    group = self._merge(group, other.group)
            except REFUSED as error:
                raise group_failed(error, key, (start, end)) from error
            groups.setdefault((end, start), []).append((key, group))
        for end, start in sorted(groups):
            written += self._emit(groups[end, start], (start, end), now, produce, full)
        return written

    def close(self, watermark: datetime) -> int:
        """As emit(), without records: their number is 0."""
        for _ in self._take(watermark):
            pass
        return 0

    def _take(self, watermark: datetime) -> Iterator[tuple[datetime, datetime, Any, list[Session]]]:
        """Start, end, key and parts of the sessions that are due, which are dropped."""
        self._wait_for_opened()
        while self._ends and self._ends[0][0] <= watermark:
            end, _, key = heappop(self._ends)
            if self._waiting.get(key) != end:
                continue
            del self._waiting[key]
            yield from self._take_of(key, watermark)

    def _take_of(self, key: Any, watermark: datetime) -> Iterator[tuple[datetime, datetime, Any, list[Session]]]:
        for start, end, parts in self._joined(key):
            if end > watermark:
                self._wait(key, end)
                continue
            for span in {id(span): span for _, span in parts}.values():
                span.drop(key, [session for session, of in parts if of is span])
            yield start, end, key, [session for session, _ in parts]

    def _joined(self, key: Any) -> Iterator[tuple[datetime, datetime, list[tuple[Session, SessionSpan]]]]:
        """Start, end and parts of the sessions of a key, over all partitions, the earliest first."""
        spans = [span for part in self._parts for span in part.spans.values() if isinstance(span, SessionSpan)]
        parts = [(session, span) for span in spans for session in span.find(key) or ()]
        parts.sort(key=lambda one: one[0].start)
        at = 0
        while at < len(parts):
            first, start, end = at, parts[at][0].start, parts[at][0].end
            while (at := at + 1) < len(parts) and parts[at][0].start <= end:
                end = max(end, parts[at][0].end)
            yield start, end, parts[first:at]

    def _wait_for_opened(self) -> None:
        for part in self._parts:
            for span in part.spans.values():
                if isinstance(span, SessionSpan) and span.opened:
                    for end, key in span.opened:
                        self._wait(key, end)
                    span.opened = []

    def _wait(self, key: Any, end: datetime) -> None:
        known = self._waiting.get(key)
        if known is None or end < known:
            self._waiting[key] = end
            self._count += 1
            heappush(self._ends, (end, self._count, key))
