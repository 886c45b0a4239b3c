"""CAST: from one type to another, as a table. What is not in it cannot be converted.

Numbers are rounded half away from zero into types with fewer digits; what is too large, or no such value, is an error.
"""

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

import msgspec

from jobplane.schemas.failures import BadRecord
from jobplane.schemas.formats.fields import Convert
from jobplane.schemas.formats.json.values import (
    decoder,
    integer_bounds,
    msgspec_type,
    read_conversion,
    row_class,
    shortest_real,
    to_real,
    write_conversion,
)
from jobplane.schemas.msgspec_types import json_decoder
from jobplane.schemas.shown import show_value
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types import temporal_text as text
from jobplane.schemas.types.datatypes import Type
from jobplane.schemas.types.decimals import EXACT, fit_decimal, rescale, to_decimal
from jobplane.schemas.types.json_text import json_text, text_of_json
from jobplane.schemas.types.number_text import BLANK, decimal_of, double_of, whole_of
from jobplane.sql.functions.documents import parse_document
from jobplane.sql.runtime.operations import check_bigint
from jobplane.sql.runtime.plain import plain_text

Made = Callable[[Type, Type], Convert]


class Impossible(Exception):
    """No value of the one type can be converted to the other; the message is a remedy, or empty."""


def explicit(source: Type, target: Type) -> Convert | None:
    """The conversion of CAST; None where the value stays as it is. Raises Impossible."""
    if source == target or source == t.NULL:
        return None
    made = _TABLE.get((_group(source), _group(target)))
    if made is None:
        raise Impossible(_REMEDIES.get((source.name, target.name), ""))
    return made(source, target)


def _group(one: Type) -> str:
    return "WHOLE" if t.is_integer(one) else _GROUPS.get(one.name, one.name)


_GROUPS = {"REAL": "FLOAT", "DOUBLE": "FLOAT", "UNKNOWN": "JSON"}
_REMEDIES = {
    ("VARBINARY", "VARCHAR"): "use FROM_UTF8, TO_HEX or TO_BASE64",
    ("VARCHAR", "VARBINARY"): "use TO_UTF8, FROM_HEX or FROM_BASE64",
}


def whole(value: float | Decimal) -> int:
    """A number that is whole and a BIGINT. Raises BadRecord for another."""
    result = int(value)
    if result != value:
        raise BadRecord(f"{value} is not a whole number")
    return check_bigint(result)


def _to_whole(source: Type, target: Type) -> Convert:
    low, high = integer_bounds(target)

    def ranged(value: int) -> int:
        if not low <= value <= high:
            raise BadRecord(f"{show_value(value)} is out of range for {target}")
        return value

    def parsed(value: str) -> int:
        number = whole_of(value)
        if number is None:
            raise BadRecord(f"{show_value(value)} is not a whole number")
        return ranged(number)

    def rounded(value: float | Decimal) -> int:
        number = Decimal(value) if isinstance(value, float) else value
        return ranged(int(number.to_integral_value(ROUND_HALF_UP, EXACT)))

    match _group(source):
        case "VARCHAR":
            return parsed
        case "WHOLE" | "BOOLEAN":
            return lambda value: ranged(int(value))
        case "NUMBER":
            return lambda value: ranged(value) if isinstance(value, int) else rounded(value)
    return rounded


def exactly(source: Type) -> Convert | None:
    """What makes a Decimal of a number; None where it is one."""
    if source == t.REAL:
        return lambda value: to_decimal(shortest_real(value))
    return None if source.name == "DECIMAL" else to_decimal


def _to_decimal(source: Type, target: Type) -> Convert:
    precision, scale = target.size

    def parsed(value: str) -> Decimal:
        number = decimal_of(value)
        if number is None:
            raise BadRecord(f"{show_value(value)} is not a number")
        return fits(number)

    def fits(value: Decimal) -> Decimal:
        try:
            return fit_decimal(value, precision, scale)
        except InvalidOperation:
            raise BadRecord(f"{show_value(value)} does not fit into {target}") from None

    if source == t.VARCHAR:
        return parsed
    made = exactly(source)
    return (lambda value: fits(made(value))) if made else fits


def _to_float(source: Type, target: Type) -> Convert:
    narrowed = to_real if target == t.REAL else float

    def parsed(value: str) -> float:
        result = double_of(value)
        if result is None:
            raise BadRecord(f"{show_value(value)} is not a number")
        return finite(result, value)

    def finite(result: float, value: object) -> float:
        """A number of JSON may be beyond the range of a double, as a text may."""
        if math.isinf(result):
            raise BadRecord(f"{show_value(value)} is out of range for {target}")
        return narrowed(result)

    if source == t.VARCHAR:
        return parsed
    return lambda value: finite(float(value), value)


def _to_boolean(source: Type, _: Type) -> Convert:
    def parsed(value: str) -> bool:
        word = value.strip(BLANK).lower()
        if word not in ("true", "false"):
            raise BadRecord(f"{show_value(value)} is neither true nor false")
        return word == "true"

    return parsed if source == t.VARCHAR else bool


def _to_text(source: Type, _: Type) -> Convert:
    match _group(source):
        case "DECIMAL":
            return lambda value: f"{rescale(value, source.size[1]):f}"
        case "INTERVAL YEAR TO MONTH":
            return text.text_of_months
        case "FLOAT" if source == t.REAL:
            return lambda value: repr(shortest_real(value))
        case "JSON":
            return text_of_json
        case "ARRAY" | "MAP" | "ROW":
            encoded = _to_json(source, t.JSON)
            return lambda value: bytes(encoded(value)).decode()
    return plain_text


def _to_json(source: Type, _: Type) -> Convert:
    if source == t.VARCHAR:
        return parse_document
    written = write_conversion(source)
    return (lambda value: json_text(written(value))) if written else json_text


_scalar = json_decoder(float_hook=Decimal).decode
_SCALARS = ((bool, t.BOOLEAN), (str, t.VARCHAR), (int, t.NUMBER), (Decimal, t.decimal(t.MAX_PRECISION, 0)))


def _from_json(_: Type, target: Type) -> Convert:
    """A scalar is converted as a value of its kind would be, a nested value must have the type's shape."""
    if target.name in t.NESTED:
        decode = decoder(msgspec_type(target)).decode
        finish = read_conversion(target)
        return (lambda value: finish(decode(value))) if finish else decode
    conversions: list[tuple[type, Convert | None]] = []
    for python, kind in _SCALARS:
        made = None if kind == target else _TABLE.get((_group(kind), _group(target)))
        if made or kind == target:
            conversions.append((python, made(kind, target) if made else None))

    def converted(value: msgspec.Raw) -> Any:
        scalar = _scalar(value)
        if scalar is None:
            return None
        for python, conversion in conversions:
            if isinstance(scalar, python):
                return conversion(scalar) if conversion else scalar
        raise BadRecord(f"{show_value(bytes(value).decode())} cannot be converted to {target}")

    return converted


def _from_scalar(_: Type, target: Type) -> Convert:
    from_json = _from_json(t.JSON, target)
    return lambda value: from_json(json_text(value))


def _nested(source: Type, target: Type) -> Convert:
    """Element by element; a ROW's fields by their position."""
    if len(source.arguments) != len(target.arguments):
        raise Impossible(f"{source} has {len(source.arguments)} fields, {target} {len(target.arguments)}")
    return inside(source, target, explicit) or _same


def inside(source: Type, target: Type, convert: Callable[[Type, Type], Convert | None]) -> Convert | None:
    """The conversion of what lies in a nested value; None where all of it stays as it is."""
    found = [convert(a, b) for a, b in zip(source.arguments, target.arguments, strict=True)]
    if not any(found) and (source.name != "ROW" or source == target):
        return None
    inner = [each or _same for each in found]
    if source.name == "ARRAY":
        (element,) = inner
        return lambda values: [None if value is None else element(value) for value in values]
    if source.name == "MAP":
        key, item = inner
        return lambda pairs: {key(k): None if v is None else item(v) for k, v in pairs.items()}
    made, fields = row_class(target), [(f"m{i}", each) for i, each in enumerate(inner)]

    def converted(row: Any) -> Any:
        values = ((each, getattr(row, name)) for name, each in fields)
        return made(*(None if value is None else each(value) for each, value in values))

    return converted


def _same(value: Any) -> Any:
    return value


def _always(function: Convert) -> Made:
    return lambda _source, _target: function


def at_midnight(value: date) -> datetime:
    """A DATE as a TIMESTAMP."""
    return datetime.combine(value, time())


def _as_utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC)


def _without_zone(value: datetime) -> datetime:
    return value.astimezone(UTC).replace(tzinfo=None)


_NUMBERS = ("WHOLE", "DECIMAL", "FLOAT", "NUMBER")
_TIMES = ("DATE", "TIME", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "INTERVAL DAY TO SECOND", "INTERVAL YEAR TO MONTH")
_TABLE: dict[tuple[str, str], Made] = {
    **{(one, "WHOLE"): _to_whole for one in (*_NUMBERS, "VARCHAR", "BOOLEAN")},
    **{(one, "DECIMAL"): _to_decimal for one in (*_NUMBERS, "VARCHAR")},
    **{(one, "FLOAT"): _to_float for one in (*_NUMBERS, "VARCHAR")},
    **{(one, "BOOLEAN"): _to_boolean for one in ("VARCHAR", "WHOLE")},
    **{(one, "VARCHAR"): _to_text for one in (*_NUMBERS, "BOOLEAN", *_TIMES, "JSON", "SCALAR", *sorted(t.NESTED))},
    **{(one, "JSON"): _to_json for one in (*_NUMBERS, "BOOLEAN", "VARCHAR", *_TIMES, "SCALAR", *sorted(t.NESTED))},
    **{("JSON", one): _from_json for one in ("WHOLE", "DECIMAL", "FLOAT", "BOOLEAN", *_TIMES, *sorted(t.NESTED))},
    **{("SCALAR", one): _from_scalar for one in ("WHOLE", "DECIMAL", "FLOAT", "BOOLEAN", *_TIMES)},
    **{(one, one): _nested for one in t.NESTED},
    ("VARCHAR", "DATE"): _always(text.date_of),
    ("VARCHAR", "TIME"): _always(text.time_of),
    ("VARCHAR", "TIMESTAMP"): _always(text.timestamp_of),
    ("VARCHAR", "TIMESTAMP WITH TIME ZONE"): _always(text.instant_of),
    ("VARCHAR", "INTERVAL DAY TO SECOND"): _always(text.interval_of),
    ("VARCHAR", "INTERVAL YEAR TO MONTH"): _always(text.months_of),
    ("DATE", "TIMESTAMP"): _always(at_midnight),
    ("DATE", "TIMESTAMP WITH TIME ZONE"): _always(lambda value: _as_utc(at_midnight(value))),
    ("TIMESTAMP", "DATE"): _always(datetime.date),
    ("TIMESTAMP", "TIME"): _always(datetime.time),
    ("TIMESTAMP", "TIMESTAMP WITH TIME ZONE"): _always(_as_utc),
    ("TIMESTAMP WITH TIME ZONE", "DATE"): _always(lambda value: _without_zone(value).date()),
    ("TIMESTAMP WITH TIME ZONE", "TIME"): _always(lambda value: _without_zone(value).time()),
    ("TIMESTAMP WITH TIME ZONE", "TIMESTAMP"): _always(_without_zone),
}
"""(group of the source, group of the target) → what makes the conversion."""


def implicit(source: Type, target: Type) -> Convert | None:
    """What a conversion without a CAST does; None where the value stays as it is."""
    if t.is_numeric(source) and t.is_numeric(target):
        return _widening(source, target)
    if source.name == target.name and source.name in ("ARRAY", "MAP"):
        return inside(source, target, implicit)
    unknown = t.NULL in (source, target) or t.UNKNOWN in (source, target)
    return None if unknown or source == target else explicit(source, target)


def _widening(source: Type, target: Type) -> Convert | None:
    if target.name == "DECIMAL":
        return exactly(source)
    if target.name in ("REAL", "DOUBLE"):
        return None if source.name in ("REAL", "DOUBLE") else float
    if target == t.NUMBER:
        return float if source.name == "DECIMAL" else None
    return whole if source == t.NUMBER else None


def attempt(conversion: Convert) -> Convert:
    """TRY_CAST: NULL for what cannot be converted."""

    def attempted(value: Any) -> Any:
        try:
            return conversion(value)
        except (BadRecord, ValueError, ArithmeticError):
            return None

    return attempted
