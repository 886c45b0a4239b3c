"""What a terminal shows of a listing: tables, facts and texts for people. Pure; `drawing` fits them to the width.

Piped text and JSON are for scripts, in a stable form: see `tables`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from jobplane.controlplane.listings.rows import Listing, Row, Screen
from jobplane.controlplane.listings.tables import TIMES, cell, tables_of
from jobplane.schemas.errors import Refused
from jobplane.schemas.shown import quantity, to_one_line, to_printable, utc_text
from jobplane.sql.syntax.parser import parse, parse_insert, parse_job
from jobplane.sql.syntax.render.lines import render_lines, render_set

_COUNTS = frozenset({"lag", "rate", "rate_in", "rate_out", "state_bytes", "groups", "late", "open_windows"})
"""Columns whose numbers people compare; all other numbers are names, and are written without commas."""
_DURATIONS = frozenset({"watermark_spread"})
"""Columns of milliseconds."""
_STATEMENTS = frozenset({"statement", "query"})
_SOME_JOB = "CREATE JOB j AS "
"""Makes a statement of a set."""
UNKNOWN = "-"
AGO = "ago"
ARROW = " → "
FLOW = f"source{ARROW}sink"


@dataclass(frozen=True, slots=True)
class Grid:
    """A table. Cells of `elastic` columns may be cut, of `flow` the names beside its arrow; others are shown in full.

    `tall`: it stays a table however many lines its last column takes, in which words may be broken.
    """

    columns: tuple[str, ...]
    rows: list[list[str]]
    title: str = ""
    numbers: frozenset[str] = frozenset()
    elastic: frozenset[str] = frozenset()
    flow: str = ""
    tall: bool = False


@dataclass(frozen=True, slots=True)
class FactList:
    """Names, each with its value, which may have several lines."""

    pairs: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Entries:
    """Headings, each with a sentence or two below it."""

    items: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Text:
    """Text to be copied: its lines are not wrapped."""

    text: str


Part = Grid | FactList | Entries | Text


def page(listing: Listing, now: int, *, ended: bool = False) -> list[Part]:
    """The parts from top to bottom. `now` is in epoch milliseconds; `ended` shows jobs that have ended too."""
    if listing.screen is Screen.JOBS:
        return _jobs(listing.rows, now, ended_too=ended)
    return _PAGES[listing.screen](listing, now)


def age(milliseconds: int) -> str:
    """A duration in its largest unit: `3 m`. A negative duration, from two clocks, is 0."""
    seconds = max(0, milliseconds) // 1000
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def _tables(listing: Listing, now: int) -> list[Part]:
    parts: list[Part] = [_facts(listing.about, now)] if listing.about else []
    parts += [_grid(one.columns, one.rows, now, title) for title, one in tables_of(listing) if one.rows]
    return parts or [Text("none")]


def _jobs(rows: list[Row], now: int, *, ended_too: bool) -> list[Part]:
    live = [row for row in rows if not row["closed"]]
    ended = [row for row in rows if row["closed"]]
    parts: list[Part] = [_live_jobs(live, now)] if live else [Text("no live jobs" if ended else "no jobs")]
    if ended and ended_too:
        parts.append(_ended_jobs(ended, now))
    elif ended:
        parts.append(Text(f"{quantity(len(ended), 'ended job')}: --all shows {'it' if len(ended) == 1 else 'them'}"))
    return parts


def _live_jobs(rows: list[Row], now: int) -> Grid:
    columns = ("name", "status", "lag", "rate", "age", FLOW)
    cells = [
        [
            to_one_line(row["name"]),
            row["status"],
            _format_count(row["lag"]),
            _format_count(row["rate"]),
            age(now - row["created"]),
            "\n".join(filter(None, (_flow(row), _cause(row)))),
        ]
        for row in rows
    ]
    return Grid(columns, cells, numbers=frozenset({"lag", "rate", "age"}), flow=FLOW)


def _ended_jobs(rows: list[Row], now: int) -> Grid:
    cells = [
        [
            to_one_line(row["name"]),
            row["status"],
            _format_time(row["closed"], "seconds"),
            age(now - row["closed"]),
            _cause(row) or _ENDS.get(row["status"], ""),
        ]
        for row in rows
    ]
    return Grid(("name", "status", "ended", AGO, "why"), cells, "ended jobs", frozenset({AGO}))


_ENDS = {"CANCELLED": "dropped", "COMPLETED": "reached stopAt"}
"""Why a job ended without a failure."""


def _flow(row: Row) -> str:
    return f"{', '.join(map(to_one_line, row['sources']))}{ARROW}{', '.join(map(to_one_line, row['sinks']))}"


def _cause(row: Row) -> str:
    """A failure in few words."""
    code, at = row["failure_code"], row["failure_at"]
    return to_one_line(f"{code} at {at}" if at else code)


def _job(listing: Listing, now: int) -> list[Part]:
    """DESCRIBE JOB: facts, the query last, then a row for each task, and for each source a row for each partition."""
    about = {name: value for name, value in listing.about.items() if name not in _SHOWN_ELSEWHERE}
    about["query"] = listing.about["query"]
    tasks = list({row["task"]: row | {"state_bytes": row["state_bytes"] or None} for row in listing.rows}.values())
    partitions: dict[str, list[Row]] = {}
    for row in listing.rows:
        topic, _, partition = (row["partition"] or "").rpartition("-")
        if topic:
            partitions.setdefault(topic, []).append(row | {"partition": int(partition)})
    return [
        _facts(about, now),
        _grid(_TASK_COLUMNS, tasks, now, "tasks", only_ago=True),
        *(
            _grid(_PARTITION_COLUMNS, rows, now, f"partitions of {to_one_line(name)}", only_ago=True)
            for name, rows in partitions.items()
        ),
    ]


_TASK_COLUMNS = ("task", "status", "rate_in", "rate_out", "committed", "state_bytes", "worker", "trouble")
_PARTITION_COLUMNS = ("partition", "task", "position", "end", "lag", "watermark", "silent_since")
_SHOWN_ELSEWHERE = frozenset({"query", "failure_code", "failure_at"})
"""The failure text already contains its code and place, so their own columns are left out."""


def _history(listing: Listing, now: int) -> list[Part]:
    """SHOW HISTORY, without the fields for programs: a table for each job that had the name."""
    columns = ("offset", "time", "event", "status", "detail")
    jobs: dict[str, list[list[str]]] = {}
    for row in listing.rows:
        shown = row | {"time": _format_time(row["time"], "seconds"), "detail": _detail(row)}
        jobs.setdefault(row["uid"], []).append([str(shown[name]) for name in columns])
    return [
        Grid(columns, cells, f"job {uid}" if len(jobs) > 1 else "", numbers=frozenset({"offset"}), tall=True)
        for uid, cells in jobs.items()
    ]


def _detail(row: Row) -> str:
    """The event, with the issuer if a command caused it."""
    by = f"by {to_one_line(row['issued_by'])}" if row["command_id"] and row["issued_by"] else ""
    return "\n".join(filter(None, (to_one_line(row["detail"] or ""), by)))


def _functions(listing: Listing, now: int) -> list[Part]:
    return [
        Entries(
            [
                (row["signature"], f"{row['meaning']} ({row['package']})" if row["package"] else row["meaning"])
                for row in listing.rows
            ]
        )
    ]


def _plan(listing: Listing, now: int) -> list[Part]:
    """EXPLAIN: the parts of the plan, then the generated code."""
    facts = [(row["part"], to_one_line(row["detail"])) for row in listing.rows if row["part"] != "code"]
    code = [to_printable(row["detail"]) for row in listing.rows if row["part"] == "code"]
    return [FactList(facts), *([Text("\n".join(code))] if code else [])]


def _statement(listing: Listing, now: int) -> list[Part]:
    return [Text("\n".join(_lines(row["statement"])) + ";") for row in listing.rows]


def _records(listing: Listing, now: int) -> list[Part]:
    """Keys and values of records are cut; `-o json` has them in full."""
    return [
        _grid(one.columns, one.rows, now, title, elastic=frozenset({"key", "value"}))
        for title, one in tables_of(listing)
        if one.rows
    ]


_PAGES: Mapping[Screen, Callable[[Listing, int], list[Part]]] = {
    Screen.TABLE: _tables,
    Screen.JOB: _job,
    Screen.HISTORY: _history,
    Screen.FUNCTIONS: _functions,
    Screen.PLAN: _plan,
    Screen.STATEMENT: _statement,
    Screen.RECORDS: _records,
}


def _facts(about: Row, now: int) -> FactList:
    """The facts that have a value. A statement is split into lines by `render_lines`."""
    pairs = [
        (name, "\n".join(_lines(value)) if name in _STATEMENTS else _format_value(name, value, now))
        for name, value in about.items()
    ]
    return FactList([(name, text) for name, text in pairs if text])


def _lines(statement: str) -> list[str]:
    try:
        if statement.startswith("BEGIN"):
            return [to_printable(line) for line in render_set(parse_job(f"{_SOME_JOB}{statement}").inserts)]
        parsed = parse_insert(statement) if statement.startswith(("INSERT", "SINK")) else parse(statement)
    except Refused:  # written by another version
        return [to_printable(statement)]
    return [to_printable(line) for line in render_lines(parsed)]


def _grid(
    columns: Iterable[str],
    rows: list[Row],
    now: int,
    title: str = "",
    *,
    elastic: frozenset[str] = frozenset(),
    only_ago: bool = False,
) -> Grid:
    """Leaves out a column that has no value in any row. A column after a time says how long ago it was.

    `only_ago`: the time's own column shows only that. A list may be cut; DESCRIBE shows it in full.
    """
    kept: list[str] = []
    cells: list[list[str]] = [[] for _ in rows]
    numbers = set()
    for name in columns:
        values = [row.get(name) for row in rows]
        if all(value in _NOTHING for value in values):
            continue
        if name not in TIMES:
            _append(kept, cells, name, [_format_value(name, value, now) for value in values])
            if all(map(_is_number, values)):
                numbers.add(name)
            continue
        if not only_ago:
            _append(kept, cells, name, ["" if value is None else _format_time(value, "seconds") for value in values])
            _append(kept, cells, AGO, ["" if value is None else age(now - value) for value in values])
            numbers.add(AGO)
        else:
            _append(kept, cells, name, ["" if value is None else f"{age(now - value)} ago" for value in values])
    lists = {name for name in kept if any(isinstance(row.get(name), list) for row in rows)}
    return Grid(tuple(kept), cells, title, frozenset(numbers), elastic | lists)


def _append(columns: list[str], rows: list[list[str]], name: str, cells: Iterable[str]) -> None:
    columns.append(name)
    for row, text in zip(rows, cells, strict=True):
        row.append(text)


_NOTHING: tuple[Any, ...] = (None, "", [], {})


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _format_value(name: str, value: Any, now: int) -> str:
    if value is None:
        return ""
    if name in TIMES:
        away = f"{age(now - value)} ago" if value <= now else f"in {age(value - now)}"
        return f"{_format_time(value)} ({away})"
    if name in _DURATIONS:
        return age(value)
    return _format_count(value) if name in _COUNTS else cell(name, value)


def _format_time(value: int, timespec: str = "milliseconds") -> str:
    """The time in the form that AS OF TIMESTAMP takes."""
    return f"{utc_text(value, timespec)}Z"


def _format_count(value: float | None) -> str:
    if value is None:
        return UNKNOWN
    return f"{value:,.1f}" if 0 < value < 10 and value != int(value) else f"{value:,.0f}"
