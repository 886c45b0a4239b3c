"""The Avro schemas as they follow from the record types: what is in schemas/avsc is drawn here."""

import dataclasses
import types
from enum import StrEnum
from typing import Any, Union, get_args, get_origin, get_type_hints

from jobplane.schemas.records.events import BODIES, Body
from jobplane.schemas.wire.avro_names import avro_name

_PRIMITIVES: dict[type, str] = {str: "string", int: "long", float: "double", bool: "boolean", bytes: "bytes"}


def drawn(record: type) -> dict[str, Any]:
    """The schema of a record type. A nested type is written out where it is met first, and named after that."""
    schema: dict[str, Any] = _record(record, set())
    return schema


def _record(cls: Any, seen: set[str]) -> Any:
    name = f"jobplane.{avro_name(cls)}"
    if name in seen:
        return name
    seen.add(name)
    own = cls.__doc__ and not cls.__doc__.startswith(f"{cls.__name__}(")
    doc = {"doc": " ".join(cls.__doc__.split())} if own else {}
    hints = get_type_hints(cls)
    fields = [_field(one, hints[one.name], seen) for one in dataclasses.fields(cls)]
    return {"type": "record", "name": name, **doc, "fields": fields}


def _field(one: Any, kind: Any, seen: set[str]) -> dict[str, Any]:
    field = {"name": one.name, "type": _type(kind, seen)}
    default = one.default if one.default_factory is dataclasses.MISSING else one.default_factory()
    if get_origin(kind) in (types.UnionType, Union) and type(None) in get_args(kind):
        field["default"] = None
    elif default is not dataclasses.MISSING:
        field["default"] = list(default) if isinstance(default, tuple) else _json(default)
    return field


def _json(default: Any) -> Any:
    return default.decode("latin-1") if isinstance(default, bytes) else default


def _type(kind: Any, seen: set[str]) -> Any:
    if kind == Body:
        return [_record(body, seen) for body in BODIES]
    if kind in _PRIMITIVES:
        return _PRIMITIVES[kind]
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return "string"
    origin, inside = get_origin(kind), get_args(kind)
    if origin in (types.UnionType, Union):
        return ["null", *(_type(one, seen) for one in inside if one is not type(None))]
    if origin is tuple:
        return {"type": "array", "items": _type(inside[0], seen)}
    if origin is dict:
        return {"type": "map", "values": _type(inside[1], seen)}
    return _record(kind, seen)
