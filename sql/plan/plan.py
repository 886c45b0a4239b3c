"""What a query needs from a record and makes of it. All that can be refused without a record is refused here."""

from collections.abc import Mapping as MappingOf
from collections.abc import Sequence
from dataclasses import dataclass, replace

from jobplane.schemas.errors import ColumnMismatch, NotSupported, Place, TypeMismatch, UnknownColumn
from jobplane.schemas.formats.fields import WHOLE, Path, Wanted
from jobplane.schemas.records.mappings import Mapping
from jobplane.schemas.suggestions import did_you_mean
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type
from jobplane.sql.analysis.assignment import assigned, part_of
from jobplane.sql.analysis.expressions import Analysis
from jobplane.sql.analysis.faults import Faults
from jobplane.sql.analysis.names import Record
from jobplane.sql.analysis.record import KEY_FIELDS, KEY_WHOLE, READABLE, VALUE_WHOLE, WRITABLE
from jobplane.sql.analysis.topic_format import Carried, carried
from jobplane.sql.operations.casts import Impossible, explicit
from jobplane.sql.operations.operation import Convert
from jobplane.sql.plan.chains import Chain, chains
from jobplane.sql.plan.format_checks import check_branch
from jobplane.sql.plan.selects import Column, Compute, Filter, Levels, Rows, Stage, check_names
from jobplane.sql.plan.usage import keys_in
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parts import KEY, THIS
from jobplane.sql.types.coercion import common_type
from jobplane.sql.types.names import named
from jobplane.sql.types.slots import Slots
from jobplane.sql.types.typed import GENERATED, Typed, apply, whole_of

Sources = MappingOf[str, Mapping]
NO_SOURCES: Sources = {}


@dataclass(frozen=True, slots=True)
class Read:
    """A field of the record's value, or of its key, under the key by which stages name it."""

    key: str
    type: Type
    path: Path
    of_key: bool


@dataclass(frozen=True, slots=True)
class Output:
    """A field of the value, or key, written. `declared` is the type of the target's column, where it has one.

    `untyped`: a field of JSON that is handed through, of whatever type a record has it.
    """

    name: str
    value: Typed
    path: Path
    declared: Type | None
    untyped: bool = False

    @property
    def field(self) -> Wanted:
        """What its format is asked to write."""
        return Wanted(self.path, t.UNKNOWN if self.untyped else self.declared or self.value.type)


@dataclass(frozen=True, slots=True)
class Branch:
    """One source's way to the target. `copies`: the record is kept as it is, else it has `outputs`, with `star` on top
    of all its own fields, the fields of its `key`, and `parts`: key, timestamp, headers and partition, by their names.
    """

    source: str
    read_from: Carried
    written_to: Carried
    copies: bool
    reads: tuple[Read, ...]
    stages: tuple[Stage, ...]
    star: bool
    outputs: tuple[Output, ...]
    key: tuple[Output, ...]
    parts: MappingOf[str, Typed]

    @property
    def opens_value(self) -> bool:
        """Whether a record without a value has nothing to give."""
        return any(not one.of_key for one in self.reads) or (self.star and not self.copies)

    @property
    def used(self) -> set[str]:
        """The keys of all values that stages and outputs name."""
        return keys_in(self.stages, [output.value for output in (*self.outputs, *self.key)], self.parts.values())


@dataclass(frozen=True, slots=True)
class Plan:
    """A record of a source goes through all branches of that source, in their order."""

    branches: tuple[Branch, ...]


def source_names(insert: statements.Insert) -> tuple[statements.Name, ...]:
    """The mappings and topics the query reads, each once, in the order they are named."""
    found: dict[str, statements.Name] = {}
    for chain in chains(insert.query):
        found.setdefault(chain.source.text, chain.source)
    return tuple(found.values())


def plan(
    insert: statements.Insert, sources: Sources = NO_SOURCES, target: Mapping | None = None, *, recorded: bool = False
) -> Plan:
    """`sources` are the mappings among the names the query reads; any other name, or one without columns, is a topic.

    `recorded`: it was judged before, perhaps by an older version; constants at fault are left to the records.
    Raises TypeMismatch, ColumnMismatch, UnknownColumn, UnknownFunction or NotSupported with its place.
    """
    planned = []
    for chain in chains(insert.query):
        branch, faults = _Planned(insert, chain, sources.get(chain.source.text), target).branch()
        if not recorded:
            faults.refuse()
        planned.append(branch)
    for other in planned[1:]:
        _check_alike(planned[0], other, insert)
    return Plan(tuple(planned))


def _check_alike(first: Branch, other: Branch, insert: statements.Insert) -> None:
    """Raises ColumnMismatch or TypeMismatch where branches of UNION ALL do not go together."""
    if first.star != other.star or len(first.outputs) != len(other.outputs):
        counts = " and ".join("*" if one.star else str(len(one.outputs)) for one in (first, other))
        message = f"the branches of UNION ALL have {counts} columns; they must have as many"
        raise ColumnMismatch(message, insert.target.place)
    for a, b in zip(first.outputs, other.outputs, strict=True):
        types = (a.value.type, b.value.type)
        if a.declared is None and t.JSON not in types and common_type(types) is None:
            message = f"column {a.name} is {types[0].words} in one branch of UNION ALL and {types[1].words} in another"
            raise TypeMismatch(message, insert.target.place)


def _check_mapped(columns: Sequence[statements.Name], mapping: str, mapped: Sequence[str]) -> None:
    """Raises UnknownColumn for a column that the target's mapping does not have."""
    for column in columns:
        if column.text not in mapped and column.text not in WRITABLE:
            hint = did_you_mean(column.text, mapped) or f"; columns are {', '.join(mapped)}"
            raise UnknownColumn(f"mapping '{mapping}' has no column '{column}'{hint}", column.place)


class _Planned:
    """One chain's plan: found out twice, the second time with what the first taught of the columns."""

    def __init__(self, insert: statements.Insert, chain: Chain, source: Mapping | None, target: Mapping | None) -> None:
        self._insert, self._chain = insert, chain
        self._source, self._target = carried(source), carried(target)
        self._into = target.name if target else insert.target.text
        self._declared = {one.name: one for one in self._source.as_source}

    def branch(self) -> tuple[Branch, Faults]:
        slots = Slots()
        self._once(Record(self._source, self._declared, slots))
        slots.learned = True
        record = Record(self._source, self._declared, slots)
        levels, rows, analysis = self._once(record)
        outputs, key, parts = self._outputs(rows, analysis)
        stages = self._ordered(levels.stages, (*outputs, *key), parts)
        used = keys_in(stages, [output.value for output in (*outputs, *key)], parts.values())
        reads = tuple(
            self._read(name, one) for name, one in record.used.items() if name in used and name not in READABLE
        )
        made = bool(outputs or key or parts)
        pure = rows.open and not made and all(isinstance(stage, Filter) for stage in stages)
        source, target = self._source, self._target
        branch = Branch(self._chain.source.text, source, target, pure, reads, stages, rows.open, outputs, key, parts)
        check_branch(branch, self._chain.source, self._insert.target)
        return branch, levels.faults

    def _once(self, record: Record) -> tuple[Levels, Rows, Analysis]:
        levels = Levels(record)
        rows = levels.source()
        *inner, last = self._chain.links
        for link in inner:
            rows, _ = levels.through(link, rows, last=False)
        rows, analysis = levels.through(last, rows, last=True)
        if not record.slots.learned:
            self._outputs(rows, analysis)
        return levels, rows, analysis

    def _outputs(
        self, rows: Rows, analysis: Analysis
    ) -> tuple[tuple[Output, ...], tuple[Output, ...], dict[str, Typed]]:
        """What is written: fields of the value, fields of the key, and parts of the record."""
        names = self._columns(rows, [column.name for column in rows.columns])
        declared = {column.name: column for column in self._target.as_target}
        written = [replace(column, name=name) for column, name in zip(rows.columns, names, strict=True)]
        check_names((column.name, column.place) for column in written)
        of_key = self._target.key
        whole_key = of_key.whole if of_key is not None else None
        outputs: list[Output] = []
        key: list[Output] = []
        parts: dict[str, Typed] = {}
        for column in written:
            name = column.name
            if name == KEY and whole_key is not None:
                key.append(self._assigned(column, WHOLE, whole_key, analysis))
            elif name in declared:
                mapped = declared[name]
                side, path = self._target.side(mapped)
                (key if side is of_key else outputs).append(self._assigned(column, path, named(mapped.type), analysis))
            elif name in WRITABLE:
                parts[name] = part_of(name, column.value, column.place, analysis.coercion)
                analysis.faults.note(parts[name], column.place)
            elif name == THIS and self._target.value.is_json:
                outputs.append(self._assigned(column, WHOLE, t.JSON, analysis))
            elif name in READABLE:
                raise NotSupported(f"{name} cannot be written; give the column another name with AS", column.place)
            else:
                value = whole_of(column.value)
                untyped = value.type == t.UNKNOWN or (self._source.as_source == () and value.type == t.JSON)
                value = analysis.coercion.handed_on(value, name, column.place)
                outputs.append(Output(name, value, (name,), None, untyped))
        if len(outputs) > 1 and any(not one.path for one in outputs):
            raise ColumnMismatch(f"{THIS} is the whole value: no column goes beside it", self._insert.target.place)
        if not key and KEY not in parts and self._changes_key:
            key.append(self._same_key(whole_key, analysis))
        return tuple(outputs), tuple(key), parts

    @property
    def _changes_key(self) -> bool:
        """Whether keys are in another format than those of the source, as both say."""
        source, target = self._source.key, self._target.key
        return source is not None and target is not None and source.format is not target.format

    def _same_key(self, one: Type | None, analysis: Analysis) -> Output:
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
        return Output(KEY, value if same else apply(Convert(value.type, one), (value,), one), WHOLE, one)

    def _assigned(self, column: Column, path: Path, one: Type, analysis: Analysis) -> Output:
        name, value = column.name, whole_of(column.value)
        value = assigned(value, one, f"column {name} ({one})", column.place, analysis.coercion)
        analysis.faults.note(value, column.place)
        return Output(name, value, path, one)

    def _columns(self, rows: Rows, own: list[str]) -> list[str]:
        """What the columns of the query are called in the target, in their order."""
        insert = self._insert
        count = len(own)
        mapped = [column.name for column in self._target.as_target]
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

    def _read(self, key: str, one: Type) -> Read:
        name = key.removeprefix(GENERATED)
        if key in (KEY_FIELDS, KEY_WHOLE, VALUE_WHOLE):
            return Read(key, one, WHOLE, of_key=key != VALUE_WHOLE)
        if name not in self._declared:
            return Read(key, one, (name,), of_key=False)
        side, path = self._source.side(self._declared[name])
        return Read(key, one, path, of_key=side is self._source.key)

    def _ordered(
        self, stages: Sequence[Stage], outputs: Sequence[Output], parts: MappingOf[str, Typed]
    ) -> tuple[Stage, ...]:
        """The stages with each value computed as late as it may be, and none that nobody uses."""
        waiting: dict[str, Compute] = {}
        ordered: list[Stage] = []

        def emit(needed: set[str]) -> None:
            for key in [key for key in waiting if key in needed]:
                if key in waiting:
                    compute = waiting.pop(key)
                    emit(keys_in([compute], [], []))
                    ordered.append(compute)

        for i, stage in enumerate(stages):
            if isinstance(stage, Compute):
                waiting[stage.key] = stage
            else:
                later = stages[i:] if not isinstance(stage, Filter) else [stage]
                outside = () if isinstance(stage, Filter) else (*(one.value for one in outputs), *parts.values())
                emit(keys_in(later, outside, []))
                ordered.append(stage)
        emit(keys_in([], [one.value for one in outputs], parts.values()))
        return tuple(ordered)
