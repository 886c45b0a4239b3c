"""TRANSFORM, FILTER and REDUCE: laws and limits. What they give is in tests/golden/rows/lambdas.txt."""

from typing import Any

import msgspec
import pytest
from confluent_kafka import Message
from hypothesis import given
from hypothesis import strategies as st

from jobplane.schemas.errors import Refused
from jobplane.schemas.failures import BadRecord
from jobplane.sql.codegen.compile import Wiring, compile_step
from jobplane.sql.explain import explain
from jobplane.sql.packages import called_functions, is_free_name
from jobplane.sql.plan.plan import plan
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parser import parse

WIRING = Wiring("out", 1, {"s": "s"}, {"s": 0})
NUMBERS = st.lists(st.none() | st.integers(-9, 9), max_size=6)


def insert_of(items: str, source: str = "s") -> statements.Insert:
    statement = parse(f"CREATE JOB j AS INSERT INTO out SELECT {items} FROM {source}")
    assert isinstance(statement, statements.CreateJob)
    return statement.inserts[0]


def answer(item: str | tuple[str, ...], record: dict[str, Any], source: str = "s") -> Any:
    """What is written for a record; of several items."""
    items = item if isinstance(item, str) else ", ".join(item)
    written: list[bytes] = []
    message = Message("s", 0, 0, None, msgspec.json.encode(record), None, None, (1, 1))
    step = compile_step(plan(insert_of(items, source)), WIRING).step
    step(iter([message]), lambda *produced: written.append(produced[1]), lambda *_: None)
    return msgspec.json.decode(written[0])


@given(NUMBERS, st.integers(-9, 9))
def test_lambdas_do_what_loops_of_python_do(xs: list[int | None], n: int) -> None:
    found = answer(
        (
            "TRANSFORM(xs, x => x * n) AS a",
            "FILTER(xs, x => x > n) AS b",
            "REDUCE(xs, n, (acc, x) => acc - COALESCE(x, 1)) AS c",
        ),
        {"xs": xs, "n": n},
    )
    left = n
    for x in xs:
        left -= 1 if x is None else x
    assert found == {
        "a": [None if x is None else x * n for x in xs],
        "b": [x for x in xs if x is not None and x > n],
        "c": left,
    }


@given(NUMBERS)
def test_one_is_made_of_another(xs: list[int | None]) -> None:
    found = answer(
        (
            "TRANSFORM(FILTER(xs, x => x > 0), x => -x) AS a",
            "REDUCE(xs, ARRAY[], (a, x) => a || FILTER(ARRAY[-x], y => y < 0)) AS b",
        ),
        {"xs": xs},
    )
    assert found["a"] == found["b"]


@given(st.dictionaries(st.text(max_size=2), st.none() | st.integers(-9, 9), max_size=4))
def test_a_map_goes_through_unchanged(m: dict[str, int | None]) -> None:
    found = answer(
        (
            "TRANSFORM(m, (k, v) => k, (k, v) => v) AS a",
            "FILTER(m, (k, v) => TRUE) AS b",
            "FILTER(m, (k, v) => v = m[k || '']) AS c",
        ),
        {"m": m},
    )
    assert found == {"a": m, "b": m, "c": {k: v for k, v in m.items() if v is not None}}


LONG = "a" * 200_000
MANY = ["ab"] * 100_000
TOO_MUCH = {
    "a text made again and again": ("TRANSFORM(xs, x => t || x)", {"xs": MANY, "t": LONG}),
    "a text handed on again and again": ("TRANSFORM(xs, x => t)", {"xs": MANY, "t": LONG}),
    "a text in rows": ("TRANSFORM(xs, x => ROW(x, ARRAY[t]))", {"xs": MANY, "t": LONG}),
    "a text in documents": ("TRANSFORM(xs, x => JSON_OBJECT('t': t))", {"xs": MANY, "t": LONG}),
    "a text looked through": ("FILTER(xs, x => POSITION(x IN t) > 0)", {"xs": MANY, "t": LONG}),
    "an array looked through": ("FILTER(xs, x => ARRAY_CONTAINS(xs, x || '!'))", {"xs": MANY}),
    "a text that grows": ("REDUCE(xs, '', (acc, x) => acc || t)", {"xs": MANY, "t": LONG[:1000]}),
    "an array that grows": ("REDUCE(xs, ARRAY[], (acc, x) => acc || ARRAY[x])", {"xs": MANY}),
    "an array of long texts that grows": (
        "REDUCE(xs, ARRAY[], (acc, x) => ARRAY[t || x] || acc)",
        {"xs": MANY, "t": LONG},
    ),
    "a map of long texts": (
        "TRANSFORM(m, (k, v) => t || k, (k, v) => v)",
        {"m": dict.fromkeys(map(str, range(500)), 1), "t": LONG},
    ),
    "keys in keys": (
        "REDUCE(xs, MAP['', ''], (acc, x) => TRANSFORM(acc, (k, v) => k || t, (k, v) => v || t))",
        {"xs": MANY, "t": LONG},
    ),
    "rows that grow": ("REDUCE(xs, ROW(''), (acc, x) => ROW(acc._col0 || t))", {"xs": MANY, "t": LONG[:1000]}),
    "loops in loops": ("TRANSFORM(xs, a => TRANSFORM(xs, b => TRANSFORM(xs, c => 1)))", {"xs": MANY[:5000]}),
}


@pytest.mark.parametrize(("item", "record"), TOO_MUCH.values(), ids=TOO_MUCH)
def test_a_record_for_which_lambdas_would_do_too_much_is_refused(item: str, record: dict[str, Any]) -> None:
    with pytest.raises(BadRecord, match=r"^the lambdas do too much work for one record"):
        answer(f"{item} AS x", record)


def test_what_many_records_hold_is_not_too_much() -> None:
    record = {"xs": MANY[:20_000], "m": dict.fromkeys(map(str, range(20_000)), LONG[:40])}
    found = answer(
        (
            "CARDINALITY(REDUCE(xs, ARRAY[], (acc, x) => acc || ARRAY[x])) AS a",
            "LENGTH(REDUCE(xs, '', (acc, x) => acc || x)) AS b",
            "CARDINALITY(FILTER(TRANSFORM(m, (k, v) => k, (k, v) => v || k), (k, v) => LENGTH(v) > 0)) AS c",
        ),
        record,
    )
    assert found == {"a": 20_000, "b": 40_000, "c": 20_000}


def test_lambdas_go_together_with_all_loops_over_elements() -> None:
    """Python takes no more than twenty loops in one another."""
    unnests = " ".join(f"CROSS JOIN UNNEST(l{i}) AS e{i}" for i in range(12))
    item = "FILTER(d, e => e = e11 AND day = e10)"
    item = f"TRANSFORM(a, a => TRANSFORM(a, b => TRANSFORM(b, c => TRANSFORM(c, d => {item}))))"
    record = {f"l{i}": [i] for i in range(12)} | {"a": [[[[[11, 1]]]]], "day": 10}
    assert answer(f"{item} AS x", record, f"s {unnests}") == {"x": [[[[[11]]]]]}


def test_an_accumulator_of_accumulators_is_analysed_in_time() -> None:
    item = "0"
    for _ in range(5):
        item = f"REDUCE(xs, 0, (acc, x) => acc + x * 1.5 + {item})"
    assert answer(f"{item} AS x", {"xs": [2]}) == {"x": 15.0}
    with pytest.raises(Refused, match="lambdas are nested more than 5 deep"):
        plan(insert_of(f"REDUCE(xs, 0, (acc, x) => acc + {item}) AS x"))


def test_functions_in_lambdas_are_found() -> None:
    insert = insert_of("TRANSFORM(m, (k, v) => UCASE(k), (k, v) => REDUCE(v, 0, (a, x) => a + ABS(x))) AS x")
    assert called_functions([insert]) == ("ABS", "REDUCE", "TRANSFORM", "UCASE")


@pytest.mark.parametrize("name", ["TRANSFORM", "FILTER", "REDUCE", "IFNULL", "NULLIF", "COALESCE", "INSTR"])
def test_no_package_takes_a_name_of_the_language(name: str) -> None:
    assert not is_free_name(name)


def test_explain_shows_what_a_lambda_reads() -> None:
    told = dict(reversed(explain([insert_of("FILTER(items, i => i.qty > n + 0) AS x")])))
    assert told["0 scan"] == "topic s: items ARRAY<JSON>, n NUMBER"
    assert told["2 sink ← 1"] == "topic out: x ARRAY<JSON>"
