"""Functions of DOUBLE: roots, powers, logarithms, angles. An angle is in radians.

A result is always a number: where a function has none, or none that is finite, it is an error that shows the argument.
"""

import math
from collections.abc import Callable
from typing import Any

from jobplane.schemas.failures import BadRecord
from jobplane.sql.functions.signature import are_constant, sql


def call_finite(name: str, call: Callable[..., float], *numbers: float) -> float:
    """The result of a call. Raises BadRecord if a DOUBLE cannot hold it."""
    try:
        result = call(*numbers)
    except OverflowError:
        result = math.inf
    if not math.isfinite(result):
        raise BadRecord(f"{name} of {', '.join(map(str, numbers))} is out of range for a JSON number")
    return result


@sql()
def sqrt(number: float) -> float:
    """The square root."""
    if number < 0:
        raise ValueError(f"SQRT of a negative number: {number}")
    return math.sqrt(number)


@sql()
def cbrt(number: float) -> float:
    """The cube root."""
    root = math.cbrt(number)
    short = round(root, 10)  # C libraries differ in the last digit, even for whole roots
    return short if short * short * short == number else root


@sql("POW")
@sql()
def power(base: float, exponent: float) -> float:
    """The base to the power of the exponent."""
    if base == 0 and exponent < 0:
        raise ValueError(f"POWER of zero to a negative exponent: {exponent}")
    if base < 0 and not exponent.is_integer():
        raise ValueError(f"POWER of a negative number to an exponent that is not whole: {base}, {exponent}")
    return call_finite("POWER", math.pow, base, exponent)


@sql()
def exp(number: float) -> float:
    """The constant e to the power of the number."""
    return call_finite("EXP", math.exp, number)


@sql()
def ln(number: float) -> float:
    """The natural logarithm."""
    return math.log(_positive("LN", number))


@sql()
def log10(number: float) -> float:
    """The logarithm to base 10."""
    return math.log10(_positive("LOG10", number))


def _no_logarithm(base: Any, number: Any) -> None:
    log(base if are_constant(base) else 2.0, number if are_constant(number) else 1.0)


@sql(refuses=_no_logarithm)
def log(base: float, number: float) -> float:
    """The logarithm to the base."""
    if base <= 0 or base == 1:
        raise ValueError(f"LOG to a base that is not positive, or 1: {base}")
    quotient = math.log2(_positive("LOG", number)) / math.log2(base)
    whole = float(round(quotient))
    return whole if _is_power(base, whole, number) else quotient


def _is_power(base: float, exponent: float, number: float) -> bool:
    """Recognizes a whole logarithm that a quotient misses by a digit: LOG(10, 1000) is 3, not 2.9999999999999996."""
    try:
        return math.pow(base, exponent) == number
    except OverflowError:
        return False


def _positive(name: str, number: float) -> float:
    if number <= 0:
        raise ValueError(f"{name} of a number that is not positive: {number}")
    return number


@sql()
def sin(angle: float) -> float:
    """The sine."""
    return math.sin(angle)


@sql()
def cos(angle: float) -> float:
    """The cosine."""
    return math.cos(angle)


@sql()
def tan(angle: float) -> float:
    """The tangent."""
    return math.tan(angle)


@sql()
def cot(angle: float) -> float:
    """The cotangent."""
    if angle == 0:
        raise ValueError(f"COT of zero: {angle}")
    return call_finite("COT", lambda one: 1 / math.tan(one), angle)


@sql()
def asin(sine: float) -> float:
    """The angle of a sine, from -π/2 to π/2."""
    return math.asin(_within_one("ASIN", sine))


@sql()
def acos(cosine: float) -> float:
    """The angle of a cosine, from 0 to π."""
    return math.acos(_within_one("ACOS", cosine))


def _within_one(name: str, number: float) -> float:
    if not -1 <= number <= 1:
        raise ValueError(f"{name} of a number that is not from -1 to 1: {number}")
    return number


@sql()
def atan(tangent: float) -> float:
    """The angle of a tangent, from -π/2 to π/2."""
    return math.atan(tangent)


@sql()
def atan2(y: float, x: float) -> float:
    """The angle of the point (x, y), from -π to π."""
    return math.atan2(y, x)


@sql()
def degrees(angle: float) -> float:
    """An angle in degrees."""
    return call_finite("DEGREES", math.degrees, angle)


@sql()
def radians(degrees: float) -> float:
    """An angle in radians, of one in degrees."""
    return math.radians(degrees)


@sql()
def pi() -> float:
    """The constant π."""
    return math.pi
