"""Several queries that take the same messages: what one of them refuses is in none, and their groups stay apart."""

from typing import Any

import msgspec
import pytest

from jobplane.schemas.failures import BadRecord, LateRecord, WithoutKey
from jobplane.sql.codegen.compile import TargetTopic, Wiring
from jobplane.sql.codegen.groups import CompiledGroups, compile_groups
from jobplane.sql.plan.inserts import plan_inserts
from jobplane.sql.plan.recording import read, record
from jobplane.sql.runtime.groups import GroupState
from jobplane.sql.syntax.parser import parse_insert
from tests.support.grouping import MAPPING, mapping_of, message

TUMBLE = "TUMBLE(TABLE s, DESCRIPTOR(ts), INTERVAL '10' SECOND)"
WINDOWS = f"INSERT INTO windows SELECT window_end, SUM(x) AS total FROM {TUMBLE} GROUP BY window_start, window_end"
TOTALS = "INSERT INTO totals SELECT u, COUNT(*) AS n FROM s GROUP BY u"
PLAIN = "INSERT INTO plain SELECT u FROM s"


def compiled(*inserts: str, skip_late: bool = False) -> CompiledGroups:
    planned = read(record(plan_inserts([parse_insert(one) for one in inserts], {"s": mapping_of(MAPPING)})))
    targets = {name: TargetTopic(name, 1, {"s": 0}) for name in ("windows", "totals", "plain")}
    return compile_groups(planned, Wiring("out", 1, {"s": "s"}, {"s": 0}, targets=targets), skip_late=skip_late)


class Task:
    """Takes messages, and what they give."""

    def __init__(self, made: CompiledGroups) -> None:
        self.made, self.state = made, made.state([("s", 0)])
        self.out: list[tuple[str, Any]] = []

    def take(self, *record: Any) -> None:
        self.out.append((record[0], msgspec.json.decode(record[1])))

    def absorb(self, *messages: Any) -> tuple[int, int]:
        return self.state.absorb(iter(messages), self.take, self.take)

    def emitted(self, state: GroupState | None = None) -> list[tuple[str, Any]]:
        self.out.clear()
        (state or self.state).emit(self.take, self.take)
        return self.out


def test_a_record_that_a_topic_does_not_take_is_in_no_group() -> None:
    task = Task(compiled(WINDOWS, PLAIN, TOTALS))

    def refuse(*_: Any) -> None:
        raise WithoutKey("no key")

    with pytest.raises(WithoutKey):
        task.state.absorb(iter([message(1)]), refuse, refuse)
    assert (task.state.groups, task.state.marks()) == (0, ({}, {}))
    assert task.absorb(message(1)) == (1, 0)
    assert task.state.groups == 2


@pytest.mark.parametrize("inserts", [(WINDOWS, TOTALS, PLAIN), (PLAIN, TOTALS, WINDOWS)])
def test_a_bad_record_is_nowhere(inserts: tuple[str, ...]) -> None:
    task = Task(compiled(*inserts))
    with pytest.raises(BadRecord):
        task.absorb(message(1), message(2, x="text"))
    assert task.out == [("plain", {"u": "a"})]
    assert task.emitted() == [("totals", {"u": "a", "n": 1})]


@pytest.mark.parametrize("skip_late", [False, True])
def test_a_late_record_is_nowhere_unless_it_is_skipped(*, skip_late: bool) -> None:
    task = Task(compiled(TOTALS, WINDOWS, PLAIN, skip_late=skip_late))
    task.absorb(message(30))
    late = message(5, o=1)
    if skip_late:
        task.absorb(late)
    else:
        with pytest.raises(LateRecord):
            task.absorb(late)
    assert len(task.out) == 1 + skip_late
    assert ("totals", {"u": "a", "n": 1 + skip_late}) in task.emitted()
    assert task.state.late == skip_late


ORDERED = "IMPOSE_ORDER(TABLE s, DESCRIPTOR(__timestamp), INTERVAL '5' SECOND)"
BOTH = "SELECT u, a, __timestamp AS ts FROM {0} UNION ALL SELECT u, b AS a, __timestamp AS ts FROM {0}"


@pytest.mark.parametrize(
    ("rows", "keys"),
    [
        (f"({BOTH.format('s')})", "u"),
        (
            f"SESSION(TABLE({BOTH.format(ORDERED)}), DESCRIPTOR(ts), INTERVAL '1' SECOND)",
            "u, window_start, window_end",
        ),
    ],
    ids=["groups", "sessions"],
)
def test_rows_of_one_message_that_do_not_go_together_are_nowhere(rows: str, keys: str) -> None:
    """Each of the two branches could add its row alone."""
    insert = parse_insert(f"INSERT INTO totals SELECT u, MAX(a) AS most FROM {rows} GROUP BY {keys}")
    task = Task(compile_groups(plan_inserts([insert]), Wiring("totals", 1, {"s": "s"}, {"s": 0})))
    task.absorb(message(1, a=1, b=2))
    for user in ("a", "b"):
        with pytest.raises(BadRecord, match="cannot be compared"):
            task.absorb(message(1, u=user, a=5, b="text"))
    assert task.state.groups == 1
    task.state.close_all()
    assert task.emitted() == [("totals", {"u": "a", "most": 2})]


def test_counting_gives_what_absorbing_would() -> None:
    task = Task(compiled(WINDOWS, PLAIN, TOTALS))
    tombstone = message(1)
    tombstone.set_value(None)
    some = [message(1), tombstone, message(2)]
    assert task.made.count(iter(some), task.take, task.take) == (2, 3)
    assert task.out == []
    assert task.absorb(*some) == (2, 3)


def test_chunks_know_their_groups() -> None:
    task = Task(compiled(TOTALS, WINDOWS))
    task.absorb(message(1), message(2, u="b"))
    task.emitted()
    chunks, again = task.state.young_chunks(), task.made.state([("s", 0)])
    assert [one.span for one in chunks] == ["", "1#2026-01-01T00:00:00Z/2026-01-01T00:00:10Z"]
    for chunk in chunks:
        again.load(chunk)
        assert task.state.whole(chunk.at, chunk.span) == [chunk]
    again.set_marks(task.state.marks())
    assert (again.groups, again.spans(), again.marks()) == (3, task.state.spans(), task.state.marks())
    assert (again.has_windows, task.state.watermarks()) == (True, {("s", 0): 1_767_225_597_000_000})
    again.close_all()
    assert task.emitted(again) == [("windows", {"window_end": "2026-01-01T00:00:10Z", "total": 2})]
    assert not again.has_windows


def test_a_partition_that_is_added_has_the_least_watermark_of_each_query() -> None:
    state = compiled(TOTALS, WINDOWS).state([("s", 0), ("s", 1)])
    state.set_marks([{}, {("s", 0): 5}])
    state.add_partitions([("s", 0)])
    assert state.marks() == ({}, {("s", 0): 5, ("s", 1): 5})
