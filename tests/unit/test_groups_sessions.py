"""Sessions: which records are in one, when it is emitted, and what is left of it."""

import pytest

from jobplane.schemas.failures import BadRecord
from jobplane.sql.runtime.groups import GroupState
from jobplane.sql.runtime.groups_chunks import Chunk
from tests.support.grouping import absorb, compiled, emit, message, values

GAP = "INTERVAL '10' SECOND"
SESSION = f"TABLE(SESSION(TABLE s, DESCRIPTOR(ts), {GAP}))"
QUERY = f"SELECT u, window_start, window_end, COUNT(*) AS n FROM {SESSION} GROUP BY u, window_start, window_end"
HALVES = [("s", 0), ("s", 1)]
UNTYPED = "TABLE (SELECT u, v, vs, CAST(ts AS TIMESTAMP WITH TIME ZONE) AS ts FROM s)"
ORDERED = f"TABLE(IMPOSE_ORDER({UNTYPED}, DESCRIPTOR(ts), INTERVAL '60' SECOND))"
LOOSE = f"SESSION({ORDERED}, DESCRIPTOR(ts), {GAP})"
"""Records with values that an aggregate may refuse, and up to a minute late."""


def state_of(query: str = QUERY, *, parts: int = 1) -> GroupState:
    return compiled(query).state(HALVES[:parts])


def loose(query: str) -> GroupState:
    return compiled(query, "CREATE MAPPING s TYPE Kafka").state(HALVES[:1])


def sessions(state: GroupState) -> list[tuple[str, int, int, int]]:
    """What is emitted: key, start and end as seconds, and number of records."""
    return [(one["u"], _second(one["window_start"]), _second(one["window_end"]), one["n"]) for one in values(state)]


def _second(text: str) -> int:
    return int(text[14:16]) * 60 + int(text[17:19])


def end(state: GroupState) -> list[tuple[str, int, int, int]]:
    state.close_all()
    return sessions(state)


def test_records_a_gap_apart_are_in_one_session() -> None:
    state = state_of()
    absorb(state, message(0), message(10), message(21))
    assert end(state) == [("a", 0, 20, 2), ("a", 21, 31, 1)]


def test_a_record_joins_the_sessions_on_both_sides_of_it() -> None:
    state = loose(QUERY.replace(SESSION, LOOSE))
    absorb(state, message(20), message(0), message(40), message(10), message(2))
    assert state.groups == 1
    assert end(state) == [("a", 0, 30, 4), ("a", 40, 50, 1)]


def test_sessions_of_several_partitions_are_joined() -> None:
    state = state_of(parts=2)
    absorb(state, message(0, 0), message(9, 1), message(18, 0), message(60, 0))
    assert sessions(state) == []
    absorb(state, message(32, 1))
    assert sessions(state) == []
    absorb(state, message(33, 1))
    assert sessions(state) == [("a", 0, 28, 3)]
    assert end(state) == [("a", 32, 43, 2), ("a", 60, 70, 1)]
    assert (state.groups, state.spans()) == (0, set())


def test_what_has_ended_waits_for_the_part_that_has_not() -> None:
    state = state_of(parts=2)
    absorb(state, message(0, 0), message(60, 0), message(9, 1), message(16, 1))
    assert sessions(state) == []
    assert end(state) == [("a", 0, 26, 3), ("a", 60, 70, 1)]


def restarted(chunks: list[Chunk], state: GroupState) -> GroupState:
    """Another state from the chunks of one."""
    made = state_of()
    for chunk in chunks:
        made.load(chunk)
    made.set_marks(state.marks())
    return made


def test_later_chunks_are_without_the_sessions_that_have_ended() -> None:
    state = state_of()
    absorb(state, message(0), message(4, u="b"), message(4, u="c"))
    chunks = state.young_chunks()
    absorb(state, message(15))
    absorb(state, message(20, u="c"))
    assert sessions(state) == [("a", 0, 10, 1), ("b", 4, 14, 1), ("c", 4, 14, 1)]
    assert state.groups == 2
    (chunk,) = state.young_chunks()
    assert (chunk.groups, state.young_chunks()) == (3, [])
    again = restarted([*chunks, chunk], state)
    assert again.groups == 2
    assert end(again) == end(state) == [("a", 15, 25, 1), ("c", 20, 30, 1)]


def test_without_sessions_there_is_no_chunk() -> None:
    state = state_of()
    absorb(state, message(0))
    chunks = state.young_chunks()
    assert state.spans() == {(one.at, one.span) for one in chunks}
    assert end(state) == [("a", 0, 10, 1)]
    assert (state.spans(), state.young_chunks()) == (set(), [])


def test_a_session_waits_no_more_when_it_was_extended() -> None:
    state = state_of()
    absorb(state, message(0))
    for second in range(5, 50, 5):
        absorb(state, message(second))
        assert emit(state) == []
    absorb(state, message(70))
    assert sessions(state) == [("a", 0, 55, 10)]


def test_a_record_that_an_aggregate_refuses_leaves_no_trace_in_sessions() -> None:
    state = loose(f"SELECT u, MAX(v) AS high FROM {LOOSE} GROUP BY u, window_start, window_end")
    absorb(state, message(0, v=1), message(20, v=2))
    with pytest.raises(BadRecord, match="cannot be compared"):
        absorb(state, message(10, v="x"))
    with pytest.raises(BadRecord, match="cannot be compared"):
        absorb(state, message(25, v="x"))
    state.close_all()
    assert values(state) == [{"u": "a", "high": 1}, {"u": "a", "high": 2}]


def test_no_row_of_a_record_is_added_to_sessions_if_one_is_refused() -> None:
    unnested = f"{LOOSE} CROSS JOIN UNNEST(vs) AS one"
    query = f"SELECT u, COUNT(*) AS n, MAX(one) AS high, ARRAY_AGG(one) AS all FROM {unnested} GROUP BY u"
    state = loose(f"{query}, window_start, window_end")
    absorb(state, message(0, vs=[1, 2]), message(20, vs=[3]))
    for second in (10, 25, 50):
        with pytest.raises(BadRecord, match="cannot be compared"):
            absorb(state, message(second, vs=[5, "x"]))
    state.close_all()
    assert values(state) == [
        {"u": "a", "n": 2, "high": 2, "all": [1, 2]},
        {"u": "a", "n": 1, "high": 3, "all": [3]},
    ]
