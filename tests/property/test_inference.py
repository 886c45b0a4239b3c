"""Whatever the records of a sample are: the mapping they suggest is accepted, and reads every object among them."""

import json
from typing import Any

from confluent_kafka import Message
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jobplane.schemas.names import quote_name
from jobplane.schemas.records.mappings import TopicMapping
from jobplane.sql.codegen.compile import Wiring, compile_step
from jobplane.sql.infer.mapping import SampledRecord, infer_mapping, mapping_statement
from jobplane.sql.mapping import build_mapping
from jobplane.sql.plan.grouping.watermarks import check_watermark
from jobplane.sql.plan.plan import plan
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parser import parse, split_statements

texts = (
    st.text(max_size=8)
    | st.dates().map(str)
    | st.datetimes().map(lambda one: one.isoformat())
    | st.datetimes().map(lambda one: f"{one.isoformat()}Z")
    | st.sampled_from(["2026-02-30", "0001-01-01T00:00:00+14:00", "2026-01-31 08:30:00", "24:00", "P1D", "NaN"])
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
names = st.text(max_size=5) | st.sampled_from(
    [
        "id",
        "a.b",
        "order",
        "this",
        "__key",
        "__key.id",
        'say "hi"',
        "back\\slash",
        "tab\t",
        "\x1f1",
        "user name",
        "timestamp",
        "interval",
        "row",
        ";",
    ]
)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4), max_leaves=12
)


@st.composite
def samples(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Objects whose fields mostly have one kind of value each."""
    kinds = [scalars, texts, st.integers(), st.lists(st.integers()), anything]
    fields = {name: draw(st.sampled_from(kinds)) for name in draw(st.lists(names, max_size=5))}
    one = st.fixed_dictionaries({}, optional=fields)
    return draw(st.lists(one, min_size=1, max_size=5))


def mapping_from(text: str) -> TopicMapping:
    ((_, alone),) = split_statements(text)
    create = parse(alone)
    assert isinstance(create, statements.CreateMapping)
    assert parse(text) == create
    mapping = build_mapping(create)
    if create.watermark is not None:
        check_watermark(create.watermark, mapping)
    return mapping


def rows_through(mapping: TopicMapping, messages: list[Message]) -> int:
    """Reads every column of every message. Raises BadRecord where one cannot be read."""
    columns = ", ".join(
        f"{written} AS c{i}" for i, written in enumerate(quote_name(one.name) for one in mapping.columns)
    )
    insert = parse(f"CREATE JOB j AS INSERT INTO out SELECT {columns or '*'} FROM m")
    assert isinstance(insert, statements.CreateJob)
    made = compile_step(plan(insert.inserts[0], {"m": mapping}), Wiring("out", 1, {"m": "t"}, {"m": 0}))
    written, _ = made.step(iter(messages), lambda *_: None, lambda *_: None)
    return written


@settings(max_examples=300, deadline=None)
@given(samples(), st.sampled_from([None, b"k", b"\xff"]))
@example([{"a": 1}, {"a": 10**400}], None)
@example([{"a": 0.5}, {"a": 10**30}], None)
@example([{"a": "\ud800"}], None)
@example([{"a": {"b": "\ud800", "\ud800": 1}}], None)
@example([{"a": [[[[[[1]]]]]]}], None)
@example([{"a": f"2026-01-31T08:30:{second}Z"} for second in (10, 10, 40, 39, 50, 10)], None)
@example([{"a b": f"1969-01-31T08:30:{second}Z", "c": "1969-01-31T08:30:10Z"} for second in (10, 20, 30)], None)
@example([{f"f{i}": i for i in range(1_000)}], None)
@example([{"a": {f"{i:0100}": i for i in range(31)}}], None)
@example([{f"{i:0400}": i for i in range(300)}], None)
def test_a_sample_is_read_through_the_mapping_it_suggests(objects: list[dict[str, Any]], key: bytes | None) -> None:
    values = [json.dumps(one, allow_nan=False).encode() for one in objects]
    sample = [SampledRecord(key, value, i % 2, 5) for i, value in enumerate(values)]
    mapping = mapping_from(mapping_statement(infer_mapping(sample), "t", "m"))
    messages = [Message("t", 0, i, key, value, None, None, (1, 5)) for i, value in enumerate(values)]
    assert rows_through(mapping, messages) == len(objects)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.none() | st.binary(max_size=4), st.binary(max_size=12)), min_size=1, max_size=4))
@example([(b"k", b'{"a": 1}'), (None, b"{"), (None, b"[")])
@example([(None, b"\x00\x00\x00\x00\x07{}")])
def test_records_of_any_bytes_suggest_a_mapping(records: list[tuple[bytes | None, bytes]]) -> None:
    mapping_from(mapping_statement(infer_mapping([SampledRecord(*one) for one in records]), "any.topic"))


@given(st.lists(anything, min_size=1, max_size=3))
def test_values_that_are_json_suggest_a_mapping(values: list[Any]) -> None:
    mapping_from(
        mapping_statement(
            infer_mapping([SampledRecord(None, json.dumps(value).encode()) for value in values]), "t", "a name"
        )
    )
