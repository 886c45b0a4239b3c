"""A listing as people read it: tables on a terminal, tab-separated text elsewhere. Times as people write them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from controlplane.views import Listing, Row
from schemas.shown import one_line

_TIMES = frozenset({"time", "created", "closed", "committed"})
"""Columns that hold epoch milliseconds."""
_CUT = frozenset({"key", "value"})
LEAST = 20
"""Characters of a key or value that are shown on any terminal."""


def draw(listing: Listing) -> None:
    """Tables on the terminal. Keys and values of a dry run are cut at its width; all else is wrapped."""
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
        table = Table(*one.columns, title=title or None, title_justify="left")
        rows = [_cells(row, one.columns) for row in one.rows]
        for cells in _cut(one.columns, rows, console.width) if listing.summary else rows:
            table.add_row(*map(Text, cells))
        console.print(table)


def _cut(columns: tuple[str, ...], rows: list[list[str]], width: int) -> list[list[str]]:
    """Rows whose keys and values are cut to what the other columns leave of the terminal's width."""
    sizes = {name: max(map(len, (name, *cells))) for name, *cells in zip(columns, *rows, strict=True)}
    left = width - 1 - 3 * len(columns) - sum(size for name, size in sizes.items() if name not in _CUT)
    key = min(sizes.get("key", 0), max(LEAST, left // 4))
    most = {"key": key, "value": max(LEAST, left - key)}
    return [
        [_clipped(cell, most.get(name, len(cell))) for name, cell in zip(columns, cells, strict=True)] for cells in rows
    ]


def _clipped(cell: str, most: int) -> str:
    return cell if len(cell) <= most else cell[: most - 1] + "…"


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
            return ", ".join(one_line(f"{key} = {one}") for key, one in value.items())
        case list():
            return ", ".join(map(one_line, value))
        case _:
            return one_line(value)
