"""Constants of expressions as JSON, exactly: what JSON has no value for is an object whose one name says what it is.

The names are kept for ever. A ROW needs the type of its place to be read again: its class follows from the type.
"""

from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from math import isfinite
from typing import Any

import msgspec

from jobplane.schemas.formats.json.values import row_class
from jobplane.schemas.types.datatypes import Type

LARGEST_INTEGER = 2**63 - 1
"""JSON has larger ones, but not every reader of JSON."""


def constant_to_json(value: Any) -> Any:
    """Raises TypeError for a value that no expression has."""
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if abs(value) <= LARGEST_INTEGER else {"integer": str(value)}
        case float():
            return value if isfinite(value) else {"double": repr(value)}
        case list():
            return [constant_to_json(one) for one in value]
        case tuple():  # a header
            return {"pair": [constant_to_json(one) for one in value]}
        case dict():
            return {"map": [[constant_to_json(key), constant_to_json(one)] for key, one in value.items()]}
        case msgspec.Struct():
            return {"row": [constant_to_json(one) for one in msgspec.structs.astuple(value)]}
    for name, (kind, write, _) in _SCALARS.items():
        if isinstance(value, kind):
            return {name: write(value)}
    raise TypeError(f"no constant is a {type(value).__name__}")


def constant_from_json(value: Any, one: Type) -> Any:
    """The constant of a type. Raises ValueError, TypeError, KeyError or IndexError for what is not one."""
    if isinstance(value, list):
        return [constant_from_json(each, one.arguments[0]) for each in value]
    if not isinstance(value, dict):
        return value
    ((name, inner),) = value.items()
    match name:
        case "map":
            key, item = one.arguments
            return {constant_from_json(k, key): constant_from_json(v, item) for k, v in inner}
        case "pair":
            return tuple(constant_from_json(each, one) for each in inner)
        case "row":
            pairs = zip(inner, one.arguments, strict=True)
            return row_class(one)(*(constant_from_json(each, kind) for each, kind in pairs))
    _, _, read = _SCALARS[name]
    return read(inner)


def _interval(value: timedelta) -> list[int]:
    return [value.days, value.seconds, value.microseconds]


_SCALARS: dict[str, tuple[type, Callable[[Any], Any], Callable[[Any], Any]]] = {
    "integer": (int, str, int),
    "double": (float, repr, float),
    "decimal": (Decimal, str, Decimal),
    "bytes": (bytes, lambda value: b64encode(value).decode(), b64decode),
    "json": (msgspec.Raw, lambda value: bytes(value).decode(), lambda text: msgspec.Raw(text.encode())),
    "timestamp": (datetime, datetime.isoformat, datetime.fromisoformat),
    "date": (date, date.isoformat, date.fromisoformat),
    "time": (time, time.isoformat, time.fromisoformat),
    "interval": (timedelta, _interval, lambda parts: timedelta(*parts)),
}
"""By name: the class of a value, and how it is written and read. A datetime is a date, so it stands before."""
