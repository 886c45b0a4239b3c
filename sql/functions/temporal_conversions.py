"""Functions that make text and numbers of dates, times and instants, and the other way round.

Without a pattern text is ISO 8601's; the patterns are PostgreSQL's (temporal_format).
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

from jobplane.schemas.types.datatypes import Instant
from jobplane.schemas.types.temporal_text import date_of, instant_of, timestamp_of
from jobplane.sql.functions.signature import ConstantCheck, sql
from jobplane.sql.functions.temporal import EPOCH, Zone, out_of_years, since_epoch, to_utc, to_zone
from jobplane.sql.runtime.temporal_format import check_writable, format_moment, has_zone, parse_moment, pattern_writer

_MIDNIGHT = time()
_MILLISECOND = timedelta(milliseconds=1)
_DAY = timedelta(days=1)


def _of_local(pattern: str) -> None:
    if has_zone(pattern):
        raise ValueError("TZH makes a TIMESTAMP WITH TIME ZONE: use TO_TIMESTAMP_TZ")


def _of_instant(pattern: str) -> None:
    if not has_zone(pattern):
        raise ValueError(
            "the pattern has no TZH: use TO_TIMESTAMP(…) AT TIME ZONE 'Europe/Berlin', or the zone that is meant"
        )


WritePattern = Annotated[str, ConstantCheck(check_writable)]
ZonedWritePattern = Annotated[str, ConstantCheck(pattern_writer)]
ReadPattern = Annotated[str, ConstantCheck(_of_local)]
ZonedReadPattern = Annotated[str, ConstantCheck(_of_instant)]


@sql()
def to_char(moment: datetime, pattern: WritePattern) -> str:
    """A moment as the pattern writes it, such as 'DD.MM.YYYY HH24:MI:SS'."""
    return format_moment(moment, pattern)


@sql("TO_CHAR")
def instant_to_char(moment: Instant, pattern: ZonedWritePattern, zone: Zone = "UTC") -> str:
    """An instant as the pattern writes it, by the clock of the zone; TZH:TZM is how far that is from UTC."""
    return format_moment(to_zone(moment, zone), pattern)


@sql("TO_CHAR")
def date_to_char(day: date, pattern: WritePattern) -> str:
    """A date as the pattern writes it, such as 'DD.MM.YYYY'."""
    return format_moment(datetime.combine(day, _MIDNIGHT), pattern)


@sql()
def to_date(text: str, pattern: ReadPattern) -> date:
    """The date of a text that the pattern describes."""
    _of_local(pattern)
    return parse_moment(text, pattern)[0].date()


@sql("TO_DATE")
def iso_to_date(text: str) -> date:
    """The date of a text such as '2026-01-31'."""
    return date_of(text)


@sql()
def to_timestamp(text: str, pattern: ReadPattern) -> datetime:
    """The moment of a text that the pattern describes."""
    _of_local(pattern)
    return parse_moment(text, pattern)[0]


@sql("TO_TIMESTAMP")
def iso_to_timestamp(text: str) -> datetime:
    """The moment of a text such as '2026-01-31T08:30:00'."""
    return timestamp_of(text)


@sql("FROM_UNIXTIME")
@sql("TO_TIMESTAMP")
def millis_to_timestamp(epoch_millis: int) -> datetime:
    """The moment in UTC that is this number of milliseconds after the beginning of 1970."""
    try:
        return EPOCH + _MILLISECOND * epoch_millis
    except OverflowError:
        raise out_of_years(f"{epoch_millis} milliseconds after 1970") from None


@sql()
def to_timestamp_tz(text: str, pattern: ZonedReadPattern) -> Instant:
    """The instant of a text that the pattern describes, with TZH and where needed TZM."""
    _of_instant(pattern)
    moment, zone = parse_moment(text, pattern)
    return to_utc(moment.replace(tzinfo=zone))


@sql("TO_TIMESTAMP_TZ")
def iso_to_timestamp_tz(text: str) -> Instant:
    """The instant of a text such as '2026-01-31T08:30:00Z'."""
    return instant_of(text)


@sql("TO_TIMESTAMP_TZ")
def millis_to_timestamp_tz(epoch_millis: int) -> Instant:
    """The instant that is this number of milliseconds after the beginning of 1970 in UTC."""
    return Instant(millis_to_timestamp(epoch_millis).replace(tzinfo=UTC))


@sql()
def to_epoch_millis(moment: Instant) -> int:
    """Whole milliseconds since the beginning of 1970 in UTC, rounded down."""
    return since_epoch(moment) // _MILLISECOND


@sql("TO_EPOCH_MILLIS")
def timestamp_to_epoch_millis(moment: datetime) -> int:
    """Whole milliseconds since the beginning of 1970, rounded down, of a moment in UTC."""
    return since_epoch(moment) // _MILLISECOND


@sql()
def from_days(days: int) -> date:
    """The date that is this number of days after the beginning of 1970."""
    try:
        return EPOCH.date() + _DAY * days
    except OverflowError:
        raise out_of_years(f"{days} days after 1970") from None
