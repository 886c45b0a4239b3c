"""The format `avro`: a record in Avro's binary encoding, by fastavro.

If the layout has a schema id, each record begins with five bytes that name the writer's schema in the registry, and the
record is resolved to the reader's schema. Otherwise records are bare, and both schemas are the layout's.
"""

import io
import re
import struct
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

import fastavro
from fastavro.read import SchemaResolutionError
from fastavro.schema import SchemaParseException, UnknownType

from jobplane.schemas.failures import BadRecord, Unreadable
from jobplane.schemas.formats import AVRO
from jobplane.schemas.formats.avro import types
from jobplane.schemas.formats.avro.flat_records import flat_decoder, flat_encoder
from jobplane.schemas.formats.avro.known_schemas import HEADER, MAGIC, number_in_frame, number_of
from jobplane.schemas.formats.avro.resolution import resolving_reader
from jobplane.schemas.formats.avro.values import read_conversion, write_conversion
from jobplane.schemas.formats.fields import (
    Convert,
    FieldDecoder,
    FieldEncoder,
    FieldPath,
    Format,
    FormatLayout,
    SchemaText,
    TypedField,
)

_DAMAGED = (
    *(ValueError, TypeError, KeyError, IndexError, EOFError, OverflowError, RecursionError, MemoryError),
    *(AttributeError, ArithmeticError, struct.error, StopIteration, SchemaParseException, UnknownType),
    SchemaResolutionError,
)
"""What fastavro raises over bytes that are not a record of the schema."""


def field_decoder(fields: Sequence[TypedField], layout: FormatLayout, schema_text: SchemaText) -> FieldDecoder:
    """Raises ValueError for a field that the schema does not have."""
    _check(fields, layout)
    paths = [field.path for field in fields]
    decode = _bare(layout.schema, paths) if layout.schema_id is None else _numbered(layout.schema, paths, schema_text)
    return FieldDecoder(decode, tuple(f"r[{i}]" for i in range(len(fields))), _conversions(fields, layout))


def _conversions(fields: Sequence[TypedField], layout: FormatLayout) -> tuple[Convert | None, ...]:
    """A string needs none, unlike a UUID or a symbol of an enum."""
    schema = types.parse_schema(layout.schema)
    kinds = [types.schema_at(schema, field.path) for field in fields]
    strings = [
        kind == "string" or (isinstance(kind, list) and {*map(str, kind)} == {"null", "string"}) for kind in kinds
    ]
    return tuple(None if plain else read_conversion(field.type) for field, plain in zip(fields, strings, strict=True))


def _check(fields: Sequence[TypedField], layout: FormatLayout) -> None:
    columns = types.columns_of(layout.schema)
    for field in fields:
        if not field.path:
            raise ValueError("their fields must be named one by one")
        if types.type_at(columns, field.path) is None:
            raise ValueError(f"their schema has no field {'.'.join(field.path)}")


def _picker(paths: Sequence[FieldPath]) -> Callable[[Any], Sequence[Any]]:
    """From a record to a tuple of what lies at the paths."""
    names = [path[0] for path in paths]
    if all(len(path) == 1 for path in paths):
        if len(names) > 1:
            return itemgetter(*names)
        return lambda record: [record[name] for name in names]

    def at(record: Any, path: FieldPath) -> Any:
        for part in path:
            if record is None:
                return None
            record = record[part]
        return record

    return lambda record: [at(record, path) for path in paths]


def _decoder(writer: str, reader: str, paths: Sequence[FieldPath], start: int) -> Callable[[bytes], Any]:
    """A function from the bytes of a record, which begins at `start`, to what lies at the paths."""
    pick, names = _picker(paths), [path[0] for path in paths]
    looks = _looks(writer, reader, frozenset(names))

    def decode(data: bytes) -> Any:
        return pick(_record(data, start, looks))

    schema = types.parse_schema(reader)
    if types.parse_schema(writer) != schema or any(len(path) > 1 for path in paths):
        return decode
    return flat_decoder(schema, names, start, decode) or decode


_Read = Callable[[io.BytesIO], Any]
_Looks = tuple[_Read, ...]
"""How a record is read: first completely; if that fails, only the wanted fields: damage in others is no matter."""


def _bare(schema: str, paths: Sequence[FieldPath]) -> Callable[[bytes], Any]:
    read = _decoder(schema, schema, paths, 0)

    def decode(data: bytes) -> Any:
        try:
            return read(data)
        except BadRecord:
            if number := number_in_frame(data):
                what = f"the bytes begin with 00 and the number {number} of a schema, as a registry's clients write it"
                remedy = "leave the schema out of the mapping, and the registry is asked for it"
                raise Unreadable(f"{what}: {remedy}", AVRO) from None
            raise

    return decode


def _numbered(reader: str, paths: Sequence[FieldPath], schema_text: SchemaText) -> Callable[[bytes], Any]:
    """Each schema that records were written by is resolved to the reader's once."""
    known: dict[int, Callable[[bytes], Any]] = {}

    def decode(data: bytes) -> Any:
        number = number_of(data)
        read = known.get(number)
        if read is None:
            read = known[number] = _decoder(schema_text(number), reader, paths, HEADER)
        return read(data)

    return decode


def _looks(writer: str, reader: str, names: frozenset[str]) -> _Looks:
    logical = types.parse_schema(reader)
    plain, other = (types.parse_schema(one, logical=False) for one in (writer, reader))
    named = types.named_schemas(logical)
    wanted, wanted_plain = _project(logical, names), _project(other, names)
    second = () if wanted == logical else (resolving_reader(plain, wanted_plain, wanted, named),)
    if types.parse_schema(writer) == logical:
        return lambda source: fastavro.schemaless_reader(source, logical, None), *second
    return resolving_reader(plain, other, logical, named), *second


def _project(schema: Any, names: frozenset[str]) -> Any:
    return {**schema, "fields": [field for field in schema["fields"] if field["name"] in names]}


def _record(data: bytes, start: int, looks: _Looks) -> Any:
    try:
        return _look(data, start, looks[0])
    except BadRecord:
        if len(looks) == 1:
            raise
    return _look(data, start, looks[1])


def _look(data: bytes, start: int, read: _Read) -> Any:
    source = io.BytesIO(data)
    source.seek(start)
    try:
        record = read(source)
    except _DAMAGED as bad:
        raise Unreadable(f"the bytes are not a record of their Avro schema: {_reason(bad)}", AVRO) from None
    if source.tell() != len(data):
        raise Unreadable(f"{len(data) - source.tell()} bytes follow the Avro record", AVRO)
    return record


_MISSING = re.compile(r"No default value for field (?P<field>.+) in .+")


def _reason(bad: BaseException) -> str:
    match bad:
        case EOFError() if str(bad).startswith("Expected -"):
            return "a length in it is below zero"
        case IndexError() if str(bad).startswith("list"):
            return "it has a symbol of an enum, or a type of a union, that its schema lacks"
        case EOFError() | IndexError() | struct.error():
            return "it ends too early"
        case UnicodeDecodeError():
            return "a text in it is not UTF-8"
        case SchemaResolutionError():
            if missing := _MISSING.fullmatch(str(bad)):
                return f"it has no field '{missing['field']}', and the reader's schema has no default for it"
            return "the writer's schema is not compatible with the reader's"
        case OverflowError() | ArithmeticError():
            return "a number, a date or a time in it is out of range"
    return "its bytes are not the value of a field"


def field_encoder(fields: Sequence[TypedField], layout: FormatLayout) -> FieldEncoder:
    """Raises ValueError for a field that the schema does not have, and for one without a value and a default."""
    schema = types.parse_schema(layout.schema)
    schemas = {field["name"]: field for field in schema["fields"]}
    _check(fields, layout)
    given = {field.path[0] for field in fields}
    if missing := [name for name, one in schemas.items() if name not in given and "default" not in one]:
        raise ValueError(f"the query gives no value for {', '.join(missing)}, and the schema has no default")
    header = b"" if layout.schema_id is None else struct.pack(">bI", MAGIC, layout.schema_id)
    paths = [field.path for field in fields]
    needed = [field.path[0] for field in fields if len(field.path) == 1 and not _takes_null(schemas[field.path[0]])]
    named = types.named_schemas(schema)
    conversions = [write_conversion(field.type, types.schema_at(schema, field.path), named) for field in fields]
    arguments = ", ".join(f"{{{i}}}" for i in range(len(fields)))
    encode = _encoder(schema, header, paths, needed)
    if all(len(path) == 1 for path in paths):
        encode = flat_encoder(schema, header, [path[0] for path in paths], encode) or encode
    return FieldEncoder(f"encode({arguments})", {"encode": encode}, tuple(conversions))


def _takes_null(field: Any) -> bool:
    kind = field["type"]
    return kind == "null" or (isinstance(kind, list) and "null" in kind)


def _encoder(schema: Any, header: bytes, paths: Sequence[FieldPath], needed: Sequence[str]) -> Callable[..., bytes]:
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
            raise BadRecord(f"the Avro schema of the target does not take {_describe_refused(bad)}") from None
        return out.getvalue()

    return encode


_ON_FIELD = re.compile(r" on field (\S+)")


def _describe_refused(bad: BaseException) -> str:
    """What fastavro did not take; of fields in fields it names the innermost first."""
    fields = _ON_FIELD.findall(str(bad))
    return f"the value of field '{'.'.join(reversed(fields))}'" if fields else "the record"


def _flat(names: Sequence[str]) -> Callable[[Sequence[Any]], dict[str, Any]]:
    return lambda values: dict(zip(names, values, strict=True))


def _nested(paths: Sequence[FieldPath]) -> Callable[[Sequence[Any]], dict[str, Any]]:
    def build(values: Sequence[Any]) -> dict[str, Any]:
        record: dict[str, Any] = {}
        for path, value in zip(paths, values, strict=True):
            inner = record
            for part in path[:-1]:
                inner = inner.setdefault(part, {})
            inner[path[-1]] = value
        return record

    return build


FORMAT = Format("avro", field_decoder, field_encoder, types=frozenset(types.TYPES), nests_fields=True, has_schema=True)
