"""Windows of time: where they begin and end, and which of them a time is in.

Time is cut into panes, each as long as the step between two windows, and all times of a pane are in the same windows.
Panes are half-open and follow one another without a gap, from 1970-01-01 plus the offset in both directions. In a zone
they are days or months of its calendar: a day begins at the first instant at which a clock of the zone shows its date.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, NoReturn

import msgspec

from jobplane.schemas.failures import BadRecord
from jobplane.schemas.types.datatypes import Months
from jobplane.schemas.types.temporal_text import text_of, text_of_months
from jobplane.schemas.types.zones import find_zone
from jobplane.sql.runtime.record_parts import EPOCH

Pane = tuple[datetime, datetime, tuple[tuple[datetime, datetime], ...]]
"""From a pane's first instant to that of the next, and the windows that it is a part of, the earliest first."""
Unit = Literal["microsecond", "day", "month"]
KEPT_WINDOWS = 4_096
"""Windows that are kept for records that come out of order; more than a pane has."""
_FIRST_DAY = EPOCH.date().toordinal()
_SECOND = timedelta(seconds=1)


class Windows(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """`size`, `step` and `offset` are numbers of the unit. A window ends `size` after its start, and every `step` one
    starts. Of those that are `growing` several start every `size`, and one of these ends at each step. Those of a
    `session` last as long as records of their group come, and end `size` after the last.

    Plans record it: fields are kept for ever. Days and months have a `zone`, whose calendar they follow.
    """

    size: int
    step: int
    growing: bool = False
    offset: int = 0
    unit: Unit = "microsecond"
    zone: str = ""
    session: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError for a zone that is not known here: another `tzdata` may have one more."""
        if self.zone:
            find_zone(self.zone)

    @property
    def count(self) -> int:
        """The most windows that one time is in."""
        return self.size // self.step

    @property
    def words(self) -> str:
        """`windows of PT1H every PT10M, in Europe/Berlin`"""
        if self.session:
            return f"sessions with a gap of {self._text(self.size)}"
        kind = ", in steps of" if self.growing else " every"
        every = "" if self.count == 1 else f"{kind} {self._text(self.step)}"
        offset = f", offset {self._text(self.offset)}" if self.offset else ""
        return f"windows of {self._text(self.size)}{every}{offset}{f', in {self.zone}' if self.zone else ''}"

    @property
    def step_words(self) -> str:
        """How long a pane is."""
        return self._text(self.step)

    def _text(self, number: int) -> str:
        if self.unit == "month":
            return text_of_months(Months(number))
        return text_of(timedelta(microseconds=number) if self.unit == "microsecond" else timedelta(days=number))


class Panes:
    """The panes met so far. `last` is the one found last: one value, so that no thread sees a part of another's.

    Those that are `bare` have only the first and the last of their windows.
    """

    def __init__(self, windows: Windows, *, bare: bool = False) -> None:
        self._windows, self._bare = windows, bare
        self._calendar = _Spans(windows) if windows.unit == "microsecond" else _Days(windows)
        self._known: dict[int, Pane] = {}
        never = datetime.max.replace(tzinfo=UTC)
        self.last: Pane = (never, never, ())

    def __repr__(self) -> str:
        return self._windows.words

    def find(self, moment: datetime) -> Pane:
        """The pane that an instant is in. Raises ValueError if a window is not within the years 1 to 9999."""
        try:
            number = self._calendar.number(moment)
            pane = self._known.get(number) or self._pane(number)
        except (OverflowError, ValueError):
            raise ValueError(_no_window(moment)) from None
        self.last = pane
        return pane

    def ending(self, pane: datetime, after: datetime, until: datetime) -> Iterable[tuple[datetime, datetime]]:
        """The windows of the pane that begins then, of those that end later than `after` and not later than `until`."""
        number = self._calendar.number(pane)
        last = self._last_end(number)
        return self._made(number, range(self._reached(after, number, last) + 1, self._reached(until, number, last) + 1))

    def last_end(self, pane: datetime) -> datetime:
        """The end of the last window of the pane that begins then."""
        return self._calendar.begin(self._last_end(self._calendar.number(pane)))

    def is_same(self, moment: datetime, later: datetime) -> bool:
        """Whether no window ends after a moment and until a later one."""
        try:
            return self._calendar.number(moment) == self._calendar.number(later)
        except (OverflowError, ValueError):
            return False

    def _reached(self, moment: datetime, first: int, last: int) -> int:
        """The number of the pane that a moment is in; the nearest of those between the first and the last."""
        try:
            return min(max(first, self._calendar.number(moment)), last)
        except (OverflowError, ValueError):  # next to the first or the last year of all calendars
            return first if moment < EPOCH else last

    def _last_end(self, number: int) -> int:
        count = self._windows.count
        return (number - number % count if self._windows.growing else number) + count

    def _made(self, number: int, ends: Iterable[int]) -> Iterable[tuple[datetime, datetime]]:
        begin, count = self._calendar.begin, self._windows.count
        first = number - number % count
        starts = ((first if self._windows.growing else end - count, end) for end in ends)
        return dict.fromkeys((begin(start), begin(end)) for start, end in starts)  # alike: a day left out

    def _pane(self, number: int) -> Pane:
        last = self._last_end(number)
        ends = sorted({number + 1, last}) if self._bare else range(number + 1, last + 1)
        if len(self._known) * len(ends) >= KEPT_WINDOWS:
            self._known.clear()
        begin = self._calendar.begin
        pane = self._known[number] = (begin(number), begin(number + 1), tuple(self._made(number, ends)))
        return pane


class _Spans:
    """Panes of equal length."""

    def __init__(self, windows: Windows) -> None:
        self._origin = EPOCH + timedelta(microseconds=windows.offset)
        self._step = timedelta(microseconds=windows.step)

    def number(self, moment: datetime) -> int:
        return (moment - self._origin) // self._step

    def begin(self, number: int) -> datetime:
        return self._origin + number * self._step


class _Days:
    """Panes of whole days or months in a zone."""

    def __init__(self, windows: Windows) -> None:
        self._windows, self._zone = windows, find_zone(windows.zone)

    def number(self, moment: datetime) -> int:
        """Where clocks are set back over midnight, a time after that belongs to the day that had begun."""
        number = self._of_day(moment.astimezone(self._zone).date())
        while moment < self.begin(number):
            number -= 1
        while moment >= self.begin(number + 1):
            number += 1
        return number

    def _of_day(self, day: date) -> int:
        if self._windows.unit == "day":
            since = day.toordinal() - _FIRST_DAY
        else:
            since = (day.year - EPOCH.year) * 12 + day.month - 1
        return (since - self._windows.offset) // self._windows.step

    def begin(self, number: int) -> datetime:
        since = number * self._windows.step + self._windows.offset
        if self._windows.unit == "day":
            return self._midnight(date.fromordinal(_FIRST_DAY + since))
        year, month = divmod(since, 12)
        return self._midnight(date(EPOCH.year + year, month + 1, 1))

    def _midnight(self, day: date) -> datetime:
        """The first instant of a day; if clocks leave out its midnight, the one at which they are set forward."""
        clock = datetime.combine(day, time(), self._zone)
        after = clock.astimezone(UTC)
        if after.astimezone(self._zone).replace(tzinfo=None) == clock.replace(tzinfo=None):
            return after
        before = clock.replace(fold=1).astimezone(UTC)
        while after - before > _SECOND:
            middle = before + (after - before) // (2 * _SECOND) * _SECOND
            if middle.astimezone(self._zone).date() < day:
                before = middle
            else:
                after = middle
        return after


def raise_no_window(moment: datetime) -> NoReturn:
    raise BadRecord(_no_window(moment))


def _no_window(moment: datetime) -> str:
    return f"{text_of(moment)} is in a window that is not within the years 1 to 9999"


def raise_no_time(name: str) -> NoReturn:
    raise BadRecord(f"{name} is NULL; a window needs a time")
