"""The code behind a group: from its key and states to the record that is produced.

Where a row that was written may be filtered out later (HAVING, of a group that changes), a tombstone takes it back: the
turn of the loop over one row ends with `break` once it is written, and else in the lines for rows that are not.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from msgspec.structs import replace as changed

from jobplane.sql.codegen.accumulating import NO_TIME, GroupClass
from jobplane.sql.codegen.branch import comments, names_legend, new_code
from jobplane.sql.codegen.encode import arguments, encode, encode_tombstone
from jobplane.sql.codegen.expressions import Code
from jobplane.sql.codegen.group_changes import compared_parts, is_told, telling
from jobplane.sql.codegen.group_keys import may_lack_key
from jobplane.sql.codegen.row import Row
from jobplane.sql.codegen.rows import change
from jobplane.sql.functions import FunctionCatalogue
from jobplane.sql.functions.aggregates.accumulator import Accumulator
from jobplane.sql.plan.graph import Branch
from jobplane.sql.plan.operators import GROUP_TIME, WINDOW_TIME, GroupOperator
from jobplane.sql.plan.usage import keys_of
from jobplane.sql.runtime.groups_parts import REFUSED, group_failed, group_words, raise_no_row_key
from jobplane.sql.syntax.parts import KEY
from jobplane.sql.types.typed import GENERATED, Field

_SAME = """\
def same(group, before):
    try:
        return {conditions}
    except refused:
        return False
"""
_HEAD = """\
def emit(groups, bounds, now, produce, full):
    written = 0
    key = None
{window}    try:
"""
_PRODUCE = """\
{indent}try:
{indent}    produce({arguments})
{indent}except BufferError:
{indent}    full({arguments})
{indent}written += 1
"""
_TAIL = """\
    except refused as error:
        raise failed(error, key, bounds) from error
    except Exception as error:
        error.add_note(words(key, bounds))
        raise
    return written
"""
_INDENT = 3
_TIME = f"{GENERATED}time of the window"


@dataclass(frozen=True, slots=True)
class EmitCode:
    text: str
    bound: dict[str, Any]
    legend: str


def emit_code(
    branch: Branch, group: GroupOperator, made: GroupClass, topic: str, partitions: int, functions: FunctionCatalogue
) -> EmitCode:
    """Raises UnknownOperation."""
    code = new_code(topic, functions)
    code.bound |= {
        "refused": REFUSED,
        "failed": group_failed,
        "words": group_words,
    }
    code.locals |= dict(zip(group.window, ("start", "end"), strict=False))
    if group.window:
        code.bound["millisecond"] = timedelta(milliseconds=1)
        code.locals[WINDOW_TIME] = "min(end - millisecond, now)"
    code.indent = _INDENT - 1
    branch = _time_once(code, branch, group)
    code.line(f"for key, group{', before' if made.compares else ''} in groups:")
    code.indent = _INDENT
    # the row that was written may be one that HAVING, which was another one before a snapshot, leaves out
    compares_rows = made.compares and (made.retracts or not is_told(branch, made))
    if compares_rows:
        code.line("last = None")
        code.line("for group in ((before, group) if same(group, before) else (group,)):")
        code.line("    try:")
        code.indent += 2
    elif made.compares:
        with code.block("if same(group, before):"):
            code.line("continue")
    _unpack(code, group, made)
    row = Row(code, (), {}, {})
    lines = code.lines
    if made.retracts and not compares_rows:
        code.line("for once in (True,):")
        code.indent += 1
    change(row, branch.after)
    encode(row, branch)
    if may_lack_key(branch, group):
        with code.block(f"if {KEY} is None:"):
            code.line(f"{code.function('no_row_key', raise_no_row_key)}({code.constant(KEY)})")
    if compares_rows:
        _close_comparison(code, branch)
    lines += _produced(row, branch, topic, partitions)
    if made.retracts:
        code.line("group.held = True")
        code.line("break")
        code.indent = _INDENT
        with code.block("else:"), code.block("if group.held:"):
            code.line("group.held = False")
            code.line("v = None")
            encode_tombstone(row, branch)
            lines += _produced(row, branch, topic, partitions)
    window = "    start, end = bounds\n" if group.window else ""
    same = _SAME.format(conditions=_conditions(code, branch, made)) if made.compares else ""
    text = same + _HEAD.format(window=window) + "".join(line + "\n" for line in lines) + _TAIL
    said = [f"topic = {topic!r}", *(f"output {i} = {'.'.join(one.path)!r}" for i, one in enumerate(branch.outputs))]
    return EmitCode(text, code.bound | code.constants | code.functions, comments(said) + names_legend(code))


def _time_once(code: Code, branch: Branch, group: GroupOperator) -> Branch:
    """Computes a timestamp that depends on the window alone before the loop over its groups."""
    value = branch.parts.get("__timestamp")
    if value is None or not group.window or not keys_of(value).keys() <= {*group.window, WINDOW_TIME}:
        return branch
    code.locals[_TIME] = code.name_for(code.result(value))
    (name,) = (one.column for one in branch.sink.columns if one.part == "__timestamp")
    known = Field(_TIME, value.type)
    return replace(
        branch, columns=tuple(changed(one, value=known) if one.name == name else one for one in branch.columns)
    )


def _close_comparison(code: Code, branch: Branch) -> None:
    """The row of the group as it was is kept; that as it is goes on if it is another one."""
    code.line(f"row = ({', '.join(['v', *compared_parts(branch)])},)")
    code.indent -= 1
    with code.block("except refused:"):  # of a snapshot, which another query has made
        with code.block("if group is before:"):
            code.line("continue")
        code.line("raise")
    with code.block("if group is before:"):
        code.line("last = row")
        code.line("continue")
    with code.block("if row == last:"):
        code.line("break")


def _conditions(code: Code, branch: Branch, made: GroupClass) -> str:
    """Python for whether a row of the group was written before, and no aggregate tells that it is another one now."""
    conditions = ["before is not None", *(["group.held"] if made.retracts else [])]
    for i in telling(branch, made):
        result = code.function("result", made.columns[i].accumulator.result)
        conditions.append(f"{result}(group.s{i}) == {result}(before.s{i})")
    return " and ".join(conditions)


def _unpack(code: Code, group: GroupOperator, made: GroupClass) -> None:
    """Lines that leave keys and results in locals, for those that name them."""
    keys = [one for one in group.keys if one.name not in group.window]
    names = [f"c{i}" for i in range(len(keys))]
    if len(names) == 1:
        code.line("c0 = key")
    elif names:
        code.line(f"{', '.join(names)} = key")
    for name, column, kind in zip(names, keys, made.keys, strict=True):
        if kind.read is not None:
            with code.block(f"if {name} is not None:"):
                code.line(f"{name} = {code.function('value', kind.read)}({name})")
        code.locals[column.name] = name
    for i, one in enumerate(made.columns):
        _result(code, i, one.accumulator)
        code.locals[one.name] = f"a{i}"
    if made.timed:
        code.line(f"time = None if group.time == {NO_TIME} else group.time")
        code.locals[GROUP_TIME] = "time"


def _result(code: Code, i: int, accumulator: Accumulator) -> None:
    """Lines that leave the result of an aggregate in a local; a call costs more than most results."""
    plain, result = accumulator.plain, code.function("result", accumulator.result)
    if not plain:
        code.line(f"a{i} = {result}(group.s{i})")
        return
    code.line(f"a{i} = group.s{i}")
    if plain != "True":
        with code.block(f"if not ({plain.format(state=f'a{i}')}):"):
            code.line(f"a{i} = {result}(a{i})")


def _produced(row: Row, branch: Branch, topic: str, partitions: int) -> list[str]:
    made = arguments(row, branch, topic, partitions, 0)
    return _PRODUCE.format(indent="    " * row.code.indent, arguments=made).splitlines()
