"""The fast way through a text of a date or a time gives what the rules give, and takes no other text."""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jobplane.schemas.types import temporal_text as text

WAYS: dict[str, tuple[Callable[[str], Any], Callable[[str], Any]]] = {
    "DATE": (text.date_of, text.date_by_rule),
    "TIME": (text.time_of, text.time_by_rule),
    "TIMESTAMP": (text.timestamp_of, text.timestamp_by_rule),
    "TIMESTAMP WITH TIME ZONE": (text.instant_of, text.instant_by_rule),
}
ZONES = [
    "",
    "Z",
    "z",
    "+01:00",
    "-23:59",
    "+24:00",
    "+0130",
    "+01",
    "+01:00:30",
    "-00:00",
    " Z",
    " UTC",
    "Europe/Berlin",
]
DAYS = ["2026-01-31", "0001-01-01", "9999-12-31", "0000-01-01", "2026-02-30", "2026-W05-6", "2026-031", "20260131"]
CLOCKS = ["", "08:30", "08:30:00", "24:00", "24:00:00", "23:59:60", "083000", "8:30", "08:3", "08:30:00.", "08:30:00,5"]
FRACTIONS = ["", ".5", ".1234567", ",123456", ".12345678901", ".12345x", ".1234567x", "."]
SHAPED = st.builds(
    lambda day, between, clock, fraction, zone: f"{day}{between}{clock}{fraction}{zone}",
    st.one_of(st.sampled_from(DAYS), st.dates().map(date.isoformat), st.just("")),
    st.sampled_from(["T", " ", "t", "", "  ", "_", "\ud800", "\u00e9"]),
    st.one_of(st.sampled_from(CLOCKS), st.times().map(time.isoformat), st.just("")),
    st.sampled_from(FRACTIONS),
    st.sampled_from(ZONES),
)
OFFSETS = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
WRITTEN = st.datetimes(timezones=st.none() | OFFSETS).map(datetime.isoformat)
ALPHABET = "0123456789-:.,TZtz+ W\u0661\uff11\ud800\x00"


@st.composite
def altered(draw: st.DrawFn) -> str:
    """A text that is nearly right: a character of it is another, or is left out."""
    said = draw(SHAPED | WRITTEN)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, max(0, len(said) - 1)))
        said = said[:at] + draw(st.sampled_from(["", *ALPHABET])) + said[at + 1 :]
    return said


def outcome(read: Callable[[str], Any], said: str) -> Any:
    try:
        value = read(said)
    except ValueError as refused:
        return str(refused)
    return type(value), value, getattr(value, "tzinfo", None)


@pytest.mark.parametrize("name", WAYS)
@settings(max_examples=1000)
@example(said="2026-01-31T24:00:00")
@example(said="2026-W05-6")
@example(said="2026-W05-6T08:30:00Z")
@example(said="2026-01-31T08:30:00+01:00:30")
@example(said="0001-01-01T00:00:00+01:00")
@example(said="08:30:00+01:00")
@example(said="24:00")
@example(said="08:30:00.1234567x")
@example(said="2026-01-31T00:00:00.1234567x")
@example(said="2026-01-31T00:00:00.1234567xZ")
@example(said="2026-01-31T00:00:00Z+01:00")
@example(said="2026-01-31T00:00:00+01:00Z")
@example(said="9999-12-31T23:59:59-01:00")
@example(said="T08:30")
@given(said=altered() | st.text(alphabet=ALPHABET, max_size=30) | st.text(max_size=12))
def test_both_ways_give_the_same(name: str, said: str) -> None:
    fast, by_rule = WAYS[name]
    assert outcome(fast, said) == outcome(by_rule, said)
