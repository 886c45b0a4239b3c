"""Reads records of one schema as records of another: missing fields have their defaults.

fastavro resolves the types without their logical types; then values and defaults are converted to the logical types of
the reader's schema.
"""

import io
from collections.abc import Callable, Mapping
from typing import Any

import fastavro
from fastavro.read import LOGICAL_READERS

from jobplane.schemas.formats.avro.skipped_fields import end_checked
from jobplane.schemas.formats.fields import Convert


def resolving_reader(writer: Any, reader: Any, logical: Any, named: Mapping[str, Any]) -> Callable[[io.BytesIO], Any]:
    """A function that reads records of the writer's schema as records of the reader's. Both are without logical types.

    `logical` is the reader's schema with logical types, `named` holds the named schemas in it. The function raises
    what fastavro raises for bytes that are not a record.
    """
    convert, complete = _convert(logical, named), end_checked(writer, reader)

    def read(source: io.BytesIO) -> Any:
        record = fastavro.schemaless_reader(complete(source), writer, reader)
        return convert(record) if convert else record

    return read


def _convert(schema: Any, named: Mapping[str, Any]) -> Convert | None:
    """The conversion of a value to its logical type; None if it needs none."""
    if isinstance(schema, list):
        return _of_union(schema, named)
    if isinstance(schema, str):
        return _convert(named[schema], named) if schema in named else None
    if not isinstance(schema["type"], str):
        return _convert(schema["type"], named)  # a type written inside of another's braces
    match schema["type"]:
        case "array":
            element = _convert(schema["items"], named)
            return (lambda values: [element(value) for value in values]) if element else None
        case "map":
            value_of = _convert(schema["values"], named)
            return (lambda pairs: {key: value_of(value) for key, value in pairs.items()}) if value_of else None
        case "record" | "error":
            return _of_record(schema, named)
    logical = LOGICAL_READERS.get(f"{schema['type']}-{schema.get('logicalType')}")
    return (lambda value: logical(value, schema, None)) if logical else None


def _of_record(schema: Any, named: Mapping[str, Any]) -> Convert | None:
    made = [(field["name"], _convert(field["type"], named)) for field in schema["fields"]]
    parts = [(name, convert) for name, convert in made if convert]
    if not parts:
        return None

    def converted(record: dict[str, Any]) -> dict[str, Any]:
        """A new one: a default is one object for all records that lack the field."""
        return record | {name: convert(record[name]) for name, convert in parts}

    return converted


_PYTHON: dict[str, type] = {
    "boolean": bool,
    **dict.fromkeys(("int", "long"), int),
    **dict.fromkeys(("float", "double"), float),
    **dict.fromkeys(("string", "enum"), str),
    **dict.fromkeys(("bytes", "fixed"), bytes),
    "array": list,
    **dict.fromkeys(("map", "record", "error"), dict),
}


def _kind(schema: Any, named: Mapping[str, Any]) -> str:
    """The name of a schema's type, through names and braces; empty for a union in a union."""
    while not isinstance(schema, str):
        if isinstance(schema, list):
            return ""
        schema = schema["type"]
    return _kind(named[schema], named) if schema in named else schema


def _of_union(branches: list[Any], named: Mapping[str, Any]) -> Convert | None:
    """The Python type of a value decides its branch; of two branches with one Python type the first wins."""
    by_type: dict[type, Convert | None] = {}
    for one in branches:
        kind = _kind(one, named)
        if kind in _PYTHON:
            by_type.setdefault(_PYTHON[kind], _convert(one, named))
    found = {python: convert for python, convert in by_type.items() if convert}
    if not found:
        return None

    def converted(value: Any) -> Any:
        convert = found.get(type(value))
        return value if convert is None else convert(value)

    return converted
