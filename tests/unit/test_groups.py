"""Groups as generated code fills and emits them; see also tests/property/test_group_oracle.py."""

import re
from datetime import UTC, datetime
from operator import length_hint
from typing import Any

import pytest

from jobplane.schemas.failures import BadRecord, GroupFailed, LateRecord
from jobplane.sql.runtime.groups import GroupState
from tests.support.grouping import absorb, compiled, emit, message, never, values

TUMBLE = "FROM TABLE(TUMBLE(TABLE s, DESCRIPTOR(ts), INTERVAL '10' SECOND))"
FINAL = f"SELECT u, COUNT(*) AS n, SUM(x) AS total {TUMBLE} GROUP BY u, window_start"
CHANGES = "SELECT u, COUNT(*) AS n FROM s GROUP BY u"
ONE, TWO = [("s", 0)], [("s", 0), ("s", 1)]


def state_of(query: str, partitions: list[tuple[str, int]] = ONE, **options: Any) -> GroupState:
    return compiled(query, **options).state(partitions)


def test_a_window_is_emitted_once_and_dropped() -> None:
    state = state_of(FINAL)
    absorb(state, message(1, x=2), message(9, x=3), message(11, u="b"))
    assert values(state) == []
    absorb(state, message(15, u="b"))
    assert emit(state) == [(b'{"u":"a","n":2,"total":5}', b"a", 1_767_225_609_999)]
    assert values(state) == []
    assert state.groups == 1
    assert state.watermarks() == {("s", 0): 1_767_225_610_000_000}


def test_no_row_of_a_window_is_of_the_future() -> None:
    query = f"SELECT u, window_end AS e, COUNT(*) AS n {TUMBLE} GROUP BY u, window_end"
    own = query.replace("COUNT(*) AS n", "window_end AS __timestamp")
    session = query.replace("TUMBLE", "SESSION").replace("u, window_end", "u, window_start, window_end")
    now = datetime(2026, 1, 1, 0, 0, 15, tzinfo=UTC)
    first, last = 1_767_225_609_999, 1_767_225_615_000
    for each, expected in ((query, [first, last]), (session, [last, last]), (own, [first + 1, 1_767_225_620_000])):
        state = state_of(each)
        absorb(state, message(6), message(17))
        state.close_all()
        out: list[int] = []
        state.emit(lambda *record, out=out: out.append(record[6]), never, now)
        assert out == expected


def test_groups_of_partitions_are_merged_when_the_least_watermark_passes() -> None:
    state = state_of(FINAL, TWO)
    absorb(state, message(1, 0, x=2), message(100, 0))
    assert values(state) == []  # the other partition has no watermark
    absorb(state, message(2, 1, x=3), message(14, 1))
    assert values(state) == []
    absorb(state, message(15, 1))
    assert values(state) == [{"u": "a", "n": 2, "total": 5}]


def test_groups_bound_to_their_partition_wait_for_no_other() -> None:
    state = state_of(FINAL.replace("GROUP BY u", "GROUP BY k, u"), TWO)
    absorb(state, message(1, 0, x=2), message(15, 0))
    assert values(state) == [{"u": "a", "n": 1, "total": 2}]


def test_all_windows_close_at_the_end() -> None:
    state = state_of(FINAL, TWO)
    absorb(state, message(11), message(8))
    state.close_all()
    assert [one["n"] for one in values(state)] == [1, 1]
    assert state.spans() == set()


def test_of_a_record_to_blame_nothing_is_kept() -> None:
    state = state_of(FINAL.replace("SUM(x)", "SUM(10 / x)"))
    messages = iter([message(1, x=5), message(90, x=0), message(2, x=2)])
    with pytest.raises(BadRecord, match="division by zero"):
        state.absorb(messages, never, never)
    assert length_hint(messages) == 1
    assert state.watermarks() == {("s", 0): 1_767_225_596_000_000}
    state.absorb(messages, never, never)
    state.close_all()
    assert values(state) == [{"u": "a", "n": 2, "total": 7}]


def test_of_a_record_with_several_rows_all_are_computed_before_one_is_added() -> None:
    mapping = "CREATE MAPPING s (u VARCHAR, a ARRAY<BIGINT>) TYPE Kafka"
    state = state_of("SELECT u, SUM(10 / x) AS n FROM s CROSS JOIN UNNEST(a) AS x GROUP BY u", mapping=mapping)
    with pytest.raises(BadRecord):
        absorb(state, message(1, a=[1, 2, 0]))
    assert state.groups == 0
    absorb(state, message(1, a=[1, 2]), message(1, a=[]), message(1, a=None))
    assert values(state) == [{"u": "a", "n": 15}]


def test_a_late_record_is_to_blame_and_its_watermark_counts() -> None:
    state = state_of(FINAL)
    absorb(state, message(15))
    with pytest.raises(LateRecord) as late:
        absorb(state, message(9))
    at = "2026-01-01T00:00:10Z"
    said = f"the record is late by PT0S: its window ended at {at}, the watermark of s-0 is {at}"
    assert late.value.message == said
    assert (late.value.code, late.value.end) == ("LATE", "2026-01-01T00:00:10Z")
    absorb(state, message(10))


def test_late_records_are_passed_over_and_counted() -> None:
    state = state_of(FINAL, skip_late=True)
    absorb(state, message(15), message(9), message(10))
    assert state.late == 1
    state.close_all()
    assert [one["n"] for one in values(state)] == [2]


def test_of_hop_a_record_is_late_by_the_slide() -> None:
    hop = "FROM TABLE(HOP(TABLE s, DESCRIPTOR(ts), INTERVAL '10' SECOND, INTERVAL '5' SECOND))"
    query = f"SELECT window_start, COUNT(*) AS n {hop} GROUP BY window_start"
    for each in (query, query.replace("GROUP", "WHERE window_start < window_end GROUP"), f"{query} EMIT CHANGES"):
        state = state_of(each)
        absorb(state, message(15))
        with pytest.raises(LateRecord):
            absorb(state, message(9))
        absorb(state, message(11))
        state.close_all()
        assert [one["n"] for one in values(state)] == [1, 2, 1]


def test_records_without_a_time_or_a_watermark_are_bad() -> None:
    state = state_of(FINAL)
    with pytest.raises(BadRecord, match="a watermark needs a time"):
        absorb(state, message(1, ts=None))


def test_a_change_is_emitted_once_with_the_newest_timestamp() -> None:
    state = state_of(CHANGES)
    absorb(state, message(1, o=5), message(1, o=3), message(1, u="b", o=4))
    assert emit(state) == [(b'{"u":"a","n":2}', b"a", 5), (b'{"u":"b","n":1}', b"b", 4)]
    assert emit(state) == []
    absorb(state, message(1, o=1))
    assert emit(state) == [(b'{"u":"a","n":3}', b"a", 5)]


def test_a_row_that_is_as_before_is_not_written_again() -> None:
    for call in ("MAX(x)", "MAX(x) + 0.5", "ARRAY_AGG(DISTINCT x)", "COUNT(*) FILTER (WHERE x > 3)"):
        state = state_of(f"SELECT u, {call} AS n FROM s GROUP BY u", TWO)
        absorb(state, message(1, x=4))
        assert len(emit(state)) == 1
        absorb(state, message(1, x=4) if "COUNT" not in call else message(1, x=1))
        assert emit(state) == []
        again = state_of(f"SELECT u, {call} AS n FROM s GROUP BY u", TWO)
        for chunk in state.young_chunks():
            again.load(chunk)
        again.set_marks(state.marks())
        absorb(again, message(1, 1, x=4) if "COUNT" not in call else message(1, 1, x=1))
        assert emit(again) == []
        absorb(again, message(1, 1, x=5))
        assert len(emit(again)) == 1


def test_a_group_that_refuses_a_record_is_compared_with_what_it_was() -> None:
    state = state_of("SELECT u, MAX(v) AS high FROM s GROUP BY u", mapping="CREATE MAPPING s TYPE Kafka")
    absorb(state, message(1, v=1))
    assert values(state) == [{"u": "a", "high": 1}]
    with pytest.raises(BadRecord):
        absorb(state, message(1, v="x"))
    absorb(state, message(1, v=1))
    assert values(state) == []
    absorb(state, message(1, v=2))
    assert values(state) == [{"u": "a", "high": 2}]


def test_of_what_was_read_in_silence_nothing_is_written_again() -> None:
    state = state_of("SELECT u, MAX(x) AS n FROM s GROUP BY u")
    state.silent = True
    absorb(state, message(1, x=1), message(1, x=7))
    assert state.emit(never, never) == 0
    state.silent = False
    absorb(state, message(1, x=6))
    assert values(state) == []
    absorb(state, message(1, x=8))
    assert values(state) == [{"u": "a", "n": 8}]


def test_what_no_longer_has_a_row_is_taken_back() -> None:
    state = state_of("SELECT u, SUM(x) AS n FROM s GROUP BY u HAVING SUM(x) > 0", TWO)
    absorb(state, message(1, x=-1))
    assert emit(state) == []  # there is nothing to take back
    absorb(state, message(1, 1, x=5))
    assert values(state) == [{"u": "a", "n": 4}]
    absorb(state, message(1, 0, 7, x=-9))
    assert emit(state) == [(None, b"a", 7)]
    absorb(state, message(1, 1, x=1))
    assert emit(state) == []


def test_distinct_rows_are_emitted_when_they_are_new() -> None:
    state = state_of("SELECT DISTINCT u FROM s", TWO)
    absorb(state, message(1), message(1), message(1, 1))
    assert values(state) == [{"u": "a"}]
    absorb(state, message(1, 1), message(1, 0, u="b"))
    assert values(state) == [{"u": "b"}]


def test_silence() -> None:
    state = state_of(CHANGES)
    state.silent = True
    absorb(state, message(1))
    assert state.emit(never, never) == 0
    state.silent = False
    assert values(state) == []


def test_undeclared_values_are_told_apart_as_json_does() -> None:
    state = state_of("SELECT v, COUNT(*) AS n FROM s GROUP BY v", mapping="CREATE MAPPING s TYPE Kafka")
    for value in (1, 1.0, True, "1", "\x1ft", "\x1f", 0, -0.0, False, 1.5, 2**70):
        absorb(state, message(1, v=value))
    expected = [
        (1, 2),
        (True, 1),
        ("1", 1),
        ("\x1ft", 1),
        ("\x1f", 1),
        (0, 2),
        (False, 1),
        (1.5, 1),
        (2.0**70, 1),
    ]
    assert [(one["v"], one["n"]) for one in values(state)] == expected
    again = state_of("SELECT v, COUNT(*) AS n FROM s GROUP BY v", mapping="CREATE MAPPING s TYPE Kafka")
    for chunk in state.young_chunks():
        again.load(chunk)
    absorb(again, message(1, v=True), message(1, v="\x1ft"))
    assert values(again) == [{"v": True, "n": 2}, {"v": "\x1ft", "n": 2}]


def test_without_a_value_there_is_no_row() -> None:
    state = state_of(CHANGES)
    tombstone = message(1)
    tombstone.set_value(None)
    assert absorb(state, tombstone) == (0, 1)
    assert compiled(CHANGES).count(iter([tombstone, message(1)]), never, never) == (0, 1)


def test_a_result_out_of_range_names_the_group() -> None:
    state = state_of(FINAL)
    absorb(state, message(1, x=2**62), message(1, x=2**62), message(15))
    with pytest.raises(GroupFailed) as failure:
        state.emit(never, never)
    assert failure.value.message.startswith(
        "the group 'a' of the window 2026-01-01T00:00:00Z/2026-01-01T00:00:10Z: SUM is"
    )


def test_what_kafka_raises_names_the_group() -> None:
    def refuse(*_: Any) -> None:
        raise RuntimeError

    state = state_of(CHANGES)
    absorb(state, message(1))
    with pytest.raises(RuntimeError) as raised:
        state.emit(refuse, never)
    assert raised.value.__notes__ == ["the group 'a'"]


def test_a_group_is_named_as_sql_has_it() -> None:
    state = state_of("SELECT u, x, CAST(1 / (COUNT(*) - 1) AS BIGINT) AS n FROM s GROUP BY u, x, x > 1")
    absorb(state, message(1, u="it's", x=None))
    with pytest.raises(GroupFailed, match=re.escape("the group ('it''s', NULL, NULL): division by zero")):
        emit(state)


def test_a_full_queue_is_the_callers() -> None:
    def full(*_: Any) -> None:
        raise BufferError

    out: list[Any] = []
    state = state_of(CHANGES)
    absorb(state, message(1))
    assert state.emit(full, lambda *record: out.append(record)) == 1
    assert len(out) == 1


def test_if_an_aggregate_refuses_one_of_the_rows_of_a_record_all_of_them_are_left_out() -> None:
    query = "SELECT u, COUNT(*) AS n, MAX(v) AS high FROM s CROSS JOIN UNNEST(a) AS v GROUP BY u"
    state = state_of(query, mapping="CREATE MAPPING s TYPE Kafka")
    with pytest.raises(BadRecord, match="cannot be compared"):
        absorb(state, message(1, a=[1, 2, "x"]))
    assert (emit(state), state.groups) == ([], 0)
    absorb(state, message(1, a=[1]))
    with pytest.raises(BadRecord, match="cannot be compared"):
        absorb(state, message(1, a=[2, "x"]))
    absorb(state, message(1, a=[3, 2]))
    assert values(state) == [{"u": "a", "n": 3, "high": 3}]


def test_if_an_aggregate_refuses_a_record_in_one_of_its_windows_it_is_in_none() -> None:
    hop = "HOP(TABLE s, DESCRIPTOR(ts), INTERVAL '10' SECOND, INTERVAL '5' SECOND)"
    query = f"SELECT window_start, COUNT(*) AS n, MAX(v) AS high FROM {hop} GROUP BY window_start EMIT CHANGES"
    timed = "SELECT v, CAST(ts AS TIMESTAMP WITH TIME ZONE) AS ts FROM s"
    source = f"TABLE(IMPOSE_ORDER(TABLE ({timed}), DESCRIPTOR(ts), INTERVAL '0' SECOND))"
    state = state_of(query.replace("TABLE s", source), mapping="CREATE MAPPING s TYPE Kafka")
    absorb(state, message(8, v=2))
    with pytest.raises(BadRecord, match="cannot be compared"):
        absorb(state, message(11, v="x"))
    absorb(state, message(11, v=5))
    assert [(one["n"], one["high"]) for one in values(state)] == [(1, 2), (2, 5), (1, 5)]


@pytest.mark.parametrize("last", [0, 1])
def test_a_record_moves_the_watermark_whichever_select_of_a_union_filters_it_first(last: int) -> None:
    ordered = "SELECT x, ts FROM TABLE(IMPOSE_ORDER({}, DESCRIPTOR(ts), INTERVAL '5' SECOND))"
    selects = [ordered.format("TABLE s"), ordered.format("TABLE(SELECT * FROM s WHERE x > 0)")]
    union = " UNION ALL ".join([selects[1 - last], selects[last]])
    window = "TABLE(TUMBLE(TABLE b, DESCRIPTOR(ts), INTERVAL '10' SECOND))"
    mapping = "CREATE MAPPING s (x BIGINT, ts TIMESTAMP WITH TIME ZONE) TYPE Kafka"
    query = f"WITH b AS ({union}) SELECT COUNT(*) AS n FROM {window} GROUP BY window_start"
    state = state_of(query, mapping=mapping)
    absorb(state, message(1, x=1), message(15, x=-1))
    assert values(state) == [{"n": 2}]
    with pytest.raises(LateRecord):
        absorb(state, message(2, x=1))
