"""The code before a group: from messages to the states of the groups that they are in.

All rows of a message are computed before the first is added, so a message to blame leaves nothing behind. Its watermark
counts from the next message on: `pending` is what the message asserts, `high` what those before it did. If watermarks
are times minus a `lag`, the two are such times, and the lag is added to the end of a pane instead, once.

A message gives one row, and the loop adds it at once, unless something makes several of it. The windows of a time are
not such a thing where nothing else depends on them: then they are looked up when the time leaves its pane, and the row
is added to each, or to the pane alone if windows are put together from panes when they are emitted.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from jobplane.schemas.formats.fields import SchemaText
from jobplane.sql.codegen.accumulating import (
    NO_TIME,
    AggregateCode,
    GroupClass,
    Input,
    adding_lines,
    session_lines,
    trying_lines,
)
from jobplane.sql.codegen.branch import comments, names_legend, new_code
from jobplane.sql.codegen.decode import decode
from jobplane.sql.codegen.group_keys import is_of_record_key, key_of_rows
from jobplane.sql.codegen.row import Row
from jobplane.sql.codegen.rows import change
from jobplane.sql.functions import FunctionCatalogue
from jobplane.sql.plan.graph import Branch, opens_loop
from jobplane.sql.plan.grouping.group_windows import gap_of, is_apart, is_of_window, window_of
from jobplane.sql.plan.operators import GroupOperator, WatermarkOperator, WindowOperator
from jobplane.sql.plan.stateful import needs_record_key
from jobplane.sql.runtime.groups_parts import (
    ALWAYS,
    FOREVER,
    NEVER,
    raise_keyless,
    raise_late,
    raise_late_of_session,
    raise_no_row_key,
    raise_no_watermark,
)
from jobplane.sql.runtime.record_parts import EPOCH
from jobplane.sql.runtime.windows import Panes, raise_no_time, raise_no_window
from jobplane.sql.types.typed import Apply, Constant, Typed

_HEAD = """\
def bind(parts):
    def absorb(messages, produce, full):
        skipped = 0
        partition = -1
        part = None
        high = pending = low = end = limit = never
        spans = None
        try:
            for m in messages:
                if pending > high:
                    high = pending
                if m.partition() != partition:
                    if part is not None:
                        part.mark = high{less}
                    partition = m.partition()
                    part = parts[partition]
                    high = pending = part.mark{more}
                    low = end = never
                    spans = None
                v = m.value()
"""
_SKIP = """\
                if v is None:
                    skipped += 1
                    continue
"""
_TAIL = """\
            if pending > high:
                high = pending
        except (ArithmeticError, RecursionError, ValueError) as error:
            raise bad_record(error) from error
        finally:
            if part is not None:
                part.mark = high{less}
        return 0, skipped
    return absorb
"""
_INDENT = 4
_TIERS = "front, get, behind = span.front, span.front.get, span.behind"
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class AbsorbCode:
    """`text` defines bind(partitions by their numbers) → the Step of them."""

    text: str
    bound: dict[str, Any]
    legend: str


def absorb_code(
    branch: Branch,
    group: GroupOperator,
    made: GroupClass,
    functions: FunctionCatalogue,
    schema_text: SchemaText,
    *,
    skip_late: bool,
) -> AbsorbCode:
    """`skip_late`: late records are counted and passed over; else one is to blame. Raises UnknownOperation."""
    code = new_code("", functions)
    code.indent = _INDENT
    code.bound |= {"never": NEVER, "late": raise_late}
    row = decode(code, branch.scan, schema_text)
    _Absorbing(row, branch, group, made, skip_late=skip_late).write()
    lag = "lag" in code.bound
    less, more = (" - lag", " + lag") if lag else ("", "")
    head, tail = _HEAD.format(less=less, more=more), _TAIL.format(less=less)
    text = head + (_SKIP if branch.opens_value else "") + "".join(line + "\n" for line in code.lines) + tail
    fields = (f"f{i} = {'.'.join(read.path)!r}, {read.type}" for i, read in enumerate(branch.reads))
    return AbsorbCode(text, code.bound | code.constants | code.functions, comments(fields) + names_legend(code))


class _Absorbing:
    """Writes the lines behind those that decode."""

    def __init__(self, row: Row, branch: Branch, group: GroupOperator, made: GroupClass, *, skip_late: bool) -> None:
        steps = branch.steps
        self._row, self._code, self._branch, self._steps = row, row.code, branch, steps
        self._group, self._made, self._skip_late = group, made, skip_late
        self._window = window_of(steps, group)
        self._apart = is_apart(steps, group)
        self._plain = self._window is None or is_of_window(self._window, group)
        self._time = ""
        loops = [step for step in steps if opens_loop(step) and not (step is self._window and self._apart)]
        self._several = self._window is not None and opens_loop(self._window) and self._apart and not self._slices
        self._gathers = bool(loops) or not self._plain or (self._several and bool(made.risky))

    def write(self) -> None:
        code = self._code
        if self._gathers:
            code.line("rows = []")
        for step in self._steps:
            if isinstance(step, WatermarkOperator):
                self._watermark(step)
            elif step is self._window:
                self._panes(self._window)
            else:
                change(self._row, [step])
        self._judge_late()
        key = self._key()
        self._stamp()
        inputs = [self._input(i, column) for i, column in enumerate(self._made.columns)]
        if self._gathers:
            self._gather(key, inputs)
        else:
            code.line(f"key = {key}")
            self._add_here(inputs)

    def _watermark(self, step: WatermarkOperator) -> None:
        code = self._code
        value = step.value
        if (lag := _lag(value)) is not None:
            code.bound["lag"], value = lag
        self._row.load(value)
        code.line(f"asserted = {code.result(value)}")
        with code.block("if asserted is None:"):
            code.line(f"{code.function('no_watermark', raise_no_watermark)}({code.constant(step.text)})")
        code.line("pending = asserted")

    def _panes(self, step: WindowOperator) -> None:
        """The pane of the row before is tried first: most rows are in it."""
        code = self._code
        self._row.load(step.value)
        self._time = code.name_for(code.result(step.value))
        with code.block(f"if {self._time} is None:"):
            code.line(f"{code.function('no_time', raise_no_time)}({code.constant(step.text)})")
        if (gap := gap_of(self._branch, self._group)) is not None:
            code.bound |= {"gap": gap, "always": ALWAYS}
            with code.block(f"if {self._time} > {code.constant(FOREVER - gap)}:"):
                code.line(f"{code.function('no_window', raise_no_window)}({self._time})")
            return
        with code.block(f"if not low <= {self._time} < end:"):
            code.line(f"low, end, windows = {code.constant(Panes(step.windows))}.find({self._time})")
            code.line(f"limit = end{self._more}")
            code.line("spans = None")
        code.locals[step.slice] = "end"
        if step.windows.count == 1:
            code.locals |= {step.start: "low", step.end: "end"}
        elif not self._apart:
            code.locals |= {step.start: "start", step.end: "stop"}
            code.line("for start, stop in windows:")
            code.indent += 1

    def _judge_late(self) -> None:
        """The asserted watermark of a late record counts all the same."""
        if self._window is None:
            return
        code = self._code
        session = self._window.windows.session
        limit, end = (f"{self._time}{self._more}", self._time) if session else ("limit", "end")
        if session:
            code.bound["late"] = raise_late_of_session
        with code.block(f"if {limit} <= high:"):
            if self._skip_late and self._gathers:
                code.line("rows.append(None)")
                code.line("continue")
            elif self._skip_late:
                code.line("part.late += 1")
                code.line("continue")
            else:
                code.line("mark, high = high, max(high, pending)")
                code.line(f"late({end}, mark{' - lag' if self._more else ''}, part)")

    def _key(self) -> str:
        """Python for the key of the group within its window."""
        code, parts = self._code, []
        needed, called = key_of_rows(self._branch, self._group)
        of_record = None if needs_record_key(self._group) else ""
        keys = [one for one in self._group.keys if one.name not in self._group.window]
        for column, kind in zip(keys, self._made.keys, strict=True):
            self._row.load(column.value)
            part = code.result(column.value)
            if kind.write is not None:
                part = code.name_for(part)
                part = f"(None if {part} is None else {code.function('key', kind.write)}({part}))"
            part = code.name_for(part)
            parts.append(part)
            if of_record is None and is_of_record_key(column.value, self._branch.reads):
                of_record = part
                with code.block(f"if {part} is None and m.key() is None:"):
                    code.line(f"{code.function('keyless', raise_keyless)}()")
            if column.name == needed:
                with code.block(f"if {part} is None:"):
                    code.line(f"{code.function('no_row_key', raise_no_row_key)}({code.constant(called)})")
        return parts[0] if len(parts) == 1 else f"({''.join(f'{part}, ' for part in parts)})"

    def _stamp(self) -> None:
        """The timestamp of the message, and its position among all, where they are asked for."""
        code = self._code
        if self._made.timed:
            code.line("stamp = m.timestamp()")
            code.line(f"time = stamp[1] if stamp[0] else {NO_TIME}")
        if any(one.accumulator.ordered for one in self._made.columns):
            at = f"{code.function('micros', _microseconds)}({self._time})" if self._time else "m.timestamp()[1] * 1000"
            code.line(f"position = ({at}, partition, m.offset())")

    def _input(self, i: int, column: AggregateCode) -> Input:
        """Lines that leave what the aggregate takes of the row in locals."""
        code = self._code
        where = () if column.where is None else (column.where,)
        self._row.load(*where, *column.values, *column.order)
        values = [f"x{i}_{j}" for j in range(len(column.values))]
        ordered = column.accumulator.ordered
        given = (f"p{i}", *values) if ordered else tuple(values)
        conditions = [] if column.accumulator.takes_null else [f"{name} is not None" for name in values]
        if column.where is None:
            self._values(i, column, values)
            return Input(given, tuple(conditions))
        taken = f"w{i}"
        code.line(f"{taken} = {code.truth(column.where)}")
        code.line(f"{''.join(f'{name} = ' for name in given)}None" if given else "pass")
        with code.block(f"if {taken}:"):
            code.line("pass")
            self._values(i, column, values)
        return Input(given, (taken, *conditions))

    def _values(self, i: int, column: AggregateCode, names: list[str]) -> None:
        code = self._code
        for name, value in zip(names, column.values, strict=True):
            code.line(f"{name} = {code.result(value)}")
        if column.accumulator.ordered:
            order = [f"{code.result(value)}, " for value in column.order]
            code.line(f"p{i} = ({''.join(order)}*position)" if order else f"p{i} = position")

    def _add_here(self, inputs: list[Input]) -> None:
        code = self._code
        with code.block("if spans is None:"):
            if self._several:
                code.line("spans = [(one, one.front, one.front.get, one.behind) for one in map(part.span, windows)]")
            else:
                code.line(f"spans = span = part.span({self._bounds})")
                code.line(_TIERS)
        if self._several:
            code.line("for span, front, get, behind in spans:")
            code.indent += 1
        for line in self._adding(inputs):
            self._code.line(line)

    def _adding(self, inputs: list[Input]) -> list[str]:
        if self._made.session is None:
            return adding_lines(self._made, inputs, self._code.bound)
        return session_lines(self._made, self._time, inputs, self._code.bound)

    @property
    def _bounds(self) -> str:
        """Python for the bounds of the one span of a row. Sessions have one for all times."""
        if self._window is None:
            return "None"
        return "always" if self._window.windows.session else "(low, end)"

    @property
    def _more(self) -> str:
        return " + lag" if "lag" in self._code.bound else ""

    @property
    def _slices(self) -> bool:
        return self._apart and not self._group.changes

    def _gather(self, key: str, inputs: list[Input]) -> None:
        """The rows wait for the end of the message, each with the bounds of the spans that it belongs to."""
        code = self._code
        names = list(dict.fromkeys(name for one in inputs for name in (*one.values, *_names(one.conditions))))
        if self._made.session is not None:
            names.append(self._time)
        code.line(f"rows.append(({self._targets()}, {', '.join([key, *names])}))")
        code.indent = _INDENT
        if self._skip_late and self._window is not None:
            with code.block("if None in rows:"):
                code.line("part.late += 1")
                code.line("continue")
        if self._made.risky:
            with code.block("if len(rows) > 1 or rows and len(rows[0][0]) > 1:"):
                if self._made.session is None:
                    code.line("tried = {}")
                    self._for_rows(names, trying_lines(self._made, inputs))
                else:
                    code.bound["detached"] = self._made.detached
                    code.line("span = part.span(always).trial(detached)")
                    self._for_rows(names, [_TIERS, *self._adding(inputs)])
        self._for_rows(names, ["span = part.span(bounds)", _TIERS, *self._adding(inputs)])

    def _for_rows(self, names: list[str], lines: list[str]) -> None:
        code = self._code
        with code.block(f"for targets, {', '.join(['key', *names])} in rows:"), code.block("for bounds in targets:"):
            for line in lines:
                code.line(line)

    def _targets(self) -> str:
        if self._window is None or self._window.windows.session:
            return f"({self._bounds},)"
        if not self._plain:
            keys = {one.name: one.value for one in self._group.keys}
            values = [keys[name] for name in self._group.window]
            self._row.load(*values)
            return f"(({', '.join(map(self._code.result, values))}),)"
        if self._window.windows.count == 1 or self._slices:
            return "((low, end),)"
        return "windows" if self._apart else "((start, stop),)"


def _lag(value: Typed) -> tuple[timedelta, Typed] | None:
    """The interval that is subtracted from a time, and the time."""
    match value:
        case Apply("subtract-interval", (time, Constant(timedelta() as lag))) if lag >= timedelta():
            return lag, time
    return None


def _names(conditions: Iterable[str]) -> list[str]:
    """Those conditions that are locals themselves."""
    return [one for one in conditions if one.isidentifier()]


def _microseconds(moment: datetime) -> int:
    return (moment - EPOCH) // _MICROSECOND
