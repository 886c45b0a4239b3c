"""Defaults of fields: from a schema's JSON to what Avro's own types hold, before any logical type is looked at.

Bytes are written in JSON as a text of code points from 0 to 255. A default of a union may be of any of its types.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from jobplane.schemas.failures import BadRecord
from jobplane.schemas.formats.avro.checked_schema import DEFAULT
from jobplane.schemas.formats.json.values import to_real

NamedSchemas = Mapping[str, Any]
"""Schemas by their full names."""


def default_value(schema: Any, given: Any, named: NamedSchemas) -> Any:
    """The default as a value of the schema. Raises ValueError if it is not one."""
    if isinstance(schema, list):
        return _of_union(schema, given, named)
    one = named.get(schema, schema) if isinstance(schema, str) else schema
    kind = one if isinstance(one, str) else one["type"]
    if kind in _PRIMITIVE:
        return _PRIMITIVE[kind](given)
    match kind, given:
        case "array", list():
            return [default_value(one["items"], value, named) for value in given]
        case "map", dict():
            return {key: default_value(one["values"], value, named) for key, value in given.items()}
        case (("record" | "error"), dict()):
            return {field["name"]: _of_field(field, given, named) for field in one["fields"]}
        case "enum", str() if given in one["symbols"]:
            return given
        case "fixed", str() if len(given) == one["size"]:
            return _bytes(given)
    raise _not_a(kind, given)


def _of_union(branches: list[Any], given: Any, named: NamedSchemas) -> Any:
    for one in branches:
        try:
            return default_value(one, given, named)
        except ValueError:
            continue
    raise _not_a("any type of its union", given)


def _of_field(field: Mapping[str, Any], given: Mapping[str, Any], named: NamedSchemas) -> Any:
    if field["name"] in given:
        return default_value(field["type"], given[field["name"]], named)
    if DEFAULT in field:
        return default_value(field["type"], field[DEFAULT], named)
    raise ValueError(f"it lacks the field '{field['name']}'")


def _not_a(kind: str, given: Any) -> ValueError:
    return ValueError(f"{json.dumps(given)[:60]} is not a value of {kind}")


def _null(given: Any) -> None:
    if given is not None:
        raise _not_a("null", given)


def _boolean(given: Any) -> bool:
    if not isinstance(given, bool):
        raise _not_a("boolean", given)
    return given


def _whole(kind: str, bits: int) -> Callable[[Any], int]:
    half = 1 << (bits - 1)

    def read(given: Any) -> int:
        if type(given) is not int or not -half <= given < half:
            raise _not_a(kind, given)
        return given

    return read


def _number(given: Any) -> float:
    if type(given) not in (int, float):
        raise _not_a("a number", given)
    try:
        return float(given)
    except OverflowError:
        raise _not_a("a number", given) from None


def _float(given: Any) -> float:
    try:
        return to_real(_number(given))
    except BadRecord:
        raise _not_a("float", given) from None


def _string(given: Any) -> str:
    if not isinstance(given, str):
        raise _not_a("string", given)
    given.encode()
    return given


def _bytes(given: Any) -> bytes:
    if not isinstance(given, str):
        raise _not_a("bytes", given)
    return given.encode("latin-1")


_PRIMITIVE: dict[str, Callable[[Any], Any]] = {
    "null": _null,
    "boolean": _boolean,
    "int": _whole("int", 32),
    "long": _whole("long", 64),
    "float": _float,
    "double": _number,
    "string": _string,
    "bytes": _bytes,
}
