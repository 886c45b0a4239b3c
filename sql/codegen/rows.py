"""The second part of the generated code: from a row to rows. Filters end a row, projections add to it, UNNEST opens a
loop in which the rest of the code stands, and so do windows of which a row may be in several."""

from collections.abc import Iterable
from typing import assert_never

from jobplane.schemas.types.json_text import null_to_none
from jobplane.sql.codegen.row import Row
from jobplane.sql.plan.graph import Step
from jobplane.sql.plan.operators import (
    FilterOperator,
    ProjectOperator,
    UnnestOperator,
    WatermarkOperator,
    WindowOperator,
)
from jobplane.sql.runtime.windows import Panes, raise_no_time


def change(row: Row, steps: Iterable[Step]) -> None:
    """Lines for the operators on rows, one after the other."""
    for step in steps:
        match step:
            case FilterOperator(condition):
                row.load(condition)
                row.code.keep_where(condition)
            case ProjectOperator(columns):
                for column in columns:
                    row.load(column.value)
                    row.code.locals[column.name] = row.code.name_for(row.code.result(column.value))
            case UnnestOperator():
                _unnest(row, step)
            case WindowOperator():
                _window(row, step)
            case WatermarkOperator():
                pass  # no group follows, so nothing waits for time
            case never:
                assert_never(never)


def _unnest(row: Row, step: UnnestOperator) -> None:
    code = row.code
    row.load(step.value)
    values = code.name_for(code.result(step.value))
    element, second, ordinal = (code.temporary() for _ in range(3))
    code.locals |= {step.element: element, step.second: second, step.ordinal: ordinal}
    target, each = element, f"{values} or ()"
    if step.second:
        target, each = f"{element}, {second}", f"({values} or {{}}).items()"
    if step.is_json:
        each = f"map({code.function('present', null_to_none)}, {each})"
    if step.ordinal:
        target, each = f"{ordinal}, {f'({target})' if step.second else target}", f"enumerate({each}, 1)"
    code.line(f"for {target} in {each}:")
    code.indent += 1


def _window(row: Row, step: WindowOperator) -> None:
    """The pane of the record before is taken first: most records are in it. The pane alone is the one window."""
    code = row.code
    row.load(step.value)
    time = code.name_for(code.result(step.value))
    panes = code.constant(Panes(step.windows))
    with code.block(f"if {time} is None:"):
        code.line(f"{code.function('no_time', raise_no_time)}({code.constant(step.text)})")
    start, end, windows = (code.temporary() for _ in range(3))
    code.line(f"{start}, {end}, {windows} = {panes}.last")
    with code.block(f"if not {start} <= {time} < {end}:"):
        code.line(f"{start}, {end}, {windows} = {panes}.find({time})")
    if step.windows.count > 1:
        start, end = code.temporary(), code.temporary()
        code.line(f"for {start}, {end} in {windows}:")
        code.indent += 1
    code.locals |= {step.start: start, step.end: end}
