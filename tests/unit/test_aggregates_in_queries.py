"""Aggregates in queries, from the text to the value, with the groups written to chunks and read back in between.

The results are the same whether or not the columns have types.
"""

import json
from contextlib import suppress
from functools import cache
from typing import Any

import pytest
from confluent_kafka import Message

from jobplane.schemas.failures import BadRecord, GroupFailed
from jobplane.sql.codegen.compile import Wiring
from jobplane.sql.codegen.groups import CompiledGroups, compile_groups
from jobplane.sql.plan.plan import plan
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parser import parse
from tests.support.grouping import mapped

COLUMNS = (
    "x BIGINT, d DOUBLE, p DECIMAL(10, 2), b BOOLEAN, s VARCHAR, day DATE, ts TIMESTAMP WITH TIME ZONE, any BIGINT"
)
RECORDS: list[dict[str, Any]] = [
    {"x": 3, "d": 1.5, "p": 1.10, "b": True, "s": "x", "day": "2026-01-01", "ts": "2026-01-01T00:00:00Z", "any": 1},
    {},
    {"x": 5, "d": 2.5, "p": 2.25, "b": False, "s": "y", "day": "2026-01-02", "ts": "2026-01-01T00:00:02Z", "any": 2},
    {"x": 5, "d": -1.0, "p": 0.01, "b": True, "s": "x", "day": "2026-01-01", "ts": "2026-01-01T00:00:01Z", "any": 3},
]


@cache
def compiled(selected: str, *, typed: bool) -> CompiledGroups:
    statement = parse(f"CREATE JOB j AS INSERT INTO out SELECT {selected} AS a, 'all' AS one FROM s GROUP BY 'all'")
    assert isinstance(statement, statements.CreateJob)
    made = plan(statement.inserts[0], {"s": mapped(COLUMNS)} if typed else {})
    return compile_groups(made, Wiring("out", 4, {"s": "s"}, {"s": 0}))


def message(offset: int, record: dict[str, Any]) -> "Message[bytes, bytes]":
    return Message("s", 0, offset, None, json.dumps(record).encode(), None, None, (1, 1_000 + offset))


def value_of(selected: str, *records: dict[str, Any], typed: bool) -> Any:
    """The column `a` of the last output. After two records the groups are written and read back."""
    groups = compiled(selected, typed=typed)
    before, after = groups.state([("s", 0)]), groups.state([("s", 0)])
    written: list[Any] = []

    def produce(_topic: str, value: bytes, *_: Any, **__: Any) -> None:
        written.append(json.loads(value)["a"])

    messages = [message(offset, record) for offset, record in enumerate(records)]
    before.absorb(iter(messages[:2]), produce, produce)
    with suppress(GroupFailed):  # a sum that is out of range only so far
        before.emit(produce, produce)
    for chunk in before.young_chunks():
        after.load(chunk)
    after.absorb(iter(messages[2:]), produce, produce)
    after.emit(produce, produce)
    return written[-1]


@pytest.mark.parametrize("typed", [True, False], ids=["typed", "untyped"])
@pytest.mark.parametrize(
    ("selected", "expected"),
    [
        ("COUNT(*)", 4),
        ("COUNT(x)", 3),
        ("SUM(x)", 13),
        ("SUM(d) + 1", 4.0),
        ("AVG(x)", 13 / 3),
        ("MIN(s)", "x"),
        ("MAX(day)", "2026-01-02"),
        ("EVERY(b)", False),
        ("ANY(b)", True),
        ("VAR_POP(x)", pytest.approx(8 / 9)),
        ("STDDEV(d)", pytest.approx(3.25**0.5)),
        ("COVAR_SAMP(d, x)", pytest.approx(-0.5)),
        ("CORR(x, x)", pytest.approx(1.0)),
        ("ARRAY_AGG(s)", ["x", None, "y", "x"]),
        ("ARRAY_AGG(s ORDER BY x DESC, d)", [None, "x", "y", "x"]),
        ("ARRAY_AGG(DISTINCT s ORDER BY s)", ["x", "y", None]),
        ("ARRAY_AGG(ROW(s, x)) FILTER (WHERE b)", [{"s": "x", "x": 3}, {"s": "x", "x": 5}]),
        ("STRING_AGG(s, '-')", "x-y-x"),
        ("LISTAGG(s ORDER BY d)", "xxy"),
        ("MAP_AGG(s, x)", {"x": 5, "y": 5}),
        ("MIN_BY(x, s)", 3),
        ("MAX_BY(s, d)", "y"),
        ("EARLIEST_BY_OFFSET(d)", 1.5),
        ("LATEST_BY_OFFSET(s)", "x"),
        ("TOPK(x, 2)", [5, 5]),
        ("TOPK_DISTINCT(x, 2)", [5, 3]),
        ("HISTOGRAM(s)", {"x": 2, "y": 1}),
        ("APPROX_COUNT_DISTINCT(s)", 2),
        ("APPROX_PERCENTILE(x, 0.5)", 5.0),
        ("COUNT(DISTINCT x)", 2),
        ("AVG(DISTINCT d)", 1.0),
        ("SUM(x) FILTER (WHERE s = 'x')", 8),
    ],
)
def test_the_value_of_an_aggregate(selected: str, expected: Any, typed: bool) -> None:  # noqa: FBT001  # a case
    assert value_of(selected, *RECORDS, typed=typed) == expected


@pytest.mark.parametrize(
    ("selected", "expected"),
    [
        ("SUM(p)", 3.36),
        ("AVG(p)", 1.12),
        ("HISTOGRAM(day)", {"2026-01-01": 2, "2026-01-02": 1}),
        ("MAX(ts)", "2026-01-01T00:00:02Z"),
        ("MAX_BY(s, ts)", "y"),
        ("ARRAY_AGG(DISTINCT day ORDER BY day DESC NULLS LAST)", ["2026-01-02", "2026-01-01", None]),
        ("APPROX_PERCENTILE(p, 0.9)", pytest.approx(2.25, rel=1 / 128)),
    ],
)
def test_the_value_of_an_aggregate_of_types(selected: str, expected: Any) -> None:
    assert value_of(selected, *RECORDS, typed=True) == expected


def test_a_whole_sum_of_more_than_64_bits_is_written_and_read_back() -> None:
    largest = {"x": 2**63 - 1}
    assert value_of("SUM(x)", largest, largest, {"x": -(2**63) + 1}, typed=True) == 2**63 - 1


@pytest.mark.parametrize(
    "selected",
    [
        "ROW(COUNT(*), MIN(any))",
        "ROW(ARRAY_AGG(x), TOPK(any, 2))",
        "ROW(AVG(x), STRING_AGG(s, ''), MAX_BY(x, any), SUM(x))",
    ],
)
def test_a_record_that_an_aggregate_refuses_leaves_no_trace(selected: str) -> None:
    bad = {"x": 100, "s": "bad", "any": "text"}
    groups = compiled(selected, typed=False)
    states = groups.state([("s", 0)]), groups.state([("s", 0)])
    written: list[list[bytes]] = [[], []]
    for state, output, records in zip(states, written, (RECORDS, [*RECORDS[:3], bad, *RECORDS[3:]]), strict=True):

        def produce(_topic: str, value: bytes, *_: Any, output: list[bytes] = output, **__: Any) -> None:
            output.append(value)

        for offset, record in enumerate(records):
            one = [message(offset, record)]
            if record is bad:
                with pytest.raises(BadRecord, match="cannot be compared"):
                    state.absorb(iter(one), produce, produce)
            else:
                state.absorb(iter(one), produce, produce)
        state.emit(produce, produce)
    assert written[0] == written[1] != []


@pytest.mark.parametrize("typed", [True, False])
def test_what_may_be_kept_in_groups(typed: bool) -> None:  # noqa: FBT001
    assert value_of("MIN_BY(NULL, x)", *RECORDS, typed=typed) is None
    assert value_of("MAP_AGG(x > 3, x)", *RECORDS[:3], typed=typed) == {"false": 3, "true": 5}
    assert value_of("MAX_BY(MAP[x IS NOT NULL, x], x)", *RECORDS, typed=typed) == {"true": 5}
