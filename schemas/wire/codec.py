"""Values to bytes and back: Avro single-object encoding, so that a reader knows by which schema a record was written.

Each record type has its schema in `avsc/<Name>.avsc`; older versions stay in `avsc/old/` and are read forever.
`avsc/fingerprints.json` has the fingerprint of each file. A command that reads only the state needs neither fastavro
nor the types of events: both are imported when they are first needed.
"""

import io
import json
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from jobplane.schemas.msgspec_types import convert
from jobplane.schemas.records.checkpoints import Checkpoint
from jobplane.schemas.records.commands import Command
from jobplane.schemas.records.mappings import TopicMapping
from jobplane.schemas.records.reports import Report
from jobplane.schemas.records.state import Answer, Job, Position, Snapshot
from jobplane.schemas.records.tasks import Task
from jobplane.schemas.wire.avro_names import NAMESPACE, avro_name
from jobplane.schemas.wire.compiled import RecordReader, compile_reader

if TYPE_CHECKING:
    from jobplane.schemas.records.events import Event

MARKER = b"\xc3\x01"
T = TypeVar("T")
_EVENT = "Event"
_OTHERS = (Job, TopicMapping, Snapshot, Answer, Position, Task, Report, Checkpoint, Command)
_TYPES: dict[str, type] = {avro_name(record): record for record in _OTHERS}
_AVSC = Path(__file__).parents[1] / "avsc"


class UnknownRecord(ValueError):
    """The bytes are not a record of a known schema: no marker, an unknown fingerprint, or damage."""


def record_types() -> tuple[type, ...]:
    """All record types."""
    return (_type_of(_EVENT), *_OTHERS)


def encode(record: Any) -> bytes:
    """One record of a record type as single-object Avro."""
    import fastavro

    name = avro_name(type(record))
    out = io.BytesIO()
    out.write(MARKER + _digests()[_file(name)])
    fastavro.schemaless_writer(out, _parsed(name), _plain(record))
    return out.getvalue()


def decode(data: bytes, expected: type[T]) -> T:
    """The record in `data`, which must be of the type `expected`. Raises UnknownRecord."""
    value = decode_record(data)
    if not isinstance(value, expected):
        raise UnknownRecord(f"a {avro_name(type(value))}, not a {avro_name(expected)}")
    return value


def decode_record(data: bytes) -> Any:
    """The record in `data`, of whichever record type. Raises UnknownRecord."""
    if data[:2] != MARKER:
        raise UnknownRecord("it does not begin with Avro's single-object marker")
    written = _readers().get(data[2:10])
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
    return _load(_file(name))


def _file(name: str) -> str:
    return f"{name}.avsc"


def _load(file: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((_AVSC / file).read_text())
    return loaded


def _type_of(name: str) -> type:
    if name == _EVENT:
        from jobplane.schemas.records.events import Event

        return Event
    return _TYPES[name]


def _plain(record: Any) -> Any:
    fields = msgspec.to_builtins(record, builtin_types=(bytes,))
    if avro_name(type(record)) == _EVENT:
        fields["body"] = (NAMESPACE + avro_name(type(record.body)), fields["body"])
    return fields


def _event(fields: dict[str, Any]) -> "Event":
    from jobplane.schemas.records.events import BODIES, Cause, Event

    name, body = fields["body"]
    cls = next(one for one in BODIES if NAMESPACE + avro_name(one) == name)
    return Event(fields["seq"], fields["time"], convert(fields["cause"], Cause), convert(body, cls))


@cache
def _digests() -> dict[str, bytes]:
    """The fingerprint of each schema by its file, as records begin with it."""
    listed: dict[str, str] = json.loads((_AVSC / "fingerprints.json").read_text())
    return {file: int(digest, 16).to_bytes(8, "little") for file, digest in listed.items()}


@cache
def _parsed(name: str) -> Any:
    import fastavro

    return fastavro.parse_schema(schema(name))


@cache
def _readers() -> dict[bytes, tuple[str, Callable[[], RecordReader]]]:
    """By fingerprint of a schema: its record type, and the maker of the reader of what it wrote.

    A reader is compiled when the first record of its type is read: most processes read few types. The name of an old
    schema's file says what it is of.
    """
    known: dict[bytes, tuple[str, Callable[[], RecordReader]]] = {}
    for file, digest in _digests().items():
        name = Path(file).name.partition(".")[0]
        make = _compiled if file == _file(name) else partial(_old_reader, file=file)
        known[digest] = (name, cache(partial(make, name)))
    return known


def _compiled(name: str) -> RecordReader:
    return compile_reader(schema(name), _type_of(name), NAMESPACE)


def _old_reader(name: str, file: str) -> RecordReader:
    return resolving_reader(name, _load(file))


def resolving_reader(name: str, raw: Any) -> RecordReader:
    """A reader of records of an older schema as records of the present class."""
    import fastavro

    written = fastavro.parse_schema(raw)

    def read(data: bytes, start: int) -> tuple[Any, int]:
        source = io.BytesIO(data[start:])
        fields: Any = fastavro.schemaless_reader(
            source, written, _parsed(name), return_record_name=True, return_record_name_override=True
        )
        record = _event(fields) if name == _EVENT else convert(fields, _TYPES[name])
        return record, start + source.tell()

    return read
