"""Checks a schema's JSON for what fastavro takes for granted.

A logical type with invalid attributes is ignored, as Avro's specification says: the values of a decimal without a
precision are bytes. JSON that is not a schema raises ValueError with a reason that a person understands.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from jobplane.schemas.shown import show_value

DEFAULT = "jobplane.default"
"""Where a field keeps its default from fastavro, which refuses some that Avro allows."""
_DEEPEST = 100
_LARGEST_FIXED = 2**31 - 1
_LOGICAL = frozenset({
    *(("int", "date"), ("int", "time-millis"), ("long", "time-micros"), ("string", "uuid")),
    *(("long", f"{what}-{unit}") for what in ("timestamp", "local-timestamp") for unit in ("millis", "micros")),
})  # fmt: skip
_ATTRIBUTES = ("logicalType", "precision", "scale")


def check_schema(raw: Any, *, logical: bool = True, depth: int = 0) -> Any:
    """The schema, without any logical type where `logical` is False. Raises ValueError."""
    if depth > _DEEPEST:
        raise ValueError(f"its types are nested more than {_DEEPEST} deep")

    def inner(one: Any) -> Any:
        return check_schema(one, logical=logical, depth=depth + 1)

    if isinstance(raw, str):
        return raw
    if isinstance(raw, list):
        if any(isinstance(one, list) for one in raw):
            raise ValueError("a union directly inside a union is not a type; write one union of all their types")
        return [inner(one) for one in raw]
    if not isinstance(raw, dict):
        raise _unlike("a type is a name, an object or an array", raw)
    kind = _there(raw, "type", "a type")
    if not isinstance(kind, str):
        return inner(kind)
    made = {key: value for key, value in raw.items() if not key.startswith("__")}
    if not logical or not _is_logical(kind, raw):
        made = {key: value for key, value in made.items() if key not in _ATTRIBUTES}
    if kind in _PARTS:
        return made | _PARTS[kind](raw, inner)
    return made if kind in _PRIMITIVES else kind


_PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
Inner = Callable[[Any], Any]


def _record(raw: Mapping[str, Any], inner: Inner) -> dict[str, Any]:
    fields = raw.get("fields", [])
    if not isinstance(fields, list):
        raise _unlike("the fields of a record are an array", fields)
    return _named(raw) | {"fields": [_field(one, inner) for one in fields]}


def _field(raw: Any, inner: Inner) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise _unlike("a field of a record is an object", raw)
    made = {key: value for key, value in raw.items() if key not in ("default", "aliases", DEFAULT)}
    made |= {"name": _text(raw, "name", "a field"), "type": inner(_there(raw, "type", f"field '{raw['name']}'"))}
    if "default" in raw:
        made[DEFAULT] = raw["default"]
    return made | _aliases(raw)


def _enum(raw: Mapping[str, Any], _: Inner) -> dict[str, Any]:
    symbols = _there(raw, "symbols", "an enum")
    if not isinstance(symbols, list) or not all(isinstance(one, str) for one in symbols):
        raise _unlike("the symbols of an enum are an array of texts", symbols)
    return _named(raw)


def _fixed(raw: Mapping[str, Any], _: Inner) -> dict[str, Any]:
    size = _there(raw, "size", "a fixed")
    if type(size) is not int or not 0 <= size <= _LARGEST_FIXED:
        raise _unlike("the size of a fixed is a number of bytes", size)
    return _named(raw)


_PARTS: dict[str, Callable[[Mapping[str, Any], Inner], dict[str, Any]]] = {
    "record": _record,
    "error": _record,
    "enum": _enum,
    "fixed": _fixed,
    "array": lambda raw, inner: {"items": inner(_there(raw, "items", "an array"))},
    "map": lambda raw, inner: {"values": inner(_there(raw, "values", "a map"))},
}


def _named(raw: Mapping[str, Any]) -> dict[str, Any]:
    name = _text(raw, "name", f"the {raw['type']}")
    if not all(name.split(".")):
        raise ValueError(f"the {raw['type']} is called {show_value(name)}: a part of that name is empty")
    namespace = raw.get("namespace")
    if namespace is not None:
        namespace = _text(raw, "namespace", f"the {raw['type']}") if namespace != "" else ""
    return {"name": name, **({"namespace": namespace} if "namespace" in raw else {}), **_aliases(raw)}


def _aliases(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Other names, which count where a record of another schema is read; none where they are not names."""
    aliases = raw.get("aliases")
    names = isinstance(aliases, list) and all(isinstance(one, str) for one in aliases)
    return {"aliases": aliases if names else []} if "aliases" in raw else {}


def _there(raw: Mapping[str, Any], key: str, what: str) -> Any:
    if key not in raw:
        raise ValueError(f'{what} lacks its "{key}"')
    return raw[key]


def _text(raw: Mapping[str, Any], key: str, what: str) -> str:
    value = _there(raw, key, what)
    if not isinstance(value, str) or not value:
        raise _unlike(f"the {key} of {what} is a text", value)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"the {key} of {what} is not Unicode text: it has half a pair of surrogates") from None
    return value


def _unlike(rule: str, value: Any) -> ValueError:
    """The error for a part of the schema that breaks a rule."""
    words = {None: "null", True: "true", False: "false", "": "an empty text"}
    if isinstance(value, dict | list):
        found = "an object" if isinstance(value, dict) else "an array"
    elif value is None or isinstance(value, bool) or value == "":
        found = words[value]
    else:
        found = show_value(value)
    return ValueError(f"{rule}, not {found}")


def _is_logical(kind: str, raw: Mapping[str, Any]) -> bool:
    name = raw.get("logicalType")
    if name == "decimal":
        return _is_decimal(kind, raw)
    return isinstance(name, str) and (kind, name) in _LOGICAL


def _is_decimal(kind: str, raw: Mapping[str, Any]) -> bool:
    precision, scale, size = raw.get("precision"), raw.get("scale", 0), raw.get("size")
    if type(precision) is not int or type(scale) is not int or not 0 <= scale <= precision or not precision:
        return False
    if kind != "fixed":
        return kind == "bytes"
    most = math.floor(math.log10(2) * (8 * size - 1)) if type(size) is int and 0 < size <= _LARGEST_FIXED else 0
    return precision <= most
