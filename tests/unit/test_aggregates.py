"""What aggregates give at their edges, which types they take, and how they are listed."""

import math
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from jobplane.schemas.errors import Place, TypeMismatch
from jobplane.schemas.failures import BadRecord
from jobplane.schemas.formats.json.values import row_class
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type
from jobplane.sql.analysis.aggregates import resolve_aggregate
from jobplane.sql.functions import BUILT_IN
from jobplane.sql.functions.aggregates import AGGREGATES, accumulator_of
from jobplane.sql.functions.aggregates.accumulator import Accumulator, Arguments
from jobplane.sql.functions.listing import list_functions
from jobplane.sql.types.coercion import Coercion
from jobplane.sql.types.slots import Slots
from jobplane.sql.types.typed import Constant, Field, Typed
from tests.support.aggregates import fold, in_parts, rewritten

PRICE = t.decimal(12, 2)
PLACE = Place(1, 8)
PERSON = t.row(("name", "tags"), (t.VARCHAR, t.array(t.JSON)))


def made(name: str, *types: Type, constants: Sequence[Any] = ()) -> Accumulator:
    return accumulator_of(name, Arguments((*types, *(t.DOUBLE for _ in constants)), tuple(constants)))


def result(accumulator: Accumulator, *values: Any) -> Any:
    """Of single values; in ordered aggregates they come one after the other."""
    rows = [((0, 0, i), one) if accumulator.ordered else (one,) for i, one in enumerate(values)]
    whole = accumulator.result(fold(accumulator, rows))
    assert in_parts(accumulator, [rows[:2], rows[2:]]) == whole
    return whole


@pytest.mark.parametrize("name", AGGREGATES)
def test_a_group_without_values_is_null_but_counts_are_zero(name: str) -> None:
    for one in AGGREGATES[name]:
        stands_for = {"N": t.BIGINT, "O": t.VARCHAR, "T": t.VARCHAR, "DECIMAL": PRICE}
        types = tuple(stands_for.get(each.type.name, each.type) for each in one.function.parameters)
        constants = {"fraction": 0.5, "count": 3, "separator": ","}
        given = tuple(constants[each.name] for each in one.function.parameters[one.values :])
        accumulator = one.accumulator(Arguments(types, given))
        nothing = rewritten(accumulator, accumulator.merge(accumulator.init(), accumulator.init()))
        assert accumulator.result(nothing) == (None if one.function.gives_null else 0)


def test_the_sum_of_whole_numbers_is_exact_and_judged_at_the_end() -> None:
    largest = 2**63 - 1
    assert result(made("SUM", t.BIGINT), largest, largest, -largest) == largest
    assert type(result(made("SUM", t.BIGINT), largest, largest, 2, -largest, -largest)) is int
    with pytest.raises(BadRecord, match="SUM is 9223372036854775808, which is out of range for BIGINT"):
        result(made("SUM", t.BIGINT), largest, 1)


def test_the_average_of_whole_numbers_is_the_nearest_double() -> None:
    assert result(made("AVG", t.BIGINT), 2**53, 2**53 + 1, 2**53 + 2, 2**63 - 1, 2**63 - 1, 2**63 - 1) == float(
        (3 * 2**53 + 3 + 3 * (2**63 - 1)) // 6
    )
    assert result(made("AVG", t.BIGINT), 1, 2) == 1.5


def test_decimals_stay_exact() -> None:
    small, large = Decimal("0.01"), Decimal("9999999999.99")
    assert str(result(made("SUM", PRICE), large, small, small)) == "10000000000.01"
    assert str(result(made("AVG", PRICE), small, Decimal("0.02"), Decimal("0.02"))) == "0.016667"
    assert repr(result(made("AVG", t.decimal(12, 8)), Decimal("1e-8"), Decimal("2e-8"))) == "Decimal('2E-8')"
    widest = t.decimal(38, 0)
    assert result(made("AVG", widest), Decimal("9" * 38), Decimal("9" * 38)) == Decimal("9" * 38)
    with pytest.raises(BadRecord, match=r"does not fit into DECIMAL\(38, 0\)"):
        result(made("SUM", widest), Decimal("9" * 38), Decimal(1))


def test_numbers_of_json_are_what_each_record_has() -> None:
    assert repr(result(made("SUM", t.NUMBER), 1, 2)) == "3"
    assert repr(result(made("SUM", t.NUMBER), 1, 2.5)) == "3.5"
    assert repr(result(made("SUM", t.NUMBER), 2**62, 2**62, 2**62)) == repr(3 * 2.0**62)
    assert repr(result(made("AVG", t.NUMBER), 1, 2)) == "1.5"
    assert repr(result(made("MAX", t.NUMBER), 1, 1.0, 0.5)) == "1"
    assert repr(result(made("MAX", t.NUMBER), 2**70, 1)) == repr(2.0**70)
    with pytest.raises(BadRecord, match="MAX is out of range for a JSON number"):
        result(made("MAX", t.NUMBER), 10**400)
    with pytest.raises(BadRecord, match="APPROX_PERCENTILE is out of range for a JSON number"):
        result(made("APPROX_PERCENTILE", t.NUMBER, constants=[1.0]), 1, 10**400)
    with pytest.raises(BadRecord, match="a number is out of range for a JSON number"):
        result(made("ARRAY_AGG", t.NUMBER), 1, 10**400)
    with pytest.raises(BadRecord, match="SUM is out of range for a JSON number"):
        result(made("SUM", t.DOUBLE), 1.7e308, 1.7e308)


@pytest.mark.parametrize("name", ["MIN", "MAX", "TOPK", "MAX_BY"])
def test_values_of_different_kinds_cannot_be_compared(name: str) -> None:
    accumulator = {
        "TOPK": made("TOPK", t.SCALAR, constants=[2]),
        "MAX_BY": made("MAX_BY", t.VARCHAR, t.SCALAR),
    }.get(name) or made(name, t.SCALAR)
    assert accumulator.may_raise
    first, second = (("a", 1), ("b", True)) if name == "MAX_BY" else ((1,), (True,))
    state = accumulator.add(accumulator.init(), *first)
    before = msgspec.msgpack.encode(state)
    with pytest.raises(BadRecord, match="cannot be compared"):
        accumulator.add(state, *second)
    assert msgspec.msgpack.encode(state) == before
    with pytest.raises(BadRecord, match="cannot be compared"):
        accumulator.merge(state, accumulator.add(accumulator.init(), *second))


@pytest.mark.parametrize("name", ["SUM", "AVG"])
def test_a_sum_that_cannot_be_leaves_the_state_as_it_is(name: str) -> None:
    accumulator = made(name, t.NUMBER)
    state = fold(accumulator, [(10**400,), (1,)])
    before = repr(state)
    with pytest.raises(OverflowError):
        accumulator.add(state, 0.5)
    assert accumulator.may_raise
    assert repr(state) == before


def test_json_and_nested_values_are_kept_whole() -> None:
    person = row_class(PERSON)("Ann", [msgspec.Raw(b'{"a": [1.0, "x"]}'), msgspec.Raw(b"null")])
    assert result(made("ARRAY_AGG", PERSON), person, None) == [person, None]
    assert result(made("LATEST_BY_OFFSET", t.JSON), msgspec.Raw(b"1.50")) == msgspec.Raw(b"1.50")
    months = t.array(t.YEAR_TO_MONTH)
    assert result(made("ARRAY_AGG", months), [14, None]) == [[14, None]]
    prices = t.map_of(t.VARCHAR, t.decimal(38, 30))
    assert str(result(made("EARLIEST_BY_OFFSET", prices), {"a": Decimal(f"{10**-20:.30f}")})["a"]).startswith("1.0")


def test_the_map_has_the_last_value_of_a_key() -> None:
    accumulator = made("MAP_AGG", t.VARCHAR, t.BIGINT)
    rows = [((2, 0, 0), "b", 1), ((1, 0, 1), "b", 2), ((1, 1, 0), "a", None), ((3, 0, 2), None, 5)]
    assert accumulator.result(fold(accumulator, rows)) == {"a": None, "b": 1}
    assert list(in_parts(accumulator, [rows[:1], rows[1:]])) == ["a", "b"]


def test_variances_keep_their_digits_far_from_zero() -> None:
    far = [1e9 + one for one in (4.0, 7.0, 13.0, 16.0)]
    assert result(made("VAR_SAMP", t.DOUBLE), *far) == pytest.approx(30, rel=1e-12)
    assert result(made("VAR_POP", t.DOUBLE), 5.0) == 0.0
    assert result(made("STDDEV_SAMP", t.DOUBLE), 5.0) is None
    with pytest.raises(BadRecord, match="VAR_POP is out of range"):
        result(made("VAR_POP", t.DOUBLE), 1e200, -1e200)


def test_a_correlation_needs_different_values() -> None:
    accumulator = made("CORR", t.DOUBLE, t.DOUBLE)
    assert accumulator.result(fold(accumulator, [(1.0, 2.0), (1.0, 3.0)])) is None
    assert accumulator.result(fold(accumulator, [(0.1, 0.2), (0.2, 0.4), (0.3, 0.6)])) == pytest.approx(1)


@pytest.mark.parametrize("count", [256, 257, 5_000, 60_000])
def test_distinct_values_are_counted_alike_in_any_order_and_parts(count: int) -> None:
    accumulator = made("APPROX_COUNT_DISTINCT", t.BIGINT)
    numbers = [(one,) for one in range(count)]
    found = accumulator.result(fold(accumulator, numbers))
    assert found == count if count <= 256 else abs(found - count) < 0.05 * count
    random.Random(1).shuffle(numbers)
    assert in_parts(accumulator, [numbers[: count // 3], numbers[count // 3 :], numbers[:100]]) == found


def test_equal_values_count_once() -> None:
    assert result(made("APPROX_COUNT_DISTINCT", t.NUMBER), 1, 1.0, -0.0, 0, 0.0, 1e300, int(1e300)) == 3
    assert result(made("APPROX_COUNT_DISTINCT", t.SCALAR), 1, "1", True, "True") == 4
    moment = datetime(2026, 1, 31, tzinfo=UTC)
    assert result(made("APPROX_COUNT_DISTINCT", t.TIMESTAMP_TZ), moment, moment.replace(microsecond=1), moment) == 2


def test_percentiles_are_near_and_exact_for_small_whole_numbers() -> None:
    chance = random.Random(2)
    numbers = sorted(chance.lognormvariate(0, 5) * chance.choice([-1, 1]) for _ in range(5_000))
    for fraction in (0.0, 0.01, 0.07, 0.5, 0.95, 0.999, 1.0):
        exact = numbers[max(1, math.ceil(round(fraction * 5_000, 6))) - 1]
        found = result(made("APPROX_PERCENTILE", t.DOUBLE, constants=[fraction]), *numbers)
        assert found == pytest.approx(exact, rel=1 / 128)
    assert result(made("APPROX_PERCENTILE", t.BIGINT, constants=[0.5]), *range(-127, 128)) == 0
    assert result(made("APPROX_PERCENTILE", t.NUMBER, constants=[1.0]), 1, 255) == 255
    assert result(made("APPROX_PERCENTILE", t.BIGINT, constants=[0.99]), *range(1, 101)) == 99
    assert result(made("APPROX_PERCENTILE", t.DOUBLE, constants=[0.5]), 5e-324) > 0
    assert result(made("APPROX_PERCENTILE", t.DOUBLE, constants=[0.5]), 1.7976931348623157e308) < math.inf


@pytest.mark.parametrize(
    ("name", "types"),
    [
        ("COUNT", [t.VARCHAR]),
        *((name, [one]) for name in ("SUM", "MIN", "MAX") for one in (t.BIGINT, t.DOUBLE, t.NUMBER)),
        *((name, [t.BOOLEAN]) for name in ("EVERY", "ANY")),
    ],
)
def test_the_code_of_an_aggregate_does_what_it_does(name: str, types: list[Type]) -> None:
    accumulator = made(name, *types)
    code = accumulator.code.format("value", state="state")
    state = expected = accumulator.init()
    for value in [True, False, True] if types == [t.BOOLEAN] else [2, 1, 3, 2]:
        state = eval(code, {"state": state, "value": value})  # noqa: S307  # our own code
        expected = accumulator.add(expected, value)
        assert state == expected


def resolved_type(name: str, *arguments: Typed, learned: bool = True) -> str:
    found = resolve_aggregate(name, [(one, PLACE) for one in arguments], PLACE, Coercion(Slots(learned)), BUILT_IN)
    return str(found.type)


@pytest.mark.parametrize(
    ("name", "types", "expected"),
    [
        ("COUNT", [], "BIGINT"),
        ("COUNT", [t.array(t.BIGINT)], "BIGINT"),
        ("SUM", [t.INTEGER], "BIGINT"),
        ("SUM", [t.REAL], "DOUBLE"),
        ("SUM", [PRICE], "DECIMAL(38, 2)"),
        ("SUM", [t.UNKNOWN], "NUMBER"),
        ("AVG", [t.BIGINT], "DOUBLE"),
        ("AVG", [PRICE], "DECIMAL(38, 6)"),
        ("AVG", [t.decimal(38, 0)], "DECIMAL(38, 0)"),
        ("AVG", [t.decimal(38, 3)], "DECIMAL(38, 3)"),
        ("AVG", [t.decimal(20, 10)], "DECIMAL(38, 10)"),
        ("MIN", [t.SMALLINT], "SMALLINT"),
        ("MIN", [PRICE], "DECIMAL(12, 2)"),
        ("MAX", [t.UNKNOWN], "SCALAR"),
        ("EVERY", [t.UNKNOWN], "BOOLEAN"),
        ("STDDEV", [PRICE], "DOUBLE"),
        ("CORR", [t.BIGINT, t.UNKNOWN], "DOUBLE"),
        ("MAX_BY", [PERSON, t.DATE], str(PERSON)),
        ("ARRAY_AGG", [t.TIME], "ARRAY<TIME>"),
        ("MAP_AGG", [t.INTEGER, t.TIME], "MAP<BIGINT, TIME>"),
        ("HISTOGRAM", [t.UNKNOWN], "MAP<VARCHAR, BIGINT>"),
        ("LATEST_BY_OFFSET", [t.array(t.DATE)], "ARRAY<DATE>"),
        ("APPROX_COUNT_DISTINCT", [t.TIMESTAMP_TZ], "BIGINT"),
    ],
)
def test_the_type_of_the_result(name: str, types: list[Type], expected: str) -> None:
    assert resolved_type(name, *(Field(f"f{i}", one, (f"f{i}",)) for i, one in enumerate(types))) == expected


def test_the_use_of_a_result_tells_the_type_of_its_values() -> None:
    slots = Slots()
    value = Field("price", t.UNKNOWN, ("price",))
    found = resolve_aggregate("MIN", [(value, PLACE)], PLACE, Coercion(slots), BUILT_IN)
    assert (found.type, found.slot) == (t.UNKNOWN, ("price",))
    Coercion(slots).to(Field("", found.type, found.slot), t.DOUBLE, "+", PLACE)
    assert slots.columns() == {"price": t.NUMBER}


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("SUM", [Field("a", t.VARCHAR)], "SUM does not take .*it is SUM"),
        ("MIN", [Field("a", t.array(t.BIGINT))], "MIN does not take an array|MIN"),
        ("SUM", [], r"SUM does not take 0 arguments; it is SUM\("),
        ("TOPK", [Field("a", t.BIGINT), Field("b", t.BIGINT)], "TOPK needs a constant here"),
        ("TOPK", [Field("a", t.BIGINT), Constant(0, t.INTEGER)], "TOPK gives from 1 to 1000 values, not 0"),
        ("APPROX_PERCENTILE", [Field("a", t.BIGINT), Constant(95, t.INTEGER)], "takes a fraction from 0 to 1, not 95"),
        ("STRING_AGG", [Field("a", t.VARCHAR), Constant(None, t.NULL)], "STRING_AGG needs a constant here"),
        ("HISTOGRAM", [Field("a", t.DOUBLE)], "HISTOGRAM does not take"),
    ],
)
def test_what_an_aggregate_does_not_take(name: str, arguments: list[Typed], said: str) -> None:
    with pytest.raises(TypeMismatch, match=said):
        resolved_type(name, *arguments)


def test_aggregates_are_listed_with_functions() -> None:
    listed = [row for row in list_functions() if row[0] in AGGREGATES]
    assert ("COUNT", "COUNT(*) → BIGINT", "How many records there are.", "") in listed
    assert any(signature == "ARRAY_AGG(value T [ORDER BY …]) → ARRAY<T>" for _, signature, _, _ in listed)


@pytest.mark.parametrize("state", [None, 0, -(2**63), 2**63 - 1, 2**63, -(2**63) - 1, Decimal(5), 1.5])
def test_a_state_that_is_plain_is_the_result(state: Any) -> None:
    sums = accumulator_of("SUM", Arguments((t.BIGINT,))), accumulator_of("SUM", Arguments((t.NUMBER,)))
    plain = [bool(eval(one.plain.format(state="state"), {"state": state})) for one in sums]  # noqa: S307  # as generated code has it
    assert plain == [type(state) is int and -(2**63) <= state < 2**63] * 2
    for one in sums:
        assert not plain[0] or one.result(state) is state
