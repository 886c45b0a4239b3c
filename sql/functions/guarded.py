"""Guards functions of installed packages: an exception, or a result that its annotation does not allow, is the record's
error.

Only these functions are guarded: tests show that the functions of the language keep their annotations.
"""

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from traceback import format_exception_only
from typing import Any

import msgspec

from jobplane.schemas.failures import BadRecord
from jobplane.schemas.formats.json.values import integer_bounds
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type
from jobplane.schemas.types.decimals import fit_decimal, rescale
from jobplane.schemas.types.json_text import describe_malformed
from jobplane.sql.functions.signature import Function

Fit = Callable[[Any], Any]
"""The value as the language carries it. Raises Unfit."""
LONGEST_REASON = 500


class Unfit(Exception):
    """The value is not of its type; the message continues `NAME returned`."""


def guard_function(function: Function, returns: Type) -> Callable[..., Any]:
    """A call of the function whose result is a value of `returns`. It only raises BadRecord."""
    name, call, gives_null, fit = function.name, function.call, function.gives_null, value_check(returns)

    def guard(*arguments: Any) -> Any:
        try:
            value = call(*arguments)
        except (Exception, SystemExit) as error:
            raise BadRecord(f"{name}: {describe_exception(error)}") from error
        if value is None and gives_null:
            return None
        try:
            return fit(value)
        except Unfit as unfit:
            raise BadRecord(f"{name} returned {unfit}") from None

    guard.__qualname__ = name
    return guard


def describe_exception(error: BaseException) -> str:
    """`KeyError: 'x'`, in one line; also where the error's own text raises."""
    return " ".join("".join(format_exception_only(error)).split())[:LONGEST_REASON]


def value_check(one: Type) -> Fit:
    """The check of the values that a function returns for a type."""
    if one.name in t.BITS:
        return _whole(one)
    if one.name == "ARRAY":
        return _array(value_check(one.arguments[0]))
    if one.name == "MAP":
        return _map(value_check(one.arguments[0]), value_check(one.arguments[1]))
    if one.name == "DECIMAL":
        return _decimal(one)
    if one.name in _EXACT:
        return _exact(_EXACT[one.name], one)
    return _OTHERS.get(one.name, _any)


def _unlike(value: Any, one: Type) -> Unfit:
    return Unfit(f"{_describe(value)}; its annotation promises {one}")


def _too_long(value: Any, one: str) -> Unfit:
    return Unfit(f"a {one} of {len(value):,} characters or elements; at most {t.MAX_LENGTH:,} are allowed")


_EXACT = {
    "BOOLEAN": bool,
    "DATE": date,
    "INTERVAL DAY TO SECOND": timedelta,
    "INTERVAL YEAR TO MONTH": int,
}


def _exact(kind: type, one: Type) -> Fit:
    def fit(value: Any) -> Any:
        if type(value) is kind:
            return value
        raise _unlike(value, one)

    return fit


def _whole(one: Type) -> Fit:
    low, high = integer_bounds(one)

    def fit(value: Any) -> Any:
        if type(value) is not int:
            if not isinstance(value, int) or isinstance(value, bool):
                raise _unlike(value, one)
            value = int.__index__(value)
        if not low <= value <= high:
            raise Unfit(f"a number of {value.bit_length()} bits, which is out of range for {one}")
        return value

    return fit


def _double(value: Any) -> Any:
    """Whole numbers too, as Python's own typing has it."""
    if type(value) is not float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise _unlike(value, t.DOUBLE)
        try:
            value = float.__float__(value) if isinstance(value, float) else float(value)
        except OverflowError:
            raise Unfit("a number out of range for DOUBLE") from None
    if not math.isfinite(value):
        raise Unfit(f"{value}, which is not a number of SQL")
    return value


def _decimal(one: Type) -> Fit:
    precision, scale = one.size

    def fit(value: Any) -> Any:
        if type(value) is not Decimal:
            raise _unlike(value, one)
        exponent = value.as_tuple().exponent
        if not isinstance(exponent, int):
            raise Unfit(f"{value}, which is not a number of SQL")
        if value and value.adjusted() >= precision - scale:
            raise Unfit(f"a number out of range for {one}")
        return fit_decimal(value, precision, scale) if -exponent > scale else rescale(value, max(0, -exponent))

    return fit


def _text(value: Any) -> Any:
    if type(value) is not str:
        if not isinstance(value, str):
            raise _unlike(value, t.VARCHAR)
        value = str.__str__(value)
    if len(value) > t.MAX_LENGTH:
        raise _too_long(value, "VARCHAR")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Unfit("text that cannot be written as UTF-8") from None
    return value


def _bytes(value: Any) -> Any:
    if type(value) is not bytes:
        raise _unlike(value, t.VARBINARY)
    if len(value) > t.MAX_LENGTH:
        raise _too_long(value, "VARBINARY")
    return value


def _time(value: Any) -> Any:
    if type(value) is not time or value.tzinfo is not None:
        raise _unlike(value, t.TIME)
    return value


def _timestamp(value: Any) -> Any:
    if type(value) is not datetime:
        raise _unlike(value, t.TIMESTAMP)
    if value.tzinfo is not None:
        raise Unfit("a datetime with a time zone; its annotation promises TIMESTAMP, which has none")
    return value


def _instant(value: Any) -> Any:
    if type(value) is not datetime:
        raise _unlike(value, t.TIMESTAMP_TZ)
    if value.tzinfo is None:
        raise Unfit("a datetime without a time zone; its annotation promises TIMESTAMP WITH TIME ZONE")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise Unfit(f"{value}, which is out of range in UTC") from None


def _json(value: Any) -> Any:
    if type(value) is not msgspec.Raw:
        raise _unlike(value, t.JSON)
    try:
        msgspec.json.decode(value)
    except msgspec.DecodeError as error:
        raise Unfit(f"text that is not JSON: {describe_malformed(error)}") from None
    except RecursionError:
        raise Unfit("text that is not JSON: it is nested too deep") from None
    return value


def _number(value: Any) -> Any:
    """A number of any kind."""
    if isinstance(value, Decimal):
        return _decimal(t.decimal(t.MAX_PRECISION, 0 if value == value.to_integral_value() else 18))(value)
    if isinstance(value, int):
        return _whole(t.BIGINT)(value)
    return _double(value)


def _scalar(value: Any) -> Any:
    if type(value) is bool:
        return value
    return _text(value) if isinstance(value, str) else _number(value)


def _any(value: Any) -> Any:
    """A value of a type that differs from record to record: it is an argument, or a part of one."""
    if value is None:
        raise Unfit("NULL, which its annotation does not allow")
    return value


def _array(inner: Fit) -> Fit:
    def fit(value: Any) -> Any:
        if type(value) is not list:
            raise Unfit(f"{_describe(value)}; its annotation promises an ARRAY, which is a list")
        if len(value) > t.MAX_LENGTH:
            raise _too_long(value, "ARRAY")
        return [None if one is None else inner(one) for one in value]

    return fit


def _map(key: Fit, inner: Fit) -> Fit:
    def fit(value: Any) -> Any:
        if type(value) is not dict:
            raise Unfit(f"{_describe(value)}; its annotation promises a MAP, which is a dict")
        if len(value) > t.MAX_LENGTH:
            raise _too_long(value, "MAP")
        return {key(name): None if one is None else inner(one) for name, one in value.items()}

    return fit


def _describe(value: Any) -> str:
    return "NULL" if value is None else f"a Python {type(value).__name__}"


_OTHERS: dict[str, Fit] = {
    "REAL": _double,
    "DOUBLE": _double,
    "VARCHAR": _text,
    "VARBINARY": _bytes,
    "TIME": _time,
    "TIMESTAMP": _timestamp,
    "TIMESTAMP WITH TIME ZONE": _instant,
    "JSON": _json,
    "NUMBER": _number,
    "SCALAR": _scalar,
}
