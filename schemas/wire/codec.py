"""Values to bytes and back: Avro single-object encoding, so that a reader knows by which schema a record was written.

Each record type has its schema in `avsc/<Name>.avsc`; older versions stay in `avsc/old/` and are read forever.
"""

import io
import json
import struct
from collections.abc import Callable
from functools import cache, partial
from importlib.resources import files
from typing import Any, TypeVar

import fastavro
import msgspec
from fastavro.schema import fingerprint, to_parsing_canonical_form

from jobplane.schemas.records.checkpoints import Checkpoint
from jobplane.schemas.records.commands import Command
from jobplane.schemas.records.events import BODIES, Cause, Event
from jobplane.schemas.records.mappings import TopicMapping
from jobplane.schemas.records.reports import Report
from jobplane.schemas.records.state import Answer, Job, Position, Snapshot
from jobplane.schemas.records.tasks import Task
from jobplane.schemas.wire.avro_names import NAMESPACE, avro_name
from jobplane.schemas.wire.compiled import RecordReader, compile_reader

RECORDS: tuple[type, ...] = (Event, Job, TopicMapping, Snapshot, Answer, Position, Task, Report, Checkpoint, Command)
MARKER = b"\xc3\x01"
T = TypeVar("T")
_TYPES = {avro_name(record): record for record in RECORDS}
_BODIES = {avro_name(body): body for body in BODIES}


class UnknownRecord(ValueError):
    """The bytes are not a record of a known schema: no marker, an unknown fingerprint, or damage."""


def encode(record: Any) -> bytes:
    """One record of RECORDS as single-object Avro."""
    name = avro_name(type(record))
    out = io.BytesIO()
    out.write(MARKER + _digest(name))
    fastavro.schemaless_writer(out, _parsed(name), _plain(record))
    return out.getvalue()


def decode(data: bytes, expected: type[T]) -> T:
    """The record in `data`, which must be of the type `expected`. Raises NotOurs."""
    value = decode_record(data)
    if not isinstance(value, expected):
        raise UnknownRecord(f"a {avro_name(type(value))}, not a {avro_name(expected)}")
    return value


def decode_record(data: bytes) -> Any:
    """The record in `data`, of whichever type of RECORDS. Raises NotOurs."""
    if data[:2] != MARKER:
        raise UnknownRecord("it does not begin with Avro's single-object marker")
    written = _known().get(data[2:10])
    if written is None:
        raise UnknownRecord(f"unknown schema fingerprint {data[2:10].hex()}: written by a newer version?")
    name, reader = written
    try:
        record, end = reader()(data, 10)
    except (msgspec.ValidationError, EOFError, ValueError, IndexError, KeyError) as bad:
        reason = "it ends too early" if isinstance(bad, EOFError | IndexError) else "its bytes do not fit its schema"
        raise UnknownRecord(f"damaged {name}: {reason}") from bad
    if end != len(data):
        raise UnknownRecord(f"damaged {name}: its end is at {end}, not at {len(data)}")
    return record


def schema(name: str) -> dict[str, Any]:
    """The present schema of a record type, as JSON."""
    text = files("jobplane.schemas").joinpath("avsc", f"{name}.avsc").read_text()
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def _plain(record: Any) -> Any:
    if isinstance(record, Event):
        fields = msgspec.to_builtins(record, builtin_types=(bytes,))
        fields["body"] = (NAMESPACE + avro_name(type(record.body)), fields["body"])
        return fields
    return msgspec.to_builtins(record, builtin_types=(bytes,))


def _event(fields: dict[str, Any]) -> Event:
    name, body = fields["body"]
    cls = _BODIES[name.removeprefix(NAMESPACE)]
    return Event(fields["seq"], fields["time"], msgspec.convert(fields["cause"], Cause), msgspec.convert(body, cls))


def _fingerprint(raw: Any) -> bytes:
    return struct.pack("<Q", int(fingerprint(to_parsing_canonical_form(raw), "CRC-64-AVRO"), 16))


@cache
def _digest(name: str) -> bytes:
    """The fingerprint of the present schema of a record type."""
    return _fingerprint(schema(name))


@cache
def _parsed(name: str) -> Any:
    return fastavro.parse_schema(schema(name))


@cache
def _known() -> dict[bytes, tuple[str, Callable[[], RecordReader]]]:
    """By fingerprint of a schema: its record type, and the maker of the reader of what it wrote.

    A reader is compiled when the first record of its type is read: most processes read few types. The name of an old
    schema's file says what it is of.
    """
    known: dict[bytes, tuple[str, Callable[[], RecordReader]]] = {}
    for name in _TYPES:
        known[_digest(name)] = (name, cache(partial(_compiled, name)))
    old = files("jobplane.schemas").joinpath("avsc", "old")
    for file in old.iterdir() if old.is_dir() else ():
        name, digest, _ = file.name.split(".")
        known[struct.pack("<Q", int(digest, 16))] = (name, cache(partial(_old_reader, name, file.name)))
    return known


def _compiled(name: str) -> RecordReader:
    return compile_reader(schema(name), _TYPES[name], NAMESPACE)


def _old_reader(name: str, file: str) -> RecordReader:
    text = files("jobplane.schemas").joinpath("avsc", "old", file).read_text()
    return resolving_reader(name, json.loads(text))


def resolving_reader(name: str, raw: Any) -> RecordReader:
    """A reader of records of an older schema as records of the present class."""
    written = fastavro.parse_schema(raw)

    def read(data: bytes, start: int) -> tuple[Any, int]:
        source = io.BytesIO(data[start:])
        fields: Any = fastavro.schemaless_reader(
            source, written, _parsed(name), return_record_name=True, return_record_name_override=True
        )
        record = _event(fields) if name == avro_name(Event) else msgspec.convert(fields, _TYPES[name])
        return record, start + source.tell()

    return read
