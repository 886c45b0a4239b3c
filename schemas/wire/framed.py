"""Commands as a schema registry's client frames them: 00, the number of the writer's schema, then an Avro Command.

The record is resolved to our own schema of a Command, so the writer's may lack fields that have defaults, or have more.
"""

import io
import struct
from collections.abc import Mapping
from typing import Any

import fastavro
from fastavro.read import SchemaResolutionError
from fastavro.schema import SchemaParseException

from jobplane.schemas.errors import BadEnvelope, NoRegistry, Refused
from jobplane.schemas.formats.avro import types
from jobplane.schemas.formats.avro.known_schemas import HEADER, UnknownSchema
from jobplane.schemas.formats.avro.skipped_fields import end_checked
from jobplane.schemas.msgspec_types import convert
from jobplane.schemas.records.commands import Command
from jobplane.schemas.wire.codec import schema

RegistrySchemas = Mapping[int, str | Refused]
"""The registry's answers by the numbers of schemas: the text, or why there is none."""
_DAMAGED = (
    *(ValueError, TypeError, KeyError, IndexError, EOFError, OverflowError, RecursionError, MemoryError),
    *(AttributeError, ArithmeticError, struct.error, StopIteration, SchemaParseException),
)
"""What fastavro raises for bytes or schemas that are not a Command."""


def read_framed(data: bytes, schemas: RegistrySchemas | None) -> Command:
    """`schemas` is None where no registry is configured.

    Raises UnknownSchema where the schema is to be asked for, and then to be called again; NoRegistry, BadEnvelope, or
    what `schemas` holds instead of a text.
    """
    if len(data) < HEADER:
        raise BadEnvelope("the record begins with 00 and is too short to hold the number of a schema")
    if schemas is None:
        raise NoRegistry(
            "the record begins with 00, as a schema registry's client frames it: set JOBPLANE_REGISTRY_URL for all "
            "workers, or send Avro in single-object encoding (C3 01 first), JSON or the bare statement"
        )
    number = int.from_bytes(data[1:HEADER], "big")
    text = schemas.get(number)
    if text is None:
        raise UnknownSchema(number)
    if isinstance(text, Refused):
        raise type(text)(text.message)
    return _resolve(data, number, text)


def _resolve(data: bytes, number: int, text: str) -> Command:
    source = io.BytesIO(data)
    source.seek(HEADER)
    ours: Any = schema(Command.__name__)
    try:
        theirs = types.parse_schema(text)
    except ValueError as reason:
        raise _not_ours(number, str(reason)) from None
    try:
        fields: Any = fastavro.schemaless_reader(end_checked(theirs, ours)(source), theirs, ours)
        command = convert(fields, Command)
    except SchemaResolutionError:
        raise _not_ours(number, "it has other fields, or its record has another name") from None
    except EOFError:
        raise _not_ours(number, "it ends too early") from None
    except _DAMAGED:
        raise _not_ours(number, "its bytes do not fit that schema") from None
    if source.tell() != len(data):
        raise _not_ours(number, f"its end is at {source.tell()}, not at {len(data)}")
    return command


def _not_ours(number: int, reason: str) -> BadEnvelope:
    where = f"not an Avro Command by schema {number} of the registry"
    return BadEnvelope(f"{where}: {reason}; write it with the schema jobplane.Command")
