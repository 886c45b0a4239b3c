"""A listing as people read it: tables on a terminal, tab-separated text elsewhere. Times as people write them."""

from datetime import UTC, datetime
from typing import Any

from controlplane.views import Listing, Row

_TIMES = frozenset({"time", "created", "closed", "committed"})
"""Columns that hold epoch milliseconds."""


def draw(listing: Listing) -> None:
    """Tables on the terminal."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if listing.about:
        about = Table(show_header=False)
        for name in listing.about:
            about.add_row(name, Text(_cell(name, listing.about[name])))
        console.print(about)
    table = Table(*listing.columns)
    for row in listing.rows:
        table.add_row(*(Text(cell) for cell in _cells(row, listing.columns)))
    if listing.rows or not listing.about:
        console.print(table)


def text(listing: Listing) -> str:
    """`name TAB value` lines about the whole, an empty line, then a header and a line a row."""
    lines = ["\t".join((name, _cell(name, value))) for name, value in listing.about.items()]
    lines += [""] if lines else []
    lines += ["\t".join(listing.columns), *("\t".join(_cells(row, listing.columns)) for row in listing.rows)]
    return "\n".join(lines) + "\n"


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
            return str(value)
