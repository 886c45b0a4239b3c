"""Queries with groups: what they are planned as, and what they write. See tests/support/grouped_rows.py.

Lines of `plans/grouped` are such blocks with their plans, as a version recorded them. They are never changed: jobs run
on such plans. UPDATE_GOLDEN=1 adds a line for each block that no line has.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jobplane.sql.plan.recording import PLANNER, dump, load, read, record
from tests.support import rows
from tests.support.grouped_rows import GroupedBlock, grouped_block_of

HERE = Path(__file__).parent
PATH = HERE / "grouped.txt"
PLANS = HERE / "plans" / "grouped"


def blocks() -> list[GroupedBlock]:
    return [grouped_block_of(text) for text in rows.blocks(PATH)]


def recorded() -> list[dict[str, Any]]:
    files = sorted(PLANS.glob("*.jsonl"))
    return [msgspec.json.decode(line) for file in files for line in file.read_text().splitlines()]


def test_what_groups_are_and_write() -> None:
    before = PATH.read_text()
    parts = before.rstrip("\n").split("\n\n")
    answered = "\n\n".join(one if one.startswith("#") else grouped_block_of(one).answered() for one in parts) + "\n"
    if "UPDATE_GOLDEN" in os.environ:
        PATH.write_text(answered)
    assert PATH.read_text() == answered


def test_each_query_is_in_a_recorded_plan() -> None:
    known = {grouped_block_of(one["text"]).query for one in recorded()}
    if "UPDATE_GOLDEN" in os.environ:
        with (PLANS / f"{PLANNER}.jsonl").open("a") as file:
            for block in (one for one in blocks() if one.query not in known):
                line = {"text": block.answered(), "plan": msgspec.json.decode(dump(block.planned()))}
                file.write(msgspec.json.encode(line).decode() + "\n")
        known = {grouped_block_of(one["text"]).query for one in recorded()}
    assert known >= {one.query for one in blocks()}


@pytest.mark.parametrize("one", recorded(), ids=lambda one: grouped_block_of(one["text"]).query[:60])
def test_a_recorded_plan_means_what_it_meant(one: dict[str, Any]) -> None:
    plan = load(msgspec.json.encode(one["plan"]).decode())
    assert msgspec.json.decode(dump(plan)) == one["plan"]
    assert list(meaning(grouped_block_of(one["text"]).answered(plan))) == list(meaning(one["text"]))


def meaning(text: str) -> Iterator[str]:
    """A block without its operators, and without the words of its refusals: a version may change both."""
    yield from ("!" if line.startswith("! ") else line for line in text.split("\n") if not line.startswith("| "))


def test_plans_survive() -> None:
    for block in blocks():
        assert read(record(block.planned())) == block.planned()
