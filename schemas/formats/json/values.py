"""How values of each type are read from JSON, written to it, and fitted into a column."""

import math
import struct
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_UP, Context, Decimal
from functools import lru_cache
from typing import Annotated, Any

import msgspec

from jobplane.schemas.failures import BadRecord
from jobplane.schemas.formats.fields import Convert
from jobplane.schemas.formats.json.odd_names import decode_under, is_odd, object_maker
from jobplane.schemas.msgspec_types import json_decoder
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type
from jobplane.schemas.types.decimals import fit_decimal
from jobplane.schemas.types.number_text import decimal_of
from jobplane.schemas.types.temporal_text import months_of, text_of, text_of_months

LARGEST_REAL = 3.4028235677973362e38
"""The largest number whose nearest value of 32 bits is finite."""
_SMALLEST_NORMAL = 2.0**-126
_REAL = struct.Struct("<f")
_FEWEST_DIGITS, _MOST_DIGITS = 6, 9
"""Six digits always survive 32 bits, and nine always tell a value of 32 bits from its neighbours."""
_PLAIN_SCALE = 6
"""With more digits after the point Python writes an exponent into the text of a small Decimal."""


class _AnyDecimal(type):
    def __instancecheck__(cls, _: object) -> bool:
        return True


class ExactDecimal(metaclass=_AnyDecimal):
    """The type that a DECIMAL is read as; its values are Decimals. msgspec's own reader takes every text of Python."""


def decoder(kind: Any) -> msgspec.json.Decoder[Any]:  # noqa: TID251  # only its type
    """The decoder of JSON for a type made by `msgspec_type`."""
    return json_decoder(kind, dec_hook=_exact, float_hook=Decimal)


def _exact(_: type, value: Any) -> Decimal:
    """Raises ValueError in msgspec's words, which `reword` translates like its other messages."""
    match value:
        case Decimal():
            return value
        case bool():
            raise ValueError("Expected `decimal`, got `bool`")
        case int():
            return Decimal(value)
        case str():
            number = decimal_of(value)
            if number is None:
                raise ValueError("Invalid decimal string")
            return number
    raise ValueError(f"Expected `decimal`, got `{'array' if isinstance(value, list) else 'object'}`")


def integer_bounds(one: Type) -> tuple[int, int]:
    """The smallest and the largest value of a type of whole numbers."""
    half = 1 << (t.BITS[one.name] - 1)
    return -half, half - 1


def _whole(one: Type) -> Any:
    low, high = integer_bounds(one)
    return Annotated[int, msgspec.Meta(ge=low, le=high)]


_READ_AS: dict[str, Any] = {
    "BOOLEAN": bool,
    **{one.name: _whole(one) for one in t.INTEGERS},
    "DECIMAL": ExactDecimal,
    "REAL": Annotated[float, msgspec.Meta(ge=-LARGEST_REAL, le=LARGEST_REAL)],
    "DOUBLE": float,
    "VARCHAR": str,
    "VARBINARY": bytes,
    "DATE": date,
    "TIME": Annotated[time, msgspec.Meta(tz=False)],
    "TIMESTAMP": Annotated[datetime, msgspec.Meta(tz=False)],
    "TIMESTAMP WITH TIME ZONE": Annotated[datetime, msgspec.Meta(tz=True)],
    "INTERVAL DAY TO SECOND": timedelta,
    "INTERVAL YEAR TO MONTH": str,
    "JSON": msgspec.Raw,
    "UNKNOWN": msgspec.Raw,
    "NULL": type(None),
    "NUMBER": int | float,
    "SCALAR": int | float | str | bool,
}


def msgspec_type(one: Type) -> Any:
    """The type that msgspec reads a value as. NULL is None; of type JSON it is a msgspec.Raw of `null`."""
    match one.name:
        case "ARRAY":
            return list[_inner(one.arguments[0])]  # type: ignore[misc]
        case "MAP":
            key = str if one.arguments[0] == t.BOOLEAN else msgspec_type(one.arguments[0])
            return dict[key, _inner(one.arguments[1])]  # type: ignore[valid-type,misc]
        case "ROW":
            return dict[str, msgspec.Raw] if _has_odd_names(one) else row_class(one)
    return _READ_AS[one.name]


def _has_odd_names(one: Type) -> bool:
    return any(map(is_odd, one.fields))


def _inner(one: Type) -> Any:
    read = msgspec_type(one)
    return read if read is msgspec.Raw else read | None


@lru_cache(maxsize=1024)
def row_class(one: Type) -> type[msgspec.Struct]:
    """The struct of a ROW type; its fields are m0, m1 …, in JSON they have their names. What is missing is NULL."""
    members: list[Any] = []
    for i, argument in enumerate(one.arguments):
        read = _inner(argument)
        members.append((f"m{i}", read, msgspec.Raw(b"null") if read is msgspec.Raw else None))
    names = {} if _has_odd_names(one) else {f"m{i}": name for i, name in enumerate(one.fields)}
    return msgspec.defstruct("Row", members, rename=names, gc=False)


def _row_reader(one: Type) -> Convert:
    """The row of an object that was read as a dictionary. Raises msgspec.ValidationError with the path of the field."""
    made = row_class(one)
    kinds = [_inner(argument) for argument in one.arguments]
    nulls = [msgspec.Raw(b"null") if kind is msgspec.Raw else None for kind in kinds]
    finishes = [read_conversion(argument) or _same for argument in one.arguments]
    parts = list(zip(one.fields, (decoder(kind).decode for kind in kinds), nulls, finishes, strict=True))

    def row(members: dict[str, msgspec.Raw]) -> Any:
        values = []
        for name, decode, null, finish in parts:
            raw = members.get(name)
            value = null if raw is None else decode_under((name,), decode, raw)
            values.append(value if value is None else decode_under((name,), finish, value))
        return made(*values)

    return row


def _row_writer(one: Type, convert: Callable[[Type], Convert | None]) -> Convert:
    """The conversion of a row to an object; the struct of the row does not have the names."""
    made = object_maker(one.fields)
    inner = [convert(argument) or _same for argument in one.arguments]

    def written(row: Any) -> Any:
        values = msgspec.structs.astuple(row)
        return made(*(None if v is None else each(v) for each, v in zip(inner, values, strict=True)))

    return written


def read_conversion(one: Type) -> Convert | None:
    """The conversion of a value that msgspec has read; None if it needs none."""
    match one.name:
        case "DECIMAL":
            precision, scale = one.size

            def exact(value: Decimal) -> Decimal:
                result = fit_decimal(value, precision, scale)
                if result != value:
                    raise BadRecord(f"{value:f} does not fit into {one}")
                return result

            return exact
        case "REAL":
            return to_real
        case "INTERVAL YEAR TO MONTH":
            return months_of
        case "TIMESTAMP WITH TIME ZONE":
            return to_utc
        case "ROW" if _has_odd_names(one):
            return _row_reader(one)
    return _inside(one, read_conversion)


def write_conversion(one: Type) -> Convert | None:
    """The conversion of a value before msgspec writes it; None if it needs none."""
    match one.name:
        case "DECIMAL":
            return _plain if one.size[1] > _PLAIN_SCALE else None
        case "REAL":
            return shortest_real
        case "ROW" if _has_odd_names(one):
            return _row_writer(one, write_conversion)
    return _TEXTS.get(one) or _inside(one, write_conversion)


def argument_conversion(one: Type) -> Convert | None:
    """The conversion of a value for a parameter of any type of a package's function; None if it needs none."""
    if one.name == "ROW" and _has_odd_names(one):
        return _row_writer(one, argument_conversion)
    return _TEXTS.get(one) or _inside(one, argument_conversion)


_TEXTS: dict[Type, Convert] = {t.YEAR_TO_MONTH: text_of_months, t.DAY_TO_SECOND: text_of}


def _plain(value: Decimal) -> msgspec.Raw:
    return msgspec.Raw(f"{value:f}".encode())


def _inside(one: Type, convert: Callable[[Type], Convert | None]) -> Convert | None:
    """The conversion of the values inside a nested value."""
    inner = [convert(argument) for argument in one.arguments]
    if one.name == "MAP" and one.arguments[0] == t.BOOLEAN:
        names: dict[Any, Convert] = {read_conversion: _truth_of_name, write_conversion: _name_of_truth}
        inner[0] = names.get(convert)
    if not any(inner):
        return None
    if one.name == "ARRAY":
        element = inner[0] or _same
        return lambda values: [None if value is None else element(value) for value in values]
    if one.name == "MAP":
        key, item = (each or _same for each in inner)
        return lambda pairs: {key(k): None if v is None else item(v) for k, v in pairs.items()}
    fields = [(f"m{i}", each) for i, each in enumerate(inner) if each]

    def converted(row: Any) -> Any:
        changed = {name: each(value) for name, each in fields if (value := getattr(row, name)) is not None}
        return msgspec.structs.replace(row, **changed)

    return converted


def _same(value: Any) -> Any:
    return value


def _truth_of_name(name: str) -> bool:
    """Names in objects of JSON are texts."""
    if name not in ("true", "false"):
        raise BadRecord(f"'{name}' is not true or false")
    return name == "true"


def _name_of_truth(value: bool) -> str:  # noqa: FBT001  # a value of SQL
    return "true" if value else "false"


def to_utc(value: datetime) -> datetime:
    """Generated code calls it for values whose zone is another than UTC itself."""
    return value.astimezone(UTC)


def to_real(value: float) -> float:
    """The nearest value of 32 bits."""
    try:
        return float(_REAL.unpack(_REAL.pack(value))[0])
    except OverflowError:
        raise BadRecord(f"{value} is out of range for REAL") from None


def shortest_real(value: float) -> float:
    """The DOUBLE whose text is the shortest that reads back as this value of 32 bits: 0.1 for REAL 0.1."""
    value = to_real(value)
    fewest = _FEWEST_DIGITS if abs(value) >= _SMALLEST_NORMAL else 1
    for digits in range(fewest, _MOST_DIGITS):
        found = float(f"{value:.{digits}g}")
        if to_real(found) == value:
            return found
        if math.frexp(value)[0] in (0.5, -0.5):  # the neighbours of a power of two are not equally far from it
            found = float(Context(prec=digits, rounding=ROUND_UP).create_decimal_from_float(value))
            if to_real(found) == value:
                return found
    return float(f"{value:.{_MOST_DIGITS}g}")
