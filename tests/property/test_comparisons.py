"""One rule for all comparisons: each is what the comparisons it is made of are, and those are what arithmetic says."""

import json
import operator
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Any

import pytest
from confluent_kafka import Message
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jobplane.schemas.failures import BadRecord
from jobplane.sql.codegen.compile import Step, Wiring, compile_step
from jobplane.sql.mapping import build_mapping
from jobplane.sql.plan.plan import plan
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parser import parse

NUMBERS = st.integers(-3, 3) | st.sampled_from(
    [2**53, 2**53 + 1, -(2**53) - 1, 10**30, 0.1, 0.5, -2.5, 1e300, float(2**53)]
)
SCALARS = st.none() | st.booleans() | NUMBERS | st.sampled_from(["", "a", "b", "1", "é"])
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "<>": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge
}  # fmt: skip
EQUIVALENT = [
    ("a <> b", "NOT a = b"),
    ("a < b", "NOT a >= b"),
    ("a <= b", "NOT a > b"),
    ("a IN (b)", "a = b"),
    ("a IN (b, c)", "a = b OR a = c"),
    ("a NOT IN (b, c)", "NOT (a = b OR a = c)"),
    ("a BETWEEN b AND c", "a >= b AND a <= c"),
    ("a NOT BETWEEN b AND c", "NOT (a >= b AND a <= c)"),
    ("a BETWEEN SYMMETRIC b AND c", "a BETWEEN b AND c OR a BETWEEN c AND b"),
    ("CASE a WHEN b THEN 1 WHEN c THEN 2 ELSE 3 END", "CASE WHEN a = b THEN 1 WHEN a = c THEN 2 ELSE 3 END"),
    ("NULLIF(a, b)", "CASE WHEN a = b THEN NULL ELSE a END"),
    ("a IS DISTINCT FROM b", "CASE WHEN a IS NULL OR b IS NULL THEN NOT (a IS NULL AND b IS NULL) ELSE a <> b END"),
    ("GREATEST(a, b)", "CASE WHEN a >= b THEN a WHEN b > a THEN b END"),
    ("LEAST(a, b)", "CASE WHEN a <= b THEN a WHEN b < a THEN b END"),
    ("ROW(a, b) = ROW(b, c)", "a = b AND b = c"),
    ("ROW(a, b) IN (ROW(b, c), ROW(c, b))", "a = b AND b = c OR a = c AND b = b"),
]


@cache
def step(expression: str, mapping: str = "") -> Step:
    statement = parse(f"CREATE JOB j AS INSERT INTO out SELECT {expression} AS x FROM s")
    assert isinstance(statement, statements.CreateJob)
    created = parse(mapping) if mapping else None
    known = {"s": build_mapping(created)} if isinstance(created, statements.CreateMapping) else {}
    return compile_step(plan(statement.inserts[0], known), Wiring("out", 1, {"s": "s"}, {"s": 0})).step


def outcome(expression: str, record: dict[str, Any], mapping: str = "") -> Any:
    """The value, or why there is none."""
    written: list[Any] = []
    message = Message("s", 0, 0, b"k", json.dumps(record).encode(), None, None, (1, 5))
    try:
        step(expression, mapping)(iter([message]), lambda *one: written.append(one[1]), print)
    except BadRecord as bad:
        return bad.message
    return json.loads(written[0])["x"]


@pytest.mark.parametrize(("one", "other"), EQUIVALENT, ids=[one for one, _ in EQUIVALENT])
@settings(max_examples=100, deadline=None)
@given(a=SCALARS, b=SCALARS, c=SCALARS)
@example(1, "1", 2)
@example(True, 1, None)
@example(2**53 + 1, float(2**53), 2**53)
def test_each_is_made_of_the_others(one: str, other: str, a: Any, b: Any, c: Any) -> None:
    record = {"a": a, "b": b, "c": c}
    assert outcome(one, record) == outcome(other, record)


def kind(value: Any) -> type:
    return float if isinstance(value, int | float) and not isinstance(value, bool) else type(value)


@pytest.mark.parametrize("sign", OPERATORS)
@settings(max_examples=100, deadline=None)
@given(a=SCALARS, b=SCALARS)
@example(2**53 + 1, float(2**53))
def test_two_fields(sign: str, a: Any, b: Any) -> None:
    found = outcome(f"a {sign} b", {"a": a, "b": b})
    if a is None or b is None:
        assert found is None
    elif kind(a) is not kind(b):
        assert "cannot be compared" in found
    else:
        assert found is OPERATORS[sign](a, b)


LITERALS = st.sampled_from(
    ["0.1", "2.50", "-3.0", "9007199254740993.0", "9007199254740992.5", "1e300", "9007199254740993", "0", "1e-1"]
)


@pytest.mark.parametrize("sign", OPERATORS)
@settings(max_examples=60, deadline=None)
@given(a=NUMBERS, literal=LITERALS)
@example(2**53 + 1, "9007199254740993.0")
@example(2**53, "9007199254740993.0")
@example(0.1, "0.1")
def test_a_field_and_a_literal(sign: str, a: Any, literal: str) -> None:
    """Whole numbers are exact beside any literal; a number with a point meets a DECIMAL as the nearest DOUBLE."""
    exact: Any = Fraction(Decimal(literal)) if "e" not in literal else Fraction(float(literal))
    if isinstance(a, float) and "." in literal:
        exact = float(literal)
    expected = OPERATORS[sign](Fraction(a), exact)
    assert outcome(f"a {sign} {literal}", {"a": a}) is expected
    if sign == "=":
        assert outcome(f"a IN ({literal}, {literal})", {"a": a}) is expected
        assert outcome(f"a IS NOT DISTINCT FROM {literal}", {"a": a}) is expected
        assert outcome(f"a BETWEEN {literal} AND {literal}", {"a": a}) is expected


def equal(a: Any, b: Any) -> bool | None:
    """As the standard has rows: one part that differs tells, else one that is NULL."""
    if a is None or b is None:
        return None
    if isinstance(a, list | dict):
        if a.keys() != b.keys() if isinstance(a, dict) else len(a) != len(b):
            return False
        pairs = [(a[key], b[key]) for key in a] if isinstance(a, dict) else zip(a, b, strict=True)
        answers = [equal(x, y) for x, y in pairs]
        return False if False in answers else None if None in answers else True
    return bool(a == b)


ELEMENTS = st.none() | st.integers(-1, 1)
ARRAYS = st.none() | st.lists(ELEMENTS, max_size=3)
MAPS = st.none() | st.dictionaries(st.sampled_from(["k", "l"]), ELEMENTS)
DEEP = st.none() | st.lists(ARRAYS, max_size=2)
MAPPED = """CREATE MAPPING s (a ARRAY<BIGINT>, b ARRAY<DOUBLE>, m MAP<VARCHAR, INTEGER>, n MAP<VARCHAR, DECIMAL(5, 2)>,
            d ARRAY<ARRAY<BIGINT>>, e ARRAY<ARRAY<DECIMAL(3, 1)>>) TYPE Kafka"""


@settings(max_examples=200, deadline=None)
@given(ARRAYS, ARRAYS, MAPS, MAPS, DEEP, DEEP)
def test_nested_values(a: Any, b: Any, m: Any, n: Any, d: Any, e: Any) -> None:
    record = {"a": a, "b": b, "m": m, "n": n, "d": d, "e": e}
    for x, y in (("a", "b"), ("m", "n"), ("d", "e")):
        same = equal(record[x], record[y])
        assert outcome(f"{x} = {y}", record, MAPPED) is same
        assert outcome(f"{x} <> {y}", record, MAPPED) is (None if same is None else not same)
        assert outcome(f"{x} IN ({y})", record, MAPPED) is same
        assert outcome(f"{x} IS NOT DISTINCT FROM {y}", record, MAPPED) is (record[x] == record[y])
        assert outcome(f"NULLIF({x}, {y})", record, MAPPED) == (None if same else record[x])
