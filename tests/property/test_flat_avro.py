"""Generated functions read and write flat Avro records as fastavro does, or leave them to it."""

import io
import json
from typing import Any

import fastavro
from hypothesis import given
from hypothesis import strategies as st

from jobplane.schemas.formats.avro import types
from jobplane.schemas.formats.avro.flat_records import flat_decoder, flat_encoder

LEFT = object()
"""What a record is answered with that the function leaves to fastavro."""
INTEGERS = {"int": st.integers(-(2**31), 2**31 - 1), "long": st.integers(-(2**63), 2**63 - 1)}


def left(*_: Any) -> Any:
    return LEFT


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    **INTEGERS,
    "float": st.floats(width=32),
    "double": st.floats(),
    "bytes": st.binary(max_size=100),
    "string": st.text(max_size=100),
}
LOGICAL = [
    ({"type": "int", "logicalType": "date"}, st.dates()),
    ({"type": "string", "logicalType": "uuid"}, st.uuids()),
    ({"type": "long", "logicalType": "local-timestamp-micros"}, st.datetimes()),
]
PLAIN = list(VALUES.items())
KINDS = st.sampled_from([*PLAIN, *LOGICAL])
Field = tuple[Any, st.SearchStrategy[Any]]


def nullable(one: Field) -> st.SearchStrategy[Field]:
    kind, value = one
    if kind == "null":
        return st.just(one)
    both = st.none() | value
    return st.sampled_from([one, (["null", kind], both), ([kind, "null"], both)])


FIELDS = st.lists(KINDS.flatmap(nullable), min_size=1, max_size=5)
SIMPLE = st.lists(st.sampled_from(PLAIN).flatmap(nullable), min_size=1, max_size=5)


def schema_of(fields: list[Field]) -> Any:
    listed = [{"name": f"c{at}", "type": kind} for at, (kind, _) in enumerate(fields)]
    return types.parse_schema(json.dumps({"type": "record", "name": "R", "fields": listed}))


def written(schema: Any, record: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, record)
    return out.getvalue()


def read(schema: Any, data: bytes) -> Any:
    """What fastavro reads; LEFT if that is no record, or bytes follow it."""
    source = io.BytesIO(data)
    try:
        record = fastavro.schemaless_reader(source, schema, None)
    except Exception:  # noqa: BLE001  # fastavro raises what it likes
        return LEFT
    return record if source.tell() == len(data) else LEFT


@given(data=st.data(), fields=FIELDS, start=st.integers(0, 5))
def test_records_are_read_as_fastavro_reads_them(data: st.DataObject, fields: list[Field], start: int) -> None:
    schema = schema_of(fields)
    record = {f"c{at}": data.draw(value) for at, (_, value) in enumerate(fields)}
    names = data.draw(st.lists(st.sampled_from(sorted(record)), unique=True))
    decode = flat_decoder(schema, names, start, left)
    assert decode is not None
    encoded = written(schema, record)
    expected = read(schema, encoded)
    assert repr(decode(bytes(start) + encoded)) == repr(tuple(expected[name] for name in names))


@given(data=st.data(), fields=FIELDS)
def test_damaged_records_are_left_to_fastavro_or_read_alike(data: st.DataObject, fields: list[Field]) -> None:
    schema = schema_of(fields)
    names = [f"c{at}" for at in range(len(fields))]
    decode = flat_decoder(schema, names, 0, left)
    assert decode is not None
    record = {f"c{at}": data.draw(value) for at, (_, value) in enumerate(fields)}
    damaged = bytearray(written(schema, record) + data.draw(st.binary(max_size=2)))
    for _ in range(data.draw(st.integers(0, 3))):
        if damaged:
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    del damaged[data.draw(st.integers(0, len(damaged))) :]
    found, expected = decode(bytes(damaged)), read(schema, bytes(damaged))
    if found is not LEFT:
        assert expected is not LEFT, "fastavro refuses what was read"
        assert repr(found) == repr(tuple(expected.values()))


@given(data=st.data(), fields=SIMPLE, header=st.binary(max_size=5))
def test_records_are_written_as_fastavro_writes_them(data: st.DataObject, fields: list[Field], header: bytes) -> None:
    schema = schema_of(fields)
    record = {f"c{at}": data.draw(value) for at, (_, value) in enumerate(fields)}
    names = data.draw(st.permutations(sorted(record)))
    encode = flat_encoder(schema, header, names, left)
    assert encode is not None
    assert encode(*[record[name] for name in names]) == header + written(schema, record)


ANY = st.one_of(*VALUES.values(), st.integers(), st.just("\ud800"), st.just([]), st.floats(), st.dates())


@given(data=st.data(), fields=SIMPLE)
def test_other_values_are_left_to_fastavro_or_written_alike(data: st.DataObject, fields: list[Field]) -> None:
    schema = schema_of(fields)
    record = {f"c{at}": data.draw(ANY) for at in range(len(fields))}
    encode = flat_encoder(schema, b"", list(record), left)
    assert encode is not None
    found: Any = encode(*record.values())
    if found is not LEFT:
        assert found == written(schema, record)


def test_a_field_without_a_value_has_its_default() -> None:
    fields = [{"name": "a", "type": "long"}, {"name": "b", "type": ["null", "string"], "default": None}]
    fields.append({"name": "c", "type": "string", "default": "none"})
    schema = types.parse_schema(json.dumps({"type": "record", "name": "R", "fields": fields}))
    encode = flat_encoder(schema, b"", ["a"], left)
    assert encode is not None
    assert encode(7) == written(schema, {"a": 7})


def test_other_types_are_left_to_fastavro() -> None:
    for kind in ({"type": "array", "items": "long"}, ["null", "long", "string"], {"type": "map", "values": "long"}):
        schema = schema_of([(kind, st.none())])
        assert flat_decoder(schema, ["c0"], 0, left) is None
        assert flat_encoder(schema, b"", ["c0"], left) is None


def test_a_query_that_names_a_field_twice_is_left_to_fastavro() -> None:
    assert flat_encoder(schema_of([("long", st.none())]), b"", ["c0", "c0"], left) is None
