"""Windows in the calendars of zones whose days are shorter, longer, or left out."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from jobplane.schemas.types.zones import find_zone
from jobplane.sql.runtime.windows import KEPT_WINDOWS, Panes, Windows

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def window(windows: Windows, moment: datetime) -> tuple[datetime, datetime]:
    ((start, end),) = Panes(windows).find(moment)[2]
    return start, end


def days_of(zone: str, first: str, last: str) -> Iterator[tuple[date, timedelta]]:
    """Each day that a clock in the zone shows, as the windows of a day cut the time, with its length."""
    panes, now = Panes(Windows(1, 1, unit="day", zone=zone)), at(first)
    while now < at(last):
        start, end, windows = panes.find(now)
        assert windows == ((start, end),)
        assert start == now
        yield now.astimezone(find_zone(zone)).date(), end - start
        now = end


@pytest.mark.parametrize(
    ("zone", "first", "last", "lengths"),
    [
        ("Europe/Berlin", "2026-03-28T00:00+01:00", "2026-03-31T00:00+02:00", {28: 24, 29: 23, 30: 24}),
        ("Europe/Berlin", "2026-10-24T00:00+02:00", "2026-10-27T00:00+01:00", {24: 24, 25: 25, 26: 24}),
        ("Australia/Lord_Howe", "2026-10-03T00:00+10:30", "2026-10-06T00:00+11:00", {3: 24, 4: 23.5, 5: 24}),
        ("Australia/Lord_Howe", "2026-04-04T00:00+11:00", "2026-04-07T00:00+10:30", {4: 24, 5: 24.5, 6: 24}),
        # 30 December was left out, at its midnight
        ("Pacific/Apia", "2011-12-28T00:00-10:00", "2012-01-01T00:00+14:00", {28: 24, 29: 24, 31: 24}),
        # clocks went from 24:00 to 01:00, and from 24:00 back to 23:00
        ("America/Sao_Paulo", "2018-11-03T00:00-03:00", "2018-11-06T00:00-02:00", {3: 24, 4: 23, 5: 24}),
        ("America/Sao_Paulo", "2019-02-15T00:00-02:00", "2019-02-18T00:00-03:00", {15: 24, 16: 25, 17: 24}),
        # from 01:00 back to 00:00: midnight comes twice, and the day begins with the first
        ("America/Havana", "2024-11-02T00:00-04:00", "2024-11-05T00:00-05:00", {2: 24, 3: 25, 4: 24}),
        # from 23:30 to 00:30: the day begins at 00:30
        ("America/Toronto", "1919-03-30T00:00-05:00", "1919-04-01T00:00-04:00", {30: 23.5, 31: 23.5}),
        # from 00:01 back to 23:01: the hour after that is of the day that had begun
        ("America/Goose_Bay", "2010-11-06T00:00-03:00", "2010-11-09T00:00-04:00", {6: 24, 7: 25, 8: 24}),
    ],
)
def test_a_day_is_as_long_as_its_clocks_say(zone: str, first: str, last: str, lengths: dict[int, float]) -> None:
    assert {day.day: length / HOUR for day, length in days_of(zone, first, last)} == lengths


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia", "America/Goose_Bay"])
@pytest.mark.parametrize(("size", "step", "growing"), [(1, 1, False), (3, 1, False), (4, 2, True), (14, 7, False)])
def test_every_time_is_in_its_windows_and_in_no_others(*, zone: str, size: int, step: int, growing: bool) -> None:
    panes = Panes(Windows(size, step, growing=growing, offset=step - 1, unit="day", zone=zone))
    met: dict[tuple[datetime, datetime], list[datetime]] = {}
    moment, last = at("2010-10-01T00:07Z"), at("2012-02-01T00:00Z")
    times = []
    while moment < last:
        start, end, windows = panes.find(moment)
        assert start <= moment < end
        assert len(set(windows)) == len(windows)
        for one in windows:
            met.setdefault(one, []).append(moment)
        times.append(moment)
        moment += 97 * MINUTE
    for (start, end), inside in met.items():
        assert inside == [one for one in times if start <= one < end]


def test_a_week_begins_on_the_day_that_the_offset_moves_it_to() -> None:
    monday = window(Windows(7, 7, offset=4, unit="day", zone="Europe/Berlin"), at("2026-03-29T23:59+02:00"))
    assert monday == (at("2026-03-23T00:00+01:00"), at("2026-03-30T00:00+02:00"))


def test_a_day_left_out_makes_no_window_twice() -> None:
    windows = Panes(Windows(4, 1, growing=True, unit="day", zone="Pacific/Apia")).find(at("2011-12-29T12:00-10:00"))[2]
    assert len(windows) == len(set(windows))
    assert all(start <= at("2011-12-29T12:00-10:00") < end for start, end in windows)


def test_a_month_begins_at_midnight_in_the_zone() -> None:
    start, end = window(Windows(1, 1, unit="month", zone="Pacific/Apia"), at("2011-12-30T09:00Z"))
    assert (start, end) == (at("2011-12-01T00:00-10:00"), at("2012-01-01T00:00+14:00"))


def test_times_out_of_order_keep_few_windows() -> None:
    panes = Panes(Windows(1_000_000_000, 1_000_000))
    moments = [at("2026-01-31T08:30Z") + i * timedelta(seconds=1) for i in range(50)]
    before = [panes.find(one) for one in moments]
    assert [panes.find(one) for one in reversed(moments)] == before[::-1]
    assert len(panes._known) * 1_000 <= KEPT_WINDOWS + 1_000
