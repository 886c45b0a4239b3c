"""Draws the parts of a page at a width.

A table that would break words, or need more lines than blocks, is drawn as one block of lines for each record.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import assert_never

from rich import cells as rich_cells
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text as Styled

from jobplane.controlplane.listings.page import ARROW, Entries, FactList, Grid, Part, Text

GAP = 2
"""Blanks between two columns."""
LEAST = 12
"""The least number of characters shown of a cell that may be cut."""
LONGEST_NAME = 20
"""Characters of the first column that every table has room for; a longer name has a line of its own."""
MOST_CUT = 3
"""The most lines shown of a value that may be cut, if each record is a block."""


def draw(parts: Iterable[Part], console: Console) -> str:
    """The page as text, with an empty line between two parts. Bold if the terminal supports it."""
    with console.capture() as captured:
        for number, part in enumerate(parts):
            if number:
                console.print()
            _print(part, console)
    return "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def _print(part: Part, console: Console) -> None:
    match part:
        case Grid():
            if part.title:
                console.print(Styled(part.title, "bold"), soft_wrap=True)
            sizes = column_sizes(part, console.width)
            if sizes:
                _print_table(part, sizes, console)
            else:
                _print_blocks(part, console)
        case FactList(pairs):
            console.print(_facts(pairs, console.width))
        case Entries(items):
            for heading, text in items:
                console.print(Styled(heading, "bold"))
                console.print(Padding(Styled(text), (0, 0, 0, 4)))
        case Text(text):
            console.print(Styled(text), soft_wrap=True)
        case never:
            assert_never(never)


def column_sizes(grid: Grid, width: int) -> list[int]:
    """Characters of each column at a terminal's width; none where blocks of lines are better."""
    columns = [[name, *cells] for name, *cells in zip(grid.columns, *grid.rows, strict=True)]
    natural = [max(_length(line) for text in cells for line in text.split("\n")) for cells in columns]
    longest = [max(_length(word) for text in cells for word in text.split() or [""]) for cells in columns]
    longest[0] = min(longest[0], LONGEST_NAME) if len(columns) > 1 else longest[0]
    longest[-1] = min(longest[-1], LEAST) if grid.tall else longest[-1]
    least = [
        min(size, max(LEAST, _length(name))) if name in {grid.flow, *grid.elastic} else word
        for name, size, word in zip(grid.columns, natural, longest, strict=True)
    ]
    sizes = fit_sizes(natural, least, width - GAP * (len(columns) - 1))
    return [] if not grid.tall and _lines_of_table(grid, sizes) > _lines_of_blocks(grid, width) else sizes


def _lines_of_table(grid: Grid, sizes: Sequence[int]) -> int:
    """About how many lines the rows take in a table of columns of these sizes."""
    return sum(
        max(
            1 if name in grid.elastic else _height(text, size)
            for name, text, size in zip(grid.columns, cells, sizes, strict=False)
        )
        for cells in grid.rows
        if sizes
    )


def _lines_of_blocks(grid: Grid, width: int) -> int:
    """About how many lines they take as blocks."""
    left = width - max(map(_length, grid.columns)) - GAP
    return sum(1 + sum(_height(text, left) for text in cells if text) for cells in grid.rows)


def fit_sizes(natural: Sequence[int], least: Sequence[int], available: int) -> list[int]:
    """Sizes between `least` and `natural` that fit what is available: the widest give way first. None where none do."""
    if sum(least) > available:
        return []
    low, high = 0, max(natural, default=0)
    while low < high:  # the highest level to which all may be wide
        level = (low + high + 1) // 2
        if sum(_at_level(natural, least, level)) <= available:
            low = level
        else:
            high = level - 1
    sizes = _at_level(natural, least, low)
    for i, size in enumerate(sizes):  # a few characters are left over
        sizes[i] = min(natural[i], size + available - sum(sizes))
    return sizes


def _at_level(natural: Sequence[int], least: Sequence[int], level: int) -> list[int]:
    return [max(low, min(size, level)) for size, low in zip(natural, least, strict=True)]


def _print_table(grid: Grid, sizes: Sequence[int], console: Console) -> None:
    """A name that is longer than its column has a line of its own, and the rest of its record is below."""
    _print_row(grid, grid.columns, sizes, console, "bold")
    _print_row(grid, ["─" * size for size in sizes], sizes, console)
    for cells in grid.rows:
        shown = [
            _cut(text, size) if name in grid.elastic else _cut_flow(text, size) if name == grid.flow else text
            for name, text, size in zip(grid.columns, cells, sizes, strict=True)
        ]
        if _length(shown[0]) > sizes[0]:
            console.print(Styled(shown[0]), soft_wrap=True)
            shown[0] = ""
        _print_row(grid, shown, sizes, console)


def _print_row(grid: Grid, cells: Sequence[str], sizes: Sequence[int], console: Console, style: str = "") -> None:
    wrapped = [
        [line.plain.rstrip() for line in Styled(text).wrap(console, size, overflow="fold")]
        for text, size in zip(cells, sizes, strict=True)
    ]
    for lines in zip_longest(*wrapped, fillvalue=""):
        padded = [
            " " * (size - _length(line)) + line if name in grid.numbers else line + " " * (size - _length(line))
            for name, line, size in zip(grid.columns, lines, sizes, strict=True)
        ]
        console.print(Styled((" " * GAP).join(padded).rstrip(), style), soft_wrap=True)


def _print_blocks(grid: Grid, console: Console) -> None:
    """Each record as lines of a name and a value; empty values are left out."""
    left = max(map(_length, grid.columns)) + GAP
    most = MOST_CUT * max(LEAST, console.width - left)
    for number, cells in enumerate(grid.rows):
        if number:
            console.print()
        pairs = [
            (name, _cut(text, most) if name in grid.elastic else text)
            for name, text in zip(grid.columns, cells, strict=True)
            if text
        ]
        console.print(_facts(pairs, console.width, left))


def _facts(pairs: Sequence[tuple[str, str]], width: int, left: int = 0) -> Table:
    left = left or max(_length(name) for name, _ in pairs) + GAP
    table = Table.grid(padding=(0, GAP, 0, 0), pad_edge=False)
    table.add_column(width=left - GAP, style="bold", no_wrap=True)
    table.add_column(width=max(1, width - left), overflow="fold")
    for name, text in pairs:
        table.add_row(Styled(name), Styled(text))
    return table


def _cut(text: str, size: int) -> str:
    return text if _length(text) <= size else rich_cells.chop_cells(text, size - 1)[0] + "…"


def _cut_flow(text: str, size: int) -> str:
    """Its first line, such that source and sink are both seen; lines below are wrapped, not cut."""
    line, *below = text.split("\n")
    source, _, sink = line.partition(ARROW)
    if _length(line) > size:
        left, right = fit_sizes([_length(source), _length(sink)], [1, 1], size - len(ARROW))
        line = f"{_cut(source, left)}{ARROW}{_cut(sink, right)}"
    return "\n".join([line, *below])


def _length(text: str) -> int:
    """Columns of a terminal: a Chinese character takes two."""
    return rich_cells.cell_len(text)


def _height(text: str, size: int) -> int:
    return sum(max(1, math.ceil(_length(line) / max(1, size))) for line in text.split("\n"))
