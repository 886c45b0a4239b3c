"""Whatever its length and depth, a query is compiled or refused: nothing else comes of it."""

import pytest

from jobplane.schemas.errors import Refused
from jobplane.sql.codegen.compile import Wiring, compile_step
from jobplane.sql.plan.plan import plan
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parser import parse

WIRING = Wiring("out", 1, {"s": "s"}, {"s": 0})
DOUBLED = ", ".join(f"t{i} AS (SELECT a FROM t{i - 1} UNION ALL SELECT a FROM t{i - 1})" for i in range(1, 30))
CHAINED = ", ".join(f"t{i} AS (SELECT a || a AS a FROM t{i - 1})" for i in range(1, 39))
QUERIES = {
    "many joined": "SELECT " + " || ".join(["a"] * 2000) + " AS x FROM s",
    "many choices": "SELECT CASE " + " ".join(f"WHEN a = {i} THEN {i}" for i in range(500)) + " END AS x FROM s",
    "many arguments": f"SELECT COALESCE({', '.join(['a'] * 2000)}) AS x FROM s",
    "many items": f"SELECT * FROM s WHERE a IN ({', '.join(f'c{i}' for i in range(2000))})",
    "conditions in conditions": "SELECT * FROM s WHERE " + "(a OR (b AND " * 18 + "c" + "))" * 18,
    "calls in calls": "SELECT " + "COALESCE(" * 38 + "a" + ", 1)" * 38 + " AS x FROM s",
    "queries in queries": "SELECT a FROM " + "(SELECT a + 1 AS a FROM " * 38 + "s" + ") AS t" * 38,
    "queries named": f"WITH t0 AS (SELECT a FROM s), {CHAINED} SELECT a FROM t38",
    "fields in fields": "SELECT a" + ".b" * 39 + " AS x FROM s",
    "fields of one object": f"SELECT {', '.join(f'a.b.c{i}' for i in range(2000))} FROM s",
    "elements in elements": "SELECT a" + "[1]" * 39 + " AS x FROM s",
    "loops": "SELECT 1 AS x FROM s " + " ".join(f"CROSS JOIN UNNEST(a{i}) AS e{i}" for i in range(12)),
}
DOUBLING = {"texts": "x || x", "arrays": "ARRAY[x, x]", "numbers": "x + x"}


def doubled(item: str, times: int = 36) -> str:
    """Each SELECT names the column below it twice, or more often."""
    return "SELECT x FROM " + f"(SELECT {item} AS x FROM " * times + "s" + ")" * times


QUERIES |= {f"{name} doubled": doubled(item) for name, item in DOUBLING.items()}
REFUSED = {
    "rows doubled": (doubled("ROW(x, x)"), "nested-too-deep"),
    "what is of no known type doubled": (doubled("COALESCE(x, x)"), "nested-too-deep"),
    "choices doubled": (doubled("CASE WHEN x = x THEN x ELSE x END"), "nested-too-deep"),
    "NULLIF doubled": (doubled("NULLIF(x, x)"), "nested-too-deep"),
    "types just too deep": (f"SELECT CAST(a AS {'ARRAY<' * 110}BIGINT{'>' * 110}) AS x FROM s", "nested-too-deep"),
    "choices in choices": (
        "SELECT " + "CASE WHEN a THEN " * 60 + "1" + " END" * 60 + " AS x FROM s",
        "nested-too-deep",
    ),
    "types in types": (f"SELECT CAST(a AS {'ARRAY<' * 300}BIGINT{'>' * 300}) AS x FROM s", "nested-too-deep"),
    "branches doubled": (f"WITH t0 AS (SELECT a FROM s), {DOUBLED} SELECT a FROM t29", "statement-too-large"),
    "too many fields": ("SELECT a" + ".b" * 41 + " AS x FROM s", "nested-too-deep"),
    "too many loops": (QUERIES["loops"] + " CROSS JOIN UNNEST(b) AS c", "nested-too-deep"),
    "a long pattern": (f"SELECT a LIKE '{'%a' * 20000}' AS x FROM s", "type-mismatch"),
    "an endless pattern": ("SELECT REGEXP_LIKE(a, '((a{100}){100}){100}') AS x FROM s", "type-mismatch"),
}


def compiled(query: str) -> None:
    statement = parse(f"CREATE JOB j AS INSERT INTO out {query}")
    assert isinstance(statement, statements.CreateJob)
    compile_step(plan(statement.inserts[0]), WIRING)


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_long_and_deep_queries_are_compiled(query: str) -> None:
    compiled(query)


@pytest.mark.parametrize(("query", "code"), REFUSED.values(), ids=REFUSED)
def test_longer_and_deeper_ones_are_refused(query: str, code: str) -> None:
    with pytest.raises(Refused) as refused:
        compiled(query)
    assert refused.value.code == code
