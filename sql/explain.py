"""A query's plan for people: its operators in the order a record goes, and the edges between them.

`explain` gives (part, detail) pairs. The part of an operator is its number, its name and, behind an arrow, the numbers
of the operators whose rows it takes: `3 filter ← 2`. The numbers are the positions in the recorded form.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import assert_never

from jobplane.schemas.names import quote_name
from jobplane.schemas.options import Tombstones
from jobplane.schemas.types.temporal_text import text_of as duration_text
from jobplane.sql.analysis.record import RAW_HEADERS, READABLE
from jobplane.sql.codegen.compile import TargetTopic, Wiring, compile_step
from jobplane.sql.codegen.groups import compile_groups
from jobplane.sql.functions import BUILT_IN, FunctionCatalogue
from jobplane.sql.packages import called_packages
from jobplane.sql.plan.graph import Branch, Plan
from jobplane.sql.plan.inserts import Targets, first_inserts, plan_inserts
from jobplane.sql.plan.operators import (
    KEY_PART,
    VALUE_PART,
    FilterOperator,
    GroupOperator,
    Operator,
    ProjectOperator,
    ScanOperator,
    SinkOperator,
    UnionOperator,
    UnnestOperator,
    WatermarkOperator,
    WindowOperator,
)
from jobplane.sql.plan.plan import NO_SOURCES, Sources
from jobplane.sql.plan.stateful import grouped_branches
from jobplane.sql.plan.tombstones import describe_tombstones
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parts import KEY, THIS


def explain(
    inserts: Sequence[statements.Insert],
    sources: Sources = NO_SOURCES,
    targets: Targets = NO_SOURCES,
    functions: FunctionCatalogue = BUILT_IN,
    *,
    shows_code: bool = False,
) -> list[tuple[str, str]]:
    """Plans the queries and explains the plan. Raises what `plan` and `compile_step` raise."""
    planned = plan_inserts(inserts, sources, targets, functions)
    return explain_plan(planned, inserts, sources, targets, functions, Tombstones.SKIP, shows_code=shows_code)


def explain_plan(
    planned: Plan,
    inserts: Sequence[statements.Insert],
    sources: Sources,
    targets: Targets,
    functions: FunctionCatalogue,
    tombstones: Tombstones,
    *,
    shows_code: bool = False,
) -> list[tuple[str, str]]:
    """With `shows_code` the lines of the generated Python function too. Raises what `compile_step` raises."""
    names = {branch.source for branch in planned.branches}
    topics = {name: sources[name].topic if name in sources else name for name in names}
    mirrors = dict.fromkeys(topics, 0)
    into = {name: targets[name].topic if name in targets else name for name in first_inserts(inserts)}
    written = {name: TargetTopic(topic, 1, mirrors) for name, topic in into.items()}
    first = next(iter(into.values()))
    wiring = Wiring(first, 1, topics, mirrors, functions, tombstones=tombstones, targets=written)
    made = compile_groups(planned, wiring) if grouped_branches(planned) else compile_step(planned, wiring)
    code = made.source.rstrip("\n").split("\n")
    called = [("package", str(one)) for one in called_packages(inserts, functions)]
    absent = ("tombstones", describe_tombstones(planned, tombstones))
    return [
        *describe_plan(planned, topics, {**into, "": first}),
        absent,
        *called,
        *(("code", line) for line in code if shows_code),
    ]


def _operators(planned: Plan, topics: Mapping[str, str], into: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    branches = planned.branches
    by_scan = {id(branch.scan): branch for branch in branches}
    for i, operator in enumerate(planned.operators):
        upstream = ", ".join(str(edge.upstream) for edge in planned.edges if edge.downstream == i)
        begun = (by_scan[id(operator)],) if id(operator) in by_scan else branches
        name, detail = _operator(operator, begun, topics, into)
        yield f"{i} {name}{f' ← {upstream}' if upstream else ''}", detail


def _operator(
    operator: Operator, branches: Sequence[Branch], topics: Mapping[str, str], into: Mapping[str, str]
) -> tuple[str, str]:
    """`branches` are all that end in a sink; for a scan the one that it begins."""
    match operator:
        case ScanOperator(source):
            topic = topics[source]
            alias = f", as {quote_name(source)}" if topic != source else ""
            return "scan", f"topic {quote_name(topic)}{alias}: {_reads(branches[0])}"
        case FilterOperator(_, text):
            return "filter", text
        case ProjectOperator(columns, keeps=True):
            types = ", ".join(str(column.type) for column in columns)
            return "project", f"a value of type {types}, once for all who name it"
        case ProjectOperator(columns):
            return "project", ", ".join(f"{quote_name(column.name)} {column.value.type}" for column in columns)
        case UnnestOperator(value, text=text):
            return "unnest", f"{text}, {value.type}"
        case WindowOperator(windows=windows, text=text):
            return "window", f"{text}, {windows.words}"
        case WatermarkOperator(text=text, idle=idle):
            silence = f"; idle after {duration_text(timedelta(microseconds=idle))} without records" if idle else ""
            return "watermark", f"{text}, of each partition{silence}"
        case GroupOperator():
            return "group", _groups(operator)
        case UnionOperator():
            return "union", "the rows of all, as they come"
        case SinkOperator():
            written = [branch for branch in branches if branch.sink is operator]
            return "sink", f"topic {quote_name(into[operator.target])}: {_writes(operator, written)}"
        case never:
            assert_never(never)


def describe_plan(planned: Plan, topics: Mapping[str, str], into: Mapping[str, str]) -> list[tuple[str, str]]:
    """The operators of a plan, and the edges between them. `topics` are the sources', `into` the targets', by their
    names in the statement.
    """
    return list(_operators(planned, topics, into))


def _groups(group: GroupOperator) -> str:
    """The types of keys and aggregates, and when a group becomes a row."""
    keys = ", ".join(str(one.type) for one in group.keys if one.name not in group.window)
    made = ", ".join(f"{one.function} {one.type}" for one in group.aggregates)
    of_window = "a window" if group.window else ""
    by = " and ".join(filter(None, (keys, of_window)))
    alone = "" if group.bound else "; needs parallelism '1'"
    return f"{f'by {by}' if by else 'all rows'}{f': {made}' if made else ''}; {_emits(group)}{alone}"


def _emits(group: GroupOperator) -> str:
    of_whom = "its partition" if group.bound else "all partitions"
    if not group.window:
        return "a row with each commit in which it changed"
    closes = f"the watermark of {of_whom} passes the window's end"
    return f"a row with each commit in which it changed, until {closes}" if group.changes else f"a row when {closes}"


def _reads(branch: Branch) -> str:
    """The fields decoded; those of a copy are looked at for its filter alone."""
    fields = [
        f"{'.'.join(map(quote_name, read.path)) or (KEY if read.of_key else THIS)} {read.type}" for read in branch.reads
    ]
    parts = sorted(branch.used & READABLE | ({"__headers"} if RAW_HEADERS in branch.used else set()))
    if branch.star and branch.outputs:
        fields.append("all fields, as they are")
    return ", ".join([*fields, *parts]) or "nothing of the value"


def _writes(sink: SinkOperator, branches: Sequence[Branch]) -> str:
    """Parts of the record, then fields with their types: the target's or, where that has none, the first branch's."""
    if all(branch.copies for branch in branches):
        return "the record as it is"
    parts = [one.part for one in sink.columns if one.part not in (VALUE_PART, KEY_PART)]
    types = {column.name: column.value.type for branch in reversed(branches) for column in branch.columns}
    fields = [
        f"{'.'.join(map(quote_name, one.path)) or quote_name(one.column)} {one.declared or types[one.column]}"
        for one in sink.columns
        if one.part == VALUE_PART
    ]
    key = [
        f"{'.'.join(('__key', *map(quote_name, one.path)))} {one.declared or types[one.column]}"
        for one in sink.columns
        if one.part == KEY_PART
    ]
    return ", ".join([*parts, *key, *(["all fields"] if sink.star else []), *fields])
