"""Applies the SELECTs of a chain one after another: which columns the rows have, and which steps compute them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import prod

from jobplane.schemas.errors import STATEMENT_START, ColumnMismatch, NestedTooDeep, NotSupported, Place, TypeMismatch
from jobplane.schemas.types import datatypes as t
from jobplane.sql.analysis.expressions import Analysis
from jobplane.sql.analysis.faults import Faults
from jobplane.sql.analysis.names import Names, SourceRecord
from jobplane.sql.analysis.nested import field_of
from jobplane.sql.functions import FunctionCatalogue
from jobplane.sql.plan.chains import Link, source_names
from jobplane.sql.plan.graph import Step, opens_loop
from jobplane.sql.plan.operators import (
    FilterOperator,
    ProjectedColumn,
    ProjectOperator,
    UnnestOperator,
    WindowOperator,
)
from jobplane.sql.plan.usage import children
from jobplane.sql.plan.windows import WINDOW_COLUMNS, check_count, time_of, windows_of
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.column_names import item_name
from jobplane.sql.syntax.render.expressions import render_expression
from jobplane.sql.types.typed import ELEMENT, GENERATED, Constant, Field, Typed, slot_of, strip_view

MAX_LOOPS = 12
MAX_PARTS = 100_000


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
    """The steps of a chain, collected from the innermost SELECT outwards."""

    record: SourceRecord
    functions: FunctionCatalogue
    steps: list[Step] = field(default_factory=list)
    faults: Faults = field(default_factory=Faults)
    _keys: int = 0

    def source(self) -> Rows:
        """The rows of the topic or mapping itself."""
        declared = self.record.declared
        return Rows(
            not declared, tuple(SelectedColumn(name, self.record.column(name), STATEMENT_START) for name in declared)
        )

    def apply_select(self, link: Link, below: Rows, *, last: bool) -> tuple[Rows, Analysis]:
        """The rows that a SELECT makes of the rows below it. Raises Refused with its place."""
        if link.windowed is not None:
            below = self._add_windows(link.windowed, below)
        columns = {column.name: column.value for column in below.columns}
        qualifiers: dict[str, dict[str, Typed] | None] = dict.fromkeys(link.names)
        given = {
            item.alias.text: item.expression
            for item in link.select.items
            if isinstance(item, statements.Item) and item.alias is not None
        }
        names = Names(self.record, columns, below.open, qualifiers, given)
        analysis = Analysis(self.record.slots, names, self.faults, self.functions)
        added: list[SelectedColumn] = []
        for unnest in link.select.unnests:
            made = self._add_unnest(unnest, analysis)
            added += (SelectedColumn(name, value, unnest.place) for name, value in made.items())
            columns |= made
            if unnest.alias and unnest.columns:
                qualifiers[unnest.alias.text] = made
        if link.select.where is not None:
            self.steps.append(
                FilterOperator(analysis.condition(link.select.where, "WHERE"), render_expression(link.select.where))
            )
        rows = self._items(link, below, added, analysis)
        if last:
            return rows, analysis
        check_names((column.name, column.place) for column in rows.columns)
        computed = tuple(
            replace(column, value=self._compute_once(column.value, column.place)) for column in rows.columns
        )
        return replace(rows, columns=computed), analysis

    def _add_windows(self, windowed: statements.Windowed, below: Rows) -> Rows:
        """The rows of a source, each with every window that its time is in."""
        columns = {column.name: column.value for column in below.columns}
        names = Names(self.record, columns, below.open, dict.fromkeys(source_names(windowed.source)), {})
        analysis = Analysis(self.record.slots, names, self.faults, self.functions)
        windows, value = windows_of(windowed, analysis), time_of(windowed, analysis)
        for name in WINDOW_COLUMNS:
            if name in columns:
                message = f"{windowed.function} adds a column {name}, and the source has one; give that another name"
                raise ColumnMismatch(message, windowed.place)
        before = prod(step.windows.count for step in self.steps if isinstance(step, WindowOperator))
        check_count(before * windows.count, windowed.place)
        start, end = self._key(), self._key()
        step = WindowOperator(value, start, end, windows, render_expression(windowed.time))
        if opens_loop(step):
            self._check_loops(windowed.place)
        self.steps.append(step)
        added = zip(WINDOW_COLUMNS, (start, end), strict=True)
        made = (SelectedColumn(name, Field(key, t.TIMESTAMP_TZ), windowed.place) for name, key in added)
        return replace(below, columns=(*below.columns, *made))

    def _items(self, link: Link, below: Rows, added: Sequence[SelectedColumn], analysis: Analysis) -> Rows:
        columns: list[SelectedColumn] = []
        stars = 0
        for position, item in enumerate(link.select.items):
            if isinstance(item, statements.Star):
                stars += 1
                if stars > 1:
                    raise ColumnMismatch("* already stands for all fields; once is enough", item.place)
                starred = [*below.columns, *([] if self._of_source(item, link) else added)]
                columns += (replace(column, place=item.place) for column in starred)
            else:
                name = item_name(item, position)
                text = link.columns[position] if position < len(link.columns) else name.text
                columns.append(SelectedColumn(text, analysis.typed(item.expression), name.place))
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
