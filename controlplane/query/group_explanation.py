"""What EXPLAIN says of groups beside their plan: what closes windows and bounds the state, a safer watermark. Pure."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from jobplane.schemas.options import JobOptions
from jobplane.schemas.records.sources import Source
from jobplane.schemas.shown import quantity
from jobplane.schemas.types.temporal_text import text_of
from jobplane.sql.plan.graph import Branch, Plan
from jobplane.sql.plan.grouping.group_windows import is_apart, window_of
from jobplane.sql.plan.operators import GroupOperator, WatermarkOperator
from jobplane.sql.plan.plan import TIMESTAMP
from jobplane.sql.plan.stateful import grouped_branches
from jobplane.sql.runtime.windows import Windows
from jobplane.sql.syntax import expressions as ex
from jobplane.sql.syntax.parser import parse_expression
from jobplane.sql.syntax.render.expressions import render_expression
from jobplane.sql.types.typed import Apply, Constant

_ORDER = ("time", "state", "advice")
_MICROSECOND = timedelta(microseconds=1)


def explain_groups(planned: Plan, sources: Sequence[Source], options: JobOptions) -> list[tuple[str, str]]:
    """(part, detail) pairs as EXPLAIN has them."""
    found: dict[tuple[str, str], None] = {}
    by_name = {source.name: source for source in sources}
    for branch in grouped_branches(planned):
        group = branch.group
        if group is None:
            continue
        step = next((one for one in branch.steps if isinstance(one, WatermarkOperator)), None)
        if group.window and step is not None:
            found["time", _closes(group, step, by_name[branch.source])] = None
        found["state", f"{_bound(branch, group, step)}; {_limit(options)}"] = None
        if group.window and step is not None:
            found |= {("advice", advice): None for advice in _safer(step)}
    return sorted(found, key=lambda one: _ORDER.index(one[0]))


def _closes(group: GroupOperator, step: WatermarkOperator, source: Source) -> str:
    """What closes windows, and what keeps them open."""
    idle = text_of(timedelta(microseconds=step.idle))
    is_bounded = "; at stopAt all close" if source.end else ""
    if group.bound or len(source.start) == 1:
        goes_on = f"once it is silent for {idle}, its time goes on with the clock"
        when = goes_on if step.idle else "while it is silent they wait"
        which = f"their own partition of '{source.topic}'" if group.bound else f"the only partition of '{source.topic}'"
        return f"windows wait for the watermark of {which}; {when}{is_bounded}"
    of = f"all {quantity(len(source.start), 'partition')} of '{source.topic}'"
    waits = (
        f"one that is read to its end and silent for {idle} holds back none; when all are, time goes on with the clock"
        if step.idle
        else "one that is empty or silent holds back all"
    )
    return f"windows wait for the watermarks of {of}: {waits}{is_bounded}"


def _bound(branch: Branch, group: GroupOperator, step: WatermarkOperator | None) -> str:
    """How much is kept at most, as far as that is known."""
    window = window_of(branch.steps, group)
    if window is None or step is None:
        return "a group is kept for ever" if group.keys else "one group is kept for ever"
    windows, lag = window.windows, _lag(step)
    more = "" if group.bound else ", and more while partitions are apart in time"
    if windows.session:
        kept = "the groups of sessions that have not ended, each until the watermark passes its end"
        return f"{kept}{more}"
    panes = windows.count > 1 and not group.changes and is_apart(branch.steps, group)
    number = _windows_at_once(windows, lag)
    kept = "the groups of open windows" + (f", about {number:,} at once" if number else "")
    behind = " and the lag of the watermark" if lag is None else f" and a lag of {text_of(lag)}" if lag else ""
    parts = f", kept in parts of {windows.step_words}" if panes else ""
    return f"{kept} ({windows.words}{behind}){parts}{more}"


def _windows_at_once(windows: Windows, lag: timedelta | None) -> int | None:
    """How many windows are open where records come in order, if their length and the lag are known."""
    if lag is None or windows.unit != "microsecond":
        return None
    return (windows.size + lag // _MICROSECOND) // windows.step + 1


def _limit(options: JobOptions) -> str:
    most = options.max_processor_accumulated_records
    limit = (
        "the number of groups is not limited (maxProcessorAccumulatedRecords '-1')"
        if most < 0
        else f"with more than {quantity(most, 'group')} in a task the job stops (maxProcessorAccumulatedRecords)"
    )
    return f"{limit}; the worker's state_budget limits their memory"


def _lag(step: WatermarkOperator) -> timedelta | None:
    """How far the watermark is behind the times that it is made of, if it says so."""
    match step.value:
        case Apply("subtract-interval", (_, Constant(timedelta() as lag))):
            return lag
    return None if isinstance(parse_expression(step.text), ex.Arithmetic) else timedelta(0)


def _safer(step: WatermarkOperator) -> Iterator[str]:
    """A watermark that one record from the future does not move, where this one is a column minus a lag."""
    match parse_expression(step.text):
        case ex.Arithmetic(ex.Column(name) as column, (("-", ex.Interval() as lag),)) if name != TIMESTAMP:
            behind = f" - {render_expression(lag)}"
        case ex.Column(name) as column if name != TIMESTAMP:
            behind = ""
        case _:
            return
    safer = f"LEAST({render_expression(column)}, {TIMESTAMP}){behind}"
    yield (
        f"one record from the future makes all records after it late; safer: WATERMARK FOR {render_expression(column)} "
        f"AS {safer} in the mapping"
    )
