"""The operators of a branch, fused into the lines that take one message from its bytes to what is produced.

Three parts, with a row at each seam: decode → rows → encode. Edges that only forward rows need nothing at a seam, so
the parts stand in one loop.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from jobplane.schemas.failures import BadRecord
from jobplane.schemas.formats.fields import SchemaText
from jobplane.sql.codegen.decode import decode
from jobplane.sql.codegen.encode import arguments
from jobplane.sql.codegen.expressions import Code
from jobplane.sql.codegen.row import Row
from jobplane.sql.codegen.rows import change
from jobplane.sql.functions import FunctionCatalogue
from jobplane.sql.plan.graph import Branch, opens_loop
from jobplane.sql.runtime import operations

LEGEND_WIDTH = 100


@dataclass(frozen=True, slots=True)
class BranchCode:
    """`several`: a message may give more than one record. `arguments` are those of Producer.produce.

    `opens_value`: the lines are for messages with a value. `indent` is where the lines end: inside the loops over
    elements, where there are any.
    """

    lines: list[str]
    arguments: str
    bound: dict[str, Any]
    legend: str
    several: bool
    opens_value: bool
    indent: str


def branch_code(
    branch: Branch,
    topic: str,
    partitions: int,
    mirror: int,
    functions: FunctionCatalogue,
    schema_text: SchemaText,
    encode: Callable[[Row, Branch], None],
) -> BranchCode:
    """A copy keeps partition numbers below `mirror`, none where that is 0. Raises UnknownOperation.

    `encode` is the one of jobplane.sql.codegen.encode for what the branch makes: records or tombstones.
    """
    code = new_code(topic, functions)
    row = decode(code, branch.scan, schema_text)
    change(row, branch.steps)
    encode(row, branch)
    produced = arguments(row, branch, topic, partitions, mirror)
    several = any(map(opens_loop, branch.steps))
    lines = [line + "\n" for line in code.lines]
    bound = code.bound | code.constants | code.functions
    legend, indent = _legend(code, branch, topic), "    " * code.indent
    return BranchCode(lines, produced, bound, legend, several, branch.opens_value, indent)


def new_code(topic: str, functions: FunctionCatalogue) -> Code:
    """With what the templates name: the target's topic and what raises."""
    code = Code({}, functions)
    code.bound |= {
        "topic": topic,
        "null": msgspec.Raw(b"null"),
        "out_of_range": operations.raise_out_of_range,
        "check_whole": operations.check_bigint,
        "too_long": operations.raise_too_long,
        "unreadable": (BadRecord, ValueError),
        "in_field": operations.field_error,
    }
    return code


def _legend(code: Code, branch: Branch, topic: str) -> str:
    """What the names in the lines stand for, as comments; never compiled."""
    said = [f"topic = {topic!r}"]
    said += [f"f{i} = {'.'.join(read.path)!r}, {read.type}" for i, read in enumerate(branch.reads)]
    said += [f"output {i} = {'.'.join(one.path)!r}" for i, one in enumerate(branch.outputs) if not branch.star]
    return comments(said) + names_legend(code)


def comments(lines: Iterable[str]) -> str:
    return "".join(f"# {line}\n" for line in lines)


def names_legend(code: Code) -> str:
    """The constants and functions, as comments."""
    said = [f"{name} = {value!r}"[:LEGEND_WIDTH] for name, value in code.constants.items()]
    said += [f"{name} = {_function_name(value)}" for name, value in code.functions.items()]
    return comments(said)


def _function_name(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__qualname__", function)).split(".<locals>", maxsplit=1)[0].strip("_")
