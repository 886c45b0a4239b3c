"""Expressions mean what DuckDB says they mean, but for the DIFFERENCES; and types declared change no meaning."""

import math
import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest
from confluent_kafka import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from jobplane.schemas.errors import TypeMismatch
from jobplane.schemas.failures import BadRecord
from jobplane.schemas.msgspec_types import convert, json_decoder
from jobplane.schemas.records.mappings import TopicMapping
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type
from jobplane.sql.codegen.compile import Step, Wiring, compile_step
from jobplane.sql.mapping import build_mapping
from jobplane.sql.plan.plan import plan
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parser import parse
from tests.support import shared_functions, two_dialects
from tests.support.two_dialects import COLUMNS, DAYS, TEXTS, Expr, expressions

DIFFERENCES = {
    "finite(v)": (
        "CASE WHEN isfinite(v) THEN v WHEN v IS NOT NULL THEN error('not finite') END",
        "JSON has neither infinity nor NaN: a DOUBLE beyond its range, or divided by zero, is an error",
    ),
    "half_up(v)": ("round(v)", "CAST rounds halves of a DOUBLE away from zero as it does for DECIMAL, DuckDB to even"),
    "shortest(v)": ("CAST(v AS VARCHAR)", "a DOUBLE becomes the DECIMAL that it prints as, and back"),
    "nearest(v)": (
        "CAST(CAST(v AS VARCHAR) AS DOUBLE)",
        "a DECIMAL becomes the nearest DOUBLE; DuckDB divides doubles",
    ),
    "bigint_text(v, safe)": (
        "text_like(trim(v), safe, '[+-]?[0-9]{1,40}')",
        "text of a whole number is digits alone: DuckDB also takes 1e3, 1_000, 0x1F and rounds 2.5",
    ),
    "integer_text(v, safe)": ("bigint_text(v, safe)", "as for BIGINT"),
    "decimal_text(v, safe)": (
        "text_like(trim(v), safe, '[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]{1,4})?')",
        "text of a number has neither _ nor words: DuckDB also takes 1_000, inf and nan",
    ),
    "double_text(v, safe)": (
        "CASE WHEN isfinite(TRY_CAST(decimal_text(v, safe) AS DOUBLE)) THEN v ELSE no_value(v, safe) END",
        "text of a DOUBLE beyond its range is an error, as it is no value of JSON",
    ),
    "boolean_text(v, safe)": (
        "text_like(lower(trim(v)), safe, 'true|false')",
        "text of a BOOLEAN is true or false, with spaces round it: DuckDB also takes t, yes and 1",
    ),
    "date_text(v, safe)": (
        "text_like(trim(v), safe, '[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}')",
        "text of a DATE has no time of day, which DuckDB cuts off, and four digits of a year",
    ),
    "timestamp_text(v, safe)": (
        "text_like(trim(v), safe, '[0-9]{4}(-[0-9]{1,2}){2}([T ]+[0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?)?')",
        "text of a TIMESTAMP has no zone, which DuckDB applies, and four digits of a year",
    ),
    "iso(v)": (
        "replace(strftime(v, '%Y-%m-%dT%H:%M:%S.%f'), '.000000', '')",
        "a TIMESTAMP is written as ISO 8601 has it, with a T and all six digits or none",
    ),
    "in_years(v)": (
        "CASE WHEN v IS NULL OR year(v) BETWEEN 1 AND 9999 THEN v ELSE error('years') END",
        "years go from 1 to 9999, beyond is an error; a DATE and months is a DATE",
    ),
    "days_between(v, w)": ("to_days(CAST(v - w AS INTEGER))", "DATE - DATE is an interval, as in the standard"),
    "whole_epoch(v)": ("CAST(epoch(date_trunc('second', v)) AS BIGINT)", "EXTRACT gives whole numbers, EPOCH too"),
    "either_way(v, w, x)": ("(v BETWEEN w AND x OR v BETWEEN x AND w)", "DuckDB has no BETWEEN SYMMETRIC"),
    "escaped(v, w)": (
        "CASE WHEN regexp_full_match(ifnull(w, ''), '(?s)([^!]|![!%_])*') THEN v LIKE w ESCAPE '!' ELSE error('') END",
        "an escape stands before %, _ or itself, else it is an error, as in the standard",
    ),
    "element(v, w)": ("CASE WHEN w > 0 THEN v[w] END", "no element has a number below 1: DuckDB counts from the end"),
    "joined(v, w)": (
        "CASE WHEN v IS NOT NULL AND w IS NOT NULL THEN v || w END",
        "an array joined with NULL is NULL, as with text: DuckDB takes NULL for an empty one",
    ),
    "as_it_is(v)": ("v", "FLOOR, CEIL, TRUNC and ROUND leave a whole number: DuckDB makes it a DOUBLE on the way"),
    "capitals(v)": (
        "replace(upper(v), 'ẞ', 'SS')",
        "UPPER follows Unicode in full, so ß is SS: DuckDB has one for one",
    ),
    "part(v, w, x)": (
        "CASE WHEN x < 0 THEN error('x') ELSE substring(v, greatest(w, 1), greatest(x + least(w - 1, 0), 0)) END",
        "SUBSTRING is the standard's: places before the first count, a negative length is an error; DuckDB turns back",
    ),
    "split_at(v, w, x)": (
        "CASE WHEN x = 0 THEN error('0') ELSE split_part(v, w, x) END",
        "SPLIT_PART counts from 1 or from -1, 0 is an error, as in PostgreSQL: DuckDB gives an empty text",
    ),
    "position_in(v, w)": (
        "CASE WHEN w IS NOT NULL THEN list_position(v, w) END",
        "ARRAY_POSITION of NULL is NULL, as nothing equals it: DuckDB finds it",
    ),
    "passed(unit, v, w)": (
        "CASE unit WHEN 'WEEK' THEN date_diff('day', monday(v), monday(w)) // 7 ELSE date_diff(unit, v, w) END",
        "DATE_DIFF counts the Mondays passed, DuckDB days divided by 7",
    ),
    "no_null(v, w, x)": (
        "CASE WHEN w IS NOT NULL AND x IS NOT NULL THEN v END",
        "GREATEST and LEAST with a NULL are NULL, as in the standard: DuckDB passes over it",
    ),
}
"""What we mean otherwise than DuckDB: a macro with our meaning, what it is there, and why.

Three more are in how DuckDB's text is written: whole numbers are added up as BIGINT whatever they are stored as; only
the end of a chain of + - * must have 64 bits, so it is added up as HUGEINT; `/` of whole numbers is `//`.
And AND and OR, which end where the result is known, hide errors that DuckDB comes upon.
"""

HELPERS = {
    "no_value(v, safe)": "CASE WHEN v IS NOT NULL AND NOT safe THEN error('no such text') END",
    "text_like(v, safe, pattern)": "CASE WHEN regexp_full_match(v, pattern) THEN v ELSE no_value(v, safe) END",
    "monday(v)": "date_trunc('week', v)",
}
OVERFLOW = re.compile(r"INT128|HUGEINT|DECIMAL\(38|DECIMAL of precision")
"""DuckDB's own working types are too narrow for our meaning: nothing is learned."""
NULLS = re.compile(r"\b(NULLIF|TRY_CAST|CASE|NULL)\b|\[")
JUNCTION = re.compile(r"\b(AND|OR)\b")


class Failed(Exception):
    """The row is refused."""


class Unknown(Exception):
    """DuckDB cannot tell."""


@cache
def connection() -> duckdb.DuckDBPyConnection:
    made = duckdb.connect()
    made.execute("PRAGMA disable_optimizer")
    for signature, body in {**HELPERS, **{one: body for one, (body, _) in DIFFERENCES.items()}}.items():
        made.execute(f"CREATE MACRO {signature} AS {body}")
    kinds = {name: "BIGINT[]" if one.name == "ARRAY" else str(one) for name, one in COLUMNS.items()}
    made.execute(f"CREATE TABLE s (row_number INTEGER, {', '.join(f'{n} {kind}' for n, kind in kinds.items())})")
    return made


Row = dict[str, Any]


def by_duckdb(one: Expr, rows: Sequence[Row]) -> list[Any]:
    """A value for each row, or Failed or Unknown."""
    run = connection().execute
    run("DELETE FROM s")
    marks = f"({', '.join(['?'] * (1 + len(COLUMNS)))})"
    values = [value for i, row in enumerate(rows) for value in (i, *(row[name] for name in COLUMNS))]
    run(f"INSERT INTO s VALUES {', '.join([marks] * len(rows))}", values)
    try:
        return [value for (value,) in run(f"SELECT {one.duck} FROM s ORDER BY row_number").fetchall()]
    except duckdb.Error:
        return [_single(one, i) for i in range(len(rows))]


def _single(one: Expr, number: int) -> Any:
    try:
        found = connection().execute(f"SELECT {one.duck} FROM s WHERE row_number = {number}").fetchall()
    except (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException):
        raise
    except duckdb.Error as error:
        return Unknown(str(error)) if OVERFLOW.search(str(error)) else Failed(str(error))
    return found[0][0]


def mapping(columns: dict[str, Type]) -> TopicMapping:
    listed = ", ".join(f"{name} {one}" for name, one in columns.items())
    statement = parse(f"CREATE MAPPING s ({listed}) TYPE Kafka")
    assert isinstance(statement, statements.CreateMapping)
    return build_mapping(statement)


MAPPED = {"s": mapping(COLUMNS)}
ENCODE = msgspec.json.Encoder(decimal_format="number").encode
DECODE = json_decoder(float_hook=Decimal).decode


def compiled(expression: str, mappings: dict[str, TopicMapping]) -> Step:
    statement = parse(f"CREATE JOB j AS INSERT INTO out SELECT {expression} AS z FROM s")
    assert isinstance(statement, statements.CreateJob)
    return compile_step(
        plan(statement.inserts[0], mappings, judged_before=True), Wiring("out", 1, {"s": "s"}, {"s": 0})
    ).step


def answer(step: Step, row: Row, kind: Type) -> Any:
    """The value written for a row, or Failed."""
    written: list[bytes] = []
    message = Message("s", 0, 0, None, ENCODE(row), None, None, (1, 1))
    try:
        step(iter([message]), lambda *record: written.append(record[1]), lambda *_: None)
    except BadRecord as error:
        return Failed(str(error))
    return read(DECODE(written[0])["z"], kind)


def read(value: Any, kind: Type) -> Any:
    if value is None:
        return None
    match kind.name:
        case "DOUBLE":
            return float(value)
        case "DECIMAL":
            return Decimal(value)
        case "DATE" | "TIMESTAMP" | "INTERVAL DAY TO SECOND":
            return convert(value, {"DATE": date, "TIMESTAMP": datetime}.get(kind.name, timedelta))
    return value


def same(a: Any, b: Any) -> bool:
    if isinstance(a, Failed) or isinstance(b, Failed):
        return isinstance(a, Failed) and isinstance(b, Failed)
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-12)
    return type(a) is type(b) and bool(a == b)


def beside_null(one: Expr, row: Row) -> bool:
    """Where a NULL and an error meet in one operator, either may win."""
    nulls = (name for name, value in row.items() if value is None)
    return bool(NULLS.search(one.ours)) or any(re.search(rf"\b{name}\b", one.ours) for name in nulls)


def differences(one: Expr, those: Sequence[Row]) -> list[str]:
    """Where we and DuckDB do not say the same of a row."""
    try:
        step = compiled(one.ours, MAPPED)
    except TypeMismatch:  # a constant that is an error wherever it is evaluated
        step = None
    found = [answer(step, row, one.type) if step else Failed("refused") for row in those]
    return [
        f"{ours!r}, DuckDB {theirs!r}: {one.ours} | {one.duck} | {row}"
        for row, ours, theirs in zip(those, found, by_duckdb(one, those), strict=True)
        if not (
            same(ours, theirs)
            or isinstance(theirs, Unknown)
            or (isinstance(theirs, Failed) and JUNCTION.search(one.ours))
            or (Failed in (type(ours), type(theirs)) and beside_null(one, row))
        )
    ]


def or_null(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(values, values, values, st.none())


big = st.sampled_from([2**63 - 1, -(2**63), 2**53 + 1, 2**31, 10**18])
days = st.sampled_from([date.fromisoformat(one) for one in DAYS]) | st.dates()
moments = days.map(lambda one: datetime(one.year, one.month, one.day)) | st.datetimes()  # noqa: DTZ001  # TIMESTAMP
floats = st.sampled_from([0.0, 0.5, -2.5, 1.0, 3.5, 2.675, 1e15, 1e200, -1e308, 1e-300, 0.1]) | st.floats(-1e6, 1e6)
texts = st.sampled_from(TEXTS) | st.text("ab% 1", max_size=3)
VALUES = {
    "BOOLEAN": st.booleans(),
    "BIGINT": st.one_of(st.integers(-5, 5), st.integers(-1000, 1000), big),
    "INTEGER": st.integers(-5, 5) | st.sampled_from([2**31 - 1, -(2**31)]),
    "DECIMAL": st.integers(-(10**4), 10**4).map(lambda n: Decimal(n) / 100) | st.just(Decimal("-99999999.99")),
    "DOUBLE": floats,
    "VARCHAR": texts,
    "DATE": days,
    "TIMESTAMP": moments,
    "ARRAY": st.lists(or_null(st.integers(-5, 5)), max_size=4),
}
rows = st.lists(
    st.fixed_dictionaries({name: or_null(VALUES[one.name]) for name, one in COLUMNS.items()}), min_size=1, max_size=4
)
anything = st.sampled_from(["BOOLEAN", "NUMBER", "TEXT", "DATE", "MOMENT", "SPAN", "LIST"]).flatmap(
    lambda kind: expressions(kind, 3)
)


@settings(max_examples=800, deadline=None)
@given(anything, rows)
def test_duckdb_says_the_same(one: Expr, those: list[Row]) -> None:
    assert differences(one, those) == []


def test_every_difference_is_used() -> None:
    written = "".join(Path(str(one.__file__)).read_text() for one in (two_dialects, shared_functions))
    written += "".join(body for body, _ in DIFFERENCES.values())
    names = {signature.partition("(")[0] for signature in DIFFERENCES}
    prepared = {name for name in names if name.endswith("_text")}
    assert {name for name in names - prepared if f"{name}(" not in written and f'"{name}"' not in written} == set()
    assert prepared == {f"{target.lower()}_text" for of, target in two_dialects.PREPARED if of == "VARCHAR"}


whole_hundredths = st.integers(-(10**10) + 1, 10**10 - 1)


@settings(max_examples=100, deadline=None)
@given(whole_hundredths, whole_hundredths)
def test_a_quotient_of_decimals_is_the_exact_one_rounded(a: int, b: int) -> None:
    """DuckDB makes a DOUBLE of it. The result has max(6, s1 + p2 + 1) digits after the point, halves away from zero."""
    found = answer(QUOTIENT, {"d": Decimal(a).scaleb(-2), "e": Decimal(b).scaleb(-2)}, t.decimal(25, 13))
    if b == 0:
        assert isinstance(found, Failed)
        return
    shifted = Fraction(a, b) * 10**13
    nearest = math.floor(abs(shifted) + Fraction(1, 2)) * (-1 if shifted < 0 else 1)
    assert found == Decimal(nearest).scaleb(-13)


QUOTIENT = compiled("d / e", MAPPED)

UNTYPED = re.compile("any JSON value|a number, a string, true or false")
"""A refusal of what only each record tells, beside what has a type."""

# Columns of no declared type: the same as with the types that the values have

PLAIN = {name: one for name, one in COLUMNS.items() if one in (t.BOOLEAN, t.DOUBLE, t.VARCHAR)}
TYPED = {"s": mapping(PLAIN)}
plain_kinds = frozenset({"BOOLEAN", "FLOAT", "TEXT", "PATTERN", "FILL"})
plain_expressions = st.sampled_from(["BOOLEAN", "FLOAT", "TEXT"]).flatmap(
    lambda kind: expressions(kind, 3, plain_kinds)
)
plain_rows = st.fixed_dictionaries({name: or_null(VALUES[one.name]) for name, one in PLAIN.items()})


@settings(max_examples=400, deadline=None)
@given(plain_expressions, plain_rows)
def test_types_declared_change_no_meaning(one: Expr, row: Row) -> None:
    try:
        untyped = compiled(one.ours, {})
    except TypeMismatch as refused:
        if not UNTYPED.search(refused.message):
            with pytest.raises(TypeMismatch, match=re.escape(refused.message)):
                compiled(one.ours, TYPED)
        return
    found, expected = answer(untyped, row, one.type), answer(compiled(one.ours, TYPED), row, one.type)
    assert same(found, expected) or (Failed in (type(found), type(expected)) and beside_null(one, row))
