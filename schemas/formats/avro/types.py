"""Avro's types as SQL types, and back. A schema is JSON text; other text raises ValueError with a reason."""

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any

import fastavro
from fastavro.schema import SchemaParseException, UnknownType

from jobplane.schemas.formats.avro.bounds import check_bounded
from jobplane.schemas.formats.avro.checked_schema import DEFAULT, check_schema
from jobplane.schemas.formats.avro.defaults import default_value
from jobplane.schemas.formats.fields import FieldPath, TypedField
from jobplane.schemas.shown import show_value
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type

PRIMITIVE = {
    "boolean": t.BOOLEAN,
    "int": t.INTEGER,
    "long": t.BIGINT,
    "float": t.REAL,
    "double": t.DOUBLE,
    "string": t.VARCHAR,
    "bytes": t.VARBINARY,
    "fixed": t.VARBINARY,
    "enum": t.VARCHAR,
}
LOGICAL = {
    ("int", "date"): t.DATE,
    ("int", "time-millis"): t.TIME,
    ("long", "time-micros"): t.TIME,
    ("long", "timestamp-millis"): t.TIMESTAMP_TZ,
    ("long", "timestamp-micros"): t.TIMESTAMP_TZ,
    ("long", "local-timestamp-millis"): t.TIMESTAMP,
    ("long", "local-timestamp-micros"): t.TIMESTAMP,
}
_WRITTEN: dict[str, Any] = {
    "BOOLEAN": "boolean",
    "TINYINT": "int",
    "SMALLINT": "int",
    "INTEGER": "int",
    "BIGINT": "long",
    "REAL": "float",
    "DOUBLE": "double",
    "VARCHAR": "string",
    "VARBINARY": "bytes",
    "DATE": {"type": "int", "logicalType": "date"},
    "TIME": {"type": "long", "logicalType": "time-micros"},
    "TIMESTAMP": {"type": "long", "logicalType": "local-timestamp-micros"},
    "TIMESTAMP WITH TIME ZONE": {"type": "long", "logicalType": "timestamp-micros"},
    "INTERVAL DAY TO SECOND": "string",
    "INTERVAL YEAR TO MONTH": "string",
    "JSON": "string",
}
TYPES = frozenset({*_WRITTEN, "DECIMAL", *t.NESTED})
_UNPARSED = (ValueError, TypeError, KeyError, AttributeError, RecursionError, SchemaParseException)
"""What fastavro raises over a schema that is not one."""
_TWICE = re.compile(r"redefined named type: (.+)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


@lru_cache(maxsize=256)
def parse_schema(text: str, *, logical: bool = True) -> Any:
    """The schema as fastavro wants it, with full names, and without logical types if `logical` is False.

    A field has the "default" that fastavro reads and writes, unless the schema's default is not a value of its type.
    Raises ValueError if the text is not the schema of a record.
    """
    try:
        raw = check_schema(json.loads(text), logical=logical)
    except json.JSONDecodeError as bad:
        raise ValueError(f"not an Avro schema: it is not JSON (line {bad.lineno}, column {bad.colno})") from None
    except RecursionError:
        raise ValueError("not an Avro schema: its types are nested too deep") from None
    except ValueError as wrong:
        raise ValueError(f"not an Avro schema: {wrong}") from None
    try:
        made = fastavro.parse_schema(raw)
    except UnknownType as bad:
        raise ValueError(f"not an Avro schema: {show_value(bad.name)} is not a type") from None
    except _UNPARSED as bad:
        twice = _TWICE.search(str(bad))
        reason = (
            f"two types are called {show_value(twice[1])}"
            if twice
            else "a type in it is incomplete, or a name is not valid"
        )
        raise ValueError(f"not an Avro schema: {reason}") from None
    if not isinstance(made, dict) or made.get("type") != "record":
        raise ValueError("the schema must be that of a record: {'type': 'record', 'name': …, 'fields': […]}")
    named = named_schemas(made)
    check_bounded(made, named)
    for field in _fields_with_default(named):
        with suppress(ValueError):
            field["default"] = default_value(field["type"], field[DEFAULT], named)
    return made


def check_defaults(text: str) -> None:
    """Raises ValueError where a default is not a value of its field."""
    named = named_schemas(parse_schema(text))
    for field in _fields_with_default(named):
        try:
            default_value(field["type"], field[DEFAULT], named)
        except ValueError as bad:
            raise ValueError(f"the default of field '{field['name']}' is not valid: {bad}") from None


def _fields_with_default(named: Mapping[str, Any]) -> list[Any]:
    return [field for one in named.values() for field in one.get("fields", ()) if DEFAULT in field]


def full_name(text: str) -> tuple[str, str]:
    """Name and namespace of the record."""
    namespace, _, name = str(parse_schema(text)["name"]).rpartition(".")
    return name, namespace


def schema_at(record: Any, path: FieldPath) -> Any:
    """The schema of a field inside a record, which is there."""
    named, one = named_schemas(record), record
    for part in path:
        kinds = one if isinstance(one, list) else [one]
        inside = next(kind for kind in (named.get(k, k) if isinstance(k, str) else k for k in kinds) if kind != "null")
        one = next(field["type"] for field in inside["fields"] if field["name"] == part)
    return one


def columns_of(text: str) -> tuple[TypedField, ...]:
    """The fields of a record as columns. Raises ValueError."""
    record = parse_schema(text)
    named = named_schemas(record)
    return tuple(TypedField((field["name"],), sql_type_of(field["type"], named)) for field in record["fields"])


def type_at(columns: Sequence[TypedField], path: FieldPath) -> Type | None:
    """The type of a field among columns, or inside of one; None where there is none."""
    one = next((column.type for column in columns if column.path == path[:1]), None)
    for part in path[1:]:
        one = dict(zip(one.fields, one.arguments, strict=True)).get(part) if one is not None else None
    return one


def named_schemas(schema: Any) -> dict[str, Any]:
    """The records, enums and fixeds in a schema, by their full names."""
    found: dict[str, Any] = {}
    waiting = [schema]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting += one
        elif isinstance(one, dict):
            if one.get("type") in ("record", "enum", "fixed", "error"):
                found[one["name"]] = one
            waiting += [one[key] for key in ("type", "items", "values") if isinstance(one.get(key), dict | list)]
            waiting += [field["type"] for field in one.get("fields", ())]
    return found


def sql_type_of(schema: Any, named: Mapping[str, Any]) -> Type:
    """The SQL type of a schema; JSON where SQL has none: unions of more than null and one type."""
    if isinstance(schema, list):
        others = [one for one in schema if one != "null"]
        return sql_type_of(others[0], named) if len(others) == 1 else t.JSON
    if isinstance(schema, str):
        if schema in named:
            return sql_type_of(named[schema], named)
        return PRIMITIVE.get(schema, t.JSON)
    kind = schema["type"]
    if not isinstance(kind, str):
        return sql_type_of(kind, named)
    if kind == "array":
        return t.array(sql_type_of(schema["items"], named))
    if kind == "map":
        return t.map_of(t.VARCHAR, sql_type_of(schema["values"], named))
    if kind == "record":
        return _row(schema, named)
    return _logical(kind, schema)


def _row(schema: Any, named: Mapping[str, Any]) -> Type:
    fields = schema["fields"]
    types = tuple(sql_type_of(field["type"], named) for field in fields)
    return t.row(tuple(field["name"] for field in fields), types) if fields else t.JSON


def _logical(kind: str, schema: Any) -> Type:
    logical = schema.get("logicalType")
    if logical == "decimal" and kind in ("bytes", "fixed"):
        size = decimal_size(schema)
        return t.decimal(*size) if size[0] <= t.MAX_PRECISION else t.JSON
    return LOGICAL.get((kind, logical), PRIMITIVE.get(kind, t.JSON))


def decimal_size(schema: Any) -> tuple[int, int]:
    """Precision and scale of a decimal."""
    return schema["precision"], schema.get("scale", 0)


def build_schema(fields: Sequence[TypedField], name: str, namespace: str = "") -> str:
    """A record's schema with these fields, nested as their paths; each may be null, and is by default.

    Raises ValueError for a name that Avro does not allow, and for a type that differs from record to record.
    """
    record = _record([(one.path, one.type) for one in fields], name)
    return json.dumps(({"namespace": namespace} if namespace else {}) | record)


def _record(fields: Sequence[tuple[FieldPath, Type]], name: str) -> dict[str, Any]:
    made = []
    for part in dict.fromkeys(path[0] for path, _ in fields):
        if not _NAME.fullmatch(part):
            raise ValueError(f"'{part}' cannot name a field in Avro: only letters, digits and _ can; use AS")
        inner = [(path[1:], one) for path, one in fields if path[0] == part]
        leaf = [one for path, one in inner if not path]
        kind = _schema(leaf[0], f"{name}_{part}", part) if leaf else _record(inner, f"{name}_{part}")
        made.append({"name": part, "type": ["null", kind], "default": None})
    return {"type": "record", "name": name, "fields": made}


def _schema(one: Type, name: str, column: str) -> Any:
    match one.name:
        case "DECIMAL":
            precision, scale = one.size
            return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}
        case "ARRAY":
            return {"type": "array", "items": ["null", _schema(one.arguments[0], name, column)]}
        case "MAP" if one.arguments[0] == t.VARCHAR:
            return {"type": "map", "values": ["null", _schema(one.arguments[1], name, column)]}
        case "ROW":
            return _record([((field,), kind) for field, kind in zip(one.fields, one.arguments, strict=True)], name)
    if one.name not in _WRITTEN:
        what = (
            "has a type that may differ from record to record"
            if one.name in _OPEN
            else f"is {one}, which Avro does not have"
        )
        raise ValueError(f"column {column} {what}; CAST it, or declare it in a mapping")
    return _WRITTEN[one.name]


_OPEN = frozenset({"NUMBER", "SCALAR", "UNKNOWN", "NULL"})
