"""A SELECT that makes rows of groups of rows: its keys, its aggregates, and what its expressions mean after them.

An expression of SELECT and HAVING is made of group keys, aggregates and constants. A column is a group key if GROUP BY
has it, by whatever name; any other expression, if GROUP BY has the same text.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace as changed

from jobplane.schemas.errors import ColumnMismatch, NotSupported, Place
from jobplane.schemas.types import datatypes as t
from jobplane.sql.analysis.aggregates import has_aggregate, is_aggregate, resolve_aggregate, simple_value
from jobplane.sql.analysis.expressions import Analysis
from jobplane.sql.analysis.names import Names
from jobplane.sql.analysis.nested import field_of
from jobplane.sql.analysis.record import READABLE
from jobplane.sql.functions import FunctionCatalogue
from jobplane.sql.functions.aggregates.aggregate import offered_call
from jobplane.sql.plan.graph import Step
from jobplane.sql.plan.operators import AggregateColumn, GroupOperator, OrderItem, ProjectedColumn, WindowOperator
from jobplane.sql.syntax import expressions as ex
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.column_names import expression_name, item_name
from jobplane.sql.syntax.render.expressions import render_expression
from jobplane.sql.syntax.walk import walk
from jobplane.sql.types.typed import Field, Typed, slot_of, strip_view

_SETS = frozenset({"ROLLUP", "CUBE", "GROUPING"})
_SAME_START = "windows of CUMULATE have their starts in common, not their ends: add window_end to GROUP BY"
_FINAL_WITHOUT_WINDOW = (
    "without a window no group is ever final: write EMIT CHANGES, or FROM TUMBLE(…) … GROUP BY window_start, window_end"
)


@dataclass(frozen=True, slots=True)
class GroupKey:
    """What rows are grouped by. `name` is what it is called, empty for a bound of a window that GROUP BY does not name,
    and `field` its value in the row of a group.

    `simple` is the value as rows are told apart by it.
    """

    name: str
    value: Typed
    simple: Typed
    field: Field
    tree: ex.Expression


@dataclass(slots=True)
class SelectGroups:
    """The keys and aggregates of one SELECT. `rows` analyses expressions over the rows before the groups."""

    rows: Analysis
    new_key: Callable[[], str]
    keys: list[GroupKey] = field(default_factory=list)
    aggregates: list[tuple[ex.Call, AggregateColumn, Field]] = field(default_factory=list)

    def add_key(self, tree: ex.Expression, name: str) -> Field:
        """The value of the key in the row of the group. Raises TypeMismatch for what rows cannot be grouped by."""
        self.rows.clause = "GROUP BY"
        value = strip_view(self.rows.typed(tree))
        return self.add_value(value, tree, name)

    def add_value(self, value: Typed, tree: ex.Expression, name: str) -> Field:
        """As `add_key`, for a value of the row."""
        if (known := self.find_value(value)) is not None:
            return known
        simple = simple_value(value, "GROUP BY", tree.place, self.rows.coercion)
        made = Field(self.new_key(), value.type, slot_of(value) if value.type == t.UNKNOWN else ())
        self.keys.append(GroupKey(name, value, simple, made, tree))
        return made

    def find_value(self, value: Typed) -> Field | None:
        """The key that is this value of the row."""
        alike = (one.field for one in self.keys if value == one.value or _is_same_slot(value, one.value))
        return next(alike, None)

    def find_tree(self, tree: ex.Expression) -> Field | None:
        """The key that GROUP BY writes in the same words."""
        return next((one.field for one in self.keys if one.tree == tree), None)

    def aggregate(self, call: ex.Call) -> Field:
        """The value of an aggregate in the row of the group. The same call twice is computed once."""
        for known, _, value in self.aggregates:
            if known == call:
                return value
        self.rows.clause = "an aggregate"
        typed = [self._argument(one, call) for one in call.arguments]
        found = resolve_aggregate(call.name, typed, call.place, self.rows.coercion, self.rows.functions)
        where = None if call.where is None else self.rows.condition(call.where, "FILTER")
        order = tuple(self._sort_item(one) for one in call.order)
        if order and not found.aggregate.takes_order:
            raise NotSupported(f"the order of rows does not matter to {call.name}; leave out ORDER BY", call.place)
        learned = self.rows.coercion.slots.learned
        if learned and call.distinct and any(item.value not in found.arguments for item in order):
            message = f"with DISTINCT, {call.name} sorts by its argument alone; leave out DISTINCT or ORDER BY"
            raise NotSupported(message, call.place)
        name = self.new_key()
        offered = offered_call(found.aggregate, len(found.arguments))
        made = AggregateColumn(name, call.name, found.arguments, found.type, call.distinct, where, order, offered)
        value = Field(name, found.type, found.slot)
        self.aggregates.append((call, made, value))
        return value

    def _argument(self, tree: ex.Expression, call: ex.Call) -> tuple[Typed, Place]:
        value = self.rows.typed(tree)
        if call.distinct:
            simple_value(value, "DISTINCT", tree.place, self.rows.coercion)
        return value, tree.place

    def _sort_item(self, item: ex.SortItem) -> OrderItem:
        place = item.expression.place
        value = simple_value(self.rows.typed(item.expression), "ORDER BY", place, self.rows.coercion)
        nulls_first = item.descending if item.nulls_first is None else item.nulls_first
        return OrderItem(value, item.descending, nulls_first)

    def add_bound(self, key: str) -> str:
        """The start or the end of a window, in the row of the group: a group key even if GROUP BY does not name it."""
        value = Field(key, t.TIMESTAMP_TZ)
        found = self.find_value(value)
        if found is None:
            found = Field(self.new_key(), value.type)
            self.keys.append(GroupKey("", value, value, found, ex.Null()))
        return found.key

    @property
    def results(self) -> tuple[AggregateColumn, ...]:
        return tuple(column for _, column, _ in self.aggregates)

    @property
    def columns(self) -> tuple[ProjectedColumn, ...]:
        return tuple(ProjectedColumn(one.field.key, one.simple, one.simple.type) for one in self.keys)


def _is_same_slot(value: Typed, other: Typed) -> bool:
    """Whether both are the same value of the record, while its type still follows from its uses."""
    return bool(slot_of(value)) and isinstance(value, Field) and isinstance(other, Field) and value.key == other.key


@dataclass(frozen=True, slots=True)
class GroupNames:
    """The names in SELECT and HAVING behind groups: those of the rows, where they are group keys."""

    groups: SelectGroups

    def resolve(self, names: Sequence[str], place: Place, *, quoted: bool = False) -> tuple[Typed, Sequence[str]]:
        """Raises UnknownColumn for what the rows do not have, ColumnMismatch for what is not a group key."""
        rows = self.groups.rows
        value, rest = rows.scope.resolve(names, place, quoted=quoted)
        for i in range(len(rest) + 1):
            if (found := self.groups.find_value(strip_view(value))) is not None:
                return found, rest[i:]
            if i < len(rest) and value.type.name in ("UNKNOWN", "JSON", "ROW"):
                value = field_of(value, rest[i], place, rows.slots)
        name = ".".join(names)
        message = f"{name} is neither in GROUP BY nor in an aggregate: add it to GROUP BY, or write MAX({name})"
        raise ColumnMismatch(message, place)


@dataclass(slots=True)
class GroupAnalysis(Analysis):
    """Expressions over the rows of groups. `aliases` are the names that SELECT gives, where they may be used."""

    groups: SelectGroups = field(kw_only=True)
    aliases: Mapping[str, ex.Expression] = field(default_factory=dict, kw_only=True)

    def typed(self, tree: ex.Expression) -> Typed:
        if not self.nested:
            if (found := self.groups.find_tree(tree)) is not None:
                return found
            if (alias := alias_of(tree, self.groups.rows.scope, self.aliases)) is not None:
                return self.typed(alias)
        if is_aggregate(tree, self.functions) and isinstance(tree, ex.Call):
            return self._aggregate(tree)
        return Analysis.typed(self, tree)

    def _aggregate(self, call: ex.Call) -> Typed:
        if self.nested:
            self.clause = "a lambda"
            return Analysis.typed(self, call)
        return self.groups.aggregate(call)


def alias_of(tree: ex.Expression, scope: object, given: Mapping[str, ex.Expression]) -> ex.Expression | None:
    """What a name stands for that SELECT gives and the rows do not have.

    Of rows that may have any name, a name is the SELECT's, if it is not made of the column of that name.
    """
    if not isinstance(tree, ex.Column) or tree.name not in given or not isinstance(scope, Names):
        return None
    written = given[tree.name]
    of_rows = tree.name in scope.columns or tree.name in READABLE
    return None if of_rows or (scope.open and tree in walk(written)) else written


def add_group_by(groups: SelectGroups, select: statements.Select, names: Names) -> None:
    """The keys of GROUP BY: expressions of the rows, names that SELECT gives, or numbers of its columns."""
    for tree in select.group:
        if isinstance(tree, ex.Call) and tree.name in _SETS:
            raise NotSupported(
                f"{tree.name} is not supported by this version; write a job for each grouping", tree.place
            )
        if (
            isinstance(tree, ex.Column)
            and tree.name.upper() == "ALL"
            and not tree.quoted
            and "ALL" not in names.columns
        ):
            raise NotSupported("GROUP BY ALL is not supported by this version; name the columns", tree.place)
        if isinstance(tree, ex.Number):
            item = _item_at(select, tree)
            groups.add_key(item.expression, item_name(item, 0).text)
            continue
        alias = alias_of(tree, names, names.given)
        if alias is not None and has_aggregate(alias, groups.rows.functions):
            raise NotSupported(
                f"{render_expression(tree)} is an aggregate; GROUP BY takes columns of the rows", tree.place
            )
        groups.add_key(alias or tree, _name_of(tree, select))


def _name_of(tree: ex.Expression, select: statements.Select) -> str:
    """What the SELECT calls a key, else what its expression is called."""
    items = [item for item in select.items if isinstance(item, statements.Item)]
    alias = next((item.alias.text for item in items if item.alias and item.expression == tree), "")
    return alias or expression_name(tree, select.group.index(tree))


def _item_at(select: statements.Select, number: ex.Number) -> statements.Item:
    """The column of the SELECT with a number, from 1."""
    at = number.value
    count = len(select.items)
    if not isinstance(at, int) or not 1 <= at <= count:
        message = f"GROUP BY {number.value}: the SELECT has {count} columns, which are counted from 1"
        raise ColumnMismatch(message, number.place)
    item = select.items[at - 1]
    if isinstance(item, statements.Star):
        raise ColumnMismatch(f"column {at} of the SELECT is a *; name the columns", number.place)
    return item


def find_window(groups: SelectGroups, steps: Sequence[Step]) -> WindowOperator | None:
    """The window function whose start or end is a key of the groups; of several the last."""
    keys = {one.simple.key for one in groups.keys if isinstance(one.simple, Field)}
    windows = [
        step for step in steps if isinstance(step, WindowOperator) and not keys.isdisjoint({step.start, step.end})
    ]
    return windows[-1] if windows else None


def make_group(
    groups: SelectGroups,
    steps: list[Step],
    window: WindowOperator | None,
    emit: statements.Emit | None,
    place: Place,
    *,
    bound: bool,
) -> GroupOperator:
    """The operator of groups whose keys and aggregates are all known; the step of its window gets a slice."""
    changes = emit is not None and emit.mode is statements.EmitMode.CHANGES
    if window is None:
        if emit is not None and not changes:
            raise NotSupported(_FINAL_WITHOUT_WINDOW, emit.place)
        return GroupOperator(groups.columns, groups.results, changes=True, bound=bound)
    if window.windows.growing and groups.find_value(Field(window.end, t.TIMESTAMP_TZ)) is None:
        raise ColumnMismatch(_SAME_START, place)
    names = groups.add_bound(window.start), groups.add_bound(window.end)
    slice_ = window.slice or groups.new_key()
    steps[steps.index(window)] = changed(window, slice=slice_)
    return GroupOperator(groups.columns, groups.results, names, slice_, changes, bound)


def place_of_groups(select: statements.Select, functions: FunctionCatalogue) -> Place:
    """Where the SELECT says that it makes groups."""
    if select.group:
        return select.group[0].place
    inside = walk((select.items, select.having))
    calls = [one for one in inside if isinstance(one, ex.Call) and is_aggregate(one, functions)]
    return calls[0].place if calls else select.items[0].place
