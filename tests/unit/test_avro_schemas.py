"""Avro's own corners: defaults of fields that older records lack, and schemas that are odd or wrong."""

import io
import json
from dataclasses import replace
from decimal import Decimal
from itertools import count
from typing import Any

import fastavro
import pytest
from confluent_kafka import Message

from jobplane.controlplane.core.decide.formats import add_inline_schemas
from jobplane.schemas.errors import STATEMENT_START, BadMapping
from jobplane.schemas.failures import BadRecord
from jobplane.schemas.formats.avro import types
from jobplane.schemas.formats.avro.known_schemas import KnownSchemas, UnknownWriter
from jobplane.schemas.formats.fields import FormatLayout
from jobplane.schemas.formats.json.values import row_class
from jobplane.schemas.formats.known import FORMATS
from jobplane.schemas.records.mappings import AvroSchema, TopicMapping
from jobplane.schemas.types import datatypes as t
from jobplane.sql.codegen.compile import Step, Wiring, compile_step
from jobplane.sql.mapping import build_mapping
from jobplane.sql.plan.plan import plan
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parser import parse
from tests.support import format_values, rows

NUMBERS = count(500_000)
ID = {"name": "id", "type": "long"}


def record(*fields: dict[str, Any]) -> str:
    return json.dumps({"type": "record", "name": "R", "fields": list(fields)})


def read_by(reader: str, writer: str, value: dict[str, Any], query: str = "SELECT * FROM s") -> str:
    """What a query makes of a record of another schema, whose values are those of Avro's own types."""
    number, schemas = next(NUMBERS), KnownSchemas()
    schemas.learn(number, writer)
    out = io.BytesIO()
    out.write(bytes([0]) + number.to_bytes(4, "big"))
    fastavro.schemaless_writer(out, json.loads(writer), value)
    written: list[Any] = []
    message = Message("s", 0, 0, b"k", out.getvalue(), None, None, (1, 5))
    step_of(reader, query, schemas)(iter([message]), lambda *one: written.append(one), lambda *_: None)
    return bytes(written[0][1]).decode() if written else "left out"


def step_of(reader: str, query: str, schemas: KnownSchemas) -> Step:
    quoted = reader.replace("'", "''")
    mapping = rows.mapping(f"CREATE MAPPING s TYPE Kafka OPTIONS (valueFormat 'avro', valueAvroSchema '{quoted}')")
    source = replace(mapping, value_schema=AvroSchema(reader, id=1))
    statement = parse(f"CREATE JOB j AS INSERT INTO out {query}")
    assert isinstance(statement, statements.CreateJob)
    wiring = Wiring("out", 1, {"s": "s"}, {"s": 0}, schemas=schemas)
    return compile_step(plan(statement.inserts[0], {"s": source}), wiring).step


MONEY = {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}
DATE = {"type": "int", "logicalType": "date"}
DEFAULTS: dict[str, tuple[Any, Any, str]] = {
    "date": (DATE, 19000, '"2022-01-08"'),
    "date before 1970": (DATE, -1, '"1969-12-31"'),
    "time-millis": ({"type": "int", "logicalType": "time-millis"}, 1500, '"00:00:01.500000"'),
    "time-micros": ({"type": "long", "logicalType": "time-micros"}, 1, '"00:00:00.000001"'),
    "timestamp-millis": ({"type": "long", "logicalType": "timestamp-millis"}, 0, '"1970-01-01T00:00:00Z"'),
    "timestamp-micros": ({"type": "long", "logicalType": "timestamp-micros"}, 1, '"1970-01-01T00:00:00.000001Z"'),
    "local-timestamp-millis": ({"type": "long", "logicalType": "local-timestamp-millis"}, 0, '"1970-01-01T00:00:00"'),
    "bytes": ("bytes", "\u00ff\u0000A", '"/wBB"'),
    "fixed": ({"type": "fixed", "name": "F", "size": 2}, "\u0001\u00fe", '"Af4="'),
    "decimal": (MONEY, "\u0001\u0000", "2.56"),
    "decimal below zero": (MONEY, "\u00ff", "-0.01"),
    "decimal in a fixed": ({**MONEY, "type": "fixed", "name": "F", "size": 8}, "\u0000" * 7 + "\u0007", "0.07"),
    "decimal of 39 digits": ({**MONEY, "precision": 39, "scale": 9}, "\u0001", "0.000000001"),
    "uuid": ({"type": "string", "logicalType": "uuid"}, "00000000-0000-0000-0000-000000000001",
             '"00000000-0000-0000-0000-000000000001"'),
    "float of a whole number": ("float", 1, "1.0"),
    "double with properties": ({"type": "double", "unit": "m"}, 2, "2.0"),
    "float": ("float", 0.1, "0.1"),
    "enum": ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, "B", '"B"'),
    "null": (["null", DATE], None, "null"),
    "a union's second type": (["null", DATE], 19000, '"2022-01-08"'),
    "a union of several": (["null", "string", MONEY], "x", '"x"'),
    "array": ({"type": "array", "items": DATE}, [0, 1], '["1970-01-01","1970-01-02"]'),
    "array of bytes": ({"type": "array", "items": ["null", "bytes"]}, [None, "\u00e9"], '[null,"6Q=="]'),
    "map": ({"type": "map", "values": MONEY}, {"k": "\u0007"}, '{"k":0.07}'),
    "record": (
        {"type": "record", "name": "I", "fields": [
            {"name": "d", "type": DATE}, {"name": "m", "type": MONEY, "default": "\u0007"},
        ]},
        {"d": 1},
        '{"d":"1970-01-02","m":0.07}',
    ),
    "empty record's array": ({"type": "array", "items": "string"}, [], "[]"),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "default", "written"), DEFAULTS.values(), ids=DEFAULTS)
def test_a_default_becomes_what_a_value_becomes(kind: Any, default: Any, written: str) -> None:
    reader = record(ID, {"name": "more", "type": kind, "default": default})
    assert read_by(reader, record(ID), {"id": 7}) == f'{{"id":7,"more":{written}}}'


def test_a_default_of_a_float_has_32_bits() -> None:
    reader = record(ID, {"name": "more", "type": "float", "default": 0.1})
    assert read_by(reader, record(ID), {"id": 7}, "SELECT more = 0.1e0 AS e FROM s") == '{"e":false}'


def test_a_default_is_compared_as_what_it_is() -> None:
    reader = record(ID, {"name": "day", "type": DATE, "default": 19000})
    query = "SELECT id FROM s WHERE day > DATE '2022-01-01'"
    assert read_by(reader, record(ID), {"id": 7}, query) == '{"id":7}'
    assert read_by(reader, record(ID), {"id": 7}, query.replace("2022-01", "2022-02")) == "left out"


def test_a_default_inside_an_older_nested_record() -> None:
    inner = {"type": "record", "name": "I", "fields": [{"name": "a", "type": "int"}]}
    newer = {**inner, "fields": [*inner["fields"], {"name": "day", "type": DATE, "default": 19000}]}
    reader, writer = (record({"name": "items", "type": {"type": "array", "items": one}}) for one in (newer, inner))
    value = {"items": [{"a": 1}, {"a": 2}]}
    assert read_by(reader, writer, value) == '{"items":[{"a":1,"day":"2022-01-08"},{"a":2,"day":"2022-01-08"}]}'


@pytest.mark.parametrize(
    ("writer", "reader", "value", "written"),
    [
        ("int", DATE, 19000, '"2022-01-08"'),
        (DATE, "int", 19000, "19000"),
        ({"type": "long", "logicalType": "timestamp-millis"}, "long", 1, "1"),
        ("long", {"type": "long", "logicalType": "timestamp-millis"}, 1, '"1970-01-01T00:00:00.001000Z"'),
        ("bytes", MONEY, b"\x07", "0.07"),
        (MONEY, "bytes", b"\x07", '"Bw=="'),
        (DATE, ["null", DATE], 19000, '"2022-01-08"'),
        (["null", DATE], DATE, 19000, '"2022-01-08"'),
        ("int", "double", 7, "7.0"),
    ],
)
def test_the_readers_logical_type_counts(writer: Any, reader: Any, value: Any, written: str) -> None:
    more = {"name": "z", "type": "string", "default": ""}
    assert read_by(
        record({"name": "x", "type": reader}, more), record({"name": "x", "type": writer}), {"x": value}
    ) == f'{{"x":{written},"z":""}}'  # fmt: skip


def test_a_field_without_a_default_is_named() -> None:
    with pytest.raises(BadRecord, match="it has no field 'more', and the reader's schema has no default for it"):
        read_by(record(ID, {"name": "more", "type": "int"}), record(ID), {"id": 7})


def test_a_field_that_the_query_does_not_name_needs_no_default() -> None:
    reader = record(ID, {"name": "more", "type": "int"})
    assert read_by(reader, record(ID), {"id": 7}, "SELECT id FROM s") == '{"id":7}'


def test_types_that_do_not_go_together_are_told_in_plain_words() -> None:
    with pytest.raises(BadRecord, match="the writer's schema is not compatible with the reader's"):
        read_by(record({"name": "id", "type": "string"}), record(ID), {"id": 7})


def test_a_default_is_written_where_a_query_gives_no_value() -> None:
    schema = record(
        ID,
        {"name": "day", "type": DATE, "default": 1},
        {"name": "raw", "type": "bytes", "default": "\u00ff"},
        {"name": "money", "type": MONEY, "default": "\u0007"},
    )
    block = rows.block_of(
        f"@ CREATE MAPPING out (id BIGINT) TYPE Kafka OPTIONS (valueFormat 'avro', valueAvroSchema '{schema}')\n"
        'SELECT id FROM s\n> {"id": 1}'
    )
    assert block.answered().endswith("\n< 0x020202ff0207")


DECIMAL = {"type": "bytes", "logicalType": "decimal"}
FALLBACKS = {
    "no precision": DECIMAL,
    "precision null": {**DECIMAL, "precision": None},
    "precision negative": {**DECIMAL, "precision": -1},
    "precision 0": {**DECIMAL, "precision": 0},
    "precision a text": {**DECIMAL, "precision": "5"},
    "precision with a point": {**DECIMAL, "precision": 5.0},
    "precision true": {**DECIMAL, "precision": True},
    "scale above precision": {**DECIMAL, "precision": 5, "scale": 6},
    "scale negative": {**DECIMAL, "precision": 5, "scale": -1},
    "scale null": {**DECIMAL, "precision": 5, "scale": None},
    "a fixed too small": {**DECIMAL, "type": "fixed", "name": "F", "size": 1, "precision": 3},
    "a fixed of no bytes": {**DECIMAL, "type": "fixed", "name": "F", "size": 0, "precision": 1},
    "logicalType null": {"type": "bytes", "logicalType": None},
    "logicalType an array": {"type": "bytes", "logicalType": []},
    "logicalType unknown": {"type": "bytes", "logicalType": "colour"},
    "logicalType of another type": {"type": "bytes", "logicalType": "date"},
}


@pytest.mark.parametrize("kind", FALLBACKS.values(), ids=FALLBACKS)
def test_a_logical_type_that_cannot_be_is_passed_over(kind: Any) -> None:
    (column,) = types.columns_of(record({"name": "x", "type": kind}))
    assert column.type == t.VARBINARY


def test_a_decimal_that_just_fits_into_its_fixed_is_one() -> None:
    kind = {**DECIMAL, "type": "fixed", "name": "F", "size": 2, "precision": 4}
    assert types.columns_of(record({"name": "x", "type": kind}))[0].type == t.decimal(4, 0)


def test_a_logical_type_on_a_text_is_passed_over() -> None:
    (column,) = types.columns_of(record({"name": "x", "type": {"type": "string", "logicalType": "date"}}))
    assert column.type == t.VARCHAR


_DEEP = '{"type": ' * 150 + '"int"' + "}" * 150
_LAST = {"type": "record", "name": "R0", "fields": [{"name": "v", "type": "int"}]}


def _holding(number: int, fields: str) -> dict[str, object]:
    """A record that has the one before it in each of its fields."""
    inner = [{"name": name, "type": f"R{number - 1}"} for name in fields]
    return {"type": "record", "name": f"R{number}", "fields": inner}


_DOUBLING = [_LAST, *(_holding(i, "ab") for i in range(1, 30))]
_FURTHER = [_LAST, *(_holding(i, "a") for i in range(1, 120))]
REFUSED = {
    '{"type": "record", "name": null, "fields": []}': "the name of the record is a text, not null",
    '{"type": "record", "fields": []}': 'the record lacks its "name"',
    '{"type": "record", "name": "", "fields": []}': "the name of the record is a text, not an empty text",
    '{"type": "record", "name": "a..b", "fields": []}': "a part of that name is empty",
    '{"type": "record", "name": "\\ud800", "fields": []}': "half a pair of surrogates",
    '{"type": "record", "name": "R", "namespace": 5, "fields": []}': "the namespace of the record is a text, not 5",
    '{"type": "record", "name": "R", "fields": null}': "the fields of a record are an array, not null",
    '{"type": "record", "name": "R", "fields": [null]}': "a field of a record is an object, not null",
    '{"type": "record", "name": "R", "fields": [{"name": null, "type": "int"}]}': "the name of a field is a text",
    '{"type": "record", "name": "R", "fields": [{"name": "", "type": "int"}]}': "not an empty text",
    '{"type": "record", "name": "R", "fields": [{"name": "a"}]}': "field 'a' lacks its \"type\"",
    '{"type": "record", "name": "R", "fields": [{"name": "a", "type": null}]}': "an object or an array, not null",
    '{"type": "record", "name": "R", "fields": [{"name": "a", "type": "strong"}]}': "'strong' is not a type",
    '{"type": "record", "name": "R", "fields": [{"name": "a", "type": {"type": "array"}}]}': 'lacks its "items"',
    '{"type": "record", "name": "R", "fields": [{"name": "a", "type": {"type": "map", "values": 1}}]}': "not 1",
    '{"type": "record", "name": "R", "fields": [{"name": "a", "type": {"type": "fixed", "name": "F", "size": null}}]}':
        "the size of a fixed is a number of bytes, not null",
    '{"type": "record", "name": "R", "fields": [{"name": "a", "type": {"type": "enum", "name": "E", "symbols": 1}}]}':
        "the symbols of an enum are an array of texts, not 1",
    '{"type": "record", "name": "R", "fields": [{"name": "a", "type": "int", "default": "x"}]}':
        "the default of field 'a' is not valid: \"x\" is not a value of int",
    '{"type": "record", "name": "R", "fields": [{"name": "a", "type": {"type": "array", "items": "bytes"}, '
    '"default": ["\u0100"]}]}': "the default of field 'a' is not valid",
    '{"__fastavro_parsed": true, "type": "record", "name": "R", "fields": [{"name": "a"}]}': 'lacks its "type"',
    "null": "a type is a name, an object or an array, not null",
    "5": "not 5",
    "{": "not an Avro schema",
    f'{{"type": "record", "name": "R", "fields": [{{"name": "a", "type": {_DEEP}}}]}}': "nested more than 100 deep",
    '{"type": "record", "name": "R", "fields": [{"name": "a", "type": [["null"], "int"]}]}':
        "a union directly inside a union is not a type",
    '{"type": "record", "name": "R", "fields": [{"name": "a", "type": {"type": "array", "items": "R"}}]}':
        "the record R contains itself",
    json.dumps({"type": "record", "name": "T", "fields": [{"name": "a", "type": one} for one in _DOUBLING]}):
        "it has more than 10,000 types, each counted wherever it is named",
    json.dumps({"type": "record", "name": "T", "fields": [{"name": "a", "type": one} for one in _FURTHER]}):
        "its types are nested more than 100 deep",
}  # fmt: skip


@pytest.mark.parametrize(("text", "reason"), REFUSED.items())
def test_what_is_no_schema_is_refused_in_plain_words(text: str, reason: str) -> None:
    quoted = text.replace("'", "''")
    statement = parse(f"CREATE MAPPING s TYPE Kafka OPTIONS (valueFormat 'avro', valueAvroSchema '{quoted}')")
    assert isinstance(statement, statements.CreateMapping)
    with pytest.raises(BadMapping) as refused:
        add_inline_schemas(build_mapping(statement), STATEMENT_START)
    assert reason in refused.value.message


def test_a_default_that_is_not_one_counts_as_none_in_a_job_that_is_there() -> None:
    reader = record(ID, {"name": "more", "type": {"type": "array", "items": "int"}, "default": ["x"]})
    fields = types.parse_schema(reader)["fields"]
    assert "default" not in fields[1]


def test_a_type_that_is_only_named_is_written_as_if_it_stood_there() -> None:
    """Its decimal takes the digits that the schema says, wherever the record is used."""
    inner = {"type": "record", "name": "I", "fields": [{"name": "m", "type": ["null", MONEY]}]}
    text = record({"name": "a", "type": inner}, {"name": "b", "type": "I"}, {"name": "c", "type": ["null", "I"]})
    fields = types.columns_of(text)
    one = row_class(fields[0].type)(Decimal("1.5"))
    written = format_values.encoded(FORMATS["avro"], fields, [one, one, one], FormatLayout(fields, schema=text))
    assert format_values.decoded(FORMATS["avro"], fields, written, FormatLayout(fields, schema=text)) == [one, one, one]


UNSEEN: dict[str, Any] = {
    "float": "float",
    "boolean": "boolean",
    "fixed": {"type": "fixed", "name": "F", "size": 4},
    "record": {
        "type": "record",
        "name": "I",
        "fields": [{"name": "x", "type": "double"}, {"name": "n", "type": "null"}],
    },
}
ENDLESS = b"\xfe" + b"\xff" * 7 + b"\x7f"
"""A block of 2^62 elements, none of which follows."""


@pytest.mark.parametrize("items", UNSEEN.values(), ids=UNSEEN)
@pytest.mark.parametrize("around", ["array", "map"])
def test_an_array_that_is_passed_over_ends_where_the_record_ends(items: Any, around: str) -> None:
    """fastavro alone would count to the end of the block."""
    array = {"type": "array", "items": items}
    kind = array if around == "array" else {"type": "map", "values": array}
    number, schemas = next(NUMBERS), KnownSchemas()
    schemas.learn(number, record(ID, {"name": "more", "type": kind}))
    step = step_of(record(ID), "SELECT * FROM s", schemas)
    data = bytes([0]) + number.to_bytes(4, "big") + b"\x0e" + (b"\x02\x02a" if around == "map" else b"") + ENDLESS
    with pytest.raises(BadRecord, match="it ends too early"):
        step(iter([Message("s", 0, 0, b"k", data, None, None, (1, 5))]), lambda *_: None, lambda *_: None)


def test_an_array_that_is_passed_over_whole_is_passed_over() -> None:
    kind = {"type": "array", "items": "float"}
    assert read_by(record(ID), record(ID, {"name": "more", "type": kind}), {"id": 7, "more": [1.5, 2.5]}) == '{"id":7}'


def test_a_sink_of_an_older_version_keeps_its_digits() -> None:
    """Its schema was registered when a sum of 38 digits lost one after the point."""
    kind = ["null", {**DECIMAL, "precision": 38, "scale": 17}]
    schema = AvroSchema(record({"name": "x", "type": kind, "default": None}))
    target = TopicMapping("out", "out", (), {"valueFormat": "avro"}, "", None, schema)
    source = rows.mapping("@ CREATE MAPPING s (f DECIMAL(38, 18)) TYPE Kafka")
    statement = parse("CREATE JOB j AS INSERT INTO out SELECT f + 1 AS x FROM s")
    assert isinstance(statement, statements.CreateJob)
    planned = plan(statement.inserts[0], {"s": source}, target)
    compiled = compile_step(planned, Wiring("out", 1, {"s": "s"}, {"s": 0}))
    written: list[Any] = []
    message = Message("s", 0, 0, b"k", b'{"f": 0.000000000000000015}', None, None, (1, 5))
    compiled.step(iter([message]), lambda *one: written.append(one), lambda *_: None)
    units = 10**17 + 2
    assert written[0][1] == b"\x02\x10" + units.to_bytes(8, "big")


def test_queries_that_share_known_schemas_learn_for_each_other() -> None:
    def evaluate(known: KnownSchemas) -> int:
        message = Message("s", 0, 0, b"k", bytes([0, 0, 0, 0, 9]) + b"\x0e", None, None, (1, 5))
        step = step_of(record(ID), "SELECT * FROM s", known)
        return step(iter([message]), lambda *_: None, lambda *_: None)[0]

    schemas = KnownSchemas()
    with pytest.raises(UnknownWriter) as unknown:
        evaluate(schemas)
    unknown.value.schemas.learn(unknown.value.id, record(ID))
    assert evaluate(schemas) == 1
    with pytest.raises(UnknownWriter, match="schema 9 of the registry is not known yet"):
        evaluate(KnownSchemas())
