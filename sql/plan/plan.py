"""Plans a query. Everything that can be refused without a record is refused here."""

from collections.abc import Iterable, Sequence
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, replace

from jobplane.schemas.errors import BadSyntax, ColumnMismatch, NotSupported, Place, TypeMismatch, UnknownColumn
from jobplane.schemas.formats.fields import WHOLE, FieldPath
from jobplane.schemas.records.mappings import TopicMapping
from jobplane.schemas.suggestions import did_you_mean
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type
from jobplane.sql.analysis.assignment import assign, record_part
from jobplane.sql.analysis.expressions import Analysis
from jobplane.sql.analysis.faults import Faults
from jobplane.sql.analysis.names import SourceRecord
from jobplane.sql.analysis.record import KEY_FIELDS, KEY_WHOLE, READABLE, VALUE_WHOLE, WRITABLE
from jobplane.sql.analysis.topic_format import topic_format_of
from jobplane.sql.functions import BUILT_IN, FunctionCatalogue
from jobplane.sql.operations.casts import Impossible, explicit
from jobplane.sql.operations.operation import Convert
from jobplane.sql.plan.chains import Chain, chains
from jobplane.sql.plan.format_checks import check_branch
from jobplane.sql.plan.graph import Branch, Output, Plan, Step, keys_of_operators, order_steps, plan_of, values_of
from jobplane.sql.plan.grouping.groups import place_of_groups
from jobplane.sql.plan.grouping.outputs import check_key, check_keys_apart, key_columns, key_of_group
from jobplane.sql.plan.grouping.rewriting import clean_branch
from jobplane.sql.plan.grouping.sessions import check_grouped
from jobplane.sql.plan.grouping.sharing import share_group
from jobplane.sql.plan.grouping.union_types import common_types
from jobplane.sql.plan.operators import (
    GROUP_TIME,
    KEY_PART,
    VALUE_PART,
    WINDOW_TIME,
    GroupOperator,
    ProjectedColumn,
    ProjectOperator,
    ScannedField,
    ScanOperator,
    SinkOperator,
    WrittenColumn,
)
from jobplane.sql.plan.selects import Rows, SelectChain, SelectedColumn, check_names
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parts import KEY, THIS
from jobplane.sql.types.coercion import common_type
from jobplane.sql.types.names import parse_type
from jobplane.sql.types.slots import Slots
from jobplane.sql.types.typed import GENERATED, Field, Typed, apply, strip_view

Sources = MappingOf[str, TopicMapping]
NO_SOURCES: Sources = {}
TIMESTAMP = "__timestamp"


def source_names(inserts: Iterable[statements.Insert]) -> tuple[statements.Name, ...]:
    """The mappings and topics the queries read, each once, in the order they are named."""
    found: dict[str, statements.Name] = {}
    for insert in inserts:
        for chain in chains(insert.query):
            found.setdefault(chain.source.text, chain.source)
    return tuple(found.values())


def plan(
    insert: statements.Insert,
    sources: Sources = NO_SOURCES,
    target: TopicMapping | None = None,
    functions: FunctionCatalogue = BUILT_IN,
    *,
    judged_before: bool = False,
) -> Plan:
    """`sources` are the mappings among the names the query reads; any other name, or one without columns, is a topic.

    `functions` are those that the query may call.
    `judged_before`: perhaps by an older version; constants at fault are left to the records.
    Raises TypeMismatch, ColumnMismatch, UnknownColumn, UnknownFunction or NotSupported with its place.
    """
    found = chains(insert.query, functions)
    _check_emit(insert, found)
    meeting: dict[tuple[int, ...], list[Chain]] = {}
    for i, chain in enumerate(found):
        meeting.setdefault(chain.group_path or (i, -1), []).append(chain)
    planned: list[Branch] = []
    places: list[Place] = []
    number = 0
    for some in meeting.values():
        planners = [_BranchPlanner(insert, one, sources.get(one.source.text), target, functions) for one in some]
        made = [planner.branch() for planner in planners]
        place = next(
            (place_of_groups(link.select, functions) for link in some[0].links if link.grouped), insert.target.place
        )
        if len(some) > 1 and (common := common_types([one.rows for one in made], place)):
            made = [planner.branch(common) for planner in planners]
        if not judged_before:
            for one in made:
                one.faults.refuse()
        branches = [one.branch for one in made]
        if len(some) > 1:
            mapped = [sources.get(one.source.text) for one in some]
            topics = [one.topic if one else chain.source.text for one, chain in zip(mapped, some, strict=True)]
            branches = share_group(branches, topics, functions, place)
        planned += (replace(branch, group_number=number) for branch in branches)
        places += [place] * len(branches)
        number += branches[0].group is not None
    for other in planned[1:]:
        _check_alike(planned[0], other, insert)
    check_keys_apart(planned, places, {})
    return plan_of(planned)


def _check_emit(insert: statements.Insert, found: Sequence[Chain]) -> None:
    """Raises BadSyntax for EMIT without groups."""
    if insert.emit is not None and not any(chain.group_path for chain in found):
        message = f"leave out EMIT {insert.emit.mode}: without groups, a row is written as soon as its record comes"
        raise BadSyntax(message, insert.emit.place)


def _check_alike(first: Branch, other: Branch, insert: statements.Insert) -> None:
    """Raises ColumnMismatch or TypeMismatch where branches of UNION ALL do not go together."""
    if first.star != other.star or len(first.outputs) != len(other.outputs):
        counts = " and ".join("*" if one.star else str(len(one.outputs)) for one in (first, other))
        message = f"the branches of UNION ALL have {counts} columns; they must have as many"
        raise ColumnMismatch(message, insert.target.place)
    for a, b in zip(first.outputs, other.outputs, strict=True):
        types = (a.value.type, b.value.type)
        if a.declared is None and not {t.JSON, t.SCALAR} & {*types} and common_type(types) is None:
            message = f"column {a.name} is {types[0].words} in one branch of UNION ALL and {types[1].words} in another"
            raise TypeMismatch(message, insert.target.place)


def _check_mapped(columns: Sequence[statements.Name], mapping: str, mapped: Sequence[str]) -> None:
    """Raises UnknownColumn for a column that the target's mapping does not have."""
    for column in columns:
        if column.text not in mapped and column.text not in WRITABLE:
            hint = did_you_mean(column.text, mapped) or f"; columns are {', '.join(mapped)}"
            raise UnknownColumn(f"mapping '{mapping}' has no column '{column}'{hint}", column.place)


@dataclass(frozen=True, slots=True)
class _PlannedBranch:
    """`rows` are those that come to its group, of a branch that has one."""

    branch: Branch
    faults: Faults
    rows: Rows | None


class _BranchPlanner:
    """Plans one chain: analyzes it twice, the second time with the types that the first analysis learned."""

    def __init__(
        self,
        insert: statements.Insert,
        chain: Chain,
        source: TopicMapping | None,
        target: TopicMapping | None,
        functions: FunctionCatalogue,
    ) -> None:
        self._insert, self._chain, self._functions = insert, chain, functions
        self._watermark = source.watermark if source else None
        self._source, self._target = topic_format_of(source), topic_format_of(target)
        self._into = target.name if target else insert.target.text
        self._declared = {one.name: one for one in self._source.source_columns}

    def branch(self, common: Sequence[Type] = ()) -> _PlannedBranch:
        """`common` are the types that columns have where the rows of several branches come to one group."""
        slots = Slots()
        self._analyze(SourceRecord(self._source, self._declared, slots), common)
        slots.learned = True
        record = SourceRecord(self._source, self._declared, slots)
        selects, rows, analysis = self._analyze(record, common)
        outputs = self._outputs(selects, rows, analysis)
        self._check_imposed(selects)
        check_grouped(selects.sessions, (*selects.before, *selects.steps), selects.group)
        group, columns = selects.group, tuple(one.column for one in outputs)
        steps = order_steps(selects.steps, [one.value for one in outputs])
        after: tuple[Step, ...] = ()
        if group is not None:
            steps, after = order_steps(selects.before, values_of(group)), steps
        grouping = () if group is None else (group,)
        used = keys_of_operators((*steps, *grouping, *after, ProjectOperator(columns)))
        fields = tuple(
            self._field(name, one) for name, one in record.used.items() if name in used and name not in READABLE
        )
        source, target = self._source, self._target
        scan = ScanOperator(self._chain.source.text, source.key, source.value, fields)
        sink = SinkOperator(target.key, target.value, rows.open, tuple(one.to for one in outputs))
        branch = clean_branch(Branch(scan, steps, columns, sink, group, after))
        check_branch(branch, self._chain.source, self._insert.target)
        return _PlannedBranch(branch, selects.faults, selects.grouped)

    def _check_imposed(self, selects: SelectChain) -> None:
        """Raises NotSupported for IMPOSE_ORDER that has no effect."""
        if selects.imposed is None or (selects.group is not None and selects.group.window):
            return
        functions = [one for link in self._chain.links for one in link.functions if isinstance(one, statements.Ordered)]
        windowed = any(isinstance(one, statements.Windowed) for link in self._chain.links for one in link.functions)
        message = "IMPOSE_ORDER says when groups of windows are final, and there are none here; leave it out"
        if windowed and selects.group is not None:
            message = "GROUP BY has neither window_start nor window_end, so no window makes a group final; add them"
        raise NotSupported(message, functions[0].place)

    def _analyze(self, record: SourceRecord, common: Sequence[Type]) -> tuple[SelectChain, Rows, Analysis]:
        selects = SelectChain(record, self._functions, self._watermark, self._insert.emit, common)
        rows = selects.source()
        *inner, last = self._chain.links
        for link in inner:
            rows, _ = selects.apply_select(link, rows, last=False)
        rows, analysis = selects.apply_select(last, rows, last=True)
        if not record.slots.learned:
            self._outputs(selects, rows, analysis)
        return selects, rows, analysis

    def _outputs(self, selects: SelectChain, rows: Rows, analysis: Analysis) -> tuple[Output, ...]:
        """What is written: fields of the value, then fields of the key, then parts of the record."""
        names = self._columns(rows, [column.name for column in rows.columns])
        declared = {column.name: column for column in self._target.target_columns}
        written = [replace(column, name=name) for column, name in zip(rows.columns, names, strict=True)]
        check_names((column.name, column.place) for column in written)
        of_key = self._target.key
        whole_key = of_key.whole if of_key is not None else None
        written += self._parts_of_group(selects, names, analysis)
        outputs: list[Output] = []
        key: list[Output] = []
        parts: list[Output] = []
        for column in written:
            name = column.name
            if name == KEY and whole_key is not None:
                key.append(self._assign_column(column, KEY_PART, WHOLE, whole_key, analysis))
            elif name in declared:
                mapped = declared[name]
                side, path = self._target.side(mapped)
                part = KEY_PART if side is of_key else VALUE_PART
                made = self._assign_column(column, part, path, parse_type(mapped.type), analysis)
                (key if side is of_key else outputs).append(made)
            elif name in WRITABLE:
                value = record_part(name, column.value, column.place, analysis.coercion)
                analysis.faults.note(value, column.place)
                parts.append(Output(ProjectedColumn(name, value, value.type), WrittenColumn(name, name)))
            elif name == THIS and self._target.value.is_json:
                outputs.append(self._assign_column(column, VALUE_PART, WHOLE, t.JSON, analysis))
            elif name in READABLE:
                raise NotSupported(f"{name} cannot be written; give the column another name with AS", column.place)
            else:
                value = strip_view(column.value)
                untyped = value.type == t.UNKNOWN or (self._source.source_columns == () and value.type == t.JSON)
                value = analysis.coercion.pass_on(value, name, column.place)
                projected = ProjectedColumn(name, value, t.UNKNOWN if untyped else value.type)
                outputs.append(Output(projected, WrittenColumn(name, VALUE_PART, (name,))))
        if len(outputs) > 1 and any(not one.path for one in outputs):
            raise ColumnMismatch(f"{THIS} is the whole value: no column goes beside it", self._insert.target.place)
        if selects.group is not None and selects.group.changes:
            self._check_changes(selects, selects.group, key, parts)
        if not key and all(one.name != KEY for one in parts) and self._changes_key:
            key.append(self._convert_key(whole_key, analysis))
        return (*outputs, *key, *parts)

    def _parts_of_group(self, selects: SelectChain, names: Sequence[str], analysis: Analysis) -> list[SelectedColumn]:
        """The key and the timestamp of a group, where the query gives none."""
        groups, group, place = selects.groups, selects.group, self._insert.target.place
        if groups is None or group is None:
            return []
        found = []
        of_key = {one.name for one in self._target.target_columns if self._target.side(one)[0] is self._target.key}
        if KEY not in names and of_key.isdisjoint(names):
            if self._target.key is not None and self._target.key.whole is None:
                message = f"keys are in {self._target.key.format.name}: name the columns of the key in the query"
                raise ColumnMismatch(message, place)
            columns = key_columns(groups, group, selects.before)
            value = key_of_group(columns, group, place, analysis.coercion)
            self._check_key_of_group(value, analysis)
            found.append(SelectedColumn(KEY, value, place))
        if TIMESTAMP not in names and not group.changes:
            found.append(SelectedColumn(TIMESTAMP, Field(WINDOW_TIME, t.TIMESTAMP_TZ), place))
        return found

    def _check_key_of_group(self, value: Typed, analysis: Analysis) -> None:
        """Raises ColumnMismatch where the keys of the target cannot hold it."""
        place, one = self._insert.target.place, self._target.key.whole if self._target.key is not None else None
        try:
            if one is not None:
                assign(strip_view(value), one, KEY, place, analysis.coercion)
        except TypeMismatch:
            message = f"keys of the target are {one}, and GROUP BY makes a key that is {value.type.words}"
            raise ColumnMismatch(f"{message}: write … AS {KEY} in the query", place) from None

    def _check_changes(
        self, selects: SelectChain, group: GroupOperator, key: list[Output], parts: list[Output]
    ) -> None:
        """Rows that replace others have a key for it, and the time of the newest record of the group."""
        if selects.groups is not None:
            values = [one.value for one in (*key, *parts) if one.to.part in (KEY_PART, KEY)]
            columns = key_columns(selects.groups, group, selects.before)
            check_key(columns, group, values, selects.steps, self._insert.target.place)
        if all(one.name != TIMESTAMP for one in parts):
            column = ProjectedColumn(TIMESTAMP, Field(GROUP_TIME, t.BIGINT), t.BIGINT)
            parts.append(Output(column, WrittenColumn(TIMESTAMP, TIMESTAMP)))

    @property
    def _changes_key(self) -> bool:
        """Whether keys are in another format than those of the source, as both say."""
        source, target = self._source.key, self._target.key
        return source is not None and target is not None and source.format is not target.format

    def _convert_key(self, one: Type | None, analysis: Analysis) -> Output:
        """The source's key in the target's format. Raises ColumnMismatch where that is not one value to one value."""
        source, target, place = self._source.key, self._target.key, self._insert.target.place
        names = " and ".join(side.format.name for side in (source, target) if side is not None)
        unlike = ColumnMismatch(f"keys are in {names}; say in the query what the key of the target is", place)
        if one is None or source is None or source.whole is None:
            raise unlike
        value, _ = analysis.scope.resolve((KEY,), place)
        try:
            cast = explicit(value.type, one)
        except Impossible:
            raise unlike from None
        same = value.type == one or cast is None
        return _declared_output(
            KEY, value if same else apply(Convert(value.type, one), (value,), one), KEY_PART, WHOLE, one
        )

    def _assign_column(
        self, column: SelectedColumn, part: str, path: FieldPath, one: Type, analysis: Analysis
    ) -> Output:
        name, value = column.name, strip_view(column.value)
        value = assign(value, one, f"column {name} ({one})", column.place, analysis.coercion)
        analysis.faults.note(value, column.place)
        return _declared_output(name, value, part, path, one)

    def _columns(self, rows: Rows, own: list[str]) -> list[str]:
        """What the columns of the query are called in the target, in their order."""
        insert = self._insert
        count = len(own)
        mapped = [column.name for column in self._target.target_columns]
        if mapped:
            _check_mapped(insert.columns, self._into, mapped)
        listed = [column.text for column in insert.columns]
        if not listed and (not mapped or (rows.open and not own and not self._target.columns)):
            return own
        if rows.open:
            remedy = "name them, or leave out the column list" if listed else "name them"
            raise ColumnMismatch(f"the fields of * are not known before the record; {remedy}", self._star_place())
        check_names((column.text, column.place) for column in insert.columns)
        place = insert.columns[0].place if listed else insert.target.place
        if not listed:  # parts of the record are told by their names, other columns by their position
            rest = iter(mapped)
            parts = WRITABLE - set(mapped)
            listed = [name if name in parts else next(rest, "") for name in own]
            count -= sum(name in parts for name in own)
            if len(mapped) != count:
                raise ColumnMismatch(f"the target has {len(mapped)} columns, the query gives {count}", place)
        if len(listed) != len(own):
            raise ColumnMismatch(f"the target has {len(listed)} columns, the query gives {len(own)}", place)
        return listed

    def _star_place(self) -> Place:
        items = self._chain.links[-1].select.items
        return next((item.place for item in items if isinstance(item, statements.Star)), self._insert.target.place)

    def _field(self, key: str, one: Type) -> ScannedField:
        name = key.removeprefix(GENERATED)
        if key in (KEY_FIELDS, KEY_WHOLE, VALUE_WHOLE):
            return ScannedField(key, one, WHOLE, of_key=key != VALUE_WHOLE)
        if name not in self._declared:
            return ScannedField(key, one, (name,))
        side, path = self._source.side(self._declared[name])
        return ScannedField(key, one, path, of_key=side is self._source.key)


def _declared_output(name: str, value: Typed, part: str, path: FieldPath, one: Type) -> Output:
    """A column that the target declares."""
    return Output(ProjectedColumn(name, value, value.type), WrittenColumn(name, part, path, one))
