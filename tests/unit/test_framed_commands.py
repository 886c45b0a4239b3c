"""Commands as a schema registry's client frames them, by whatever schema they were written."""

import io
import json
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobplane.schemas.errors import BadEnvelope, FactsUnavailable, Refused
from jobplane.schemas.formats.avro.known_schemas import UnknownSchema
from jobplane.schemas.records.commands import Command
from jobplane.schemas.wire.codec import schema
from jobplane.schemas.wire.command_record import read_command
from jobplane.schemas.wire.framed import read_framed

SQL = "DROP JOB a"
FRAME = b"\0\0\0\0\7"
OURS = json.dumps(schema("Command"))


def record(*fields: tuple[str, Any], name: str = "jobplane.Command") -> str:
    return json.dumps({"type": "record", "name": name, "fields": [{"name": n, "type": kind} for n, kind in fields]})


def framed(text: str, **fields: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(text)), fields)
    return FRAME + out.getvalue()


LARGER = record(("at", "long"), ("sql", "string"), ("issued_by", "string"))
OPTIONAL = record(("sql", ["null", "string"]), ("tags", {"type": "array", "items": "string"}))
FLOATS = {"type": "array", "items": "float"}
ONLY_SQL = record(("sql", "string"), name="Command")


@pytest.mark.parametrize(
    ("text", "fields", "command"),
    [
        (OURS, {"sql": SQL, "command_id": "x"}, Command(SQL, "x")),
        (LARGER, {"at": 7, "sql": SQL, "issued_by": "me"}, Command(SQL, issued_by="me")),
        (OPTIONAL, {"sql": SQL, "tags": ["a", "b"]}, Command(SQL)),
        (ONLY_SQL, {"sql": SQL}, Command(SQL)),
    ],
    ids=["ours", "more and fewer fields", "a union", "without a namespace"],
)
def test_what_was_written_is_resolved_to_a_command(text: str, fields: dict[str, Any], command: Command) -> None:
    assert read_framed(framed(text, **fields), {7: text}) == command


@pytest.mark.parametrize(
    ("text", "data", "message"),
    [
        (ONLY_SQL, FRAME, "not an Avro Command by schema 7 of the registry"),
        (ONLY_SQL, FRAME + b"\x14DROP", "not an Avro Command"),
        (record(("id", FLOATS), ("sql", "string")), FRAME + b"\xfe" + b"\xff" * 7 + b"\x7f", "it ends too early"),
        (ONLY_SQL, framed(ONLY_SQL, sql=SQL) + b"x", "its end is at 16, not at 17"),
        (OPTIONAL, framed(OPTIONAL, sql=None, tags=[]), "it has other fields"),
        (record(("id", "long")), FRAME + b"\2", "it has other fields, or its record has another name"),
        (record(("sql", "string"), name="shop.Order"), framed(ONLY_SQL, sql=SQL), "its record has another name"),
        (record(("sql", "string"), ("more", "jobplane.Command")), FRAME + b"\2" * 50, "contains itself"),
        ('{"type": "string"}', FRAME + b"\2a", "the schema must be that of a record"),
        ("not JSON", FRAME + b"\2a", "not an Avro schema"),
    ],
)
def test_what_is_no_command_says_why(text: str, data: bytes, message: str) -> None:
    with pytest.raises(BadEnvelope, match=message):
        read_framed(data, {7: text})


def test_a_schema_that_is_not_known_is_asked_for() -> None:
    with pytest.raises(UnknownSchema) as asked:
        read_command(0, 0, framed(OURS, sql=SQL), [], "jobplane.", {8: OURS})
    assert asked.value.id == 7


def test_a_schema_that_cannot_be_had_refuses_the_command_and_keeps_what_its_headers_say() -> None:
    refusal: Refused = FactsUnavailable("the registry does not answer; send the command again")
    command = read_command(0, 0, framed(OURS, sql=SQL), [("command-id", b"x")], "jobplane.", {7: refusal})
    assert isinstance(command.error, FactsUnavailable)
    assert (command.error.message, command.given_id, command.text) == (refusal.message, "x", "")


@given(st.binary(max_size=200), st.sampled_from([OURS, LARGER, OPTIONAL, ONLY_SQL]))
def test_no_bytes_raise_anything_but_a_refusal(data: bytes, text: str) -> None:
    command = read_command(0, 0, FRAME + data, [], "jobplane.", {7: text})
    assert isinstance(command.text, str)
