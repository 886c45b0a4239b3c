"""Functions of numbers. Those that keep the type of their argument take and give BIGINT, DECIMAL or DOUBLE alike.

Rounding is half away from zero, of a DOUBLE on its shortest decimal text: ROUND(2.675, 2) is 2.68. A DECIMAL keeps its
scale. A BIGINT stays within 64 bits, a DECIMAL within 38 digits: what is beyond is an error.
"""

from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from functools import lru_cache

from schemas.failures import BadRecord
from sql import runtime
from sql.datatypes import MAX_PRECISION
from sql.decimals import EXACT
from sql.functions.comparing import comparable
from sql.functions.real_numbers import finite
from sql.functions.signature import N, O, sql
from sql.runtime import check_whole

_FURTHEST = 400
"""No number has a digit so far before the point."""


@lru_cache(maxsize=1024)
def _at(place: int) -> Decimal:
    return Decimal((0, (1,), place))


def _exponent(value: Decimal) -> int:
    return int(value.as_tuple().exponent)


def _cut(value: Decimal, exponent: int, digits: int, rounding: str) -> Decimal:
    """To so many digits after the point, or before it where negative, as one of decimal's ways says."""
    if digits >= -exponent:
        return value
    return value.quantize(_at(min(-digits, _FURTHEST)), rounding, EXACT)


def _rounded(name: str, number: N, digits: int, rounding: str) -> N:
    """Of the same type; zero has no sign. Raises BadRecord where the result is out of range."""
    if isinstance(number, int):
        return number if digits >= 0 else check_whole(int(_cut(Decimal(check_whole(number)), 0, digits, rounding)))
    if isinstance(number, float):
        text = Decimal(repr(number))
        return finite(name, lambda _: float(_cut(text, _exponent(text), digits, rounding)) + 0.0, number)
    exponent = _exponent(number)
    result = EXACT.quantize(_cut(number, exponent, digits, rounding), _at(exponent))
    if result.adjusted() - exponent >= MAX_PRECISION:
        raise BadRecord(f"{result:f} is out of range for DECIMAL: it has more than {MAX_PRECISION} digits")
    return EXACT.plus(result)


@sql("ABS")
def absolute(number: N) -> N:
    """The number without its sign."""
    if isinstance(number, int):
        return check_whole(abs(number))
    if isinstance(number, Decimal):
        return EXACT.abs(number)
    return abs(number)


@sql()
def sign(number: N) -> N:
    """-1, 0 or 1, as the number is negative, zero or positive."""
    one = (number > 0) - (number < 0)
    if isinstance(number, Decimal):
        return EXACT.quantize(Decimal(one), _at(_exponent(number)))
    return type(number)(one)


@sql("ROUND")
def rounded(number: N, digits: int = 0) -> N:
    """The number with so many digits after the point, half away from zero; negative digits round tens, hundreds …"""
    return _rounded("ROUND", number, digits, ROUND_HALF_UP)


@sql("TRUNC")
@sql()
def truncate(number: N, digits: int = 0) -> N:
    """The number cut off after so many digits behind the point; negative digits cut off ones, tens …"""
    return _rounded("TRUNCATE", number, digits, ROUND_DOWN)


@sql()
def floor(number: N) -> N:
    """The largest whole number that is not above the number."""
    return _rounded("FLOOR", number, 0, ROUND_FLOOR)


@sql("CEILING")
@sql()
def ceil(number: N) -> N:
    """The smallest whole number that is not below the number."""
    return _rounded("CEIL", number, 0, ROUND_CEILING)


@sql()
def mod(dividend: N, divisor: N) -> N:
    """The remainder of a division, with the sign of the dividend; the same as %."""
    if isinstance(dividend, Decimal):
        if divisor == 0:
            raise ZeroDivisionError
        return EXACT.remainder(dividend, divisor)
    return runtime.remainder(dividend, divisor)  # type: ignore[return-value]  # of whole numbers a whole one


@sql("SQUARE")
def square_of_decimal(number: Decimal) -> float:
    """The number times itself, as a DOUBLE; number * number is exact."""
    return square(float(number))


@sql()
def square(number: N) -> N:
    """The number times itself."""
    if isinstance(number, int):
        return check_whole(number * number)
    return finite("SQUARE", lambda one: one * one, number)  # type: ignore[return-value,arg-type]  # DECIMAL is above


@sql()
def greatest(*values: O) -> O:
    """The largest of the values; NULL if one of them is NULL."""
    return max(comparable(values))


@sql()
def least(*values: O) -> O:
    """The smallest of the values; NULL if one of them is NULL."""
    return min(comparable(values))
