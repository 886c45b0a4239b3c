"""Dates, times, instants and intervals: as text, by zone, and what functions make of them."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobplane.schemas.types import temporal_text as text
from jobplane.schemas.types.datatypes import Instant, Months
from jobplane.schemas.types.zones import find_zone, zone_names
from jobplane.sql.functions import temporal as f
from jobplane.sql.functions import temporal_conversions as c
from jobplane.sql.functions import temporal_fields as fields
from jobplane.sql.runtime.temporal_format import check_writable, format_moment, parse_moment, pattern_reader

BERLIN = "Europe/Berlin"


def at(said: str) -> datetime:
    return text.timestamp_of(said)


def utc(said: str) -> Instant:
    return text.instant_of(said)


def span(said: str) -> timedelta:
    return text.interval_of(said)


@pytest.mark.parametrize(
    ("parse", "said", "value"),
    [
        (text.date_of, "2026-01-31", date(2026, 1, 31)),
        (text.date_of, " 2026-1-5 ", date(2026, 1, 5)),
        (text.date_of, "0001-01-01", date.min),
        (text.date_of, "9999-12-31", date.max),
        (text.time_of, "8:30", time(8, 30)),
        (text.time_of, "08:30:00.1234569", time(8, 30, 0, 123456)),
        (text.time_of, "23:59:59,5", time(23, 59, 59, 500000)),
        (text.timestamp_of, "2026-01-31", datetime(2026, 1, 31)),  # noqa: DTZ001
        (text.timestamp_of, "2026-01-31T08:30", datetime(2026, 1, 31, 8, 30)),  # noqa: DTZ001
        (text.timestamp_of, "2026-01-31  08:30:15.000001", datetime(2026, 1, 31, 8, 30, 15, 1)),  # noqa: DTZ001
        (text.instant_of, "2026-01-31T08:30:00Z", datetime(2026, 1, 31, 8, 30, tzinfo=UTC)),
        (text.instant_of, "2026-01-31 08:30+02", datetime(2026, 1, 31, 6, 30, tzinfo=UTC)),
        (text.instant_of, "2026-01-31 08:30 -05:30", datetime(2026, 1, 31, 14, tzinfo=UTC)),
        (text.instant_of, "2026-01-31+0200", datetime(2026, 1, 30, 22, tzinfo=UTC)),
        (text.instant_of, "2026-07-31 08:30 Europe/Berlin", datetime(2026, 7, 31, 6, 30, tzinfo=UTC)),
        (text.instant_of, "2026-10-25 02:30 Europe/Berlin", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        (text.instant_of, "2026-03-29 02:30 Europe/Berlin", datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
        (text.interval_of, "P1DT2H", timedelta(days=1, hours=2)),
        (text.interval_of, "-P3D", timedelta(days=-3)),
        (text.interval_of, "+P1W", timedelta(days=7)),
        (text.interval_of, "PT-1.5S", timedelta(seconds=-1.5)),
        (text.interval_of, "-P-1DT2H", timedelta(days=1, hours=-2)),
        (text.interval_of, "pt1,0000019s", timedelta(seconds=1, microseconds=1)),
        (text.interval_of, "1 12:30:00.5", timedelta(days=1, hours=12, minutes=30, seconds=0.5)),
        (text.interval_of, "-1 12:30", -timedelta(days=1, hours=12, minutes=30)),
        (text.interval_of, "-12:30", -timedelta(hours=12, minutes=30)),
        (text.months_of, "P1Y2M", 14),
        (text.months_of, "-P1Y2M", -14),
        (text.months_of, "P0M", 0),
        (text.months_of, "1-2", 14),
        (text.months_of, "-0-11", -11),
    ],
)
def test_text_is_read(parse: Callable[[str], Any], said: str, value: Any) -> None:
    assert parse(said) == value


@pytest.mark.parametrize(
    ("parse", "said", "message"),
    [
        (text.date_of, "", "'' is not a DATE, which is written like '2026-01-31'"),
        (text.date_of, "31.01.2026", "'31.01.2026' is not a DATE, which is written like '2026-01-31'"),
        (text.date_of, "2025-02-29", "there is no such DATE as '2025-02-29'; years are 0001 to 9999"),
        (text.date_of, "0000-01-01", "there is no such DATE as '0000-01-01'; years are 0001 to 9999"),
        (text.date_of, "2026-01-31T08:30:00", "'2026-01-31T08:30:00' is not a DATE, which"),
        (text.time_of, "24:00", "there is no such TIME as '24:00'; hours are 00 to 23"),
        (text.time_of, "08:30Z", "'08:30Z' is not a TIME, which is written like '08:30:00'"),
        (text.timestamp_of, "x" * 70, f"'{'x' * 58}… is not a TIMESTAMP, which is written like '2026-01-31T08:30:00'"),
        (text.timestamp_of, "2026-01-31T08:30:00Z", "'2026-01-31T08:30:00Z' has a time zone: it is a"),
        (text.instant_of, "2026-01-31T08:30:00", "'2026-01-31T08:30:00' has no time zone: "),
        (text.instant_of, "2026-01-31T08:30:00+24:00", "'+24:00' is not a time zone, such as"),
        (text.instant_of, "0001-01-01T00:00:00+01:00", "there is no such TIMESTAMP WITH TIME ZONE as '0001-"),
        (text.interval_of, "5", "'5' is not an INTERVAL DAY TO SECOND, which is written like 'P1DT12H30M'"),
        (text.interval_of, "P", "'P' is not an INTERVAL DAY TO SECOND, which is written like 'P1DT12H30M'"),
        (text.interval_of, "P1DT", "'P1DT' is not an INTERVAL DAY TO SECOND, which is written like 'P1DT12H30M'"),
        (text.interval_of, "P1M", "'P1M' has years or months; an INTERVAL DAY TO SECOND has days and less"),
        (text.interval_of, "P1000000000D", "'P1000000000D' is out of range: an INTERVAL has at most 999999999 days"),
        (text.months_of, "PT1M", "'PT1M' has days or less; an INTERVAL YEAR TO MONTH has years and months"),
        (text.months_of, "1-12", "'1-12' is not an INTERVAL YEAR TO MONTH, which is written like 'P1Y2M'"),
        (text.months_of, "P10001Y", "'P10001Y' is out of range: an INTERVAL YEAR TO MONTH has at most 120000 months"),
    ],
)  # fmt: skip
def test_text_is_refused(parse: Callable[[str], Any], said: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        parse(said)


@pytest.mark.parametrize(
    ("said", "first", "last", "value"),
    [
        ("5", "DAY", "", timedelta(days=5)),
        ("-90", "MINUTE", "MINUTE", timedelta(minutes=-90)),
        ("1.5", "SECOND", "", timedelta(seconds=1.5)),
        ("2", "WEEK", "", timedelta(days=14)),
        ("1 12", "DAY", "HOUR", timedelta(days=1, hours=12)),
        ("1 12:30:00", "DAY", "SECOND", timedelta(days=1, hours=12, minutes=30)),
        ("100:59", "HOUR", "MINUTE", timedelta(hours=100, minutes=59)),
        ("-30:15.25", "MINUTE", "SECOND", -timedelta(minutes=30, seconds=15.25)),
        ("1-2", "YEAR", "MONTH", 14),
        ("- 3", "YEAR", "", -36),
        ("2", "QUARTER", "", 6),
    ],
)
def test_an_interval_literal(said: str, first: str, last: str, value: Any) -> None:
    assert text.interval_literal(said, first, last) == value


@pytest.mark.parametrize(
    ("said", "first", "last", "message"),
    [
        ("1.5", "DAY", "", "'1.5' is not an INTERVAL DAY, which is written like '1'"),
        ("12:60", "HOUR", "MINUTE", "'12:60' is not an INTERVAL HOUR TO MINUTE, which is written like '12:30'"),
        ("1 24", "DAY", "HOUR", "'1 24' is not an INTERVAL DAY TO HOUR, which is written like '1 12'"),
        ("x", "YEAR", "MONTH", "'x' is not an INTERVAL YEAR TO MONTH, which is written like '1-6'"),
        ("1", "YEAR", "DAY", "there is no INTERVAL YEAR TO DAY; there are YEAR TO MONTH and units from DAY to SECOND"),
        ("1", "WEEK", "DAY", "there is no INTERVAL WEEK TO DAY; there are YEAR TO MONTH and units from DAY to SECOND"),
        ("1", "SECOND", "DAY", "there is no INTERVAL SECOND TO DAY; there are"),
    ],
)  # fmt: skip
def test_no_interval_literal(said: str, first: str, last: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        text.interval_literal(said, first, last)


@given(st.dates())
def test_a_date_comes_back(value: date) -> None:
    assert text.date_of(text.text_of(value)) == value


@given(st.times())
def test_a_time_comes_back(value: time) -> None:
    assert text.time_of(text.text_of(value)) == value


@given(st.datetimes())
def test_a_timestamp_comes_back(value: datetime) -> None:
    assert text.timestamp_of(text.text_of(value)) == value


@given(st.datetimes(timezones=st.just(UTC)))
def test_an_instant_comes_back(value: datetime) -> None:
    assert text.text_of(value).endswith("Z")
    assert text.instant_of(text.text_of(value)) == value


@given(st.timedeltas())
def test_an_interval_comes_back(value: timedelta) -> None:
    assert text.interval_of(text.text_of(value)) == value


@given(st.integers(-120_000, 120_000))
def test_months_come_back(value: int) -> None:
    assert text.months_of(text.text_of_months(Months(value))) == value


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (timedelta(), "PT0S"),
        (timedelta(days=-3), "-P3D"),
        (timedelta(hours=36, microseconds=5), "P1DT12H0.000005S"),
        (timedelta(seconds=-1.5), "-PT1.5S"),
        (datetime(1, 1, 1, 0, 0, 0, 5), "0001-01-01T00:00:00.000005"),  # noqa: DTZ001
        (time(8, 30), "08:30:00"),
    ],
)
def test_text_is_written(value: Any, said: str) -> None:
    assert text.text_of(value) == said


def test_every_zone_has_its_rules() -> None:
    for name in zone_names():
        assert datetime(2026, 7, 1, tzinfo=find_zone(name)).utcoffset() is not None
    assert find_zone("Z") is find_zone("UTC") is UTC
    assert find_zone("-05:30").utcoffset(None) == -timedelta(hours=5, minutes=30)


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../../etc/passwd", "+24:00", "+1", "berlin"])
def test_no_zone(name: str) -> None:
    with pytest.raises(ValueError, match="is not a time zone"):
        find_zone(name)


def test_a_zone_meant() -> None:
    with pytest.raises(ValueError, match=r"'Europe/Berlim' is not a time zone; did you mean 'Europe/Berlin'\?"):
        find_zone("Europe/Berlim")


@pytest.mark.parametrize(
    ("moment", "months", "value"),
    [
        ("2026-01-31", 1, "2026-02-28"),
        ("2024-01-31", 1, "2024-02-29"),
        ("2024-02-29", 12, "2025-02-28"),
        ("2024-02-29", -48, "2020-02-29"),
        ("2026-03-31", -1, "2026-02-28"),
        ("2026-12-31", 1, "2027-01-31"),
        ("0001-01-31", 1, "0001-02-28"),
    ],
)
def test_months_are_added(moment: str, months: int, value: str) -> None:
    assert f.add_months(text.date_of(moment), months) == text.date_of(value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: f.add_months(date.max, 1), "9999-12-31 plus P1M is outside the years 1 to 9999"),
        (lambda: f.add_months(date.min, -1), "0001-01-01 plus -P1M is outside the years 1 to 9999"),
        (lambda: f.add_interval(at("9999-12-31T23:00"), span("P1D")), "9999-12-31T23:00:00 plus P1D is outside"),
        (lambda: f.instant_at(utc("9999-12-31T23:00Z"), BERLIN), "9999-12-31T23:00:00Z in Europe/Berlin is outside"),
        (lambda: f.timestamp_at(at("0001-01-01"), "+02:00"), "0001-01-01T00:00:00+02:00 in UTC is outside"),
        (lambda: f.make_date(2025, 2, 29), "there is no such DATE as '2025-2-29'"),
        (lambda: f.make_date(2**70, 2, 29), f"there is no such DATE as '{2**70}-2-29'"),
        (lambda: f.make_timestamp(2026, 1, 31, 8, 30, 60.0), "there is no such TIMESTAMP as '2026-1-31 8:30:60.0'"),
        (lambda: f.make_timestamp(2026, 1, 31, 8, 30, -0.5), "there is no such TIMESTAMP as '2026-1-31 8:30:-0.5'"),
        (lambda: f.make_timestamp(2026, 1, 31, 8, 30, float("nan")), "2026-1-31 8:30:nan"),
        (lambda: c.millis_to_timestamp(10**18), "1000000000000000000 milliseconds after 1970 is outside"),
    ],
)  # fmt: skip
def test_out_of_range(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


@pytest.mark.parametrize(
    ("unit", "value"),
    [
        ("YEAR", "2026-01-01"),
        ("QUARTER", "2026-04-01"),
        ("MONTH", "2026-05-01"),
        ("WEEK", "2026-05-11"),
        ("DAY", "2026-05-17"),
        ("HOUR", "2026-05-17T13:00"),
        ("MINUTE", "2026-05-17T13:14"),
        ("SECOND", "2026-05-17T13:14:15"),
        ("MILLISECOND", "2026-05-17T13:14:15.123"),
        ("MICROSECOND", "2026-05-17T13:14:15.123456"),
    ],
)
def test_truncation(unit: Any, value: str) -> None:
    moment = at("2026-05-17T13:14:15.123456")
    assert f.trunc_timestamp(unit, moment) == at(value)
    assert f.trunc_instant(unit, Instant(moment.replace(tzinfo=UTC))) == at(value).replace(tzinfo=UTC)
    if len(value) == 10:
        assert f.trunc_date(unit, moment.date()) == text.date_of(value)


@pytest.mark.parametrize(
    ("unit", "moment", "value"),
    [
        ("DAY", "2026-03-29T10:00Z", "2026-03-28T23:00Z"),  # the day's clock began before it was put forward
        ("DAY", "2026-10-25T22:30Z", "2026-10-24T22:00Z"),
        ("HOUR", "2026-10-25T00:30Z", "2026-10-25T00:00Z"),  # the first hour from 2 to 3
        ("HOUR", "2026-10-25T01:30Z", "2026-10-25T01:00Z"),  # the second
        ("YEAR", "2026-01-01T00:30Z", "2025-12-31T23:00Z"),
    ],
)
def test_truncation_in_a_zone(unit: Any, moment: str, value: str) -> None:
    assert f.trunc_instant(unit, utc(moment), BERLIN) == utc(value)


@pytest.mark.parametrize(
    ("unit", "start", "end", "value"),
    [
        ("YEAR", "2025-12-31", "2026-01-01", 1),
        ("QUARTER", "2025-12-31", "2026-04-01", 2),
        ("MONTH", "2026-01-31", "2026-02-01", 1),
        ("MONTH", "2026-03-01", "2026-01-31", -2),
        ("WEEK", "2026-02-01", "2026-02-02", 1),  # Sunday to Monday
        ("WEEK", "2026-02-02", "2026-02-08", 0),
        ("DAY", "2026-01-31T23:59:59", "2026-02-01", 1),
        ("HOUR", "1969-12-31T23:59:59", "1970-01-01", 1),
        ("MINUTE", "2026-01-31T08:30:59", "2026-01-31T08:31:00", 1),
        ("SECOND", "1969-12-31T23:59:59.5", "1970-01-01T00:00:00.4", 1),
        ("MILLISECOND", "0001-01-01", "9999-12-31", 315_537_811_200_000),
        ("MICROSECOND", "2026-01-31", "2026-01-31T00:00:00.000001", 1),
    ],
)
def test_differences(unit: Any, start: str, end: str, value: int) -> None:
    assert f.diff_timestamps(unit, at(start), at(end)) == value
    in_utc = [Instant(at(one).replace(tzinfo=UTC)) for one in (start, end)]
    assert f.diff_instants(unit, *in_utc) == value


@pytest.mark.parametrize(
    ("moment", "value"),
    [
        ("2026-03-29T01:59:59", "2026-03-29T00:59:59Z"),
        ("2026-03-29T02:30:00", "2026-03-29T01:30:00Z"),  # skipped: by the clock of winter
        ("2026-03-29T03:00:00", "2026-03-29T01:00:00Z"),
        ("2026-10-25T02:30:00", "2026-10-25T00:30:00Z"),  # shown twice: the first
        ("1893-03-31T23:00:00", "1893-03-31T22:06:32Z"),  # before there was a common time
    ],
)
def test_a_local_time_is_an_instant(moment: str, value: str) -> None:
    assert f.timestamp_at(at(moment), BERLIN) == utc(value)


@pytest.mark.parametrize(
    ("moment", "value"),
    [
        ("2026-10-25T00:30:00Z", "2026-10-25T02:30:00"),
        ("2026-10-25T01:30:00Z", "2026-10-25T02:30:00"),
        ("2026-03-29T01:00:00Z", "2026-03-29T03:00:00"),
    ],
)
def test_an_instant_has_a_local_time(moment: str, value: str) -> None:
    assert f.instant_at(utc(moment), BERLIN) == at(value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("YEAR", 2027), ("QUARTER", 1), ("MONTH", 1), ("WEEK", 53), ("DAY", 3), ("DOW", 0), ("ISODOW", 7), ("DOY", 3),
        ("HOUR", 13), ("MINUTE", 14), ("SECOND", 15), ("MILLISECOND", 15_750), ("MICROSECOND", 15_750_001),
        ("EPOCH", 1_798_982_055),
    ],
)  # fmt: skip
def test_fields(field: Any, value: int) -> None:
    moment = at("2027-01-03T13:14:15.750001")
    assert fields.of_timestamp(field, moment) == value
    assert fields.of_instant(field, Instant(moment.replace(tzinfo=UTC))) == value


@pytest.mark.parametrize(
    ("call", "value"),
    [
        (lambda: fields.of_timestamp("EPOCH", at("1969-12-31T23:59:59.5")), -1),
        (lambda: fields.of_date("EPOCH", date(1969, 12, 31)), -86_400),
        (lambda: fields.of_date("DOY", date(2024, 12, 31)), 366),
        (lambda: fields.of_time("EPOCH", time(1, 0, 1, 999_999)), 3_601),
        (lambda: fields.of_interval("HOUR", span("PT30H")), 6),
        (lambda: fields.of_interval("DAY", span("PT30H")), 1),
        (lambda: fields.of_interval("MINUTE", span("-PT90M")), -30),
        (lambda: fields.of_interval("HOUR", span("-PT90M")), -1),
        (lambda: fields.of_interval("MILLISECOND", span("PT1M1.5S")), 1_500),
        (lambda: fields.of_interval("EPOCH", span("-PT1.5S")), -1),
        (lambda: fields.of_months("YEAR", Months(-14)), -1),
        (lambda: fields.of_months("MONTH", Months(-14)), -2),
        (lambda: f.last_day(date(2024, 2, 10)), date(2024, 2, 29)),
        (lambda: f.diff_times("HOUR", time(8, 59), time(9)), 1),
        (lambda: f.diff_dates("DAY", date.min, date.max), 3_652_058),
        (lambda: f.add_to_date(date(2026, 1, 31), span("PT1H")), at("2026-01-31T01:00")),
        (lambda: f.add_months_to_instant(utc("2024-01-31T08:30Z"), Months(1)), utc("2024-02-29T08:30Z")),
        (lambda: f.make_timestamp(2026, 1, 31, 8, 30, 59.9999999), at("2026-01-31T08:31")),
        (lambda: f.make_timestamp(2026, 1, 31, 8, 30, 15.3), at("2026-01-31T08:30:15.3")),
        (lambda: c.to_epoch_millis(utc("1969-12-31T23:59:59.9999Z")), -1),
        (lambda: c.timestamp_to_epoch_millis(at("2026-01-31T08:30")), 1_769_848_200_000),
        (lambda: c.millis_to_timestamp(-1), at("1969-12-31T23:59:59.999")),
        (lambda: c.millis_to_timestamp_tz(0), utc("1970-01-01T00:00Z")),
    ],
)
def test_values(call: Callable[[], Any], value: Any) -> None:
    assert call() == value


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("YYYY-MM-DD HH24:MI:SS.MS", "2026-05-07 13:04:05.006"),
        ('yyyy-mm-dd"T"hh24:mi:ss.us', "2026-05-07T13:04:05.006007"),
        ("FMDD.FMMM.YY FMHH12:MI PM", "7.5.26 1:04 PM"),
        ("HH:MI am", "01:04 pm"),
        ("Day, DD Month YYYY|", "Thursday , 07 May       2026|"),
        ("FMDay, FMDD FMMonth YYYY", "Thursday, 7 May 2026"),
        ("DAY DY Dy dy MONTH MON Mon mon", "THURSDAY  THU Thu thu MAY       MAY May may"),
        ("Q D DDD WW IW IYYY", "2 5 127 19 19 2026"),
        ('"quarter" Q" of "YYYY', "quarter 2 of 2026"),
        ("", ""),
    ],
)
def test_patterns(pattern: str, said: str) -> None:
    assert format_moment(at("2026-05-07T13:04:05.006007"), pattern) == said


@pytest.mark.parametrize(
    ("moment", "zone_", "said"),
    [
        ("2026-07-01T22:30Z", "Europe/Berlin", "02.07.2026 00:30 +02:00"),
        ("2026-01-01T22:30Z", "America/St_Johns", "01.01.2026 19:00 -03:30"),
        ("2026-01-01T22:30Z", "UTC", "01.01.2026 22:30 +00:00"),
    ],
)
def test_patterns_in_a_zone(moment: str, zone_: str, said: str) -> None:
    assert c.instant_to_char(utc(moment), "DD.MM.YYYY HH24:MI TZH:TZM", zone_) == said


@pytest.mark.parametrize(
    ("said", "pattern", "value"),
    [
        ("31.1.2026", "DD.MM.YYYY", "2026-01-31"),
        ("20260131083015", "YYYYMMDDHH24MISS", "2026-01-31T08:30:15"),
        ("31-JAN-70", "DD-MON-YY", "1970-01-31"),
        ("31-jan-69", "DD-Mon-YY", "2069-01-31"),
        ("Saturday, 31 January 2026 12:05 AM", "Day, DD Month YYYY HH12:MI AM", "2026-01-31T00:05"),
        ("2026 12:05:06.5 pm", "YYYY HH:MI:SS.US PM", "2026-01-01T12:05:06.5"),
        ("2024-366", "YYYY-DDD", "2024-12-31"),
        ("7", "FMYYYY", "0007-01-01"),
    ],
)
def test_patterns_are_read(said: str, pattern: str, value: str) -> None:
    assert c.to_timestamp(said, pattern) == at(value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: check_writable("DD.MM.JJJJ"), "the pattern 'DD.MM.JJJJ' has 'JJJJ', which means nothing: quote text"),
        (lambda: check_writable("YYYY-MM-DDTHH24"), "the pattern 'YYYY-MM-DDTHH24' has 'T', which"),
        (lambda: check_writable('YYYY "'), "the pattern 'YYYY \"' has a double quote that is not closed"),
        (lambda: check_writable("HH24 TZH"), "TZH needs a TIMESTAMP WITH TIME ZONE; this has none"),
        (lambda: c.to_char(at("2026-01-31"), "TZM"), "TZH and TZM need a TIMESTAMP WITH TIME ZONE; this has none"),
        (lambda: pattern_reader("MM-DD"), "the pattern 'MM-DD' has no year: to be read it needs YYYY or YY"),
        (lambda: pattern_reader("YYYY YY"), "YY repeats YYYY: a pattern for reading has each part once"),
        (lambda: pattern_reader("YYYY Q"), "Q can be written, not read"),
        (lambda: pattern_reader("YYYY HH12"), "HH12 and AM need each other; HH24 needs neither"),
        (lambda: pattern_reader("YYYY HH12 HH24 AM"), "HH24 cannot be combined with HH12 and AM"),
        (lambda: pattern_reader("YYYY DDD MM"), "DDD is the day of the year: it cannot be combined with month and day"),
        (lambda: pattern_reader("YYYY TZM"), "TZM needs TZH"),
        (lambda: c.to_timestamp("2026 +02", "YYYY TZH"), "TZH makes a TIMESTAMP WITH TIME ZONE: use TO_TIMESTAMP_TZ"),
        (lambda: c.to_timestamp_tz("2026", "YYYY"), "the pattern has no TZH: use TO_TIMESTAMP(…) AT TIME ZONE"),
        (lambda: parse_moment("2026-01-31", "DD.MM.YYYY"), "'2026-01-31' is not written like 'DD.MM.YYYY'"),
        (lambda: parse_moment("29.02.2025", "DD.MM.YYYY"), "there is no such date or time as '29.02.2025', read as"),
        (lambda: parse_moment("9999-366", "YYYY-DDD"), "there is no such date or time as '9999-366'"),
        (lambda: parse_moment("2025-366", "YYYY-DDD"), "there is no such date or time as '2025-366'"),
        (lambda: parse_moment("2025 13 PM", "YYYY HH PM"), "there is no such date or time as '2025 13 PM', read as"),
        (lambda: parse_moment("2025 +24", "YYYY TZH"), "there is no such date or time as '2025 +24'"),
    ],
)  # fmt: skip
def test_patterns_are_refused(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


COMPLETE = (
    "YYYY-MM-DD HH24:MI:SS.US",
    "DDDFMYYYY HH12MISSUSPM",
    "Day FMMonth DD HH:MI:SS am, YYYY US",
    "MonDDYYYYHH24MISSUS",
)


@given(st.datetimes(), st.sampled_from(COMPLETE))
def test_what_a_pattern_wrote_it_reads(moment: datetime, pattern: str) -> None:
    assert c.to_timestamp(c.to_char(moment, pattern), pattern) == moment


@given(st.datetimes(datetime(1980, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)), st.sampled_from(zone_names()))  # noqa: DTZ001
def test_what_a_pattern_wrote_in_a_zone_it_reads(moment: datetime, name: str) -> None:
    pattern = "YYYY-MM-DD HH24:MI:SS.US TZH:TZM"
    assert c.to_timestamp_tz(c.instant_to_char(Instant(moment), pattern, name), pattern) == moment
