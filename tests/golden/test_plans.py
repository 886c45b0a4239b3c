"""Plans that earlier versions recorded: this version reads them, and they mean what they meant.

A line of `plans/<planner>.jsonl` is a query with records, as in `rows/`, and the plan that was recorded for it. Lines
are never changed: jobs run on such plans. UPDATE_GOLDEN=1 adds lines for what no line covers yet, from the queries of
rows/ and functions/; what a later planner adds goes into a file of its own.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from jobplane.sql.codegen.compile import compile_step
from jobplane.sql.operations.operation import Operation
from jobplane.sql.operations.table import TABLE
from jobplane.sql.plan.operators import Operator
from jobplane.sql.plan.recording import PLANNER, dump, load
from jobplane.sql.types.typed import Typed
from tests.support import rows

HERE = Path(__file__).parent
PLANS = HERE / "plans"
TAGS = ("expression", "operation", "operator", "edge")
OF_GROUPS = {"operator watermark", "operator group"}
"""They are in plans/grouped, which tests/golden/test_grouped.py reads."""


def recorded() -> list[dict[str, Any]]:
    files = sorted(PLANS.glob("*.jsonl"))
    return [msgspec.json.decode(line) for file in files for line in file.read_text().splitlines()]


def named(value: Any) -> Iterator[str]:
    """What a plan names: tags, operations, formats, types, kinds of windows and of constants."""
    if isinstance(value, list):
        for one in value:
            yield from named(one)
    if not isinstance(value, dict):
        return
    yield from (f"{tag} {value[tag]}" for tag in TAGS if isinstance(value.get(tag), str))
    if "layout" in value:
        yield f"format {value['role']} {value['name']}"
    elif "name" in value and value.keys() <= {"name", "arguments", "size", "fields"}:
        yield f"type {value['name']}"
    elif "step" in value:
        kind = "growing" if value.get("growing") else "apart" if value["step"] == value["size"] else "sliding"
        yield f"{kind} windows of {value.get('unit', 'microsecond')}s"
    if value.get("expression") == "constant":
        constant = value["value"]
        yield f"constant {next(iter(constant)) if isinstance(constant, dict) else type(constant).__name__}"
    for one in value.values():
        yield from named(one)


def tags(union: Any) -> set[str]:
    configs = [one.__struct_config__ for one in get_args(union) if one is not str]
    return {f"{one.tag_field} {one.tag}" for one in configs}


def fixtures() -> Iterator[rows.Block]:
    for path in sorted([*HERE.glob("rows/*.txt"), *HERE.glob("functions/*.txt")]):
        yield from map(rows.block_of, rows.blocks(path))


def add_what_is_not_covered() -> None:
    covered = {name for one in recorded() for name in named(one["plan"])}
    with (PLANS / f"{PLANNER}.jsonl").open("a") as file:
        for block in fixtures():
            plan = msgspec.json.decode(dump(block.planned()))
            if new := set(named(plan)) - covered:
                covered |= new
                line = {"text": block.answered(), "plan": plan}
                file.write(msgspec.json.encode(line).decode() + "\n")


def test_every_word_of_a_plan_is_in_a_recorded_one() -> None:
    """A word that is added needs a line; one that is taken away or renamed has one that can no longer be read."""
    if "UPDATE_GOLDEN" in os.environ:
        add_what_is_not_covered()
    covered = {name for one in recorded() for name in named(one["plan"])}
    words = {f"operation {name}" for name in TABLE} | tags(Operation) | tags(Typed) | tags(Operator)
    assert words - covered == OF_GROUPS
    assert {name for block in fixtures() for name in named(msgspec.json.decode(dump(block.planned())))} <= covered


@pytest.mark.parametrize("one", recorded(), ids=lambda one: rows.block_of(one["text"]).query[:60])
def test_a_recorded_plan_means_what_it_meant(one: dict[str, Any]) -> None:
    plan = load(msgspec.json.encode(one["plan"]).decode())
    assert msgspec.json.decode(dump(plan)) == one["plan"]
    block = rows.block_of(one["text"])
    assert meaning(block.answered(compile_step(plan, block.wiring()))) == meaning(one["text"])


def meaning(text: str) -> list[str]:
    """A block without the words of its refusals, which a version may change."""
    return ["!" if line.startswith("! ") else line for line in text.split("\n")]
