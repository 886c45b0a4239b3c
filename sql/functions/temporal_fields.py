"""EXTRACT, and DATE_PART, which is the same: one field of a date, a time, an instant or an interval."""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any, Literal

from jobplane.schemas.types.datatypes import Instant, Months
from jobplane.sql.functions.signature import sql
from jobplane.sql.functions.temporal import EPOCH, since_epoch

DateField = Literal["YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "DOW", "ISODOW", "DOY", "EPOCH"]
TimeField = Literal["HOUR", "MINUTE", "SECOND", "MILLISECOND", "MICROSECOND", "EPOCH"]
SpanField = Literal["DAY", "HOUR", "MINUTE", "SECOND", "MILLISECOND", "MICROSECOND", "EPOCH"]
MomentField = Literal[
    "YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "DOW", "ISODOW", "DOY",
    "HOUR", "MINUTE", "SECOND", "MILLISECOND", "MICROSECOND", "EPOCH",
]  # fmt: skip

_SECOND = timedelta(seconds=1)

_DATE_FIELDS: dict[str, Callable[[Any], int]] = {
    "YEAR": lambda day: day.year,
    "QUARTER": lambda day: (day.month + 2) // 3,
    "MONTH": lambda day: day.month,
    "WEEK": lambda day: day.isocalendar().week,
    "DAY": lambda day: day.day,
    "DOW": lambda day: day.isoweekday() % 7,
    "ISODOW": lambda day: day.isoweekday(),
    "DOY": lambda day: day.timetuple().tm_yday,
}
_TIME_FIELDS: dict[str, Callable[[Any], int]] = {
    "HOUR": lambda at: at.hour,
    "MINUTE": lambda at: at.minute,
    "SECOND": lambda at: at.second,
    "MILLISECOND": lambda at: at.second * 1000 + at.microsecond // 1000,
    "MICROSECOND": lambda at: at.second * 1_000_000 + at.microsecond,
}
_MOMENT_FIELDS: dict[str, Callable[[Any], int]] = {
    **_DATE_FIELDS,
    **_TIME_FIELDS,
    "EPOCH": lambda at: since_epoch(at) // _SECOND,
}
_SPAN_FIELDS: dict[str, Callable[[timedelta], int]] = {
    "DAY": lambda size: size.days,
    "HOUR": lambda size: size.seconds // 3600,
    "MINUTE": lambda size: size.seconds // 60 % 60,
    "SECOND": lambda size: size.seconds % 60,
    "MILLISECOND": lambda size: size.seconds % 60 * 1000 + size.microseconds // 1000,
    "MICROSECOND": lambda size: size.seconds % 60 * 1_000_000 + size.microseconds,
    "EPOCH": lambda size: size // _SECOND,
}


@sql("DATE_PART")
@sql("EXTRACT")
def of_timestamp(field: MomentField, moment: datetime) -> int:
    """One field of a moment, whole; MILLISECOND and MICROSECOND count from the minute's beginning, EPOCH from 1970."""
    return _MOMENT_FIELDS[field](moment)


@sql("DATE_PART")
@sql("EXTRACT")
def of_instant(field: MomentField, moment: Instant) -> int:
    """One field of an instant, in UTC."""
    return _MOMENT_FIELDS[field](moment)


@sql("DATE_PART")
@sql("EXTRACT")
def of_date(field: DateField, day: date) -> int:
    """One field of a date. DOW counts from Sunday, 0; ISODOW from Monday, 1; WEEK is ISO's; EPOCH is in seconds."""
    return (day - EPOCH.date()) // _SECOND if field == "EPOCH" else _DATE_FIELDS[field](day)


@sql("DATE_PART")
@sql("EXTRACT")
def of_time(field: TimeField, at: time) -> int:
    """One field of a time of day; EPOCH counts whole seconds since midnight."""
    return at.hour * 3600 + at.minute * 60 + at.second if field == "EPOCH" else _TIME_FIELDS[field](at)


@sql("DATE_PART")
@sql("EXTRACT")
def of_interval(field: SpanField, interval: timedelta) -> int:
    """One field of an interval, negative if the interval is; hours end at 23; EPOCH is all of it in seconds."""
    return -_SPAN_FIELDS[field](-interval) if interval < timedelta() else _SPAN_FIELDS[field](interval)


@sql("DATE_PART")
@sql("EXTRACT")
def of_months(field: Literal["YEAR", "MONTH"], interval: Months) -> int:
    """The years of an interval, or its months besides the years, negative if the interval is."""
    years, months = divmod(abs(interval), 12)
    size = years if field == "YEAR" else months
    return -size if interval < 0 else size
