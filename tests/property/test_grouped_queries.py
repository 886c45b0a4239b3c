"""Queries with groups mean what DuckDB says they mean, however the records are divided into batches and partitions."""

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

import duckdb
from confluent_kafka import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from jobplane.sql.codegen.compile import Wiring
from jobplane.sql.codegen.groups import CompiledGroups, compile_groups
from jobplane.sql.plan.plan import plan
from jobplane.sql.syntax.parser import parse_insert
from tests.support.grouping import JSON_KEYS
from tests.support.rows import mapping

MAPPINGS = {"s": mapping("CREATE MAPPING s (a BIGINT, b VARCHAR, x BIGINT, y BOOLEAN) TYPE Kafka"), "u": None}
"""With declared columns, and without: `u` is a topic."""
KEYS = ("a", "b", "UPPER(b)", "a + 1", "a % 2", "COALESCE(b, 'none')", "CASE WHEN x > 2 THEN 'large' ELSE b END")
NUMBERS = ("COUNT(*)", "COUNT(x)", "SUM(x)", "MIN(x)", "MAX(x)", "COUNT(DISTINCT x)", "SUM(DISTINCT x)", "MAX(x + a)")
FILTERS = ("x > 0", "y", "b = 'p' OR a IS NULL")
HAVINGS = ("COUNT(*) > 1", "MAX(x) > 2", "SUM(x) IS NOT NULL AND MIN(x) < 3")
CONDITIONS = ("x <> 3", "y OR a > 0", "b IS NOT NULL")


@dataclass(frozen=True, slots=True)
class Case:
    source: str
    keys: tuple[str, ...]
    columns: tuple[str, ...]
    where: str
    having: str
    named: bool
    distinct: bool

    @property
    def select(self) -> str:
        """The part that both dialects have in common. Keys are grouped by as expressions, by their names or numbers."""
        items = [f"{one} AS k{i}" for i, one in enumerate(self.keys)]
        items += [f"{one} AS c{i}" for i, one in enumerate(self.columns)]
        where = f" WHERE {self.where}" if self.where else ""
        text = f"SELECT {'DISTINCT ' if self.distinct else ''}{', '.join(items)} FROM {self.source}{where}"
        if self.distinct:
            return text
        by = [f"k{i}" if self.named else one if i % 2 else str(i + 1) for i, one in enumerate(self.keys)]
        group = f" GROUP BY {', '.join(by)}" if by else ""
        return text + group + (f" HAVING {self.having}" if self.having else "")


@st.composite
def cases(draw: st.DrawFn) -> Case:
    distinct = draw(st.booleans()) and draw(st.booleans())
    keys = draw(st.lists(st.sampled_from(KEYS), unique=True, min_size=int(distinct), max_size=3))
    columns = [] if distinct else draw(st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=4))
    filtered = [
        f"{one} FILTER (WHERE {draw(st.sampled_from(FILTERS))})" if draw(st.booleans()) else one for one in columns
    ]
    where = draw(st.sampled_from(("", *CONDITIONS)))
    having = "" if distinct else draw(st.sampled_from(("", "", *HAVINGS)))
    return Case(
        draw(st.sampled_from(("s", "u"))), tuple(keys), tuple(filtered), where, having, draw(st.booleans()), distinct
    )


RECORD = st.fixed_dictionaries({
    "a": st.none() | st.integers(-2, 3),
    "b": st.none() | st.sampled_from(["p", "P", "q"]),
    "x": st.none() | st.integers(-4, 5),
    "y": st.none() | st.booleans(),
})  # fmt: skip


@cache
def compiled(case: Case) -> CompiledGroups:
    sources = {name: one for name, one in MAPPINGS.items() if one is not None}
    planned = plan(parse_insert(f"INSERT INTO out {case.select}"), sources, mapping(JSON_KEYS))
    return compile_groups(planned, Wiring("out", 1, {case.source: case.source}, {case.source: 0}))


def latest(case: Case, parts: list[list[dict[str, Any]]], size: int) -> list[dict[str, Any]]:
    """What a compacted topic holds in the end, emitted after every `size` records."""
    state = compiled(case).state((case.source, i) for i in range(len(parts)))
    table: dict[bytes | None, bytes | None] = {}

    def keep(*record: Any) -> None:
        table[record[2]] = record[1]

    waiting = [
        Message(case.source, i, o, None, json.dumps(one).encode(), None, None, (1, 1))
        for i, part in enumerate(parts)
        for o, one in enumerate(part)
    ]
    for at in range(0, len(waiting), size):
        state.absorb(iter(waiting[at : at + size]), keep, keep)
        state.emit(keep, keep)
    return [json.loads(value) for value in table.values() if value is not None]


@cache
def connection() -> duckdb.DuckDBPyConnection:
    made = duckdb.connect(config={"threads": 1})
    made.execute("CREATE TABLE s (a BIGINT, b VARCHAR, x BIGINT, y BOOLEAN)")
    made.execute("CREATE VIEW u AS SELECT * FROM s")
    return made


def answer_of_duckdb(case: Case, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    connection().execute("DELETE FROM s")
    if records:
        connection().executemany("INSERT INTO s VALUES ($a, $b, $x, $y)", records)
    found = connection().execute(case.select)
    names = [one[0] for one in found.description or ()]
    rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    where = f" WHERE {case.where}" if case.where else ""
    met = connection().execute(f"SELECT COUNT(*) FROM s{where}").fetchone()
    return rows if met and met[0] else []  # a group without rows is not written


@settings(deadline=None)
@given(cases(), st.lists(st.lists(RECORD, max_size=12), min_size=1, max_size=3), st.integers(1, 9))
def test_groups_mean_what_duckdb_says(case: Case, parts: list[list[dict[str, Any]]], size: int) -> None:
    ours = latest(case, parts, size)
    theirs = answer_of_duckdb(case, [one for part in parts for one in part])
    assert sorted(map(repr, ours)) == sorted(map(repr, theirs)), case.select
