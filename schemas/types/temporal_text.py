"""Dates, times and intervals as text, after ISO 8601 and SQL: what is printed here is read here as the same value.

Digits of a second beyond microseconds are cut off. Years go from 1 to 9999. Spaces round a text do not count.
What cannot be read is a ValueError that shows the text and an example.
"""

import re
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

from jobplane.schemas.shown import show_value
from jobplane.schemas.types.datatypes import Instant, Months
from jobplane.schemas.types.number_text import BLANK
from jobplane.schemas.types.zones import find_zone

_DAY = r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})"
_CLOCK = r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]+))?)?"
_DATE = re.compile(_DAY)
_TIME = re.compile(_CLOCK)
_TIMESTAMP = re.compile(rf"{_DAY}(?:(?:[Tt]| +){_CLOCK})?(?: *([Zz]|[+-][0-9:]+|[A-Za-z][A-Za-z0-9_/+-]+))?")

_LENGTH_OF_DAY = len("2026-01-31")
_LENGTH_OF_TIME = len("08:30:00.123456")
_LENGTH_TO_SECOND = len("08:30:00")
_LENGTH_WITH_SECOND = len("2026-01-31T08:30:00")
_LENGTH_OF_TIMESTAMP = len("2026-01-31T08:30:00.123456")
_HOUR_24 = "24"
_AHEAD = {
    f"{sign}{hour:02}:{minute:02}": int(f"{sign}1") * timedelta(hours=hour, minutes=minute)
    for sign in "+-"
    for hour in range(24)
    for minute in (0, 15, 30, 45)
}
"""How far a clock with the usual offsets is ahead of UTC."""

_WHOLE = r"[0-9]{1,18}"
_FRACTION = r"(?:[.,][0-9]+)?"


def _iso_part(unit: str, letter: str, fraction: str = "") -> str:
    return rf"(?:(?P<{unit}>[+-]?{_WHOLE}{fraction}){letter})?"


_ISO_DATE = "".join(map(_iso_part, ("YEAR", "MONTH", "WEEK", "DAY"), "YMWD"))
_ISO_TIME = _iso_part("HOUR", "H") + _iso_part("MINUTE", "M") + _iso_part("SECOND", "S", _FRACTION)
_DURATION = re.compile(rf"(?P<minus>[+-]?)P(?=.){_ISO_DATE}(?:T(?=.){_ISO_TIME})?", re.IGNORECASE)

_UNITS = ("YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND")
_ALONE = {"QUARTER", "WEEK"}
_FOLLOWING = {
    "MONTH": "-(?P<MONTH>0?[0-9]|1[01])",
    "HOUR": " +(?P<HOUR>[01]?[0-9]|2[0-3])",
    "MINUTE": ":(?P<MINUTE>[0-5]?[0-9])",
    "SECOND": f":(?P<SECOND>[0-5]?[0-9]{_FRACTION})",
}
"""Units after the first."""
_EXAMPLES = {
    "YEAR": "1",
    "QUARTER": "1",
    "MONTH": "-6",
    "WEEK": "1",
    "DAY": "1",
    "HOUR": " 12",
    "MINUTE": ":30",
    "SECOND": ":15.5",
}
_IN_MONTHS = {"YEAR": 12, "QUARTER": 3, "MONTH": 1}
_IN_SECONDS = {"WEEK": 604_800, "DAY": 86_400, "HOUR": 3_600, "MINUTE": 60, "SECOND": 1}
MOST_MONTHS = 12 * 10_000
_CLOCK_FORMS = (("DAY", "SECOND"), ("DAY", "MINUTE"), ("HOUR", "SECOND"), ("HOUR", "MINUTE"))


def date_of(text: str) -> date:
    if len(text) == _LENGTH_OF_DAY and text[4] == "-" == text[7]:
        try:
            return date.fromisoformat(text)
        except ValueError:
            pass
    return date_by_rule(text)


def time_of(text: str) -> time:
    if _LENGTH_TO_SECOND <= len(text) <= _LENGTH_OF_TIME and text[2] == ":" == text[5] and text[:2] != _HOUR_24:
        try:
            clock = time.fromisoformat(text)
        except ValueError:
            return time_by_rule(text)
        if clock.tzinfo is None:
            return clock
    return time_by_rule(text)


def timestamp_of(text: str) -> datetime:
    """A date alone is its midnight."""
    moment = _usual(text)
    return moment if moment is not None and moment.tzinfo is None else timestamp_by_rule(text)


def instant_of(text: str) -> Instant:
    """The zone may be an offset or a name. A local time that a clock shows twice is the first of the two."""
    if text[-1:] == "Z":
        moment = _usual(text[:-1], "Z")
    elif (ahead := _AHEAD.get(text[-6:])) is not None and (moment := _usual(text[:-6], "Z")) is not None:
        try:
            moment -= ahead
        except OverflowError:
            moment = None
    else:
        moment = None
    return instant_by_rule(text) if moment is None else moment  # type: ignore[return-value]  # it is in UTC


def _usual(text: str, at: str = "") -> datetime | None:
    """What Python's own reader makes of a date and a time in the usual places; None for any other text.

    It is the fast way, and the rules decide what it does not take. It would also take a fraction of a minute, other
    signs after six digits of a fraction and, in newer Pythons, an hour 24.
    """
    if (
        _LENGTH_WITH_SECOND <= len(text) <= _LENGTH_OF_TIMESTAMP
        and text[4] == "-" == text[7]
        and text[13] == ":" == text[16]
        and text[10] in "T "
        and (text[11] != "2" or text[12] != "4")
    ):
        try:
            return datetime.fromisoformat(text + at)
        except ValueError:
            return None
    return None


def date_by_rule(text: str) -> date:
    found = _DATE.fullmatch(text.strip(BLANK))
    if found is None:
        raise _unreadable(text, "a DATE", "2026-01-31")
    year, month, day = map(int, found.groups())
    try:
        return date(year, month, day)
    except ValueError:
        raise _nowhere(text, "DATE") from None


def time_by_rule(text: str) -> time:
    found = _TIME.fullmatch(text.strip(BLANK))
    if found is None:
        raise _unreadable(text, "a TIME", "08:30:00")
    try:
        return time(*_clock(*found.groups()))
    except ValueError:
        raise _nowhere(text, "TIME") from None


def timestamp_by_rule(text: str) -> datetime:
    moment, at = _moment(text, "a TIMESTAMP", "2026-01-31T08:30:00")
    if at:
        raise ValueError(f"{show_value(text)} has a time zone: it is a TIMESTAMP WITH TIME ZONE, a TIMESTAMP has none")
    return moment


def instant_by_rule(text: str) -> Instant:
    moment, at = _moment(text, "a TIMESTAMP WITH TIME ZONE", "2026-01-31T08:30:00Z")
    if not at:
        raise ValueError(
            f"{show_value(text)} has no time zone: TIMESTAMP WITH TIME ZONE needs one, as in '2026-01-31T08:30:00Z'"
        )
    try:
        return Instant(moment.replace(tzinfo=find_zone(at)).astimezone(UTC))
    except OverflowError:
        raise _nowhere(text, "TIMESTAMP WITH TIME ZONE") from None


def _moment(text: str, what: str, example: str) -> tuple[datetime, str]:
    """The local time, and the zone it was given in."""
    found = _TIMESTAMP.fullmatch(text.strip(BLANK))
    if found is None:
        raise _unreadable(text, what, example)
    *day, hour, minute, second, fraction, at = found.groups()
    year, month, day_of_month = map(int, day)
    try:
        moment = datetime(year, month, day_of_month, *_clock(hour, minute, second, fraction))  # noqa: DTZ001  # it has none
    except ValueError:
        raise _nowhere(text, what.removeprefix("a ")) from None
    return moment, at or ""


def _clock(hour: str | None, minute: str | None, second: str | None, fraction: str | None) -> tuple[int, int, int, int]:
    return int(hour or 0), int(minute or 0), int(second or 0), _micros(fraction)


def interval_of(text: str) -> timedelta:
    """Of `P1DT2H30M`, `-PT1.5S`, `P2W`, `1 12:30:00` (a day, hours, minutes, seconds) or `12:30`."""
    parts = _iso_parts(text)
    for first, last in _CLOCK_FORMS:
        parts = parts or _sql_parts(text, first, last)
    if not parts:
        raise _unreadable(text, "an INTERVAL DAY TO SECOND", "P1DT12H30M")
    if not parts.keys() <= _IN_SECONDS.keys():
        raise ValueError(
            f"{show_value(text)} has years or months; an INTERVAL DAY TO SECOND has days and less, as in 'P1DT12H30M'"
        )
    return _span(parts, text)


def months_of(text: str) -> Months:
    """Of `P1Y2M`, `-P3M` or `1-2` (a year and two months)."""
    parts = _iso_parts(text) or _sql_parts(text, "YEAR", "MONTH")
    if not parts:
        raise _unreadable(text, "an INTERVAL YEAR TO MONTH", "P1Y2M")
    if not parts.keys() <= _IN_MONTHS.keys():
        raise ValueError(
            f"{show_value(text)} has days or less; an INTERVAL YEAR TO MONTH has years and months, as in 'P1Y2M'"
        )
    return _months(parts, text)


def interval_literal(text: str, first_unit: str, last_unit: str = "") -> timedelta | Months:
    """Of `INTERVAL 'text' first_unit [TO last_unit]`; units are in capital letters, WEEK and QUARTER stand alone."""
    last = last_unit or first_unit
    what = f"an INTERVAL {first_unit}" + (f" TO {last}" if last != first_unit else "")
    units = _between(first_unit, last)
    if not units:
        raise ValueError(
            f"there is no {what.removeprefix('an ')}; there are YEAR TO MONTH and units from DAY to SECOND"
        )
    parts = _sql_parts(text, first_unit, last)
    if not parts:
        raise _unreadable(text, what, "".join(map(_EXAMPLES.__getitem__, units)).lstrip(" :-"))
    return _months(parts, text) if first_unit in _IN_MONTHS else _span(parts, text)


def _between(first: str, last: str) -> tuple[str, ...]:
    """The units from one to another, where they make an interval."""
    if first == last:
        return (first,)
    if first in _ALONE or last in _ALONE:
        return ()
    units = _UNITS[_UNITS.index(first) : _UNITS.index(last) + 1]
    return () if "MONTH" in units and "DAY" in units else units


@lru_cache(maxsize=32)
def _pattern(first: str, last: str) -> re.Pattern[str]:
    leading = rf"(?P<minus>[+-]?) *(?P<{first}>{_WHOLE}{_FRACTION if first == 'SECOND' else ''})"
    return re.compile(leading + "".join(map(_FOLLOWING.__getitem__, _between(first, last)[1:])))


def _sql_parts(text: str, first: str, last: str) -> dict[str, int]:
    return _parts(_pattern(first, last).fullmatch(text.strip(BLANK)))


def _iso_parts(text: str) -> dict[str, int]:
    return _parts(_DURATION.fullmatch(text.strip(BLANK)))


def _parts(found: re.Match[str] | None) -> dict[str, int]:
    """How much there is of each unit, in millionths of it."""
    if found is None:
        return {}
    sign = -1 if found["minus"] == "-" else 1
    return {unit: sign * _millionths(n) for unit, n in found.groupdict().items() if n and unit != "minus"}


def _millionths(number: str) -> int:
    whole, _, fraction = number.lstrip("+-").replace(",", ".").partition(".")
    size = int(whole) * 1_000_000 + _micros(fraction)
    return -size if number.startswith("-") else size


def _micros(fraction: str | None) -> int:
    return int((fraction or "")[:6].ljust(6, "0"))


def _span(parts: dict[str, int], text: str) -> timedelta:
    try:
        return timedelta(microseconds=sum(n * _IN_SECONDS[unit] for unit, n in parts.items()))
    except OverflowError:
        raise ValueError(f"{show_value(text)} is out of range: an INTERVAL has at most 999999999 days") from None


def _months(parts: dict[str, int], text: str) -> Months:
    months = sum(n * _IN_MONTHS[unit] for unit, n in parts.items()) // 1_000_000
    if abs(months) > MOST_MONTHS:
        raise ValueError(
            f"{show_value(text)} is out of range: an INTERVAL YEAR TO MONTH has at most {MOST_MONTHS} months"
        )
    return Months(months)


def _unreadable(text: str, what: str, example: str) -> ValueError:
    return ValueError(f"{show_value(text)} is not {what}, which is written like {example!r}")


def _nowhere(text: str, what: str) -> ValueError:
    bounds = {"DATE": "years are 0001 to 9999", "TIME": "hours are 00 to 23"}
    hint = bounds.get(what) or ", ".join(bounds.values())
    return ValueError(f"there is no such {what} as {show_value(text)}; {hint}")


def text_of(value: date | time | timedelta) -> str:
    """As ISO 8601: `2026-01-31`, `08:30:00`, `2026-01-31T08:30:00.500000`, an instant in UTC with a Z, `P1DT2H30M`."""
    if isinstance(value, timedelta):
        return _duration(value)
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"
    return value.isoformat()


def text_of_months(value: Months) -> str:
    """`P1Y2M`; nothing is `P0M`."""
    years, months = divmod(abs(value), 12)
    size = (f"{years}Y" if years else "") + (f"{months}M" if months or not years else "")
    return f"{'-' if value < 0 else ''}P{size}"


def _duration(value: timedelta) -> str:
    minus, size = ("-", -value) if value < timedelta() else ("", value)
    minutes, seconds = divmod(size.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    second = f"{seconds}.{size.microseconds:06}".rstrip("0") if size.microseconds else str(seconds)
    parts = ((hours, f"{hours}H"), (minutes, f"{minutes}M"), (second != "0", f"{second}S"))
    clock = "".join(text for there, text in parts if there)
    day = f"{size.days}D" if size.days else ""
    return f"{minus}P{day}T{clock}" if clock else f"{minus}P{day or 'T0S'}"
