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

from msgspec.structs import replace

from jobplane.schemas.formats.fields import SchemaText
from jobplane.sql.codegen.accumulating import NO_TIME, AggregateCode, GroupClass, Input, adding_lines, trying_lines
from jobplane.sql.codegen.branch import comments, names_legend, new_code
from jobplane.sql.codegen.decode import decode
from jobplane.sql.codegen.group_keys import is_of_record_key, key_of_rows, needs_record_key
from jobplane.sql.codegen.row import Row
from jobplane.sql.codegen.rows import change
from jobplane.sql.functions import FunctionCatalogue
from jobplane.sql.plan.graph import Branch, Step, opens_loop, values_of
from jobplane.sql.plan.operators import GroupOperator, WatermarkOperator, WindowOperator
from jobplane.sql.plan.usage import keys_of
from jobplane.sql.runtime.groups_parts import NEVER, raise_keyless, raise_late, raise_no_row_key, raise_no_watermark
from jobplane.sql.runtime.record_parts import EPOCH
from jobplane.sql.runtime.windows import Panes, Windows, raise_no_time
from jobplane.sql.types.typed import Apply, Constant, Field, Typed

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


def slices_of(branch: Branch, group: GroupOperator) -> Windows | None:
    """The windows that are put together from panes when they are emitted; None where groups lie in whole windows."""
    window = _window_of(branch.steps, group)
    if window is None or window.windows.count == 1 or group.changes or not _is_apart(branch.steps, group):
        return None
    return window.windows


def _window_of(steps: Iterable[Step], group: GroupOperator) -> WindowOperator | None:
    """The window function by whose windows rows are grouped."""
    if not group.window:
        return None
    return next(step for step in steps if isinstance(step, WindowOperator) and step.slice == group.slice)


def _is_of_window(window: WindowOperator, group: GroupOperator) -> bool:
    """Whether the window's keys are its start and end themselves."""
    keys = {one.name: one.value for one in group.keys}
    found = [value.key if isinstance(value := keys[name], Field) else "" for name in group.window]
    return found == [window.start, window.end]


def _is_apart(steps: tuple[Step, ...], group: GroupOperator) -> bool:
    """Whether windows are nothing but keys of the group, so that no value is computed for each of them."""
    window = _window_of(steps, group)
    if window is None or not _is_of_window(window, group):
        return False
    after = [value for step in steps[steps.index(window) + 1 :] for value in values_of(step)]
    keys = tuple(one for one in group.keys if one.name not in group.window)
    used = [*after, *values_of(replace(group, keys=keys))]
    return not any({window.start, window.end} & keys_of(value).keys() for value in used)


class _Absorbing:
    """Writes the lines behind those that decode."""

    def __init__(self, row: Row, branch: Branch, group: GroupOperator, made: GroupClass, *, skip_late: bool) -> None:
        steps = branch.steps
        self._row, self._code, self._branch, self._steps = row, row.code, branch, steps
        self._group, self._made, self._skip_late = group, made, skip_late
        self._window = _window_of(steps, group)
        self._apart = _is_apart(steps, group)
        self._plain = self._window is None or _is_of_window(self._window, group)
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
        with code.block("if limit <= high:"):
            if self._skip_late and self._gathers:
                code.line("rows.append(None)")
                code.line("continue")
            elif self._skip_late:
                code.line("part.late += 1")
                code.line("continue")
            else:
                code.line("mark, high = high, max(high, pending)")
                code.line(f"late(end, mark{' - lag' if self._more else ''}, part)")

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
                code.line(f"spans = span = part.span({'None' if self._window is None else '(low, end)'})")
                code.line("front, get, behind = span.front, span.front.get, span.behind")
        if self._several:
            code.line("for span, front, get, behind in spans:")
            code.indent += 1
        for line in adding_lines(self._made, inputs, self._code.bound):
            self._code.line(line)

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
        code.line(f"rows.append(({self._targets()}, {', '.join([key, *names])}))")
        code.indent = _INDENT
        if self._skip_late and self._window is not None:
            with code.block("if None in rows:"):
                code.line("part.late += 1")
                code.line("continue")
        if self._made.risky:
            with code.block("if len(rows) > 1 or rows and len(rows[0][0]) > 1:"):
                code.line("tried = {}")
                self._for_rows(names, trying_lines(self._made, inputs))
        self._for_rows(
            names,
            [
                "span = part.span(bounds)",
                "front, get, behind = span.front, span.front.get, span.behind",
                *adding_lines(self._made, inputs, code.bound),
            ],
        )

    def _for_rows(self, names: list[str], lines: list[str]) -> None:
        code = self._code
        with code.block(f"for targets, {', '.join(['key', *names])} in rows:"), code.block("for bounds in targets:"):
            for line in lines:
                code.line(line)

    def _targets(self) -> str:
        if self._window is None:
            return "(None,)"
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
