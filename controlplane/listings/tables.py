"""Writes a listing as tab-separated text, for scripts and files. Times are in ISO-8601. Pure."""

from collections.abc import Iterator
from typing import Any

from jobplane.controlplane.listings.rows import Listing, Row, Screen
from jobplane.schemas.shown import to_one_line, utc_text

TIMES = frozenset(
    {"time", "created", "closed", "committed", "watermark", "oldest_window_end", "held_back_since", "silent_since"}
)
"""Columns that hold epoch milliseconds."""


def text(listing: Listing) -> str:
    """`name TAB value` lines of `about`, an empty line, then a header and one line for each row.

    Other tables follow after an empty line. Control characters in a value are written `\\n`, `\\t`, `\\x00`. If the
    answer is a statement only, it is printed unchanged, with a `;`, so that it can be run.
    """
    if listing.screen is Screen.STATEMENT:
        return "".join(f"{row['statement']};\n" for row in listing.rows)
    for_programs = listing.summary or listing.screen is Screen.PLAN
    about = {} if for_programs else listing.about
    parts = ["".join(f"{name}\t{cell(name, value)}\n" for name, value in about.items())] if about else []
    tables = [one for _, one in tables_of(listing)]
    if not tables and not listing.summary:
        tables = [listing]
    for one in tables:
        lines = ["\t".join(one.columns), *("\t".join(_cells(row, one.columns)) for row in one.rows)]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def tables_of(listing: Listing) -> Iterator[tuple[str, Listing]]:
    """The tables to show, with their titles; an empty table only if it is the entire answer."""
    if listing.columns and (listing.rows or listing.summary or not listing.about):
        yield "", listing
    for title, other in listing.others.items():
        if other.rows:
            yield title, other


def _cells(row: Row, columns: tuple[str, ...]) -> list[str]:
    return [cell(one, row.get(one)) for one in columns]


def cell(name: str, value: Any) -> str:
    match value:
        case None:
            return ""
        case int() if name in TIMES:
            return f"{utc_text(value)}+00:00"
        case dict():
            return ", ".join(to_one_line(f"{key} = {one}") for key, one in value.items())
        case list():
            return ", ".join(map(to_one_line, value))
        case _:
            return to_one_line(value)
