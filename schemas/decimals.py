"""Exact arithmetic of DECIMAL. Python's own operators on Decimal round to 28 digits: they are never used on them."""

from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal, DivisionByZero, InvalidOperation, Overflow

from schemas.datatypes import MAX_PRECISION
from schemas.failures import BadRecord

EXACT = Context(prec=4 * MAX_PRECISION, rounding=ROUND_HALF_UP, traps=[DivisionByZero, InvalidOperation, Overflow])
"""Holds the sum, difference and product of any two DECIMALs; quotients are rounded."""


def quotient(dividend: Decimal, divisor: Decimal, scale: int) -> Decimal:
    """Rounded to the scale. Raises ZeroDivisionError."""
    if not divisor:
        raise ZeroDivisionError
    return rescaled(EXACT.divide(dividend, divisor), scale)


def remainder(dividend: Decimal, divisor: Decimal) -> Decimal:
    """With the dividend's sign. Raises ZeroDivisionError."""
    if not divisor:
        raise ZeroDivisionError
    return EXACT.remainder(dividend, divisor)


def rescaled(value: Decimal, scale: int) -> Decimal:
    """Rounded half up (away from zero) to so many digits after the point."""
    return EXACT.quantize(value, Decimal(1).scaleb(-scale, EXACT))


def truncated(value: Decimal, scale: int) -> Decimal:
    """Cut off, toward zero, after so many digits behind the point."""
    return value.quantize(Decimal(1).scaleb(-scale, EXACT), ROUND_DOWN, EXACT)


def fitted(value: Decimal, precision: int, scale: int) -> Decimal:
    """Rounded to the scale. Raises BadRecord where the whole digits are too many."""
    result = rescaled(value, scale)
    if len(result.as_tuple().digits) > precision and result:
        raise BadRecord(f"{value} does not fit into DECIMAL({precision}, {scale})")
    return result
