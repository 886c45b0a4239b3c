"""A plan: operators and the edges between them, and the branches that edges without a shuffle make of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import assert_never

import msgspec

from jobplane.schemas.formats.fields import FieldPath, TypedField
from jobplane.schemas.types.datatypes import Type
from jobplane.sql.plan.operators import (
    KEY_PART,
    VALUE_PART,
    AggregateColumn,
    FilterOperator,
    GroupOperator,
    Operator,
    ProjectedColumn,
    ProjectOperator,
    ScannedField,
    ScanOperator,
    SinkOperator,
    UnionOperator,
    UnnestOperator,
    WatermarkOperator,
    WindowOperator,
    WrittenColumn,
    field_to_write,
)
from jobplane.sql.plan.usage import keys_of
from jobplane.sql.types.typed import Typed

Step = FilterOperator | ProjectOperator | UnnestOperator | WatermarkOperator | WindowOperator
"""What is done to the rows of one branch, without state."""


class _Edge(msgspec.Struct, frozen=True, tag_field="edge", omit_defaults=True, forbid_unknown_fields=True):
    """`upstream` and `downstream` are positions in the plan's operators."""

    upstream: int
    downstream: int


class Forward(_Edge, frozen=True, tag="forward"):
    """Rows go on in the same task, in their order: both operators become one loop."""


class Shuffle(_Edge, frozen=True, tag="shuffle"):
    """Rows with equal values of `key` go to the same task.

    No operator asks for a shuffle yet, and no plan of this version has one. The edge is a word of the recorded form: a
    version that meets one in a plan refuses the plan instead of running it as if it were Forward.
    """

    key: tuple[Typed, ...]


Edge = Forward | Shuffle


class NotFused(Exception):
    """The operators cannot be run as one loop."""


@dataclass(frozen=True, slots=True)
class Output:
    """A column of a branch, and the field of the target's value or key that the column is written to."""

    column: ProjectedColumn
    to: WrittenColumn

    @property
    def name(self) -> str:
        return self.column.name

    @property
    def value(self) -> Typed:
        return self.column.value

    @property
    def path(self) -> FieldPath:
        return self.to.path

    @property
    def declared(self) -> Type | None:
        return self.to.declared

    @property
    def field(self) -> TypedField:
        """What the target's format is asked to write."""
        return field_to_write(self.column, self.to)


@dataclass(frozen=True, slots=True)
class Branch:
    """One source's way to a target: the operators from a scan to a sink along Forward edges.

    `columns` are those of the projection that the sink takes its rows from, none where it takes records as they are.
    With a `group` the `steps` are what is done to rows before it, `after` and `columns` to the rows of groups.
    `group_number` counts the groups of the plan: branches with the same one meet before the group, and share it and
    all that follows.
    """

    scan: ScanOperator
    steps: tuple[Step, ...]
    columns: tuple[ProjectedColumn, ...]
    sink: SinkOperator
    group: GroupOperator | None = None
    after: tuple[Step, ...] = ()
    group_number: int = 0

    @property
    def source(self) -> str:
        return self.scan.source

    @property
    def reads(self) -> tuple[ScannedField, ...]:
        return self.scan.fields

    @property
    def star(self) -> bool:
        return self.sink.star

    @property
    def copies(self) -> bool:
        """Whether a record goes on as it is."""
        return self.star and not self.columns and all(isinstance(step, FilterOperator) for step in self.steps)

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The columns that are fields of the value written."""
        return self._outputs(VALUE_PART)

    @property
    def key(self) -> tuple[Output, ...]:
        """The columns that are fields of the key written."""
        return self._outputs(KEY_PART)

    @property
    def parts(self) -> Mapping[str, Typed]:
        """What is written as other parts of the record, by the names of the parts."""
        to = {one.column: one.part for one in self.sink.columns}
        encoded = (VALUE_PART, KEY_PART)
        return {to[one.name]: one.value for one in self.columns if to[one.name] not in encoded}

    @property
    def opens_value(self) -> bool:
        """Whether a record without a value has nothing to give."""
        return any(not one.of_key for one in self.reads) or (self.star and not self.copies)

    @property
    def used(self) -> set[str]:
        """The keys of all values that steps and columns name."""
        return keys_of_operators((*self.steps, *self.grouping, ProjectOperator(self.columns)))

    @property
    def grouping(self) -> tuple[Operator, ...]:
        """The group and what is done to its rows; empty where there is none."""
        return () if self.group is None else (self.group, *self.after)

    def _outputs(self, part: str) -> tuple[Output, ...]:
        to = {one.column: one for one in self.sink.columns}
        return tuple(Output(one, to[one.name]) for one in self.columns if to[one.name].part == part)


class Plan(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Operators and the edges between them, both upstream first. A record of a source goes through all its branches,
    in their order."""

    operators: tuple[Operator, ...]
    edges: tuple[Edge, ...]

    @property
    def branches(self) -> tuple[Branch, ...]:
        """Raises NotFused for a plan that needs more than Forward edges from scans to sinks."""
        downstream: dict[int, int] = {}
        for edge in self.edges:
            if isinstance(edge, Shuffle):
                raise NotFused("a plan with a shuffle needs a newer version")
            if not edge.upstream < edge.downstream < len(self.operators) or edge.upstream in downstream:
                raise NotFused(f"the edge from operator {edge.upstream} to {edge.downstream} has no meaning")
            downstream[edge.upstream] = edge.downstream
        scans = ((i, one) for i, one in enumerate(self.operators) if isinstance(one, ScanOperator))
        numbers: dict[int, int] = {}
        return tuple(self._branch(i, one, downstream, numbers) for i, one in scans)

    def _branch(self, at: int, scan: ScanOperator, downstream: Mapping[int, int], numbers: dict[int, int]) -> Branch:
        """`numbers` are those of the groups met before, by their positions; a new one is added."""
        before: list[Step] = []
        group: GroupOperator | None = None
        number = 0
        steps = before
        while True:
            if at not in downstream:
                raise NotFused(f"operator {at} has no edge to another")
            at = downstream[at]
            match self.operators[at]:
                case (
                    FilterOperator()
                    | ProjectOperator()
                    | UnnestOperator()
                    | WatermarkOperator()
                    | WindowOperator() as step
                ):
                    steps.append(step)
                case GroupOperator() as one:
                    if group is not None:
                        raise NotFused("groups of groups need a newer version")
                    group, steps = one, []
                    number = numbers.setdefault(at, len(numbers))
                case UnionOperator():
                    pass
                case SinkOperator() as sink:
                    last = steps.pop() if steps and is_last(steps[-1]) else None
                    columns = last.columns if isinstance(last, ProjectOperator) else ()
                    after = () if group is None else tuple(steps)
                    return Branch(scan, tuple(before), columns, sink, group, after, number)
                case ScanOperator():
                    raise NotFused("a scan takes no rows")
                case never:
                    assert_never(never)


def plan_of(branches: Sequence[Branch]) -> Plan:
    """One plan of planned branches. Those with one group number share its group and what follows, which must be alike.

    Sinks that differ in nothing but their columns are one sink, with the columns of all.
    """
    building = _Building()
    ways: dict[int, list[Branch]] = {}
    for i, branch in enumerate(branches):
        ways.setdefault(-1 - i if branch.group is None else branch.group_number, []).append(branch)
    sinks: list[tuple[SinkOperator, list[int], dict[str, WrittenColumn]]] = []
    for first, *others in ways.values():
        last = (ProjectOperator(first.columns),) if first.columns else ()
        end = building.join([building.add((branch.scan, *branch.steps)) for branch in (first, *others)])
        sink = msgspec.structs.replace(first.sink, columns=())
        known = next((one for one in sinks if one[0] == sink), None)
        if known is None:
            sinks.append(known := (sink, [], {}))
        known[1].append(building.add((*first.grouping, *last), end))
        known[2].update((one.column, one) for one in first.sink.columns)
    for sink, ends, columns in sinks:
        building.add((msgspec.structs.replace(sink, columns=tuple(columns.values())),), building.join(ends))
    return Plan(tuple(building.operators), tuple(building.edges))


@dataclass(frozen=True, slots=True)
class _Building:
    """The operators and edges of a plan that grows."""

    operators: list[Operator] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)

    def add(self, way: Iterable[Operator], upstream: int | None = None) -> int:
        """Adds operators, each behind the one before; returns the position of the last, `upstream` if there is none."""
        at = -1 if upstream is None else upstream
        for one in way:
            if at >= 0:
                self.edges.append(Forward(at, len(self.operators)))
            at = len(self.operators)
            self.operators.append(one)
        return at

    def join(self, ends: Sequence[int]) -> int:
        """Adds a union where rows of several operators meet; returns its position."""
        if len(ends) == 1:
            return ends[0]
        self.edges.extend(Forward(end, len(self.operators)) for end in ends)
        self.operators.append(UnionOperator())
        return len(self.operators) - 1


def opens_loop(step: Step) -> bool:
    """Whether the step may make several rows of one: what follows is done for each."""
    return isinstance(step, UnnestOperator) or (isinstance(step, WindowOperator) and step.windows.count > 1)


def is_last(step: Step) -> bool:
    """Whether the step makes the row that a sink takes."""
    return isinstance(step, ProjectOperator) and not step.keeps


def values_of(operator: Operator) -> tuple[Typed, ...]:
    """The expressions of an operator."""
    match operator:
        case FilterOperator(condition):
            return (condition,)
        case ProjectOperator(columns):
            return tuple(column.value for column in columns)
        case UnnestOperator(value) | WatermarkOperator(value) | WindowOperator(value):
            return (value,)
        case GroupOperator(keys, aggregates):
            return (*(one.value for one in keys), *(value for one in aggregates for value in _values_of_aggregate(one)))
        case ScanOperator() | UnionOperator() | SinkOperator():
            return ()
        case never:
            assert_never(never)


def _values_of_aggregate(one: AggregateColumn) -> tuple[Typed, ...]:
    where = () if one.where is None else (one.where,)
    return (*one.arguments, *where, *(item.value for item in one.order))


def keys_of_operators(operators: tuple[Operator, ...]) -> set[str]:
    """The keys of all values that operators name."""
    return {key for one in operators for value in values_of(one) for key in keys_of(value)}


def order_steps(steps: Sequence[Step], outputs: Sequence[Typed]) -> tuple[Step, ...]:
    """The steps with each value computed as late as it may be, and none that nobody uses."""
    waiting: dict[str, ProjectOperator] = {}
    ordered: list[Step] = []

    def emit(needed: set[str]) -> None:
        for key in [key for key in waiting if key in needed]:
            if key in waiting:
                computed = waiting.pop(key)
                emit(keys_of_operators((computed,)))
                ordered.append(computed)

    written = {key for value in outputs for key in keys_of(value)}
    for i, step in enumerate(steps):
        match step:
            case ProjectOperator(columns):
                waiting |= {column.name: step for column in columns}
            case FilterOperator() | UnnestOperator() | WatermarkOperator() | WindowOperator():
                emit(keys_of_operators(tuple(steps[i:])) | written if opens_loop(step) else keys_of_operators((step,)))
                ordered.append(step)
            case never:
                assert_never(never)
    emit(written)
    return tuple(ordered)
