"""Recorded plans: the same plan again, from a text in which nothing is code."""

import re
import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Message

from jobplane.processors.pipeline import pipeline
from jobplane.schemas.failures import PlanUnreadable
from jobplane.schemas.formats.json.values import row_class
from jobplane.schemas.records.mappings import TopicMapping
from jobplane.schemas.records.plans import RecordedPlan, keeps_state
from jobplane.schemas.records.sources import Sink, Source
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type
from jobplane.sql.codegen.compile import TargetTopic, Wiring, compile_step
from jobplane.sql.plan.constants import constant_from_json, constant_to_json
from jobplane.sql.plan.graph import Branch, Forward, NotFused, Plan, Shuffle, plan_of
from jobplane.sql.plan.operators import (
    AggregateColumn,
    FilterOperator,
    GroupOperator,
    OrderItem,
    ProjectedColumn,
    SinkOperator,
    WatermarkOperator,
    WrittenColumn,
)
from jobplane.sql.plan.plan import plan
from jobplane.sql.plan.recording import PLANNER, UnreadablePlan, dump, load, read, record
from jobplane.sql.syntax.parser import parse_insert
from jobplane.sql.types.typed import Field, NullTest
from tests.support import rows

GOLDEN = Path(__file__).parents[1] / "golden"
WIRING = Wiring("out", 1, {"s": "s"}, {"s": 0})
_ADDRESS = re.compile(r" object at 0x[0-9a-f]+")


def blocks() -> Iterator[rows.Block]:
    """The queries of the fixtures."""
    for path in sorted([*GOLDEN.glob("rows/*.txt"), *GOLDEN.glob("functions/*.txt")]):
        yield from map(rows.block_of, rows.blocks(path))


def planned(query: str, mappings: dict[str, TopicMapping] | None = None) -> Plan:
    known = mappings or {}
    return plan(parse_insert(f"INSERT INTO out {query}"), known, known.get("out"))


def code(one: Plan, wiring: Wiring = WIRING) -> str:
    return _ADDRESS.sub("", compile_step(one, wiring).source)


def recorded_as(text: str) -> RecordedPlan:
    """A record with another text than this version would write."""
    data = text.encode()
    return RecordedPlan(PLANNER, sha256(data).hexdigest(), zlib.compress(data))


def test_the_queries_of_all_fixtures_survive() -> None:
    for block in blocks():
        one, wiring, query = block.planned(), block.wiring(), block.query
        text = dump(one)
        again = load(text)
        assert again == one, query
        assert dump(again) == text, query
        assert code(again, wiring) == code(one, wiring), query


def test_a_chain_as_long_as_a_statement_may_be_survives() -> None:
    one = planned(f"SELECT {' + '.join(['a'] * 15_000)} AS b FROM s")
    text = dump(one)
    assert dump(load(text)) == text
    assert code(load(text)) == code(one)


def test_a_value_that_is_named_often_is_recorded_once() -> None:
    inner = "SELECT UPPER(a) || UPPER(a) AS b, UPPER(a) AS c FROM s"
    listed = msgspec.json.decode(dump(planned(inner)))["expressions"]
    assert [one["operation"]["operation"] for one in listed if one["expression"] == "apply"] == ["call", "concat"]


ROW = t.row(("a", "b"), (t.INTEGER, t.array(t.DATE)))


@pytest.mark.parametrize(
    ("value", "one"),
    [
        (None, t.NULL),
        (True, t.BOOLEAN),
        (2**63 - 1, t.BIGINT),
        (-(2**63), t.BIGINT),
        (-0.0, t.DOUBLE),
        (1e300, t.DOUBLE),
        (float("inf"), t.DOUBLE),
        (5.0, t.NUMBER),
        (Decimal("1.50"), t.decimal(3, 2)),
        ("ä\x1f\u2028", t.VARCHAR),
        (b"\x00\xff", t.VARBINARY),
        (date(1, 1, 1), t.DATE),
        (time(23, 59, 59, 999_999), t.TIME),
        (datetime.fromisoformat("2026-01-31T08:30:00.000001"), t.TIMESTAMP),
        (datetime(2026, 1, 31, 8, 30, tzinfo=UTC), t.TIMESTAMP_TZ),
        (timedelta(days=-3, microseconds=1), t.DAY_TO_SECOND),
        (14, t.YEAR_TO_MONTH),
        ([1, None], t.array(t.INTEGER)),
        ({1: date(2026, 1, 1)}, t.map_of(t.INTEGER, t.DATE)),
        (row_class(ROW)(1, [date(2026, 1, 1), None]), ROW),
    ],
)
def test_constants_survive(value: Any, one: Type) -> None:
    again = constant_from_json(msgspec.json.decode(msgspec.json.encode(constant_to_json(value))), one)
    assert again == value
    assert repr(again) == repr(value)
    assert type(again) is type(value)


def test_a_constant_of_json_survives() -> None:
    again = constant_from_json(constant_to_json(msgspec.Raw(b'{"a": 1}')), t.JSON)
    assert bytes(again) == b'{"a": 1}'


def test_no_text_of_a_plan_becomes_code() -> None:
    """Whoever writes into a plan can choose among operations, no more."""
    text = dump(planned("SELECT a + 1 AS b FROM s"))
    for name in ("{} + {}", "__import__('os')", "add-double({}"):
        changed = text.replace('"add-double"', msgspec.json.encode(name).decode())
        assert changed != text
        with pytest.raises(UnreadablePlan, match="there is no operation"):
            read(recorded_as(changed))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"operator":"filter"', '"operator":"aggregate"', "aggregate"),
        ('"text":"a > 1"', '"text":"a > 1","retracts":true', "retracts"),
        ('"arguments":[0,1]', '"arguments":[0,9]', "no expression 9"),
        ('"json-flat"', '"protobuf"', "protobuf"),
        ('"edge":"forward"', '"edge":"shuffle","key":[0]', "shuffle"),
        ('"downstream":1', '"downstream":99', "99"),
        ('"expressions"', '"phrases"', "expressions"),
    ],
)
def test_what_a_newer_version_wrote_is_told(old: str, new: str, reason: str) -> None:
    text = dump(planned("SELECT a FROM s WHERE a > 1"))
    assert old in text
    recorded = recorded_as(text.replace(old, new))
    with pytest.raises(PlanUnreadable, match=reason) as caught:
        pipeline(lambda: recorded, {}, (Source("s", "id-s", (0,)),), (Sink("out", "id-out", 1),)).step  # noqa: B018
    assert caught.value.code == "PLAN_UNREADABLE"


@pytest.mark.parametrize(
    ("old", "new", "reason"), [("Europe/Berlin", "Europe/Atlantis", "Atlantis"), ('"day"', '"fortnight"', "fortnight")]
)
def test_windows_that_this_version_does_not_know_are_told(old: str, new: str, reason: str) -> None:
    query = "SELECT window_start FROM TUMBLE(TABLE s, DESCRIPTOR(a), INTERVAL '1' DAY, 'Europe/Berlin')"
    text = dump(planned(query))
    assert old in text
    with pytest.raises(UnreadablePlan, match=reason):
        read(recorded_as(text.replace(old, new)))


def test_a_plan_of_a_newer_planner_stops_the_job_with_a_code() -> None:
    recorded = replace(record(planned("SELECT a FROM s")), planner=PLANNER + 1)
    made = pipeline(lambda: recorded, {}, (Source("s", "id-s", (0,)),), (Sink("out", "id-out", 1),))
    with pytest.raises(PlanUnreadable, match=f"version {PLANNER + 1} of the planner wrote it"):
        made.step  # noqa: B018


@pytest.mark.parametrize("deflated", [b"", b"x", record(planned("SELECT a FROM s")).deflated])
def test_damage_is_told(deflated: bytes) -> None:
    with pytest.raises(UnreadablePlan):
        read(replace(record(planned("SELECT b FROM s")), deflated=deflated))


def test_operators_and_edges() -> None:
    one = planned("SELECT a FROM s WHERE a > 1 UNION ALL SELECT b FROM s, UNNEST(c) AS b")
    names = [type(operator).__name__.removesuffix("Operator") for operator in one.operators]
    assert names == ["Scan", "Filter", "Project", "Scan", "Unnest", "Project", "Union", "Sink"]
    pairs = [(0, 1), (1, 2), (3, 4), (4, 5), (2, 6), (5, 6), (6, 7)]
    assert one.edges == tuple(Forward(upstream, downstream) for upstream, downstream in pairs)


def test_a_shuffle_is_not_fused() -> None:
    one = planned("SELECT a FROM s")
    shuffled = Plan(one.operators, (Shuffle(0, 1, ()), *one.edges[1:]))
    with pytest.raises(NotFused):
        compile_step(shuffled, WIRING)


def grouped(one: Plan) -> Plan:
    """The plan with groups between its rows and its target."""
    (branch,) = one.branches
    time, number = Field("__timestamp", t.TIMESTAMP_TZ), Field("a", t.BIGINT)
    keys = (ProjectedColumn("\x1f7", time, t.TIMESTAMP_TZ), ProjectedColumn("\x1f8", time, t.TIMESTAMP_TZ))
    condition, order = NullTest(number, negated=True), (OrderItem(time, descending=True), OrderItem(number))
    ordered = AggregateColumn("\x1f9", "ARRAY_AGG", (number,), t.array(t.BIGINT), True, condition, order)
    count = AggregateColumn("\x1f10", "COUNT", (), t.BIGINT)
    group = GroupOperator(keys, (ordered, count), ("\x1f7", "\x1f8"), "\x1f3", changes=True, bound=True)
    watermark = WatermarkOperator(time, "__timestamp")
    after = (FilterOperator(NullTest(Field("\x1f9", t.array(t.BIGINT)), negated=False), "x"),)
    columns = (ProjectedColumn("n", Field("\x1f10", t.BIGINT), t.BIGINT),)
    written = (WrittenColumn("n", "value", ("n",)),)
    sink = msgspec.structs.replace(branch.sink, columns=written)
    return plan_of((Branch(branch.scan, (watermark, *branch.steps), columns, sink, group, after),))


def test_groups_survive() -> None:
    one = grouped(planned("SELECT a FROM s WHERE a > 1"))
    again = read(record(one))
    assert again == one
    assert keeps_state(record(one))
    assert not keeps_state(record(planned('SELECT a FROM s WHERE b = \'"operator":"group"\'')))
    (branch,) = again.branches
    names = [type(step).__name__ for step in (*branch.steps, *branch.grouping)]
    assert names == ["WatermarkOperator", "FilterOperator", "GroupOperator", "FilterOperator"]
    assert branch.used >= {"a", "__timestamp", "\x1f9", "\x1f10"}


def test_branches_that_meet_before_a_group_share_it() -> None:
    (first,), (other,) = (grouped(planned(f"SELECT a FROM {name}")).branches for name in "st")
    plain = planned("SELECT a FROM s").branches
    one = plan_of((first, other, *plain, replace(other, group_number=1)))
    names = [type(operator).__name__.removesuffix("Operator") for operator in one.operators]
    shared = ["Scan", "Watermark", "Scan", "Watermark", "Union", "Group", "Filter", "Project"]
    assert names == [*shared, "Scan", "Project", "Scan", "Watermark", "Group", "Filter", "Project", "Union", "Sink"]
    again = read(record(one))
    assert again == one
    assert [branch.group_number for branch in again.branches] == [0, 0, 0, 1]
    assert [branch.group is None for branch in again.branches] == [False, False, True, False]


def test_branches_of_one_target_have_one_sink() -> None:
    (first,), (other,) = (planned(f"SELECT {name} FROM s").branches for name in "ab")
    elsewhere = replace(first, sink=msgspec.structs.replace(first.sink, target="elsewhere"))
    one = plan_of((first, elsewhere, other))
    sinks = [operator for operator in one.operators if isinstance(operator, SinkOperator)]
    assert [(sink.target, [column.column for column in sink.columns]) for sink in sinks] == [
        ("", ["a", "b"]),
        ("elsewhere", ["a"]),
    ]
    again = read(record(one))
    assert again == one
    wiring = replace(WIRING, targets={"elsewhere": TargetTopic("there", 1, {"s": 0})})
    written: list[tuple[Any, ...]] = []

    def take(*record: Any) -> None:
        written.append(record[:2])

    message = Message("s", 0, 0, b"k", b'{"a":1,"b":2}', None, None, (1, 1))
    compile_step(again, wiring).step(iter([message]), take, take)
    assert written == [("out", b'{"a":1}'), ("there", b'{"a":1}'), ("out", b'{"b":2}')]


def test_groups_of_groups_are_not_fused() -> None:
    one = grouped(planned("SELECT a FROM s"))
    at = next(i for i, operator in enumerate(one.operators) if isinstance(operator, GroupOperator))
    operators = (*one.operators[: at + 1], *one.operators[at:])
    edges = tuple(Forward(i, i + 1) for i in range(len(operators) - 1))
    with pytest.raises(NotFused, match="groups of groups"):
        Plan(operators, edges).branches  # noqa: B018
