"""What is shown to people never breaks a line and never commands a terminal."""

from controlplane.cli_log import _as_text
from controlplane.journal import Entry
from controlplane.tables import text
from controlplane.views import Listing
from schemas.events import Cause, CommandRefused, Event
from schemas.shown import one_line

HOSTILE = "a\n\t\r\x1b[31m\x9b\x00é\ud83d"
SHOWN = r"a\n\t\r\x1b[31m\x9b\x00é\ud83d"


def test_what_breaks_a_line_or_a_terminal_obeys_is_escaped() -> None:
    assert one_line(HOSTILE) == SHOWN
    assert one_line(7) == "7"


def test_listings_and_events_escape_alike() -> None:
    assert text(Listing(("job",), [{"job": HOSTILE}, {"job": [HOSTILE]}])) == f"job\n{SHOWN}\n{SHOWN}\n"
    refused = CommandRefused("syntax", "no such thing", 1, 1, 7)
    entry = Entry(3, 0, HOSTILE, Event(1, 0, Cause("commands", 3, 4, issued_by="me\x1b[2J"), refused))
    assert _as_text(entry) == rf"1970-01-01T00:00:00.000Z 3 1 {SHOWN} CommandRefused me\x1b[2J syntax 1:1 no such thing"
