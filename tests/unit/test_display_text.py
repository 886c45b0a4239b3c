"""What is shown to people never breaks a line and never commands a terminal."""

import pytest

from jobplane.controlplane.cli.log import _text_line
from jobplane.controlplane.listings.rows import Listing
from jobplane.controlplane.listings.tables import text
from jobplane.controlplane.log.events_topic import Entry
from jobplane.schemas.records.events import Cause, CommandRefused, Event
from jobplane.schemas.shown import quantity, to_one_line, utc_text

HOSTILE = "a\n\t\r\x1b[31m\x9b\x00é\ud83d"
SHOWN = r"a\n\t\r\x1b[31m\x9b\x00é\ud83d"


def test_what_breaks_a_line_or_a_terminal_obeys_is_escaped() -> None:
    assert to_one_line(HOSTILE) == SHOWN
    assert to_one_line(7) == "7"


def test_listings_and_events_escape_alike() -> None:
    assert text(Listing(("job",), [{"job": HOSTILE}, {"job": [HOSTILE]}])) == f"job\n{SHOWN}\n{SHOWN}\n"
    refused = CommandRefused("syntax", "no such thing", 1, 1, 7)
    entry = Entry(3, 0, HOSTILE, Event(1, 0, Cause("commands", 3, 4, issued_by="me\x1b[2J"), refused))
    assert (
        _text_line(entry) == rf"1970-01-01T00:00:00.000Z 3 1 {SHOWN} CommandRefused me\x1b[2J syntax 1:1 no such thing"
    )


def test_a_time_that_no_calendar_has_is_a_number() -> None:
    assert utc_text(0) == "1970-01-01T00:00:00.000"
    assert utc_text(1_769_848_200_000, "seconds", " ") == "2026-01-31 08:30:00"
    assert [utc_text(one) for one in (10**15, -(10**15), 2**63 - 1)] == [
        "1000000000000000",
        "-1000000000000000",
        "9223372036854775807",
    ]
    assert text(Listing(("time",), [{"time": 10**15}])) == "time\n1000000000000000+00:00\n"


@pytest.mark.parametrize("name", ["time", "committed", "watermark"])
def test_times_are_read_as_times(name: str) -> None:
    assert text(Listing((name,), [{name: 1_769_848_200_000}])) == f"{name}\n2026-01-31T08:30:00.000+00:00\n"


def test_one_thing_is_told_from_several() -> None:
    assert [quantity(number, "record") for number in (0, 1, 2, 1_000)] == [
        "0 records",
        "1 record",
        "2 records",
        "1,000 records",
    ]
