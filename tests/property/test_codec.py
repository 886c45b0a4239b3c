"""Every record survives its bytes, whichever schema wrote them; what is damaged is told, and nothing else happens."""

import io
import json
from contextlib import suppress
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobplane.schemas.wire import codec
from jobplane.schemas.wire.avro_names import avro_name
from jobplane.schemas.wire.codec import UnknownRecord, decode_record, encode, record_types, resolving_reader, schema

OLD = sorted((Path(codec.__file__).parents[1] / "avsc" / "old").glob("*.avsc"))
BASIC: dict[Any, st.SearchStrategy[Any]] = {
    int: st.integers(-(2**63), 2**63 - 1),
    str: st.one_of(st.text(max_size=5), st.sampled_from(["x" * 63, "x" * 64, "é" * 5_000])),
    bytes: st.binary(max_size=200),
    float: st.floats(allow_nan=False),
    bool: st.booleans(),
    type(None): st.none(),
}


@cache
def of(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a record's field, numbers and texts to their limits."""
    origin, inside = get_origin(kind), get_args(kind)
    if kind in BASIC:
        return BASIC[kind]
    if origin is tuple:
        return st.lists(of(inside[0]), max_size=3).map(tuple)
    if origin is dict:
        return st.dictionaries(of(inside[0]), of(inside[1]), max_size=3)
    if inside:
        return st.one_of(*map(of, inside))
    if issubclass(kind, StrEnum):
        return st.sampled_from(list(kind))
    return st.builds(kind, **{name: of(hint) for name, hint in get_type_hints(kind).items()})


each_record = pytest.mark.parametrize("record", record_types(), ids=avro_name)


@each_record
@given(data=st.data())
def test_a_record_survives(record: type, data: st.DataObject) -> None:
    """fastavro, which wrote it, reads the same."""
    given_ = data.draw(of(record))
    written = encode(given_)
    assert decode_record(written) == given_
    read = resolving_reader(avro_name(record), fastavro.parse_schema(schema(avro_name(record))))
    assert read(written, 10) == (given_, len(written))


@each_record
@given(data=st.data())
def test_damage_is_told(record: type, data: st.DataObject) -> None:
    written = encode(data.draw(of(record)))
    with pytest.raises(UnknownRecord):
        decode_record(written[: data.draw(st.integers(0, len(written) - 1))])
    with pytest.raises(UnknownRecord):
        decode_record(written + b"\0")
    damaged = bytearray(written)
    damaged[data.draw(st.integers(0, len(written) - 1))] = data.draw(st.integers(0, 255))
    with suppress(UnknownRecord):
        decode_record(bytes(damaged))


@pytest.mark.parametrize("file", OLD, ids=lambda file: file.stem)
@given(data=st.data())
def test_what_an_old_schema_wrote_is_read(file: Path, data: st.DataObject) -> None:
    """What it says comes out; what it does not know has its default."""
    raw = json.loads(file.read_text())
    name = raw["name"].removeprefix("jobplane.")
    record = data.draw(of(next(one for one in record_types() if avro_name(one) == name)))
    old, fields = fastavro.parse_schema(raw), codec._plain(record)
    if name == "Event":
        known = [branch["name"] for branch in raw["fields"][-1]["type"]]
        if fields["body"][0] not in known:
            return
    written = io.BytesIO()
    written.write(codec.MARKER + bytes.fromhex(file.suffixes[0][1:])[::-1])
    fastavro.schemaless_writer(written, old, fields)
    read = decode_record(written.getvalue())
    assert type(read) is type(record)
    again = io.BytesIO()
    fastavro.schemaless_writer(again, old, codec._plain(read))
    assert again.getvalue() == written.getvalue()[10:]
    assert decode_record(encode(read)) == read
