"""`avro`: a record in Avro's binary encoding, by fastavro.

With a number in the layout, five bytes before the record tell the writer's schema in the registry, and what it wrote is
resolved to the reader's schema. Without one, records are bare and both schemas are the layout's.
"""

import io
import struct
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

import fastavro
from fastavro.schema import SchemaParseException, UnknownType
from fastavro.types import Schema

from schemas.failures import BadRecord
from schemas.formats import avro_types
from schemas.formats.avro_schemas import HEADER, MAGIC, written_by
from schemas.formats.avro_values import read_as, written_as
from schemas.formats.fields import Format, Layout, Path, Reading, Wanted, Writing

_DAMAGED = (
    *(ValueError, TypeError, KeyError, IndexError, EOFError, OverflowError, RecursionError, MemoryError),
    *(AttributeError, ArithmeticError, struct.error, StopIteration, SchemaParseException, UnknownType),
)
"""What fastavro raises over bytes that are no record of the schema."""


def reading(fields: Sequence[Wanted], layout: Layout) -> Reading:
    """Raises ValueError for a field that the schema has not."""
    reader = avro_types.parsed(layout.schema)
    _check(fields, layout)
    pick = _picker([field.path for field in fields])
    decode = _bare(reader) if layout.schema_id is None else _numbered(reader)
    return Reading(
        lambda data: pick(decode(data)),
        tuple(f"r[{i}]" for i in range(len(fields))),
        tuple(read_as(field.type) for field in fields),
    )


def _check(fields: Sequence[Wanted], layout: Layout) -> None:
    columns = avro_types.columns_of(layout.schema)
    for field in fields:
        if not field.path:
            raise ValueError("they have fields, which are named one by one")
        if avro_types.type_at(columns, field.path) is None:
            raise ValueError(f"their schema has no field {'.'.join(field.path)}")


def _picker(paths: Sequence[Path]) -> Callable[[Any], Sequence[Any]]:
    """From a record to a tuple of what lies at the paths."""
    names = [path[0] for path in paths]
    if all(len(path) == 1 for path in paths):
        if len(names) > 1:
            return itemgetter(*names)
        return lambda record: [record[name] for name in names]

    def at(record: Any, path: Path) -> Any:
        for part in path:
            if record is None:
                return None
            record = record[part]
        return record

    return lambda record: [at(record, path) for path in paths]


def _bare(schema: Schema) -> Callable[[bytes], Any]:
    return lambda data: _record(data, 0, schema, None)


def _numbered(reader: Schema) -> Callable[[bytes], Any]:
    def decode(data: bytes) -> Any:
        writer = written_by(data)
        return _record(data, HEADER, writer, None if writer == reader else reader)

    return decode


def _record(data: bytes, start: int, writer: Schema, reader: Schema | None) -> Any:
    source = io.BytesIO(data)
    source.seek(start)
    try:
        record = fastavro.schemaless_reader(source, writer, reader)
    except _DAMAGED as bad:
        raise BadRecord(f"the value is no record of its Avro schema: {str(bad) or type(bad).__name__}") from None
    if source.tell() != len(data):
        raise BadRecord(f"{len(data) - source.tell()} bytes follow the Avro record")
    return record


def writing(fields: Sequence[Wanted], layout: Layout) -> Writing:
    """Raises ValueError for a field that the schema has not, and for one that has neither value nor default."""
    schema = avro_types.parsed(layout.schema)
    schemas = {field["name"]: field for field in schema["fields"]}
    _check(fields, layout)
    given = {field.path[0] for field in fields}
    if missing := [name for name, one in schemas.items() if name not in given and "default" not in one]:
        raise ValueError(f"nothing is written to {', '.join(missing)}, which their schema has no default for")
    header = b"" if layout.schema_id is None else struct.pack(">bI", MAGIC, layout.schema_id)
    paths = [field.path for field in fields]
    needed = [field.path[0] for field in fields if len(field.path) == 1 and not _takes_null(schemas[field.path[0]])]
    conversions = [written_as(field.type, avro_types.schema_at(schema, field.path)) for field in fields]
    arguments = ", ".join(f"{{{i}}}" for i in range(len(fields)))
    return Writing(f"encode({arguments})", {"encode": _encoder(schema, header, paths, needed)}, tuple(conversions))


def _takes_null(field: Any) -> bool:
    kind = field["type"]
    return kind == "null" or (isinstance(kind, list) and "null" in kind)


def _encoder(schema: Schema, header: bytes, paths: Sequence[Path], needed: Sequence[str]) -> Callable[..., bytes]:
    names = [path[0] for path in paths]
    build = _flat(names) if all(len(path) == 1 for path in paths) else _nested(paths)

    def encode(*values: Any) -> bytes:
        record, out = build(values), io.BytesIO()
        out.write(header)
        try:
            fastavro.schemaless_writer(out, schema, record)
        except _DAMAGED as bad:
            if null := [name for name in needed if record.get(name) is None]:
                raise BadRecord(f"field '{null[0]}' is NULL; the schema of the target does not take it") from None
            raise BadRecord(f"the Avro schema of the target does not take the record: {bad}") from None
        return out.getvalue()

    return encode


def _flat(names: Sequence[str]) -> Callable[[Sequence[Any]], dict[str, Any]]:
    return lambda values: dict(zip(names, values, strict=True))


def _nested(paths: Sequence[Path]) -> Callable[[Sequence[Any]], dict[str, Any]]:
    def build(values: Sequence[Any]) -> dict[str, Any]:
        record: dict[str, Any] = {}
        for path, value in zip(paths, values, strict=True):
            inner = record
            for part in path[:-1]:
                inner = inner.setdefault(part, {})
            inner[path[-1]] = value
        return record

    return build


FORMAT = Format("avro", reading, writing, types=frozenset(avro_types.TYPES))
