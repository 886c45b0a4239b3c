"""Applies the SELECTs of a chain one after another: which columns the rows have, and which steps compute them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import prod

from jobplane.schemas.errors import STATEMENT_START, ColumnMismatch, NestedTooDeep, NotSupported, Place, TypeMismatch
from jobplane.schemas.records.mappings import WatermarkRule
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type
from jobplane.sql.analysis.aggregates import has_aggregate
from jobplane.sql.analysis.expressions import Analysis
from jobplane.sql.analysis.faults import Faults
from jobplane.sql.analysis.names import Names, SourceRecord, record_names
from jobplane.sql.analysis.nested import field_of
from jobplane.sql.analysis.record import KEY_FIELDS, KEY_WHOLE, PARTITION
from jobplane.sql.functions import FunctionCatalogue
from jobplane.sql.plan.chains import Link, source_names
from jobplane.sql.plan.graph import Step, opens_loop
from jobplane.sql.plan.grouping.groups import (
    GroupAnalysis,
    GroupNames,
    SelectGroups,
    add_group_by,
    find_window,
    make_group,
    place_of_groups,
)
from jobplane.sql.plan.grouping.sessions import Sessions, check_sessions
from jobplane.sql.plan.grouping.watermarks import (
    NO_WATERMARK,
    Watermark,
    check_time,
    declared_watermark,
    imposed_watermark,
)
from jobplane.sql.plan.operators import (
    FilterOperator,
    GroupOperator,
    ProjectedColumn,
    ProjectOperator,
    UnnestOperator,
    WindowOperator,
)
from jobplane.sql.plan.usage import children
from jobplane.sql.plan.windows import WINDOW_COLUMNS, check_count, time_of, windows_of
from jobplane.sql.syntax import expressions as ex
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.column_names import item_name
from jobplane.sql.syntax.parts import KEY
from jobplane.sql.syntax.render.expressions import render_expression
from jobplane.sql.types.coercion import Coercion
from jobplane.sql.types.typed import ELEMENT, GENERATED, Constant, Field, Typed, slot_of, strip_view

MAX_LOOPS = 12
MAX_PARTS = 100_000
_GROUPS_OF_GROUPS = (
    "groups of groups are not supported by this version; write the inner ones to a topic, and read that with a job"
)
_UNNEST_OF_CHANGES = (
    "elements of a row that another replaces would stay when they are gone: use groups of windows with EMIT FINAL, "
    "whose rows are written once, or write the arrays to a topic, and read that with a job"
)
_DISTINCT_GROUPS = (
    "DISTINCT of groups is not supported by this version; leave out DISTINCT: groups are different in the columns of "
    "GROUP BY"
)
_HAVING_OF_ROWS = "HAVING is about groups, and there is neither GROUP BY nor an aggregate; write WHERE"


@dataclass(frozen=True, slots=True)
class SelectedColumn:
    name: str
    value: Typed
    place: Place


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows that a SELECT gives. `open`: the rows also have all fields of the record."""

    open: bool
    columns: tuple[SelectedColumn, ...]


@dataclass(slots=True)
class SelectChain:
    """The steps of a chain, collected from the innermost SELECT outwards.

    `watermark` is the one of the source. With a `group`, `before` are the steps that lead to it, `steps` those behind.
    `imposed` is the watermark of IMPOSE_ORDER, and `sessions` are those of SESSION.

    `grouped` are the columns of the rows that come to the group. Where those of several branches do, `common` are the
    types that their columns have there.
    """

    record: SourceRecord
    functions: FunctionCatalogue
    watermark: WatermarkRule | None = None
    emit: statements.Emit | None = None
    common: Sequence[Type] = ()
    steps: list[Step] = field(default_factory=list)
    faults: Faults = field(default_factory=Faults)
    before: list[Step] = field(default_factory=list)
    group: GroupOperator | None = None
    groups: SelectGroups | None = None
    imposed: Watermark | None = None
    sessions: list[Sessions] = field(default_factory=list)
    grouped: Rows | None = None
    _keys: int = 0

    def source(self) -> Rows:
        """The rows of the topic or mapping itself."""
        declared = self.record.declared
        return Rows(
            not declared, tuple(SelectedColumn(name, self.record.column(name), STATEMENT_START) for name in declared)
        )

    def apply_select(self, link: Link, below: Rows, *, last: bool) -> tuple[Rows, Analysis]:
        """The rows that a SELECT makes of the rows below it. Raises Refused with its place."""
        if link.grouped and self.group is None:
            self.grouped = below = self._with_common_types(below)
        for function in link.functions:
            below = self._add_function(function, below)
        columns = {column.name: column.value for column in below.columns}
        qualifiers: dict[str, dict[str, Typed] | None] = dict.fromkeys(link.names)
        given = {
            item.alias.text: item.expression
            for item in link.select.items
            if isinstance(item, statements.Item) and item.alias is not None
        }
        names = Names(self.record, columns, below.open, qualifiers, given, self.group is not None)
        analysis = Analysis(self.record.slots, names, self.faults, self.functions)
        added: list[SelectedColumn] = []
        for unnest in link.select.unnests:
            if self.group is not None and self.group.changes:
                raise NotSupported(_UNNEST_OF_CHANGES, unnest.place)
            made = self._add_unnest(unnest, analysis)
            added += (SelectedColumn(name, value, unnest.place) for name, value in made.items())
            columns |= made
            if unnest.alias and unnest.columns:
                qualifiers[unnest.alias.text] = made
        if link.select.where is not None:
            analysis.clause = "WHERE"
            self._add_filter(analysis, link.select.where, "WHERE")
        rows, analysis = self._columns(link, below, added, analysis, names)
        if last:
            return rows, analysis
        check_names((column.name, column.place) for column in rows.columns)
        computed = tuple(
            replace(column, value=self._compute_once(column.value, column.place)) for column in rows.columns
        )
        return replace(rows, columns=computed), analysis

    def _columns(
        self, link: Link, below: Rows, added: Sequence[SelectedColumn], analysis: Analysis, names: Names
    ) -> tuple[Rows, Analysis]:
        """The columns of a SELECT, and what analyses expressions over the same rows."""
        if not link.grouped:
            return self._items(
                link, below, added, lambda tree, _: analysis.typed(tree), lambda one: one.value
            ), analysis
        grouped = self._begin_groups(link.select, analysis, names)
        if link.select.distinct:
            groups = grouped.groups
            rows = self._items(
                link, below, added, groups.add_key, lambda one: groups.add_value(one.value, _name(one), one.name)
            )
        else:
            rows = self._items(
                link, below, added, lambda tree, _: grouped.typed(tree), lambda one: grouped.typed(_name(one))
            )
        if rows.open:
            star = next(item for item in link.select.items if isinstance(item, statements.Star))
            raise ColumnMismatch(
                "groups need the names of all columns, and those of * are not known; name them", star.place
            )
        self._end_groups(link.select, grouped, names)
        return rows, grouped

    def _with_common_types(self, rows: Rows) -> Rows:
        if not self.common:
            return rows
        coercion = Coercion(self.record.slots)
        pairs = zip(rows.columns, self.common, strict=True)
        values = [(one, coercion.to(one.value, wanted, f"column {one.name}", one.place)) for one, wanted in pairs]
        columns = (replace(one, value=self._compute_once(value, one.place)) for one, value in values)
        return replace(rows, columns=tuple(columns))

    def _add_filter(self, analysis: Analysis, condition: ex.Expression, by: str) -> None:
        self.steps.append(FilterOperator(analysis.condition(condition, by), render_expression(condition)))

    def _add_function(self, function: statements.TableFunction, below: Rows) -> Rows:
        """The rows of a source as a table function gives them."""
        if self.group is not None:
            raise NotSupported("a table function stands before GROUP BY, not behind it", function.place)
        columns = {column.name: column.value for column in below.columns}
        names = Names(self.record, columns, below.open, dict.fromkeys(source_names(function.source)), {})
        analysis = Analysis(self.record.slots, names, self.faults, self.functions)
        if isinstance(function, statements.Windowed):
            return self._add_windows(function, below, analysis)
        if self.imposed is not None:
            raise NotSupported("one IMPOSE_ORDER is enough; leave out the others", function.place)
        self.imposed = imposed_watermark(function, analysis)
        self.steps.append(self.imposed.step)
        return below

    def _begin_groups(self, select: statements.Select, analysis: Analysis, names: Names) -> GroupAnalysis:
        """The keys of GROUP BY. Those of DISTINCT, and aggregates, are found in the columns."""
        if self.group is not None:
            raise NotSupported(_GROUPS_OF_GROUPS, place_of_groups(select, self.functions))
        if select.distinct and (select.group or select.having or has_aggregate(select.items, self.functions)):
            raise NotSupported(_DISTINCT_GROUPS, place_of_groups(select, self.functions))
        if select.having is not None and not (
            select.group or has_aggregate((*select.items, select.having), self.functions)
        ):
            raise NotSupported(_HAVING_OF_ROWS, select.having.place)
        self.groups = SelectGroups(analysis, self._key)
        add_group_by(self.groups, select, names)
        scope = GroupNames(self.groups)
        return GroupAnalysis(self.record.slots, scope, self.faults, self.functions, groups=self.groups)

    def _end_groups(self, select: statements.Select, analysis: GroupAnalysis, names: Names) -> None:
        """All keys and aggregates are known; what follows is done to the rows of groups."""
        after: list[Step] = []
        if select.having is not None:
            analysis.aliases = names.given
            condition = analysis.condition(select.having, "HAVING")
            after.append(FilterOperator(condition, render_expression(select.having)))
        window, place = find_window(analysis.groups, self.steps), place_of_groups(select, self.functions)
        if window is not None:
            watermark = self.imposed or self._declared_watermark(place)
            if self.record.slots.learned:
                check_time(watermark, window.value, window.text, place)
        for one in self.sessions:
            if window is not None and window.start == one.start:
                check_sessions(one, window, analysis.groups, self.steps, self.emit, place)
        self.before = self.steps
        bound = self._is_bound(analysis.groups)
        self.group = make_group(analysis.groups, self.before, window, self.emit, place, bound=bound)
        self.steps = after

    def _declared_watermark(self, place: Place) -> Watermark:
        """That of the mapping: a record that a filter leaves out moves it as well."""
        if self.watermark is None:
            raise NotSupported(NO_WATERMARK, place)
        analysis = Analysis(self.record.slots, record_names(self.record), self.faults, self.functions)
        found = declared_watermark(self.watermark, analysis)
        self.steps.insert(0, found.step)
        return found

    def _is_bound(self, groups: SelectGroups) -> bool:
        """Whether the partition, or the whole key of the record, is among the keys of the groups, as it is."""
        values = [strip_view(one.value) for one in groups.keys]
        whole = (PARTITION, KEY, KEY_WHOLE, KEY_FIELDS)
        if any(isinstance(one, Field) and one.key in whole for one in values):
            return True
        of_key = [self.record.column(name) for name in self.record.key_columns]
        return bool(of_key) and all(strip_view(one) in values for one in of_key)

    def _add_windows(self, windowed: statements.Windowed, below: Rows, analysis: Analysis) -> Rows:
        """The rows of a source, each with every window that its time is in."""
        columns = {column.name for column in below.columns}
        windows, value = windows_of(windowed, analysis), time_of(windowed.time, analysis)
        for name in WINDOW_COLUMNS:
            if name in columns:
                message = f"{windowed.function} adds a column {name}, and the source has one; give that another name"
                raise ColumnMismatch(message, windowed.place)
        before = prod(step.windows.count for step in self.steps if isinstance(step, WindowOperator))
        check_count(before * windows.count, windowed.place)
        start, end = self._key(), self._key()
        if windows.session:
            keys = ((render_expression(one), strip_view(analysis.typed(one))) for one in windowed.keys)
            self.sessions.append(Sessions(start, tuple(keys), windowed.place))
        step = WindowOperator(value, start, end, windows, render_expression(windowed.time))
        if opens_loop(step):
            self._check_loops(windowed.place)
        self.steps.append(step)
        added = zip(WINDOW_COLUMNS, (start, end), strict=True)
        made = (SelectedColumn(name, Field(key, t.TIMESTAMP_TZ), windowed.place) for name, key in added)
        return replace(below, columns=(*below.columns, *made))

    def _items(
        self,
        link: Link,
        below: Rows,
        added: Sequence[SelectedColumn],
        typed: Callable[[ex.Expression, str], Typed],
        starred: Callable[[SelectedColumn], Typed],
    ) -> Rows:
        """The columns of a SELECT: `typed` makes their values, and `starred` those of the columns of a star."""
        columns: list[SelectedColumn] = []
        stars = 0
        for position, item in enumerate(link.select.items):
            if isinstance(item, statements.Star):
                stars += 1
                if stars > 1:
                    raise ColumnMismatch("* already stands for all fields; once is enough", item.place)
                those = [*below.columns, *([] if self._of_source(item, link) else added)]
                columns += (
                    SelectedColumn(one.name, starred(replace(one, place=item.place)), item.place) for one in those
                )
            else:
                name = item_name(item, position)
                text = link.columns[position] if position < len(link.columns) else name.text
                columns.append(SelectedColumn(text, typed(item.expression, text), name.place))
        return Rows(below.open and stars > 0, tuple(columns))

    def _of_source(self, item: statements.Star, link: Link) -> bool:
        """Whether a star stands for the columns of the source alone."""
        if item.source is not None and item.source.text not in link.names:
            raise NotSupported(f"{item.source}.*: only the source itself has a star", item.source.place)
        return item.source is not None

    def _compute_once(self, value: Typed, place: Place) -> Typed:
        """The value, evaluated once for all who name it."""
        handed_on = isinstance(value, Field | Constant) or strip_view(value) is not value
        if handed_on:
            return value
        if value.type == t.UNKNOWN:  # its use will be handed down to all its parts
            _check_size(value, place)
            return value
        if not self.record.slots.learned:
            return value
        key = self._key()
        self.steps.append(ProjectOperator((ProjectedColumn(key, value, value.type),), keeps=True))
        return Field(key, value.type, slot_of(value))

    def _key(self) -> str:
        self._keys += 1
        return f"{GENERATED}{self._keys}"

    def _add_unnest(self, unnest: statements.UnnestClause, analysis: Analysis) -> dict[str, Typed]:
        value = analysis.typed(unnest.expression)
        names = [column.text for column in unnest.columns] or ([unnest.alias.text] if unnest.alias else [])
        if not names:
            raise ColumnMismatch("give the elements a name: UNNEST(…) AS name", unnest.place)
        if value.type == t.UNKNOWN:
            value = analysis.coercion.to(value, t.array(t.UNKNOWN), "UNNEST", unnest.place)
        if value.type.name not in ("ARRAY", "MAP"):
            raise TypeMismatch(f"UNNEST needs an array or a map; this is {value.type.words}", unnest.place)
        self._check_loops(unnest.place)
        element, second, ordinal = (self._key() for _ in range(3))
        types = value.type.arguments
        slot = (*slot, ELEMENT) if (slot := slot_of(value)) else ()
        first = Field(element, types[0], slot)
        columns = [first] if value.type.name == "ARRAY" else [first, Field(second, types[1])]
        made = self._fields(first, names, unnest, analysis) or columns
        if unnest.ordinality:
            made = [*made, Field(ordinal, t.BIGINT)]
        if len(names) != len(made) and not (len(names) == 1 and not unnest.columns and not unnest.ordinality):
            raise ColumnMismatch(f"UNNEST gives {len(made)} columns here; {len(names)} are named", unnest.place)
        json = value.type.name == "ARRAY" and types[0] == t.JSON
        of_map, ordinal = value.type.name == "MAP", ordinal if unnest.ordinality else ""
        step = UnnestOperator(
            value, element, second if of_map else "", ordinal, json, render_expression(unnest.expression)
        )
        self.steps.append(step)
        return dict(zip(names, made, strict=False))

    def _check_loops(self, place: Place) -> None:
        """Raises NestedTooDeep: Python takes no more than twenty loops in one another."""
        if sum(map(opens_loop, self.steps)) >= MAX_LOOPS:
            raise NestedTooDeep(f"more than {MAX_LOOPS} UNNEST, HOP and CUMULATE on the way of one record", place)

    def _fields(
        self, first: Typed, names: Sequence[str], unnest: statements.UnnestClause, analysis: Analysis
    ) -> list[Typed]:
        """The fields of an element that is a ROW, where a name is given for each."""
        fields = first.type.fields
        if len(fields) < 2 or len(names) - unnest.ordinality != len(fields):
            return []
        return [field_of(first, name, unnest.place, analysis.slots) for name in fields]


def _name(column: SelectedColumn) -> ex.Column:
    return ex.Column(column.name, column.place)


def _check_size(value: Typed, place: Place) -> None:
    """Raises NestedTooDeep for a column that stands for too large an expression: each SELECT may say it twice."""
    waiting, parts = [value], 0
    while waiting:
        parts += 1
        if parts > MAX_PARTS:
            message = f"with the columns that it names, this column is an expression of more than {MAX_PARTS:,} parts"
            raise NestedTooDeep(message, place)
        waiting += children(waiting.pop())


def check_names(names: Iterable[tuple[str, Place]]) -> None:
    """Raises ColumnMismatch where two columns have one name."""
    seen: set[str] = set()
    for name, place in names:
        if name in seen:
            raise ColumnMismatch(f"two columns are called {name}; give one another name with AS", place)
        seen.add(name)
