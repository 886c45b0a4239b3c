"""How values of each type are read from JSON, written to it, and fitted into a column."""

import struct
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any

import msgspec

from schemas import datatypes as t
from schemas.datatypes import Type
from schemas.decimals import fitted
from schemas.failures import BadRecord
from schemas.formats.fields import Convert
from schemas.temporal_text import months_of, text_of, text_of_months

LARGEST_REAL = 3.4028234663852886e38


def bounds(one: Type) -> tuple[int, int]:
    """The smallest and the largest value of a type of whole numbers."""
    half = 1 << (t.BITS[one.name] - 1)
    return -half, half - 1


def _whole(one: Type) -> Any:
    low, high = bounds(one)
    return Annotated[int, msgspec.Meta(ge=low, le=high)]


_READ_AS: dict[str, Any] = {
    "BOOLEAN": bool,
    **{one.name: _whole(one) for one in t.INTEGERS},
    "DECIMAL": Decimal,
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
    "NULL": None,
    "NUMBER": int | float,
    "SCALAR": int | float | str | bool,
}


def read_as(one: Type) -> Any:
    """What msgspec reads a value as; NULL is None, but a msgspec.Raw of JSON's null where the type is JSON."""
    match one.name:
        case "ARRAY":
            return list[_inner(one.arguments[0])]  # type: ignore[misc]
        case "MAP":
            return dict[read_as(one.arguments[0]), _inner(one.arguments[1])]  # type: ignore[misc]
        case "ROW":
            return row_class(one)
    return _READ_AS[one.name]


def _inner(one: Type) -> Any:
    read = read_as(one)
    return read if read is msgspec.Raw else read | None


@lru_cache(maxsize=1024)
def row_class(one: Type) -> type[msgspec.Struct]:
    """The struct of a ROW type; its fields are m0, m1 …, in JSON they have their names. What is missing is NULL."""
    members: list[Any] = []
    for i, argument in enumerate(one.arguments):
        read = _inner(argument)
        members.append((f"m{i}", read, msgspec.Raw(b"null") if read is msgspec.Raw else None))
    names = {f"m{i}": name for i, name in enumerate(one.fields)}
    return msgspec.defstruct("Row", members, rename=names, gc=False)


def reader(one: Type) -> Convert | None:
    """What a value goes through after it was read; None where nothing is left to do."""
    match one.name:
        case "DECIMAL":
            precision, scale = one.size

            def exact(value: Decimal) -> Decimal:
                result = fitted(value, precision, scale)
                if result != value:
                    raise BadRecord(f"{value} does not fit into {one}")
                return result

            return exact
        case "REAL":
            return real
        case "INTERVAL YEAR TO MONTH":
            return months_of
        case "TIMESTAMP WITH TIME ZONE":
            return _utc
    return _inside(one, reader)


_WRITTEN_AS: dict[Type, Convert] = {t.YEAR_TO_MONTH: text_of_months, t.DAY_TO_SECOND: text_of}


def writer(one: Type) -> Convert | None:
    """What a value goes through before it is written; None where msgspec writes it as it is."""
    return _WRITTEN_AS.get(one) or _inside(one, writer)


def _inside(one: Type, convert: Callable[[Type], Convert | None]) -> Convert | None:
    """The conversion of what is inside a nested value."""
    inner = [convert(argument) for argument in one.arguments]
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


def _utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


def real(value: float) -> float:
    """The nearest value of 32 bits."""
    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        raise BadRecord(f"{value} is out of range for REAL") from None
