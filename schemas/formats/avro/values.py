"""Values of fastavro as values of SQL's types, and back."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from math import isfinite
from typing import Any

import msgspec

from jobplane.schemas.failures import BadRecord
from jobplane.schemas.formats.avro.types import decimal_size
from jobplane.schemas.formats.fields import Convert
from jobplane.schemas.formats.json import values as json_values
from jobplane.schemas.types.datatypes import Type
from jobplane.schemas.types.decimals import fit_decimal
from jobplane.schemas.types.json_text import json_text
from jobplane.schemas.types.temporal_text import months_of, text_of, text_of_months

Kinds = Sequence[Any]
"""The types that a value may be of: those of a union, or one."""


def read_conversion(one: Type) -> Convert | None:
    """The conversion of a value that is not NULL; None if it needs none."""
    match one.name:
        case "VARCHAR":
            return _text
        case "REAL" | "DOUBLE":
            return _finite
        case "JSON":
            return _json
        case "INTERVAL YEAR TO MONTH":
            return months_of
        case "DECIMAL":
            return json_values.read_conversion(one)
        case "ARRAY":
            element = read_conversion(one.arguments[0])
            return None if element is None else lambda values: [_each(element, value) for value in values]
        case "MAP":
            value_of = read_conversion(one.arguments[1])
            return (
                None
                if value_of is None
                else lambda pairs: {key: _each(value_of, value) for key, value in pairs.items()}
            )
        case "ROW":
            return _row_reader(one)
    return None


def _each(convert: Convert, value: Any) -> Any:
    return None if value is None else convert(value)


def _text(value: Any) -> str:
    """A UUID as text; strings and symbols are text."""
    return value if isinstance(value, str) else str(value)


def _json(value: Any) -> msgspec.Raw:
    """JSON for a value of a type that SQL does not have; a decimal is written without an exponent."""
    return json_text(_plain(value))


def _plain(value: Any) -> Any:
    match value:
        case Decimal():
            return msgspec.Raw(f"{value:f}".encode())
        case list():
            return [_plain(one) for one in value]
        case dict():
            return {key: _plain(one) for key, one in value.items()}
    return value


def _finite(value: float) -> float:
    if isfinite(value):
        return value
    raise BadRecord(f"{value} is not a number of SQL")


def _row_reader(one: Type) -> Convert:
    made = json_values.row_class(one)
    parts = [
        (name, read_conversion(argument) or _same) for name, argument in zip(one.fields, one.arguments, strict=True)
    ]
    return lambda record: made(*[_each(convert, record[name]) for name, convert in parts])


def _same(value: Any) -> Any:
    return value


def write_conversion(one: Type, schema: Any, named: Mapping[str, Any]) -> Convert | None:
    """The conversion of a value that is not NULL before fastavro writes it as a field of this schema.

    `named` holds the schemas that are only named in it.
    """
    kinds = _kinds(schema, named)
    match one.name:
        case "DECIMAL":
            return _decimal_writer(one, kinds)
        case "JSON":
            return _json_text if _is_text(kinds) else msgspec.json.decode
        case "INTERVAL YEAR TO MONTH":
            return text_of_months
        case "INTERVAL DAY TO SECOND":
            return text_of
        case "TIMESTAMP WITH TIME ZONE" | "TIMESTAMP" if _is_text(kinds):
            return datetime.isoformat
        case "ARRAY":
            element = write_conversion(one.arguments[0], _inner(kinds, "items", "string"), named)
            return None if element is None else lambda values: [_each(element, value) for value in values]
        case "MAP":
            value_of = write_conversion(one.arguments[1], _inner(kinds, "values", "string"), named)
            return (
                None
                if value_of is None
                else lambda pairs: {key: _each(value_of, value) for key, value in pairs.items()}
            )
        case "ROW":
            return _row_writer(one, kinds, named)
    return None


def _kinds(schema: Any, named: Mapping[str, Any]) -> Kinds:
    """The types of a union, or the one that is none, each in full."""
    kinds = schema if isinstance(schema, list) else [schema]
    return [named.get(kind, kind) if isinstance(kind, str) else kind for kind in kinds]


def _decimal_writer(one: Type, kinds: Kinds) -> Convert | None:
    """The schema of a sink is older than the query's type, where a later version gives more digits."""
    kind = next((kind for kind in kinds if isinstance(kind, dict) and kind.get("logicalType") == "decimal"), None)
    if kind is None or decimal_size(kind) == one.size:
        return None
    precision, scale = decimal_size(kind)
    return lambda value: fit_decimal(value, precision, scale)


def _row_writer(one: Type, kinds: Kinds, named: Mapping[str, Any]) -> Convert:
    fields = {field["name"]: field["type"] for field in _inner(kinds, "fields", [])}
    parts = [
        (f"m{i}", name, write_conversion(argument, fields.get(name, "string"), named) or _same)
        for i, (name, argument) in enumerate(zip(one.fields, one.arguments, strict=True))
    ]
    return lambda row: {name: _each(convert, getattr(row, member)) for member, name, convert in parts}


def _json_text(value: msgspec.Raw) -> str:
    return bytes(value).decode()


def _is_text(kinds: Kinds) -> bool:
    return [kind for kind in kinds if kind != "null"] == ["string"]


def _inner(kinds: Kinds, what: str, otherwise: Any) -> Any:
    """What lies in an array, a map or a record, or in the one of a union."""
    return next((kind[what] for kind in kinds if isinstance(kind, dict) and what in kind), otherwise)
