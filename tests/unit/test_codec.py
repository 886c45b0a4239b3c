"""Every record type has its schema; schemas are sound Avro; bytes of another kind are told apart."""

import json
import os
from pathlib import Path
from typing import Any

import avro.schema
import pytest
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from fastavro.schema import fingerprint, parse_schema, to_parsing_canonical_form

from jobplane.schemas.records.checkpoints import Checkpoint, Pointer, read_pointer
from jobplane.schemas.records.offsets import PartitionOffset, SourceOffsets
from jobplane.schemas.records.state import Position, decode_key, encode_key
from jobplane.schemas.wire.avro_names import avro_name
from jobplane.schemas.wire.codec import UnknownRecord, decode, decode_record, encode, record_types, schema
from tests.support.avsc import drawn

AVSC = Path(__file__).parents[2] / "schemas" / "avsc"

CHECKPOINT = Checkpoint("u-1", 0, 2, 7, 3, (SourceOffsets("t", "id", (PartitionOffset(2, 40),)),), b"state")


def fingerprint_of(raw: Any) -> str:
    return fingerprint(to_parsing_canonical_form(raw), "CRC-64-AVRO")


@pytest.mark.parametrize("record", record_types(), ids=avro_name)
def test_the_schema_follows_from_the_record(record: type) -> None:
    """UPDATE_SCHEMAS=1 writes it anew, and keeps the one it replaces: what was written with that is read forever."""
    file, new = AVSC / f"{avro_name(record)}.avsc", drawn(record)
    if os.environ.get("UPDATE_SCHEMAS"):
        if file.exists() and fingerprint_of(json.loads(file.read_text())) != fingerprint_of(new):
            (AVSC / "old" / f"{avro_name(record)}.{fingerprint_of(schema(avro_name(record)))}.avsc").write_text(
                file.read_text()
            )
        file.write_text(json.dumps(new, indent=2, ensure_ascii=False) + "\n")
    raw = schema(avro_name(record))
    avro.schema.parse(json.dumps(raw))
    parse_schema(raw)
    assert raw == new


def test_the_fingerprint_of_each_schema_is_listed() -> None:
    """UPDATE_SCHEMAS=1 writes the list."""
    listed, files = AVSC / "fingerprints.json", sorted(AVSC.rglob("*.avsc"))
    found = {str(file.relative_to(AVSC)): fingerprint_of(json.loads(file.read_text())) for file in files}
    if os.environ.get("UPDATE_SCHEMAS"):
        listed.write_text(json.dumps(found, indent=2) + "\n")
    assert json.loads(listed.read_text()) == found


@pytest.mark.parametrize("file", sorted((AVSC / "old").glob("*.avsc")), ids=lambda file: file.stem)
def test_what_was_written_with_an_old_schema_can_be_read(file: Path) -> None:
    old = json.loads(file.read_text())
    assert file.stem.partition(".")[2] == fingerprint_of(old)
    reader, writer = (avro.schema.parse(json.dumps(one)) for one in (schema(file.stem.partition(".")[0]), old))
    found = ReaderWriterCompatibilityChecker().get_compatibility(reader, writer)  # type: ignore[no-untyped-call]
    assert found.compatibility is SchemaCompatibilityType.compatible, found.messages


def test_a_record_survives() -> None:
    assert decode(encode(CHECKPOINT), Checkpoint) == CHECKPOINT


@pytest.mark.parametrize("data", [b"", b"{}", b"\xc3\x01", b"\xc3\x01" + b"x" * 8, encode(CHECKPOINT)[:-3]])
def test_other_bytes_are_not_ours(data: bytes) -> None:
    with pytest.raises(UnknownRecord):
        decode_record(data)


def test_another_record_is_told_apart() -> None:
    with pytest.raises(UnknownRecord, match="a Checkpoint, not a Position"):
        decode(encode(CHECKPOINT), Position)


def test_pointers_and_keys_survive() -> None:
    pointer = Pointer(1, 31, 12345)
    assert read_pointer(str(pointer)) == pointer
    assert [read_pointer(text) for text in (None, "", "1/2", "x")] == [None] * 4
    assert decode_key(encode_key(("job", 'a"b'))) == ("job", 'a"b')
