"""Every record type has its schema; schemas are sound Avro; bytes of another kind are told apart."""

import dataclasses
import json

import avro.schema
import pytest
from fastavro.schema import parse_schema

from schemas.checkpoints import Checkpoint, Pointer, read_pointer
from schemas.codec import RECORDS, NotOurs, decode, decode_record, encode, schema
from schemas.events import BODIES
from schemas.state import Position, decode_key, encode_key
from schemas.values import PartitionOffset, SourceOffsets

CHECKPOINT = Checkpoint("u-1", 0, 2, 7, 3, (SourceOffsets("t", "id", (PartitionOffset(2, 40),)),), b"state")


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_the_schema_names_every_field(record: type) -> None:
    raw = schema(record.__name__)
    avro.schema.parse(json.dumps(raw))
    parse_schema(raw)
    assert [field["name"] for field in raw["fields"]] == [field.name for field in dataclasses.fields(record)]


def test_the_event_schema_holds_every_body_in_order() -> None:
    body = next(field for field in schema("Event")["fields"] if field["name"] == "body")
    assert [one["name"] for one in body["type"]] == [f"jobplane.{body.__name__}" for body in BODIES]
    for one, cls in zip(body["type"], BODIES, strict=True):
        assert [field["name"] for field in one["fields"]] == [field.name for field in dataclasses.fields(cls)]


def test_a_record_survives() -> None:
    assert decode(encode(CHECKPOINT), Checkpoint) == CHECKPOINT


@pytest.mark.parametrize("data", [b"", b"{}", b"\xc3\x01", b"\xc3\x01" + b"x" * 8, encode(CHECKPOINT)[:-3]])
def test_other_bytes_are_not_ours(data: bytes) -> None:
    with pytest.raises(NotOurs):
        decode_record(data)


def test_another_record_is_told_apart() -> None:
    with pytest.raises(NotOurs, match="a Checkpoint where a Position belongs"):
        decode(encode(CHECKPOINT), Position)


def test_pointers_and_keys_survive() -> None:
    pointer = Pointer(1, 31, 12345)
    assert read_pointer(str(pointer)) == pointer
    assert [read_pointer(text) for text in (None, "", "1/2", "x")] == [None] * 4
    assert decode_key(encode_key(("job", 'a"b'))) == ("job", 'a"b')
