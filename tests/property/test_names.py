"""Fields of any name are read, written and named, whatever signs they hold: as text in JSON, as names in SQL."""

import json
import re
from typing import Any

import pytest
from confluent_kafka import Message
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jobplane.schemas.errors import UnknownColumn
from jobplane.schemas.failures import BadRecord
from jobplane.schemas.formats.avro.types import build_schema
from jobplane.schemas.formats.fields import TypedField
from jobplane.schemas.names import RESERVED
from jobplane.schemas.names import quote_name as quoted
from jobplane.schemas.types import datatypes as t
from jobplane.sql.analysis.record import READABLE
from jobplane.sql.codegen.compile import Wiring, compile_step
from jobplane.sql.mapping import build_mapping
from jobplane.sql.plan.plan import plan
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parser import parse
from jobplane.sql.syntax.render.statements import render

ODD = st.text(st.sampled_from("\"\\\n\t\x00\x1f\x7f a.b1'é"), min_size=1, max_size=6)
NAMES = (ODD | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)).filter(
    lambda name: not name.startswith("__") and name not in READABLE
)
LETTERS = st.text(st.characters(categories=["L"]), min_size=1, max_size=6).filter(
    lambda name: name.upper() not in RESERVED and name not in READABLE
)
VALUES = st.integers(-9, 9) | st.text(max_size=3) | st.lists(st.booleans(), max_size=2)


def written(query: str, record: Any, *mappings: str) -> Any:
    """What a query makes of one record; its canonical form must make the same."""
    found = []
    for text in (query, render(parse(f"CREATE JOB j AS INSERT INTO out {query}")).partition(" AS INSERT INTO out ")[2]):
        statement = parse(f"CREATE JOB j AS INSERT INTO out {text}")
        assert isinstance(statement, statements.CreateJob)
        created = [parse(one) for one in mappings]
        known = {one.name.text: build_mapping(one) for one in created if isinstance(one, statements.CreateMapping)}
        planned = plan(statement.inserts[0], known, known.get("out"))
        step = compile_step(planned, Wiring("out", 1, {"s": "s"}, {"s": 0})).step
        data = json.dumps(record, ensure_ascii=False).encode()
        step(iter([Message("s", 0, 0, b"k", data, None, None, (1, 5))]), lambda *one: found.append(one[1]), print)
    assert found[0] == found[1]
    return json.loads(found[0])


@settings(max_examples=50, deadline=None)
@given(NAMES, NAMES, VALUES)
@example('"', "\\", 1)
@example("\x1f1", "\x1f\x1f", "x")
@example("a\nb", "\x00", [])
def test_a_field_of_an_unmapped_topic(name: str, other: str, value: Any) -> None:
    read = quoted(name)
    assert written(f"SELECT {read} AS {quoted(other)} FROM s", {name: value, "more": 0}) == {other: value}
    assert written(f"SELECT {read} FROM (SELECT {read} FROM s)", {name: value}) == {name: value}
    assert written(f"SELECT *, 7 AS {quoted(other)} FROM s", {name: value}) == {name: value, other: 7}


@settings(max_examples=50, deadline=None)
@given(NAMES, NAMES, st.integers(-9, 9))
@example('"', "\\", 1)
def test_a_field_inside_a_field(name: str, other: str, value: int) -> None:
    path = f"m.{quoted(name)}.{quoted(other)}"
    query = f"SELECT {path} + 1 AS more, l[1].{quoted(name)} AS first, m FROM s"
    record = {"m": {name: {other: value}}, "l": [{name: value}]}
    assert written(query, record) == {"more": value + 1, "first": value, "m": record["m"]}


@settings(max_examples=50, deadline=None)
@given(NAMES, NAMES.filter(lambda name: "." not in name), st.integers(-9, 9))
@example('"', "\\", 1)
@example("\x1fkey", "\x1f", 1)
def test_a_column_of_a_mapping(name: str, other: str, value: int) -> None:
    types = f"{quoted(name)} BIGINT, r ROW({quoted(name)} BIGINT, {quoted(name + '!')} DATE)"
    source = f"CREATE MAPPING s ({types}, deep BIGINT EXTERNAL NAME {quoted(f'o.{other}')}) TYPE Kafka"
    sink = f"CREATE MAPPING out ({types}, deep BIGINT EXTERNAL NAME {quoted(f'o.{other}')}) TYPE Kafka"
    record = {name: value, "r": {name: value, f"{name}!": "2026-01-31"}, "o": {other: value}}
    if name in ("r", "o", "deep"):
        return
    assert written(f"SELECT {quoted(name)}, r, deep FROM s", record, source, sink) == record
    assert written(f"SELECT r.{quoted(name)} AS x FROM s", record, source) == {"x": value}


@pytest.mark.parametrize("name", ["\x1b[2J", "a\x00b", "\x7f\x9b"])
def test_no_message_commands_a_terminal(name: str) -> None:
    with pytest.raises(UnknownColumn) as unknown:
        written(f"SELECT {quoted(name + 'x')} FROM (SELECT {quoted(name)} FROM s)", {})
    with pytest.raises(BadRecord) as bad:
        written(f"SELECT {quoted(name)} + 1 AS x FROM s", {name: "text"})
    assert unknown.value.message.isprintable()
    assert bad.value.message.isprintable()


@given(NAMES)
@example('a"b')
@example("straße")
def test_avro_keeps_its_own_rule(name: str) -> None:
    """Its names are ASCII letters, digits and _; a column of another name is refused when the job is created."""
    for field in (TypedField((name,), t.BIGINT), TypedField(("r",), t.row((name,), (t.BIGINT,)))):
        if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            build_schema([field], "R")
        else:
            with pytest.raises(ValueError, match=r" cannot name a field in Avro: "):
                build_schema([field], "R")


@settings(max_examples=50, deadline=None)
@given(LETTERS, LETTERS, st.integers(-9, 9))
@example("straße", "größe", 1)
@example("数量", "naïve", 1)
@example("\u0131d", "\u017f", 1)
def test_letters_of_any_script_need_no_quotes(name: str, other: str, value: int) -> None:
    assert written(f"SELECT {name} + 0 AS {other} FROM s WHERE {name} IS NOT NULL", {name: value}) == {other: value}
