"""Functions of numbers that keep the type of their argument, and GREATEST and LEAST of anything that has an order.

Rounding is half away from zero, of a DOUBLE on its shortest decimal text: ROUND(2.675, 2) is 2.68. A DECIMAL keeps its
scale. A BIGINT stays within 64 bits, a DECIMAL within 38 digits: a larger result is an error. No result is minus zero.
"""

from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Any

from jobplane.schemas.failures import BadRecord
from jobplane.schemas.types import decimals
from jobplane.schemas.types.datatypes import MAX_PRECISION
from jobplane.schemas.types.decimals import EXACT, power_of_ten
from jobplane.sql.functions.real_numbers import call_finite
from jobplane.sql.functions.signature import N, O, are_constant, sql
from jobplane.sql.runtime import operations
from jobplane.sql.runtime.comparing import check_comparable
from jobplane.sql.runtime.operations import check_bigint

_TENS = tuple(10.0**digits for digits in range(16))
_SMALL = 1e9
"""Below it a product with one of _TENS is off by less than what is taken for the middle."""
_FURTHEST = 400
"""No number has a digit so far before the point."""


def _exact(name: str, value: Decimal, scale: int) -> Decimal:
    """A result with `scale` digits after the point. Raises BadRecord if it has too many digits for a DECIMAL."""
    result = EXACT.plus(EXACT.quantize(value, power_of_ten(-scale)))
    if len(result.as_tuple().digits) > MAX_PRECISION:
        raise BadRecord(f"{name} gives {result:f}, out of range for DECIMAL: it has more than {MAX_PRECISION} digits")
    return result


def _scale(value: Decimal) -> int:
    return -int(value.as_tuple().exponent)


def _cut(value: Decimal, digits: int, rounding: str) -> Decimal:
    """To so many digits after the point, or before it where negative, as one of decimal's ways says."""
    if digits >= _scale(value):
        return value
    return value.quantize(power_of_ten(min(-digits, _FURTHEST)), rounding, EXACT)


def _round(name: str, number: N, digits: int, rounding: str) -> N:
    if isinstance(number, int):
        if digits >= 0:
            return number
        return check_bigint(int(_cut(Decimal(check_bigint(number)), digits, rounding)))
    if isinstance(number, float):
        return call_finite(name, lambda one: float(_cut(Decimal(repr(one)), digits, rounding)) + 0.0, number)
    return _exact(name, _cut(number, digits, rounding), _scale(number))


def _nearest(number: float, digits: int) -> float | None:
    """Rounded in one division of whole numbers; None near the middle, and where the digits are too many for that."""
    if not 0 <= digits < len(_TENS):
        return None
    scaled = abs(number) * _TENS[digits]
    if scaled >= _SMALL or 0.49999 < scaled % 1.0 < 0.50001:
        return None
    nearest = int(scaled + 0.5) / _TENS[digits]
    return nearest if number > 0 else 0.0 - nearest


@sql("ABS")
def absolute(number: N) -> N:
    """The number without its sign."""
    if isinstance(number, int):
        return check_bigint(abs(number))
    if isinstance(number, Decimal):
        return EXACT.abs(number)
    return abs(number)


@sql()
def sign(number: N) -> N:
    """-1, 0 or 1, as the number is negative, zero or positive."""
    one = (number > 0) - (number < 0)
    if isinstance(number, Decimal):
        return _exact("SIGN", Decimal(one), _scale(number))
    return type(number)(one)


@sql("ROUND")
def rounded(number: N, digits: int = 0) -> N:
    """The number rounded to `digits` after the point, half away from zero; negative digits round to tens, hundreds …"""
    if isinstance(number, float):
        nearest = _nearest(number, digits)
        if nearest is not None:
            return nearest  # type: ignore[return-value]  # a float for a float
    return _round("ROUND", number, digits, ROUND_HALF_UP)


@sql("TRUNC")
@sql()
def truncate(number: N, digits: int = 0) -> N:
    """The number cut off at `digits` after the point; negative digits cut off ones, tens …"""
    return _round("TRUNCATE", number, digits, ROUND_DOWN)


@sql()
def floor(number: N) -> N:
    """The largest whole number that is not above the number."""
    return _round("FLOOR", number, 0, ROUND_FLOOR)


@sql("CEILING")
@sql()
def ceil(number: N) -> N:
    """The smallest whole number that is not below the number."""
    return _round("CEIL", number, 0, ROUND_CEILING)


def _by_zero(_dividend: Any, divisor: Any) -> None:
    if are_constant(divisor) and divisor == 0:
        raise ZeroDivisionError


@sql(refuses=_by_zero)
def mod(dividend: N, divisor: N) -> N:
    """The remainder of a division, with the sign of the dividend; the same as %."""
    if isinstance(dividend, Decimal):
        return EXACT.plus(decimals.remainder(dividend, divisor))
    return operations.remainder(dividend, divisor) + 0  # type: ignore[return-value]  # of whole numbers a whole one


@sql()
def square(number: N) -> N:
    """The number times itself; of a DECIMAL rounded to as many digits after the point as it has."""
    if isinstance(number, int):
        return check_bigint(number * number)
    if isinstance(number, float):
        return call_finite("SQUARE", lambda one: one * one, number)
    return _exact("SQUARE", EXACT.multiply(number, number), _scale(number))


@sql()
def greatest(*values: O) -> O:
    """The largest of the values; NULL if one of them is NULL."""
    return max(check_comparable(values))


@sql()
def least(*values: O) -> O:
    """The smallest of the values; NULL if one of them is NULL."""
    return min(check_comparable(values))
