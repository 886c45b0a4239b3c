"""Exact arithmetic of DECIMAL. Python's own operators on Decimal round to 28 digits: they are never used on them.

A DECIMAL has no negative zero, and no text of it has an exponent.
"""

from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from functools import lru_cache

from jobplane.schemas.failures import BadRecord
from jobplane.schemas.types.datatypes import MAX_PRECISION

EXACT = Context(prec=4 * MAX_PRECISION, rounding=ROUND_HALF_UP, traps=[DivisionByZero, InvalidOperation, Overflow])
"""Holds the sum, difference and product of any two DECIMALs; quotients are rounded."""
_ZERO = Decimal(0)


def to_decimal(value: float | str) -> Decimal:
    """A whole number, or the text of any number, as it is; of a float its shortest text."""
    return EXACT.plus(Decimal(repr(value) if isinstance(value, float) else value))


def product(a: Decimal, b: Decimal) -> Decimal:
    return EXACT.fma(a, b, _ZERO)


def quotient(dividend: Decimal, divisor: Decimal, scale: int) -> Decimal:
    """Rounded to the scale. Raises ZeroDivisionError."""
    if not divisor:
        raise ZeroDivisionError
    return rescale(EXACT.divide(dividend, divisor), scale)


def remainder(dividend: Decimal, divisor: Decimal) -> Decimal:
    """With the dividend's sign. Raises ZeroDivisionError."""
    if not divisor:
        raise ZeroDivisionError
    return EXACT.plus(EXACT.remainder(dividend, divisor))


def rescale(value: Decimal, scale: int) -> Decimal:
    """Rounded half up (away from zero) to this number of digits after the point."""
    return EXACT.plus(EXACT.quantize(value, power_of_ten(-scale)))


def truncate(value: Decimal, scale: int) -> Decimal:
    """Cut off, toward zero, after this number of digits behind the point."""
    return EXACT.plus(value.quantize(power_of_ten(-scale), ROUND_DOWN, EXACT))


@lru_cache(maxsize=1024)
def power_of_ten(exponent: int) -> Decimal:
    """The unit to which quantize rounds: 0.01 for -2."""
    return Decimal((0, (1,), exponent))


def fit_decimal(value: Decimal, precision: int, scale: int) -> Decimal:
    """Rounded to the scale. Raises BadRecord where the whole digits are too many."""
    result = rescale(value, scale)
    if not result.copy_abs() < power_of_ten(precision - scale):
        raise BadRecord(f"{value:f} does not fit into DECIMAL({precision}, {scale})")
    return result
