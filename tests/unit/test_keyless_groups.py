"""Records and groups whose key is NULL: what is written of them, and what is refused."""

import re
from typing import Any

import pytest
from confluent_kafka import Message

from jobplane.schemas.failures import BadRecord, GroupFailed
from jobplane.schemas.records.mappings import TopicMapping
from jobplane.sql.codegen.compile import Wiring
from jobplane.sql.codegen.groups import compile_groups
from jobplane.sql.plan.plan import plan
from jobplane.sql.runtime.groups import GroupState
from jobplane.sql.syntax.parser import parse_insert
from tests.support.grouping import JSON_KEYS, MAPPING, absorb, message
from tests.support.rows import mapping

KEYS_IN_JSON = mapping(JSON_KEYS)
TEXT_KEYS = mapping("CREATE MAPPING out TYPE Kafka OPTIONS (keyFormat 'varchar')")
TUMBLE = "FROM TUMBLE(TABLE s, DESCRIPTOR(ts), INTERVAL '10' SECOND) GROUP BY window_start"
NO_ROW_KEY = "u is NULL, so the row of the group has no key"
NO_RECORD_KEY = "the record has no key, and GROUP BY has the key"


def state_of(query: str, target: TopicMapping | None = None) -> GroupState:
    known = {"s": mapping(MAPPING)}
    planned = plan(parse_insert(f"INSERT INTO out {query}"), known, target)
    return compile_groups(planned, Wiring("out", 4, {"s": "s"}, {"s": 0})).state([("s", 0), ("s", 1)])


def keys(state: GroupState) -> list[Any]:
    state.close_all()
    found: list[Any] = []
    state.emit(lambda *record: found.append(record[2]), lambda *_: None)
    return found


def keyless(second: int, p: int = 0) -> "Message[bytes, bytes]":
    return Message("s", p, 0, None, message(second).value(), None, None, (1, 5))


@pytest.mark.parametrize("query", ["SELECT u, COUNT(*) AS n FROM s GROUP BY u", "SELECT DISTINCT u FROM s"])
@pytest.mark.parametrize("target", [None, TEXT_KEYS])
def test_a_row_that_is_replaced_needs_a_key(query: str, target: TopicMapping | None) -> None:
    state = state_of(query, target)
    with pytest.raises(BadRecord, match=NO_ROW_KEY):
        absorb(state, message(1, u=None))
    absorb(state, message(2))
    assert keys(state) == [b"a"]


def test_a_json_key_is_null() -> None:
    state = state_of("SELECT u, COUNT(*) AS n FROM s GROUP BY u", KEYS_IN_JSON)
    absorb(state, message(1, u=None), message(2), message(3, u="null"))
    assert keys(state) == [b"null", b'"a"', b'"null"']


def test_windows_without_other_columns_have_no_key() -> None:
    state = state_of(f"SELECT window_start, COUNT(*) AS n {TUMBLE}", KEYS_IN_JSON)
    absorb(state, message(1), message(11))
    assert keys(state) == [None, None]


def test_a_tombstone_has_the_key_that_the_row_had() -> None:
    state = state_of("SELECT u, COUNT(*) AS n FROM s GROUP BY u HAVING COUNT(*) < 2", KEYS_IN_JSON)
    absorb(state, message(1, u=None))
    assert keys(state) == [b"null"]
    absorb(state, message(2, u=None))
    assert keys(state) == [b"null"]


def test_a_final_row_may_have_no_key() -> None:
    state = state_of(f"SELECT u, COUNT(*) AS n {TUMBLE}, u")
    absorb(state, message(1, u=None), message(2))
    assert keys(state) == [None, b"a"]


def test_several_columns_are_an_object_with_null() -> None:
    state = state_of("SELECT u, x, COUNT(*) AS n FROM s GROUP BY u, x")
    absorb(state, message(1, u=None))
    assert keys(state) == [b'{"u":null,"x":1}']


def test_a_key_of_the_query_that_is_null_fails_the_group() -> None:
    state = state_of("SELECT COUNT(*) AS n, u || 'x' AS __key FROM s GROUP BY u")
    absorb(state, message(1, u=None))
    with pytest.raises(GroupFailed, match=re.escape("__key is NULL, so the row of the group has no key")):
        keys(state)


@pytest.mark.parametrize(
    "query",
    [
        f"SELECT k, COUNT(*) AS n {TUMBLE}, k",
        f"SELECT COUNT(*) AS n {TUMBLE}, u, __key",
        "SELECT UPPER(k) AS w, k, COUNT(*) AS n FROM s GROUP BY UPPER(k), k",
    ],
)
def test_groups_by_the_key_take_no_record_without_one(query: str) -> None:
    state = state_of(query)
    with pytest.raises(BadRecord, match=NO_RECORD_KEY):
        absorb(state, keyless(1))
    assert state.groups == 0


@pytest.mark.parametrize(
    "query",
    [
        f"SELECT k, COUNT(*) AS n {TUMBLE}, k, __partition",
        f"SELECT COALESCE(k, '') AS k, COUNT(*) AS n {TUMBLE}, COALESCE(k, '')",
        f"SELECT COUNT(*) AS n {TUMBLE.replace('GROUP', 'WHERE k IS NULL GROUP')}",
    ],
)
def test_other_groups_do(query: str) -> None:
    state = state_of(query)
    absorb(state, keyless(1))
    assert len(keys(state)) == 1


def test_records_left_out_need_no_key() -> None:
    state = state_of(f"SELECT k, COUNT(*) AS n {TUMBLE.replace('GROUP', 'WHERE k IS NOT NULL GROUP')}, k")
    absorb(state, keyless(1), message(2))
    assert keys(state) == [b"k"]
