"""Aggregates mean what DuckDB says they mean, and do not depend on how their values are divided."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobplane.schemas.failures import BadRecord
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type
from jobplane.sql.functions.aggregates import accumulator_of
from jobplane.sql.functions.aggregates.accumulator import Arguments
from tests.support.aggregates import fold, in_parts

BIGINTS = st.integers(-(2**63), 2**63 - 1) | st.integers(-9, 9)
DOUBLES = st.floats(-1e9, 1e9, width=32) | st.integers(-9, 9).map(float)
PRICE = t.decimal(12, 2)
PRICES = st.decimals(Decimal("-9999999999.99"), Decimal("9999999999.99"), places=2)
MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1))  # noqa: DTZ001  # TIMESTAMP has no zone
VALUES: dict[Type, st.SearchStrategy[Any]] = {
    t.BIGINT: BIGINTS,
    t.DOUBLE: DOUBLES,
    PRICE: PRICES,
    t.VARCHAR: st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=4),
    t.BOOLEAN: st.booleans(),
    t.DATE: st.dates(date(1900, 1, 1), date(2200, 1, 1)),
    t.TIMESTAMP: MOMENTS,
    t.TIMESTAMP_TZ: MOMENTS.map(lambda one: one.replace(tzinfo=UTC)),
    t.VARBINARY: st.binary(max_size=3),
}
Same = Callable[[Any, Any], bool]


def close(ours: Any, theirs: Any) -> bool:
    if ours is None or theirs is None:
        return ours is theirs
    return math.isclose(ours, theirs, rel_tol=1e-6, abs_tol=1e-3)


def equal(ours: Any, theirs: Any) -> bool:
    return bool(ours == theirs) and (ours is None) is (theirs is None)


@dataclass(frozen=True)
class Case:
    """An aggregate, and `duck`, its text in DuckDB, where the arguments are v and w."""

    name: str
    types: tuple[Type, ...]
    duck: str
    same: Same = equal

    def __str__(self) -> str:
        return f"{self.name}({', '.join(map(str, self.types))})"


CASES = [
    *(Case("COUNT", (one,), "count(v)") for one in VALUES),
    *(Case(name, (one,), f"{name}(v)") for name in ("MIN", "MAX") for one in VALUES),
    Case("SUM", (t.BIGINT,), "sum(v)"),
    Case("SUM", (PRICE,), "sum(v)"),
    Case("SUM", (t.DOUBLE,), "sum(v)", close),
    Case("AVG", (t.BIGINT,), "avg(v)", lambda ours, theirs: equal(ours, theirs) or math.isclose(ours, theirs)),
    Case("AVG", (PRICE,), "CAST(sum(v) * 1000000 AS DECIMAL(38, 0)) / 1000000 / count(v)", close),
    Case("AVG", (t.DOUBLE,), "avg(v)", close),
    *(Case(name, (t.BOOLEAN,), "bool_and(v)") for name in ("EVERY", "BOOL_AND")),
    *(Case(name, (t.BOOLEAN,), "bool_or(v)") for name in ("ANY", "SOME", "BOOL_OR")),
]


@cache
def connection() -> duckdb.DuckDBPyConnection:
    made = duckdb.connect()
    made.execute("SET TimeZone = 'UTC'")
    return made


def duck_type(one: Type) -> str:
    return {"VARBINARY": "BLOB"}.get(one.name, str(one))


def answer_of_duckdb(case: Case, rows: list[tuple[Any, ...]]) -> Any:
    """Times with a zone as microseconds: DuckDB needs another package to make them Python's."""
    names = ("v", "w")[: len(case.types)]
    columns = [[row[i] for row in rows] for i in range(len(names))]
    listed = ", ".join(
        f"unnest(CAST(? AS {duck_type(one)}[])) AS {name}" for name, one in zip(names, case.types, strict=True)
    )
    moment = case.types[0] == t.TIMESTAMP_TZ and case.name in ("MIN", "MAX")
    selected = f"epoch_us({case.duck})" if moment else case.duck
    found = connection().execute(f"SELECT {selected} FROM (SELECT {listed})", columns).fetchone()
    assert found
    if moment and found[0] is not None:
        return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=found[0])
    return found[0]


@pytest.mark.parametrize("case", CASES, ids=str)
@settings(max_examples=30)
@given(data=st.data())
def test_aggregates_mean_what_duckdb_says(case: Case, data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.tuples(*(st.none() | VALUES[one] for one in case.types)), max_size=12))
    accumulator = accumulator_of(case.name, Arguments(case.types))
    theirs = answer_of_duckdb(case, rows)
    try:
        ours = accumulator.result(fold(accumulator, rows))
    except BadRecord:
        assert case.name == "SUM"
        assert not -(2**63) <= theirs < 2**63
        return
    assert case.same(ours, theirs), (ours, theirs)


@pytest.mark.parametrize("case", CASES, ids=str)
@settings(max_examples=30)
@given(data=st.data())
def test_the_result_does_not_depend_on_how_values_are_divided(case: Case, data: st.DataObject) -> None:
    row = st.tuples(*(st.none() | VALUES[one] for one in case.types))
    parts = data.draw(st.lists(st.lists(row, max_size=6), max_size=4))
    accumulator = accumulator_of(case.name, Arguments(case.types))
    try:
        whole = accumulator.result(fold(accumulator, [one for part in parts for one in part]))
    except BadRecord as error:
        with pytest.raises(BadRecord, match=str(error)):
            in_parts(accumulator, parts)
        return
    ours = in_parts(accumulator, parts)
    assert type(ours) is type(whole)
    assert close(ours, whole) if type(whole) is float else ours == whole
