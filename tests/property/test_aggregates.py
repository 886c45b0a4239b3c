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
from jobplane.sql.codegen.distinct import DistinctValues
from jobplane.sql.functions.aggregates import accumulator_of
from jobplane.sql.functions.aggregates.accumulator import Accumulator, Arguments, Ordering
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


def approximate(ours: Any, theirs: Any) -> bool:
    """APPROX_PERCENTILE, within its promise."""
    return ours is theirs if None in (ours, theirs) else abs(ours - theirs) <= abs(theirs) / 128


@dataclass(frozen=True)
class Case:
    """An aggregate, and `duck`, its text in DuckDB.

    There the arguments are v and w; o is what ORDER BY sorts by, and t, p, i are time, partition and offset.
    """

    name: str
    types: tuple[Type, ...]
    duck: str
    same: Same = equal
    constants: tuple[Any, ...] = ()
    order: tuple[Ordering, ...] = ()
    distinct: bool = False
    by_value: bool = False
    """Whether ORDER BY sorts by v."""

    def __str__(self) -> str:
        arguments = ", ".join(map(str, (*self.types, *self.constants)))
        return f"{self.name}({'DISTINCT ' * self.distinct}{arguments}{' ORDER BY' * bool(self.order)})"

    def accumulator(self) -> Accumulator:
        types = (*self.types, *({str: t.VARCHAR, int: t.BIGINT, float: t.DOUBLE}[type(one)] for one in self.constants))
        made = accumulator_of(self.name, Arguments(types, self.constants, self.order))
        return DistinctValues(made, self.types) if self.distinct else made

    @property
    def gives_moments(self) -> bool:
        return self.types[0] == t.TIMESTAMP_TZ and self.duck not in ("count(v)", "count(DISTINCT v)")


RECORDS = "t, p, i"
DESCENDING = "DESC NULLS FIRST"
CASES = [
    *(Case("COUNT", (one,), "count(v)") for one in VALUES),
    *(Case(name, (one,), f"{name}(v)") for name in ("MIN", "MAX") for one in VALUES),
    Case("SUM", (t.BIGINT,), "sum(v)"),
    Case("SUM", (PRICE,), "sum(v)"),
    Case("SUM", (t.DOUBLE,), "sum(v)", close),
    Case("AVG", (t.BIGINT,), "avg(v)", lambda ours, theirs: equal(ours, theirs) or math.isclose(ours, theirs)),
    Case("AVG", (PRICE,), "CAST(sum(v) * 1000000 AS DECIMAL(38, 0)) / 1000000 / count(v)", close),
    Case("AVG", (t.DOUBLE,), "avg(v)", close),
    Case("EVERY", (t.BOOLEAN,), "bool_and(v)"),
    Case("ANY", (t.BOOLEAN,), "bool_or(v)"),
    *(Case(name, (t.DOUBLE,), f"{name}(v)", close) for name in ("VAR_POP", "VAR_SAMP", "STDDEV_POP", "STDDEV_SAMP")),
    *(Case(name, (t.DOUBLE, t.DOUBLE), f"{name}(v, w)", close) for name in ("COVAR_POP", "COVAR_SAMP", "CORR")),
    *(Case("ARRAY_AGG", (one,), f"list(v ORDER BY {RECORDS})") for one in VALUES if one != t.TIMESTAMP_TZ),
    Case(
        "ARRAY_AGG",
        (t.VARCHAR,),
        f"list(v ORDER BY o {DESCENDING}, {RECORDS})",
        order=(Ordering(t.BIGINT, descending=True, nulls_first=True),),
    ),
    *(
        Case(
            "ARRAY_AGG",
            (one,),
            f"list(DISTINCT v ORDER BY v {DESCENDING})",
            order=(Ordering(one, descending=True, nulls_first=True),),
            distinct=True,
            by_value=True,
        )
        for one in VALUES
        if one != t.TIMESTAMP_TZ
    ),
    *(Case(name, (t.BIGINT,), f"{name}(DISTINCT v)", distinct=True) for name in ("COUNT", "SUM", "MAX")),
    *(Case("COUNT", (one,), "count(DISTINCT v)", distinct=True) for one in VALUES),
    Case("STRING_AGG", (t.VARCHAR,), f"string_agg(v, ', ' ORDER BY {RECORDS})", constants=(", ",)),
    Case(
        "LISTAGG",
        (t.VARCHAR,),
        f"string_agg(v, '' ORDER BY o NULLS LAST, {RECORDS})",
        order=(Ordering(t.BIGINT),),
    ),
    *(Case("EARLIEST_BY_OFFSET", (one,), f"first(v ORDER BY {RECORDS}) FILTER (v IS NOT NULL)") for one in VALUES),
    *(Case("LATEST_BY_OFFSET", (one,), f"last(v ORDER BY {RECORDS}) FILTER (v IS NOT NULL)") for one in VALUES),
    *(Case("MIN_BY", (t.VARCHAR, one), "first(v ORDER BY w, p, i) FILTER (w IS NOT NULL)") for one in VALUES),
    *(Case("MAX_BY", (t.VARCHAR, one), "first(v ORDER BY w DESC, p, i) FILTER (w IS NOT NULL)") for one in VALUES),
    *(
        Case(
            name, (one,), f"nullif(list_sort(list({distinct}v) FILTER (v IS NOT NULL), 'DESC')[:3], [])", constants=(3,)
        )
        for name, distinct in (("TOPK", ""), ("TOPK_DISTINCT", "DISTINCT "))
        for one in (t.BIGINT, PRICE, t.VARCHAR, t.DATE)
    ),
    *(Case("HISTOGRAM", (one,), "histogram(v)") for one in (t.VARCHAR, t.BIGINT, t.BOOLEAN, t.DATE)),
    *(
        Case(
            "MAP_AGG",
            (one, t.VARCHAR),
            "(SELECT map(list(k), list(x)) FROM (SELECT v AS k, last(w ORDER BY t, p, i) AS x FROM s"
            " WHERE v IS NOT NULL GROUP BY v) HAVING count(*) > 0)",
        )
        for one in (t.VARCHAR, t.BIGINT, t.DATE)
    ),
    *(Case("APPROX_COUNT_DISTINCT", (one,), "count(DISTINCT v)") for one in VALUES),
    *(
        Case("APPROX_PERCENTILE", (one,), f"quantile_disc(v, {fraction})::DOUBLE", approximate, (fraction,))
        for fraction in (0.0, 0.3, 1.0)
        for one in (t.BIGINT, t.DOUBLE, PRICE)
    ),
]


@cache
def connection() -> duckdb.DuckDBPyConnection:
    made = duckdb.connect()
    made.execute("SET TimeZone = 'UTC'")
    return made


def duck_type(one: Type) -> str:
    return {"VARBINARY": "BLOB"}.get(one.name, str(one))


@dataclass(frozen=True)
class Record:
    values: tuple[Any, ...]
    o: int | None
    t: int
    p: int
    i: int

    def row(self, case: Case, *, ordered: bool) -> tuple[Any, ...]:
        sorted_by = [self.values[0] if case.by_value else self.o] if case.order else []
        return ((*sorted_by, self.t, self.p, self.i), *self.values) if ordered else self.values


def answer_of_duckdb(case: Case, records: list[Record]) -> Any:
    """Times with a zone as microseconds: DuckDB needs another package to make them Python's."""
    columns = {"o": t.BIGINT, "t": t.BIGINT, "p": t.BIGINT, "i": t.BIGINT}
    given = [[getattr(one, name) for one in records] for name in columns]
    for name, place, one in zip("vw", range(2), case.types, strict=False):
        columns[name] = one
        given.append([record.values[place] for record in records])
    listed = ", ".join(f"unnest(CAST(? AS {duck_type(one)}[])) AS {name}" for name, one in columns.items())
    selected = f"epoch_us({case.duck})" if case.gives_moments else case.duck
    source = "" if case.duck.startswith("(SELECT") else " FROM s"
    found = connection().execute(f"WITH s AS (SELECT {listed}) SELECT {selected}{source}", given).fetchone()
    assert found
    if case.gives_moments and found[0] is not None:
        return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=found[0])
    return None if isinstance(found[0], float) and math.isnan(found[0]) else found[0]


def parts_of_records(case: Case) -> st.SearchStrategy[list[list[Record]]]:
    values = st.tuples(*(st.none() | VALUES[one] for one in case.types))
    drawn = st.lists(
        st.lists(st.tuples(values, st.none() | st.integers(0, 3), st.integers(0, 3)), max_size=6), max_size=4
    )
    return drawn.map(
        lambda parts: [[Record(*one, p, i) for i, one in enumerate(several)] for p, several in enumerate(parts)]
    )


@pytest.mark.parametrize("case", CASES, ids=str)
@settings(max_examples=20)
@given(data=st.data())
def test_aggregates_mean_what_duckdb_says_however_values_are_divided(case: Case, data: st.DataObject) -> None:
    drawn = data.draw(parts_of_records(case))
    accumulator = case.accumulator()
    parts = [[one.row(case, ordered=accumulator.ordered) for one in several] for several in drawn]
    theirs = answer_of_duckdb(case, [one for several in drawn for one in several])
    try:
        ours = accumulator.result(fold(accumulator, [one for part in parts for one in part]))
    except BadRecord as error:
        assert case.name == "SUM"
        assert not -(2**63) <= theirs < 2**63
        with pytest.raises(BadRecord, match=str(error)):
            in_parts(accumulator, parts)
        return
    assert case.same(ours, theirs), (ours, theirs)
    divided = in_parts(accumulator, parts)
    assert type(divided) is type(ours)
    assert close(divided, ours) if type(ours) is float else divided == ours
