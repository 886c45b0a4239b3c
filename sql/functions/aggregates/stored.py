"""How a value of SQL lies in the state of an aggregate, so that msgspec writes and reads it as MessagePack."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

import msgspec

from jobplane.schemas.failures import BadRecord
from jobplane.schemas.formats.json.values import decoder, msgspec_type, read_conversion, write_conversion
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type
from jobplane.schemas.types.json_text import ENCODER

Convert = Callable[[Any], Any]
_KINDS: dict[str, Any] = {
    "BOOLEAN": bool,
    **{one.name: int for one in t.INTEGERS},
    "DECIMAL": Decimal,
    "REAL": float,
    "DOUBLE": float,
    "VARCHAR": str,
    "VARBINARY": bytes,
    "DATE": date,
    "TIME": time,
    "TIMESTAMP": datetime,
    "TIMESTAMP WITH TIME ZONE": datetime,
    "INTERVAL DAY TO SECOND": timedelta,
    "INTERVAL YEAR TO MONTH": int,
    "NUMBER": int | float,
    "SCALAR": bool | int | float | str,
    "NULL": type(None),
}


@dataclass(frozen=True, slots=True)
class Stored:
    """`kind` is what msgspec reads a value as. `write` makes a value what is kept, `read` makes it a value again.

    `write` never raises; `read` raises BadRecord for a whole number that not even a DOUBLE can hold.
    """

    kind: Any
    write: Convert
    read: Convert


def same(value: Any) -> Any:
    return value


@lru_cache(maxsize=1024)
def stored_as(one: Type) -> Stored:
    """JSON and nested values are kept as the bytes of their JSON, all others as they are. NULL is never given."""
    if one in (t.NUMBER, t.SCALAR):
        return Stored(_KINDS[one.name], narrow, lambda value: finite("a number", value))
    if one.name in _KINDS:
        return Stored(_KINDS[one.name], same, same)
    if one in (t.JSON, t.UNKNOWN):
        return Stored(bytes, bytes, msgspec.Raw)
    decode = decoder(msgspec_type(one)).decode
    after, before = read_conversion(one) or same, write_conversion(one) or same
    return Stored(bytes, lambda value: ENCODER.encode(before(value)), lambda data: after(decode(data)))


def is_wide(value: Any) -> bool:
    """Whether it is a whole number of more than 64 bits."""
    return type(value) is int and not -(2**63) <= value < 2**63


def narrow(value: Any) -> Any:
    """A DOUBLE, or infinity, for a whole number of more than 64 bits; any other value as it is."""
    if not is_wide(value):
        return value
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def finite(name: str, value: Any) -> Any:
    """The value; a DOUBLE is never minus zero. Raises BadRecord for infinity."""
    if type(value) is not float:
        return value
    if not math.isfinite(value):
        raise BadRecord(f"{name} is out of range for a JSON number")
    return value + 0.0
