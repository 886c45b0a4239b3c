"""The code before a group: from messages to the states of the groups that they are in.

All rows of a message are computed before the first is added, so a message to blame leaves nothing behind. Its watermark
counts from the next message on: `pending` is what the message asserts, `high` what those before it did. If watermarks
are times minus a `lag`, the two are such times, and the lag is added to the end of a pane instead, once.

A message gives one row, and the loop adds it at once, unless something makes several of it. The windows of a time are
not such a thing where nothing else depends on them: then they are looked up when the time leaves its pane, and the row
is added to each, or to the pane alone if windows are put together from panes when they are emitted.

Where other branches take the same messages, a generator takes one in two stages instead: what may raise, and the rest.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from jobplane.schemas.formats.fields import SchemaText
from jobplane.sql.codegen.accumulating import (
    NO_TIME,
    GroupClass,
    Input,
    adding_lines,
    input_of,
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
from jobplane.sql.plan.grouping.group_windows import gap_of, is_of_window, lag_of, window_of
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
_STAGED_HEAD = """\
def bind(parts):
    def stage(m, tried):
        skipped = passed = 0
        partition = m.partition()
        part = parts[partition]
        high = pending = part.mark{more}
        low = end = limit = never
        rows = []
        try:
            for m in (m,):
                v = m.value()
"""
_STAGED_MIDDLE = """\
        except (ArithmeticError, RecursionError, ValueError) as error:
            raise bad_record(error) from error
        yield skipped
        part.mark = max(part.mark, max(high, pending){less})
        part.late += passed
"""
_STAGED_TAIL = """\
    return stage
"""
_INDENT = 4
_TIERS = "front, get, behind = span.front, span.front.get, span.behind"
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class AbsorbCode:
    """`text` defines bind(partitions by their numbers) → the Step of them.

    If it is staged, bind gives `stage(message, tried)` instead, a generator: when it has yielded the number of skipped
    tombstones, nothing can raise any more, and nothing is changed before it goes on. `tried` is a dictionary that the
    stages of one message have in common if they fill the same groups.
    """

    text: str
    bound: dict[str, Any]
    legend: str


@dataclass(frozen=True, slots=True)
class Filling:
    """How a branch fills its groups. `skip_late`: late records are counted and passed over; else one is to blame.

    `apart`: windows are nothing but keys of the group, in all branches that fill it; `rank` is the number of this one
    among them. `staged`: other branches take the same messages.
    """

    skip_late: bool
    apart: bool
    rank: int
    staged: bool


def absorb_code(
    branch: Branch,
    group: GroupOperator,
    made: GroupClass,
    functions: FunctionCatalogue,
    schema_text: SchemaText,
    filling: Filling,
) -> AbsorbCode:
    """Raises UnknownOperation."""
    code = new_code("", functions)
    code.indent = _INDENT
    code.bound |= {"never": NEVER, "late": raise_late}
    row = decode(code, branch.scan, schema_text)
    end = _Absorbing(row, branch, group, made, filling).write()
    lag = "lag" in code.bound
    less, more = (" - lag", " + lag") if lag else ("", "")
    skip = _SKIP if branch.opens_value else ""
    lines = [line + "\n" for line in code.lines]
    if filling.staged:
        before, after = "".join(lines[:end]), "".join(lines[end:])
        middle = _STAGED_MIDDLE.format(less=less)
        text = _STAGED_HEAD.format(more=more) + skip + before + middle + after + _STAGED_TAIL
    else:
        text = _HEAD.format(less=less, more=more) + skip + "".join(lines) + _TAIL.format(less=less)
    fields = (f"f{i} = {'.'.join(read.path)!r}, {read.type}" for i, read in enumerate(branch.reads))
    return AbsorbCode(text, code.bound | code.constants | code.functions, comments(fields) + names_legend(code))


class _Absorbing:
    """Writes the lines behind those that decode."""

    def __init__(self, row: Row, branch: Branch, group: GroupOperator, made: GroupClass, filling: Filling) -> None:
        steps = branch.steps
        self._row, self._code, self._branch, self._steps = row, row.code, branch, steps
        self._group, self._made, self._filling = group, made, filling
        self._window = window_of(steps, group)
        self._apart = filling.apart
        self._plain = self._window is None or is_of_window(self._window, group)
        self._time = ""
        loops = [step for step in steps if opens_loop(step) and not (step is self._window and self._apart)]
        self._several = self._window is not None and opens_loop(self._window) and self._apart and not self._slices
        self._gathers = filling.staged or bool(loops) or not self._plain or (self._several and bool(made.risky))

    def write(self) -> int:
        """Returns where the lines begin that change the groups, if they are a stage of their own."""
        code = self._code
        if self._gathers and not self._filling.staged:
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
        inputs = [input_of(self._row, i, column) for i, column in enumerate(self._made.columns)]
        if self._gathers:
            return self._gather(key, inputs)
        code.line(f"key = {key}")
        self._add_here(inputs)
        return 0

    def _watermark(self, step: WatermarkOperator) -> None:
        code = self._code
        value = step.value
        if (lag := lag_of(value)) is not None:
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
            code.line(f"low, end, windows = {code.constant(Panes(step.windows, bare=self._slices))}.find({self._time})")
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
            if self._filling.skip_late:
                of_several = code.indent > _INDENT + 1  # in a loop over the rows of a message
                passes = "passed = 1" if self._filling.staged else "part.late += 1"
                code.line("rows.append(None)" if of_several else passes)
                code.line("continue")
            else:
                code.line("mark, high = high, max(high, pending)")
                if self._filling.staged:
                    code.line(f"part.mark = high{' - lag' if self._more else ''}")
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
            of_branch = (
                f" + {self._filling.rank << 32}" if self._filling.rank else ""
            )  # partitions of several topics have a number
            code.line(f"position = ({at}, partition{of_branch}, m.offset())")

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

    def _gather(self, key: str, inputs: list[Input]) -> int:
        """The rows wait for the end of the message, each with the bounds of the spans that it belongs to.

        Returns where the lines begin that add them.
        """
        code = self._code
        names = list(dict.fromkeys(name for one in inputs for name in (*one.values, *_names(one.conditions))))
        if self._made.session is not None:
            names.append(self._time)
        code.line(f"rows.append(({self._targets()}, {', '.join([key, *names])}))")
        code.indent = _INDENT
        if self._filling.skip_late and self._window is not None:
            with code.block("if None in rows:"):
                code.line("passed, rows = 1, []" if self._filling.staged else "part.late += 1")
                code.line("continue")
        if self._made.risky:
            self._try(names, inputs)
        added = len(code.lines)
        if self._filling.staged:
            code.indent = 2
        self._for_rows(names, ["span = part.span(bounds)", _TIERS, *self._adding(inputs)])
        return added

    def _try(self, names: list[str], inputs: list[Input]) -> None:
        """A row alone is tried when it is added, before anything is kept."""
        code, sessions = self._code, self._made.session is not None
        with code.block("if rows:" if self._filling.staged else "if len(rows) > 1 or rows and len(rows[0][0]) > 1:"):
            if not self._filling.staged:
                code.line("tried = {}")
            if not sessions:
                self._for_rows(names, trying_lines(self._made, inputs))
                return
            code.bound["detached"] = self._made.detached
            code.line("span = tried.get(partition)")
            with code.block("if span is None:"):
                code.line("span = tried[partition] = part.span(always).trial(detached)")
            self._for_rows(names, [_TIERS, *self._adding(inputs)])

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


def _names(conditions: Iterable[str]) -> list[str]:
    """Those conditions that are locals themselves."""
    return [one for one in conditions if one.isidentifier()]


def _microseconds(moment: datetime) -> int:
    return (moment - EPOCH) // _MICROSECOND
