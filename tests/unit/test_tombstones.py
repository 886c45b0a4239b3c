"""What a query makes of a record without a value: see also tests/golden/rows/tombstones.txt."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Message

from jobplane.schemas.failures import BadRecord
from jobplane.schemas.options import Tombstones
from jobplane.sql.codegen.compile import CompiledStep, Wiring, compile_step
from jobplane.sql.plan.graph import Plan
from jobplane.sql.plan.plan import plan
from jobplane.sql.plan.tombstones import columns_in_the_way, describe_tombstones
from jobplane.sql.syntax.parser import parse_insert
from tests.support import rows

GOLDEN = Path(__file__).parents[1] / "golden"
SKIP, FORWARD = Tombstones
WIRING = Wiring("out", 1, {"s": "s"}, {"s": 0})
UNION = "SELECT a FROM s UNION ALL SELECT __key FROM s"


def planned(query: str) -> Plan:
    return plan(parse_insert(f"INSERT INTO out {query}"))


def compiled(one: Plan, tombstones: Tombstones, mirror: int = 0, wiring: Wiring = WIRING) -> CompiledStep:
    return compile_step(one, replace(wiring, mirrors={"s": mirror}, tombstones=tombstones))


def run(
    one: Plan, tombstones: Tombstones, mirror: int = 0, wiring: Wiring = WIRING
) -> tuple[list[tuple[Any, ...]], tuple[int, int]]:
    """What the plan makes of a tombstone, and how it is counted."""
    written: list[tuple[Any, ...]] = []
    message = Message("s", 3, 7, b"key", None, [("h", b"1")], None, (1, 1234))
    step = compiled(one, tombstones, mirror, wiring).step
    return written, step(iter([message]), lambda *record: written.append(record), lambda *_: None)


def test_for_each_that_is_skipped_one_is_forwarded() -> None:
    """By all queries of the fixtures whose key does not need the value."""
    files = [*GOLDEN.glob("rows/*.txt"), *GOLDEN.glob("functions/*.txt")]
    every = [rows.block_of(text) for path in files for text in rows.blocks(path)]
    able = [(one, block.wiring()) for block in every if not columns_in_the_way(one := block.planned())]
    assert len(able) > 300
    tried = 0
    for one, wiring in able:
        try:
            kept, (written, skipped) = run(one, SKIP, wiring=wiring)
            forwarded, counts = run(one, FORWARD, wiring=wiring)
        except BadRecord:
            continue
        tried += skipped
        assert counts == (written + skipped, 0)
        assert len(forwarded) == counts[0]
        assert sum(record[1] is None for record in forwarded) == skipped + sum(record[1] is None for record in kept)
    assert tried > 300


@pytest.mark.parametrize(("mirror", "partition"), [(sys.maxsize, 3), (4, 3), (3, -1), (0, -1)])
def test_a_copy_with_a_filter_copies_it_as_any_record(mirror: int, partition: int) -> None:
    copied = ("out", None, b"key", partition, None, None, 1234, [("h", b"1")])
    assert run(planned("SELECT * FROM s WHERE a = 1"), FORWARD, mirror) == ([copied], (1, 0))


@pytest.mark.parametrize("query", ["SELECT a FROM s", "SELECT *, 1 AS b FROM s", "SELECT a FROM s, UNNEST(b) AS a"])
def test_other_queries_keep_key_and_timestamp_and_it_goes_by_key(query: str) -> None:
    tombstone = ("out", None, b"key", -1, None, None, 1234)
    assert run(planned(query), FORWARD, sys.maxsize) == ([tombstone], (1, 0))


@pytest.mark.parametrize("query", ["SELECT a FROM s", "SELECT a FROM s UNION ALL SELECT b FROM s"])
def test_a_full_queue_takes_it_later(query: str) -> None:
    later: list[Any] = []

    def is_full(*_: Any) -> None:
        raise BufferError

    message = Message("s", 3, 7, b"key", None, None, None, (1, 1234))
    written, _ = compiled(planned(query), FORWARD).step(iter([message]), is_full, lambda *one: later.append(one[1]))
    assert later == [None] * written


@pytest.mark.parametrize(
    ("query", "tombstones", "said"),
    [
        ("SELECT a FROM s", SKIP, "skipped"),
        ("SELECT a FROM s", FORWARD, "forwarded: the key without a value"),
        ("SELECT * FROM s", FORWARD, "processed like any record: the query does not need the value"),
        (
            UNION,
            SKIP,
            "skipped, by the branches that need the value; else processed like any record",
        ),
    ],
)
def test_explain_says_what_becomes_of_it(query: str, tombstones: Tombstones, said: str) -> None:
    assert describe_tombstones(planned(query), tombstones) == said


def test_the_code_of_both_functions_is_shown() -> None:
    source = compiled(planned("SELECT UPPER(__key) AS __key, a FROM s"), FORWARD).source
    assert source.index("def tombstone(m):") < source.index("def step(messages, produce, full):")
    assert source.count("upper") == 2
