"""How far time goes on where no records come, if a rule says after how long a partition is idle.

A partition that was read to its end, and in which nothing came for as long as its rule says, holds back no window. When
all are idle, time goes on with the clock, from the newest watermark. A partition without a rule is never idle.

Moments are seconds of any clock that only goes forward; watermarks are microseconds since 1970. Nothing here knows
Kafka or reads a clock: it is told how far partitions were read, where they end, and when. How often it is told makes no
difference to what it says of a moment, but that silence begins when a position is told for the first time.
"""

import math
from collections.abc import Collection, Iterable, Mapping

from jobplane.sql.runtime.groups import GroupState
from jobplane.sql.runtime.groups_parts import At

Marks = Mapping[At, int | None]
"""The watermarks of partitions that wait for one another; None where there is none yet."""


class SilentPartitions:
    """Since when partitions are silent. `after` is the rule of a topic, in seconds."""

    def __init__(self, after: Mapping[str, float]) -> None:
        self._after = after
        self._positions: dict[At, int] = {}
        self._since: dict[At, float] = {}
        self._passed: dict[At, dict[int, float]] = {}
        """By watermark: when it was given to a silent partition, because time had reached it without records.

        Groups that are not closed together have watermarks of their own.
        """

    @property
    def has_rule(self) -> bool:
        return bool(self._after)

    def read(self, positions: Mapping[At, int], now: float) -> None:
        """These partitions are read as far as this: those whose position has changed are silent from now on."""
        for at, position in positions.items():
            if self._positions.get(at) != position:
                self._positions[at], self._since[at] = position, now
                self._passed.pop(at, None)

    def compare(self, ends: Mapping[At, int], now: float) -> None:
        """These are the ends, asked for after the positions were told: where more is to be read is no silence."""
        for at, end in ends.items():
            if end > self._positions[at]:
                self._since[at] = now

    def since(self, at: At) -> float:
        """The moment from which on nothing has come."""
        return self._since[at]

    def idle(self, partitions: Iterable[At], now: float) -> list[At]:
        """Those that are idle, unless there is more to read."""
        return [at for at in partitions if self._idle_at(at) <= now]

    def watermark(self, marks: Marks, now: float) -> int | None:
        """How far time is, for these together; None if it has not begun."""
        awake = [mark for at, mark in marks.items() if self._idle_at(at) > now]
        if awake:
            return None if None in awake else min(mark for mark in awake if mark is not None)
        newest = _newest(marks)
        return None if newest is None else newest + math.floor((now - self._stands_since(marks)) * 1_000_000)

    def due(self, marks: Marks, end: int) -> float:
        """The moment at which time reaches `end`, if no records come until then; infinite if it never does."""
        for moment in sorted({self._idle_at(at) for at in marks}):
            awake = [mark for at, mark in marks.items() if self._idle_at(at) > moment]
            if moment < math.inf and awake and all(mark is not None and mark >= end for mark in awake):
                return moment
        newest = _newest(marks)
        return math.inf if newest is None else self._stands_since(marks) + max(0, end - newest) / 1_000_000

    def passed(self, partitions: Iterable[At], mark: int, now: float) -> None:
        """These have got the watermark of that moment as their own."""
        for at in partitions:
            self._passed.setdefault(at, {})[mark] = now

    def _idle_at(self, at: At) -> float:
        return self._since.get(at, math.inf) + self._after.get(at[0], math.inf)

    def _stands_since(self, marks: Marks) -> float:
        """Since when all are idle and the newest watermark is what it is."""
        given = (self._passed.get(at, {}).get(mark, -math.inf) for at, mark in marks.items() if mark is not None)
        return max(*map(self._idle_at, marks), *given)


def _newest(marks: Marks) -> int | None:
    return max((mark for mark in marks.values() if mark is not None), default=None)


def pass_time(groups: GroupState, silent: SilentPartitions, now: float, asked: Collection[At]) -> bool:
    """Lets time go on in the partitions that are idle, where that closes a window; returns whether it did.

    `asked` are those whose ends were compared at this moment: others are not taken for idle.
    """
    has_passed = False
    for one in groups.open_windows():
        mark, idle = silent.watermark(one.marks, now), silent.idle(one.marks, now)
        if mark is not None and one.end is not None and mark >= one.end and idle and set(idle) <= {*asked}:
            groups.pass_time(one.grouping, idle, mark)
            silent.passed(idle, mark, now)
            has_passed = True
    return has_passed
