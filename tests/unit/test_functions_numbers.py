"""Functions of numbers: their limits, what always holds of them, and that they are the functions of other engines."""

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobplane.schemas.failures import BadRecord
from jobplane.sql.functions import numbers as f
from jobplane.sql.functions import real_numbers as r
from jobplane.sql.runtime.comparing import check_comparable

MOST = 2**63 - 1
LEAST = -(2**63)
LARGEST = Decimal("9" * 38)
FAR = 1.7976931348623157e308

whole = st.integers(LEAST, MOST)
finite = st.floats(allow_nan=False, allow_infinity=False)
decimals = st.decimals(-(10**20), 10**20, places=5)


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        (f.absolute, (LEAST,)),
        (f.absolute, (MOST + 1,)),
        (f.square, (3_037_000_500,)),
        (f.rounded, (MOST, -1)),
        (f.rounded, (LEAST, -1)),
        (f.rounded, (MOST + 1, -1)),
        (f.rounded, (FAR, -308)),
        (f.rounded, (LARGEST, -1)),
        (f.ceil, (Decimal("9" * 37 + ".5"),)),
        (f.square, (LARGEST,)),
        (f.square, (-1e155,)),
    ],
)
def test_what_is_too_large_is_refused(call: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    with pytest.raises(BadRecord, match="out of range"):
        call(*arguments)


@pytest.mark.parametrize(
    ("call", "arguments", "result"),
    [
        (f.absolute, (-MOST,), MOST),
        (f.square, (3_037_000_499,), 9_223_372_030_926_249_001),
        (f.rounded, (LEAST + 8, -1), LEAST + 8),
        (f.rounded, (LARGEST, 10**18), LARGEST),
        (f.rounded, (LARGEST, -(10**18)), 0),
        (f.rounded, (MOST, -(10**18)), 0),
        (f.rounded, (FAR, -(10**18)), 0.0),
        (f.rounded, (5e-324, 10**18), 5e-324),
        (f.rounded, (-5e-324, 0), 0.0),
        (f.truncate, (LARGEST, -37), Decimal("9e37")),
        (f.absolute, (Decimal("-" + "9" * 38),), LARGEST),
        (f.mod, (LEAST, -1), 0),
        (f.mod, (LARGEST, Decimal("0.00000001")), 0),
        (f.mod, (FAR, 5e-324), 0.0),
    ],
)
def test_what_is_as_large_as_can_be_is_not(call: Callable[..., Any], arguments: tuple[Any, ...], result: Any) -> None:
    made = call(*arguments)
    assert made == result
    assert type(made) is type(result) or isinstance(arguments[0], Decimal)
    assert not str(made).startswith("-0")


@pytest.mark.parametrize(
    ("call", "arguments", "message"),
    [
        (r.sqrt, (-1.0,), "SQRT of a negative number: -1.0"),
        (r.power, (0.0, -1.0), "POWER of zero to a negative exponent: -1.0"),
        (r.power, (-8.0, 1 / 3), "POWER of a negative number to an exponent that is not whole: -8.0, 0.33"),
        (r.power, (-10.0, 309.0), "POWER of -10.0, 309.0 is out of range"),
        (r.exp, (710.0,), "EXP of 710.0 is out of range"),
        (r.ln, (0.0,), "LN of a number that is not positive: 0.0"),
        (r.log10, (-1.0,), "LOG10 of a number that is not positive: -1.0"),
        (r.log, (10.0, 0.0), "LOG of a number that is not positive: 0.0"),
        (r.log, (1.0, 2.0), "LOG to a base that is not positive, or 1: 1.0"),
        (r.log, (-2.0, 2.0), "LOG to a base that is not positive, or 1: -2.0"),
        (r.cot, (0.0,), "COT of zero: 0.0"),
        (r.cot, (5e-324,), "COT of 5e-324 is out of range"),
        (r.asin, (2.0,), "ASIN of a number that is not from -1 to 1: 2.0"),
        (r.acos, (-1.5,), "ACOS of a number that is not from -1 to 1: -1.5"),
        (r.degrees, (1e307,), "DEGREES of 1e+307 is out of range"),
    ],
)
def test_a_function_that_has_no_value_names_itself_and_the_argument(
    call: Callable[..., float], arguments: tuple[float, ...], message: str
) -> None:
    with pytest.raises((BadRecord, ValueError)) as caught:
        call(*arguments)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("pair", [(7, 0), (7.5, 0.0), (7.5, -0.0), (Decimal(7), Decimal("0.00"))])
def test_nothing_is_divided_by_zero(pair: tuple[Any, Any]) -> None:
    with pytest.raises(ZeroDivisionError):
        f.mod(*pair)


def test_a_whole_logarithm_is_whole() -> None:
    for base in (2, 3, 5, 7, 10, 0.5):
        for exponent in range(-20, 21):
            number = math.pow(base, exponent)
            assert r.log(base, number) == exponent
    assert r.log(2.0, FAR) == 1024
    assert r.log(1.0000000000000002, FAR) == pytest.approx(3.2e18, rel=0.01)


@given(whole | finite | decimals, st.integers(-25, 25))
def test_rounding_stays_on_its_side_and_near(number: Any, digits: int) -> None:
    try:
        low, high, cut, near = f.floor(number), f.ceil(number), f.truncate(number, digits), f.rounded(number, digits)
    except BadRecord:
        return
    assert {type(one) for one in (low, high, cut, near)} == {type(number)}
    exact = [Decimal(repr(one)) if isinstance(one, float) else Decimal(one) for one in (number, low, high, cut, near)]
    value, low, high, cut, near = exact
    assert low <= value <= high
    assert (high == low) is (value == value.to_integral_value())
    assert abs(cut) <= abs(value)
    assert f.truncate(cut, digits) == cut
    assert abs(near) in (abs(cut), f.rounded(abs(near), digits))
    assert f.rounded(near, digits) == near


@given(st.tuples(whole, whole) | st.tuples(decimals, decimals) | st.tuples(finite, finite))
def test_a_remainder_is_smaller_than_the_divisor_and_has_the_dividend_s_sign(pair: tuple[Any, Any]) -> None:
    dividend, divisor = pair
    if divisor == 0:
        return
    rest = f.mod(dividend, divisor)
    assert abs(rest) < abs(divisor)
    assert rest == 0 or (rest > 0) is (dividend > 0)
    if isinstance(dividend, int):
        assert (dividend - rest) % divisor == 0


@settings(max_examples=100)
@given(finite, finite, whole, whole)
def test_duckdb_has_the_same(a: float, b: float, i: int, j: int) -> None:
    theirs = duckdb.execute(
        "SELECT abs(a), sign(a), floor(a), ceil(a), trunc(a), round(a), greatest(a, b), least(a, b), sign(i), "
        "greatest(i, j), least(i, j), cbrt(a), sin(a), cos(a), atan(a), atan2(a, b), radians(a), sqrt(abs(a)) "
        "FROM (SELECT $1::DOUBLE AS a, $2::DOUBLE AS b, $3::BIGINT AS i, $4::BIGINT AS j)",
        [a, b, i, j],
    ).fetchone()
    ours = (
        *(f.absolute(a), f.sign(a), f.floor(a), f.ceil(a), f.truncate(a), f.rounded(a), f.greatest(a, b)),
        *(f.least(a, b), f.sign(i), f.greatest(i, j), f.least(i, j), r.cbrt(a), r.sin(a), r.cos(a), r.atan(a)),
        *(r.atan2(a, b), r.radians(a), r.sqrt(abs(a))),
    )
    assert ours == pytest.approx(theirs, rel=1e-13)


def test_values_of_one_kind_are_comparable() -> None:
    assert check_comparable([1, 2.5, Decimal(3)]) == [1, 2.5, Decimal(3)]
    for values in ([1, "1"], [True, 1], ["x", False], [[1]], [1, {}]):
        with pytest.raises(BadRecord):
            check_comparable(values)
