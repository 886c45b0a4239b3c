"""A listing as people read it: tables on a terminal, tab-separated text elsewhere. Times as people write them."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from controlplane.views import Listing, Row

_TIMES = frozenset({"time", "created", "closed", "committed"})
"""Columns that hold epoch milliseconds."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ESCAPED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
"""A value has one line, and no tabs."""


def draw(listing: Listing) -> None:
    """Tables on the terminal. A dry run's rows are cut at its width; all others are wrapped."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if listing.about and not listing.summary:
        about = Table(show_header=False)
        for name in listing.about:
            about.add_row(name, Text(_cell(name, listing.about[name])))
        console.print(about)
    for title, one in _tables(listing):
        table = Table(title=title or None, title_justify="left")
        for column in one.columns:
            table.add_column(column, no_wrap=bool(listing.summary), overflow="ellipsis" if listing.summary else "fold")
        for row in one.rows:
            table.add_row(*(Text(cell) for cell in _cells(row, one.columns)))
        console.print(table)


def text(listing: Listing) -> str:
    """`name TAB value` lines about the whole, an empty line, then a header and a line a row.

    Other tables follow after an empty line. Control characters in a value are written `\\n`, `\\t`, `\\x00`.
    """
    about = {} if listing.summary else listing.about
    parts = ["".join(f"{name}\t{_cell(name, value)}\n" for name, value in about.items())] if about else []
    tables = [one for _, one in _tables(listing)]
    if not tables and not listing.summary:
        tables = [listing]
    for one in tables:
        lines = ["\t".join(one.columns), *("\t".join(_cells(row, one.columns)) for row in one.rows)]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _tables(listing: Listing) -> Iterator[tuple[str, Listing]]:
    """Those that are shown, with their titles: an empty one only where it is the whole answer."""
    if listing.columns and (listing.rows or listing.summary or not listing.about):
        yield "", listing
    for title, other in listing.others.items():
        if other.rows:
            yield title, other


def _cells(row: Row, columns: tuple[str, ...]) -> list[str]:
    return [_cell(one, row.get(one)) for one in columns]


def _cell(name: str, value: Any) -> str:
    match value:
        case None:
            return ""
        case int() if name in _TIMES:
            return datetime.fromtimestamp(value / 1000, UTC).isoformat(timespec="milliseconds")
        case dict():
            return ", ".join(f"{key} = {one}" for key, one in value.items())
        case list():
            return ", ".join(map(str, value))
        case _:
            return _CONTROL.sub(lambda found: _ESCAPED.get(found[0], f"\\x{ord(found[0]):02x}"), str(value))
