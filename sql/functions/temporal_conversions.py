"""Functions that make text and numbers of dates, times and instants, and the other way round.

Without a pattern text is ISO 8601's; the patterns are PostgreSQL's (temporal_format).
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

from jobplane.schemas.types.datatypes import Instant
from jobplane.schemas.types.temporal_text import date_of, instant_of, timestamp_of
from jobplane.sql.functions.signature import Checked, sql
from jobplane.sql.functions.temporal import EPOCH, Zone, beyond, in_utc, local, since_epoch
from jobplane.sql.runtime.temporal_format import read, writable, writer, written, zoned

_MIDNIGHT = time()
_MILLISECOND = timedelta(milliseconds=1)
_DAY = timedelta(days=1)


def _of_local(pattern: str) -> None:
    if zoned(pattern):
        raise ValueError("TZH makes a TIMESTAMP WITH TIME ZONE: use TO_TIMESTAMP_TZ")


def _of_instant(pattern: str) -> None:
    if not zoned(pattern):
        raise ValueError(
            "the pattern has no TZH: use TO_TIMESTAMP(…) AT TIME ZONE 'Europe/Berlin', or the zone that is meant"
        )


Written = Annotated[str, Checked(writable)]
WrittenInZone = Annotated[str, Checked(writer)]
Read = Annotated[str, Checked(_of_local)]
ReadInZone = Annotated[str, Checked(_of_instant)]


@sql()
def to_char(moment: datetime, pattern: Written) -> str:
    """A moment as the pattern writes it, such as 'DD.MM.YYYY HH24:MI:SS'."""
    return written(moment, pattern)


@sql("TO_CHAR")
def instant_to_char(moment: Instant, pattern: WrittenInZone, zone: Zone = "UTC") -> str:
    """An instant as the pattern writes it, by the clock of the zone; TZH:TZM is how far that is from UTC."""
    return written(local(moment, zone), pattern)


@sql("TO_CHAR")
def date_to_char(day: date, pattern: Written) -> str:
    """A date as the pattern writes it, such as 'DD.MM.YYYY'."""
    return written(datetime.combine(day, _MIDNIGHT), pattern)


@sql()
def to_date(text: str, pattern: Read) -> date:
    """The date of a text that the pattern describes."""
    _of_local(pattern)
    return read(text, pattern)[0].date()


@sql("TO_DATE")
def iso_to_date(text: str) -> date:
    """The date of a text such as '2026-01-31'."""
    return date_of(text)


@sql()
def to_timestamp(text: str, pattern: Read) -> datetime:
    """The moment of a text that the pattern describes."""
    _of_local(pattern)
    return read(text, pattern)[0]


@sql("TO_TIMESTAMP")
def iso_to_timestamp(text: str) -> datetime:
    """The moment of a text such as '2026-01-31T08:30:00'."""
    return timestamp_of(text)


@sql("FROM_UNIXTIME")
@sql("TO_TIMESTAMP")
def millis_to_timestamp(epoch_millis: int) -> datetime:
    """The moment in UTC so many milliseconds after the beginning of 1970."""
    try:
        return EPOCH + _MILLISECOND * epoch_millis
    except OverflowError:
        raise beyond(f"{epoch_millis} milliseconds after 1970") from None


@sql()
def to_timestamp_tz(text: str, pattern: ReadInZone) -> Instant:
    """The instant of a text that the pattern describes, with TZH and where needed TZM."""
    _of_instant(pattern)
    moment, zone = read(text, pattern)
    return in_utc(moment.replace(tzinfo=zone))


@sql("TO_TIMESTAMP_TZ")
def iso_to_timestamp_tz(text: str) -> Instant:
    """The instant of a text such as '2026-01-31T08:30:00Z'."""
    return instant_of(text)


@sql("TO_TIMESTAMP_TZ")
def millis_to_timestamp_tz(epoch_millis: int) -> Instant:
    """The instant so many milliseconds after the beginning of 1970 in UTC."""
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
    """The date so many days after the beginning of 1970."""
    try:
        return EPOCH.date() + _DAY * days
    except OverflowError:
        raise beyond(f"{days} days after 1970") from None
