"""Functions of dates, times and instants. The calendar of an instant is that of UTC, or of the zone argument.

A local time that occurs twice is the first of the two; one that is skipped uses the offset before the change.
Adding months keeps the day of the month, or gives the last day if there is no such day. Weeks begin on Monday.
A result outside the years 1 to 9999 is a ValueError.
"""

from calendar import monthrange
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from math import floor
from typing import Annotated, Any, Literal, TypeVar

from jobplane.schemas.shown import show_value
from jobplane.schemas.types import zones
from jobplane.schemas.types.datatypes import Instant, Months
from jobplane.schemas.types.temporal_text import text_of, text_of_months
from jobplane.sql.functions.signature import ConstantCheck, are_constant, sql

Zone = Annotated[str, ConstantCheck(zones.find_zone)]
DateUnit = Literal["YEAR", "QUARTER", "MONTH", "WEEK", "DAY"]
TimeUnit = Literal["HOUR", "MINUTE", "SECOND", "MILLISECOND", "MICROSECOND"]
Unit = Literal["YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND", "MILLISECOND", "MICROSECOND"]

D = TypeVar("D", bound=date)
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  # of moments without a zone
_MIDNIGHT = time()
_SIZES = {
    "WEEK": timedelta(weeks=1),
    "DAY": timedelta(days=1),
    "HOUR": timedelta(hours=1),
    "MINUTE": timedelta(minutes=1),
    "SECOND": timedelta(seconds=1),
    "MILLISECOND": timedelta(milliseconds=1),
    "MICROSECOND": timedelta(microseconds=1),
}
_MONTHS = {"YEAR": 12, "QUARTER": 3, "MONTH": 1}
_A_MONDAY = datetime(1, 1, 1)  # noqa: DTZ001  # of moments without a zone


def add_months(moment: D, months: int) -> D:
    """To the same day of a month, or its last. Raises ValueError."""
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        raise out_of_years(f"{text_of(moment)} plus {text_of_months(Months(months))}")
    return moment.replace(year=year, month=month + 1, day=min(moment.day, monthrange(year, month + 1)[1]))


def add_interval(moment: datetime, interval: timedelta) -> datetime:
    """`moment + interval`. Raises ValueError."""
    try:
        return moment + interval
    except OverflowError:
        raise out_of_years(f"{text_of(moment)} plus {text_of(interval)}") from None


def since_epoch(moment: datetime) -> timedelta:
    """From the beginning of 1970; a moment without a zone counts as UTC."""
    return (moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment) - EPOCH


def to_zone(moment: Instant, zone: str) -> datetime:
    """The same instant, with the clock of a zone. Raises ValueError."""
    try:
        return moment.astimezone(zones.find_zone(zone))
    except OverflowError:
        raise out_of_years(f"{text_of(moment)} in {zone}") from None


def to_utc(moment: datetime) -> Instant:
    """The same instant. Raises ValueError."""
    try:
        return Instant(moment.astimezone(UTC))
    except OverflowError:
        raise out_of_years(f"{moment.isoformat()} in UTC") from None


def out_of_years(what: str) -> ValueError:
    return ValueError(f"{what} is outside the years 1 to 9999")


def _first(unit: str, day: D) -> D:
    """The first day of the unit that `day` is in."""
    match unit:
        case "YEAR":
            return day.replace(month=1, day=1)
        case "QUARTER":
            return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
        case "MONTH":
            return day.replace(day=1)
        case "WEEK":
            return day - timedelta(days=day.weekday())
    return day


def _beginning(unit: str, moment: datetime) -> datetime:
    match unit:
        case "HOUR":
            return moment.replace(minute=0, second=0, microsecond=0)
        case "MINUTE":
            return moment.replace(second=0, microsecond=0)
        case "SECOND":
            return moment.replace(microsecond=0)
        case "MILLISECOND":
            return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
        case "MICROSECOND":
            return moment
    return _first(unit, moment.replace(hour=0, minute=0, second=0, microsecond=0, fold=0))


@sql("DATE_TRUNC")
def trunc_timestamp(unit: Unit, moment: datetime) -> datetime:
    """The beginning of the year, quarter, month, week or smaller unit that a moment is in."""
    return _beginning(unit, moment)


@sql("DATE_TRUNC")
def trunc_instant(unit: Unit, moment: Instant, zone: Zone = "UTC") -> Instant:
    """The instant at which the unit began in the zone."""
    return to_utc(_beginning(unit, to_zone(moment, zone)))


@sql("DATE_TRUNC")
def trunc_date(unit: DateUnit, day: date) -> date:
    """The first day of the year, quarter, month or week that a date is in."""
    return _first(unit, day)


@sql("DATE_ADD")
def add_to_timestamp(moment: datetime, interval: timedelta) -> datetime:
    """A moment plus an interval; a negative interval gives an earlier moment."""
    return add_interval(moment, interval)


@sql("DATE_ADD")
def add_months_to_timestamp(moment: datetime, interval: Months) -> datetime:
    """A moment plus months, at the same time of day; the last day of a month that has no such day."""
    return add_months(moment, interval)


@sql("DATE_ADD")
def add_to_instant(moment: Instant, interval: timedelta) -> Instant:
    """An instant plus an interval; a negative interval gives an earlier instant."""
    return Instant(add_interval(moment, interval))


@sql("DATE_ADD")
def add_months_to_instant(moment: Instant, interval: Months) -> Instant:
    """An instant plus months, at the same time of day in UTC; the last day of a month that has no such day."""
    return Instant(add_months(moment, interval))


@sql("DATE_ADD")
def add_months_to_date(day: date, interval: Months) -> date:
    """A date plus months; the last day of a month that has no such day."""
    return add_months(day, interval)


@sql("DATE_ADD")
def add_to_date(day: date, interval: timedelta) -> datetime:
    """The midnight at which a day begins, plus an interval."""
    return add_interval(datetime.combine(day, _MIDNIGHT), interval)


def _index(unit: str, moment: datetime) -> int:
    """How many of the unit began before the one that the moment is in."""
    if size := _MONTHS.get(unit):
        return (moment.year * 12 + moment.month - 1) // size
    return (moment - _A_MONDAY) // _SIZES[unit]


@sql("DATE_DIFF")
def diff_timestamps(unit: Unit, start: datetime, end: datetime) -> int:
    """The number of beginnings of a year, month, week (Monday), day or smaller unit between two moments."""
    return _index(unit, end) - _index(unit, start)


@sql("DATE_DIFF")
def diff_instants(unit: Unit, start: Instant, end: Instant) -> int:
    """The number of beginnings of a unit in UTC between two instants."""
    return _index(unit, end.replace(tzinfo=None)) - _index(unit, start.replace(tzinfo=None))


@sql("DATE_DIFF")
def diff_dates(unit: DateUnit, start: date, end: date) -> int:
    """The number of beginnings of a year, quarter, month, week (Monday) or day between two dates."""
    return diff_timestamps(unit, datetime.combine(start, _MIDNIGHT), datetime.combine(end, _MIDNIGHT))


@sql("DATE_DIFF")
def diff_times(unit: TimeUnit, start: time, end: time) -> int:
    """The number of beginnings of an hour, minute, second or smaller unit between two times of one day."""
    return diff_timestamps(unit, datetime.combine(EPOCH, start), datetime.combine(EPOCH, end))


@sql("AT_TIME_ZONE")
def instant_at(moment: Instant, zone: Zone) -> datetime:
    """The local time in the zone at an instant."""
    return to_zone(moment, zone).replace(tzinfo=None, fold=0)


@sql("AT_TIME_ZONE")
def timestamp_at(moment: datetime, zone: Zone) -> Instant:
    """The instant at which a clock in the zone shows this; the first if it shows it twice."""
    return to_utc(moment.replace(tzinfo=zones.find_zone(zone)))


def _constants_or(parts: Sequence[Any], others: Sequence[int]) -> list[Any]:
    """The parts, with those that are not constants replaced by others."""
    return [part if are_constant(part) else other for part, other in zip(parts, others, strict=True)]


def _no_such_date(*parts: Any) -> None:
    """A leap year and a month of 31 days have all there may be."""
    try:
        make_date(*_constants_or(parts, (2000, 1, 1)))
    except ValueError:
        said = "-".join(str(part) if are_constant(part) else "…" for part in parts)
        raise ValueError(f"there is no such DATE as {show_value(said)}") from None


@sql(refuses=_no_such_date)
def make_date(year: int, month: int, day: int) -> date:
    """The date of a year, a month and a day."""
    try:
        return date(year, month, day)
    except (ValueError, OverflowError):
        raise ValueError(f"there is no such DATE as {show_value(f'{year}-{month}-{day}')}") from None


def _no_such_timestamp(*parts: Any) -> None:
    try:
        make_timestamp(*_constants_or(parts, (2000, 1, 1, 0, 0, 0)))
    except ValueError:
        said = [str(part) if are_constant(part) else "…" for part in parts]
        moment = f"{'-'.join(said[:3])} {':'.join(said[3:])}"
        raise ValueError(f"there is no such TIMESTAMP as {show_value(moment)}") from None


@sql(refuses=_no_such_timestamp)
def make_timestamp(year: int, month: int, day: int, hour: int, minute: int, second: float) -> datetime:
    """The moment of a year, month, day, hour, minute and second, which is rounded to microseconds."""
    try:
        whole = datetime(year, month, day, hour, minute, floor(second))  # noqa: DTZ001  # a TIMESTAMP has none
    except (ValueError, OverflowError):
        said = f"{year}-{month}-{day} {hour}:{minute}:{second}"
        raise ValueError(f"there is no such TIMESTAMP as {show_value(said)}") from None
    return add_interval(whole, timedelta(microseconds=round((second - floor(second)) * 1_000_000)))


@sql()
def last_day(day: date) -> date:
    """The last day of the month that a date is in."""
    return day.replace(day=monthrange(day.year, day.month)[1])
