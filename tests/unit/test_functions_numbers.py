"""Numbers: what holds for all of them. What each function gives is in tests/golden/functions/numbers.txt."""

import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.failures import BadRecord
from sql.functions import numbers as f
from sql.functions import real_numbers as r

WHOLE = st.integers(-(2**63), 2**63 - 1)
DOUBLES = st.floats(allow_nan=False, allow_infinity=False)
DECIMALS = st.builds(lambda digits, scale: Decimal(digits).scaleb(-scale), st.integers(-(10**18), 10**18), st.just(6))
LONG = Decimal("1234567890123456789012345678901234567.5")
"""More digits than Python's own operators on Decimal keep."""
OF_ONE: list[Callable[..., Any]] = [
    *(r.sqrt, r.cbrt, r.exp, r.ln, r.log10, r.sin, r.cos, r.tan, r.cot),
    *(r.asin, r.acos, r.atan, r.degrees, r.radians),
]
OF_TWO: list[Callable[..., Any]] = [r.power, r.log, r.atan2, f.mod]
DIVISION = "division by zero"
KEEPING: list[Callable[..., Any]] = [f.absolute, f.sign, f.rounded, f.truncate, f.floor, f.ceil, f.square]


@pytest.mark.parametrize(
    ("call", "value"),
    [
        (lambda: f.absolute(LONG.copy_negate()), str(LONG)),
        (lambda: f.floor(LONG), "1234567890123456789012345678901234567.0"),
        (lambda: f.ceil(LONG), "1234567890123456789012345678901234568.0"),
        (lambda: f.rounded(LONG, 0), "1234567890123456789012345678901234568.0"),
        (lambda: f.rounded(LONG, -36), "1000000000000000000000000000000000000.0"),
        (lambda: f.truncate(LONG, -1), "1234567890123456789012345678901234560.0"),
        (lambda: f.mod(LONG, Decimal("0.4")), "0.3"),
        (lambda: f.greatest(LONG, LONG.copy_negate()), str(LONG)),
        (lambda: r.cbrt(1e300), "1e+100"),
        (lambda: r.cbrt(1.7976931348623157e308), str(math.cbrt(1.7976931348623157e308))),
        (lambda: r.log(7.0, 343.0), "3.0"),
    ],
)
def test_values(call: Callable[[], Any], value: str) -> None:
    assert str(call()) == value


def outcome(call: Callable[..., Any], *numbers: Any) -> Any:
    """The result, or what is said of the record that is refused."""
    try:
        return call(*numbers)
    except ZeroDivisionError:
        return DIVISION
    except (BadRecord, ValueError) as error:
        return str(error)


@given(DOUBLES, DOUBLES)
def test_a_result_is_finite_or_the_record_is_refused_with_its_value(a: float, b: float) -> None:
    for call, numbers in [*((one, (a,)) for one in (*OF_ONE, *KEEPING)), *((one, (a, b)) for one in OF_TWO)]:
        result = outcome(call, *numbers)
        said = isinstance(result, str) and (result == DIVISION or any(str(number) in result for number in numbers))
        assert said or math.isfinite(result)


@given(WHOLE, st.integers(-25, 25))
def test_a_whole_number_stays_one_of_64_bits(number: int, digits: int) -> None:
    calls: list[Callable[..., Any]] = [
        *KEEPING,
        lambda one: f.rounded(one, digits),
        lambda one: f.truncate(one, digits),
    ]
    for call in calls:
        result = outcome(call, number)
        if isinstance(result, str):
            assert result.endswith("is out of range for BIGINT")
        else:
            assert type(result) is int
            assert -(2**63) <= result < 2**63


@given(st.one_of(WHOLE, DECIMALS, DOUBLES.filter(lambda one: abs(one) < 1e300)), st.integers(-3, 8))
def test_rounding_goes_to_the_nearest_and_ties_away_from_zero(number: Any, digits: int) -> None:
    exact, unit = Fraction(str(number)), Fraction(10) ** -digits
    nearest = math.floor(abs(exact) / unit + Fraction(1, 2)) * unit
    try:
        rounded = f.rounded(number, digits)
    except BadRecord:
        assert nearest >= 2**63
        return
    assert type(rounded) is type(number)
    expected = nearest if number >= 0 else -nearest
    assert rounded == (float(expected) if isinstance(number, float) else expected)


@given(st.one_of(WHOLE, DECIMALS, DOUBLES))
def test_a_number_lies_between_its_floor_and_its_ceiling(number: Any) -> None:
    low, high, cut = f.floor(number), f.ceil(number), f.truncate(number)
    assert low <= number <= high
    assert cut == (low if number >= 0 else high)
    assert type(low) is type(high) is type(cut) is type(number)


@given(DECIMALS, DECIMALS.filter(bool))
def test_a_remainder_is_what_the_whole_quotient_leaves(dividend: Decimal, divisor: Decimal) -> None:
    a, b = Fraction(dividend), Fraction(divisor)
    assert Fraction(f.mod(dividend, divisor)) == a - b * math.trunc(a / b)
