"""Values, times and counts as errors and listings show them."""

from datetime import UTC, datetime
from typing import Any

import msgspec

LONGEST = 60
"""Characters of a value in an error."""
_UNSEEN = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}
_ONE_LINE = _UNSEEN | {code: repr(chr(code))[1:-1] for code in b"\n\r\t"}
_WORDS = {None: "NULL", True: "TRUE", False: "FALSE"}


def show_value(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return _WORDS[value]
    if isinstance(value, msgspec.Raw):
        said = bytes(value).decode(errors="replace")
    else:
        said = repr(value[: LONGEST + 1]) if isinstance(value, str | bytes) else str(value)
    return said if len(said) <= LONGEST else said[: LONGEST - 1] + "…"


def to_printable(message: str) -> str:
    """The message in a form that can be written and shown, whatever it quotes; names may have any character.

    Half a surrogate pair becomes `\\ud83d`, a control character `\\x1b`.
    """
    return message.encode(errors="backslashreplace").decode().translate(_UNSEEN)


def to_one_line(value: object) -> str:
    """A value in one line of a listing: what breaks a line, or a terminal obeys, as `\\n` or `\\x1b`."""
    return str(value).encode(errors="backslashreplace").decode().translate(_ONE_LINE)


def utc_text(milliseconds: int, timespec: str = "milliseconds", sep: str = "T") -> str:
    """Epoch milliseconds as a time in UTC, without its zone: `2026-01-31T08:30:00.000`.

    Beyond the years 1 to 9999, which the timestamp of a record may be, it is the number itself.
    """
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC).replace(tzinfo=None).isoformat(sep, timespec)
    except (ValueError, OverflowError, OSError):
        return str(milliseconds)


def quantity(number: int, noun: str) -> str:
    """`1 partition`, `4 partitions`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
