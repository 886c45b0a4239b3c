"""What a query needs from a record and makes of it. All that can be refused without a record is refused here."""

from collections.abc import Mapping as MappingOf
from collections.abc import Sequence
from dataclasses import dataclass, replace

from schemas import datatypes as t
from schemas.datatypes import Type
from schemas.errors import ColumnMismatch, NotSupported, Place, TypeMismatch, UnknownColumn, did_you_mean
from schemas.formats import BYTES, VALUE_FORMAT
from schemas.values import MappedColumn, Mapping
from sql import nodes
from sql.analysis import Analysis
from sql.assignment import assigned, part_of
from sql.coercion import common_type
from sql.flatten import Chain, chains
from sql.levels import Column, Compute, Filter, Levels, Rows, Stage, check_names
from sql.record import KEY_FIELDS, READABLE, VALUE, WRITABLE
from sql.scopes import Record
from sql.slots import Slots
from sql.type_names import named
from sql.typed import GENERATED, Typed, whole_of
from sql.usage import keys_in

Sources = MappingOf[str, Mapping]
NO_SOURCES: Sources = {}


@dataclass(frozen=True, slots=True)
class Read:
    """A field of the record's value, or of its key, under the key by which stages name it."""

    key: str
    type: Type
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Output:
    """A field of the value written. `declared` is the type of the target's column, where it has one."""

    name: str
    value: Typed
    path: tuple[str, ...]
    declared: Type | None


@dataclass(frozen=True, slots=True)
class Branch:
    """One source's way to the target. `copies`: the record is kept as it is, else it has `outputs`, with `star` on top
    of all its own fields, and `parts`: key, timestamp, headers and partition, by their names.
    """

    source: str
    copies: bool
    reads: tuple[Read, ...]
    stages: tuple[Stage, ...]
    star: bool
    outputs: tuple[Output, ...]
    parts: MappingOf[str, Typed]

    @property
    def opens_value(self) -> bool:
        """Whether a record without a value has nothing to give."""
        of_value = any(one.key != KEY_FIELDS for one in self.reads)
        return of_value or (self.star and not self.copies)

    @property
    def used(self) -> set[str]:
        """The keys of all values that stages and outputs name."""
        return keys_in(self.stages, [output.value for output in self.outputs], self.parts.values())


@dataclass(frozen=True, slots=True)
class Plan:
    """A record of a source goes through all branches of that source, in their order."""

    branches: tuple[Branch, ...]


def source_names(insert: nodes.Insert) -> tuple[nodes.Name, ...]:
    """The mappings and topics the query reads, each once, in the order they are named."""
    found: dict[str, nodes.Name] = {}
    for chain in chains(insert.query):
        found.setdefault(chain.source.text, chain.source)
    return tuple(found.values())


def plan(insert: nodes.Insert, sources: Sources = NO_SOURCES, target: Mapping | None = None) -> Plan:
    """`sources` are the mappings among the names the query reads; any other name, or one without columns, is a topic.

    Raises TypeMismatch, ColumnMismatch, UnknownColumn, UnknownFunction or NotSupported with its place.
    """
    planned = [
        _Planned(insert, chain, sources.get(chain.source.text), target).branch() for chain in chains(insert.query)
    ]
    for other in planned[1:]:
        _check_alike(planned[0], other, insert)
    return Plan(tuple(planned))


def _check_alike(first: Branch, other: Branch, insert: nodes.Insert) -> None:
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


def _check_mapped(columns: Sequence[nodes.Name], mapping: str, mapped: Sequence[str]) -> None:
    """Raises UnknownColumn for a column that the target's mapping does not have."""
    for column in columns:
        if column.text not in mapped and column.text not in WRITABLE:
            hint = did_you_mean(column.text, mapped) or f"; columns are {', '.join(mapped)}"
            raise UnknownColumn(f"mapping '{mapping}' has no column '{column}'{hint}", column.place)


class _Planned:
    """One chain's plan: found out twice, the second time with what the first taught of the columns."""

    def __init__(self, insert: nodes.Insert, chain: Chain, source: Mapping | None, target: Mapping | None) -> None:
        self._insert, self._chain = insert, chain
        self._source, self._target = source, target
        self._declared = {one.name: one for one in source.columns} if source else {}

    def branch(self) -> Branch:
        slots = Slots()
        self._once(Record(self._declared, slots))
        slots.learned = True
        record = Record(self._declared, slots)
        levels, rows, analysis = self._once(record)
        outputs, parts = self._outputs(rows, analysis)
        stages = self._ordered(levels.stages, outputs, parts)
        used = keys_in(stages, [output.value for output in outputs], parts.values())
        reads = tuple(
            self._read(name, one) for name, one in record.used.items() if name in used and name not in READABLE
        )
        made = bool(outputs or parts)
        pure = rows.open and not made and all(isinstance(stage, Filter) for stage in stages)
        branch = Branch(self._chain.source.text, pure, reads, stages, rows.open, outputs, parts)
        self._check_bytes(branch)
        return branch

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

    def _outputs(self, rows: Rows, analysis: Analysis) -> tuple[tuple[Output, ...], dict[str, Typed]]:
        """What is written: fields of the value, and parts of the record."""
        names = self._columns(rows, [column.name for column in rows.columns])
        declared = {column.name: column for column in self._target.columns} if self._target else {}
        written = [replace(column, name=name) for column, name in zip(rows.columns, names, strict=True)]
        check_names((column.name, column.place) for column in written)
        outputs, parts = [], {}
        for column in written:
            if column.name in WRITABLE:
                parts[column.name] = part_of(column.name, column.value, column.place, analysis.coercion)
            elif column.name in READABLE:
                message = f"{column.name} cannot be written; give the column another name with AS"
                raise NotSupported(message, column.place)
            else:
                outputs.append(self._output(column, declared.get(column.name), analysis))
        return tuple(outputs), parts

    def _output(self, column: Column, mapped: MappedColumn | None, analysis: Analysis) -> Output:
        name, value, place = column.name, whole_of(column.value), column.place
        if mapped is None:
            value = analysis.coercion.to(value, t.JSON, name, place) if value.type == t.UNKNOWN else value
            return Output(name, value, (name,), None)
        one = named(mapped.type)
        return Output(name, assigned(value, one, f"column {name} ({one})", place, analysis.coercion), mapped.path, one)

    def _columns(self, rows: Rows, own: list[str]) -> list[str]:
        """What the columns of the query are called in the target, in their order."""
        insert, target = self._insert, self._target
        count = len(own)
        mapped = [column.name for column in target.columns] if target else []
        if target and mapped:
            _check_mapped(insert.columns, target.name, mapped)
        listed = [column.text for column in insert.columns]
        if not listed and not mapped:
            return own
        if rows.open:
            remedy = "name them, or leave out the column list" if listed else "name them"
            raise ColumnMismatch(f"the fields of * are not known before the record; {remedy}", self._star_place())
        check_names((column.text, column.place) for column in insert.columns)
        place = insert.columns[0].place if listed else insert.target.place
        if not listed:  # parts of the record are told by their names, other columns by their position
            rest = iter(mapped)
            listed = [name if name in WRITABLE else next(rest, "") for name in own]
            count -= sum(name in WRITABLE for name in own)
            if len(mapped) != count:
                raise ColumnMismatch(f"the target has {len(mapped)} columns, the query gives {count}", place)
        if len(listed) != len(own):
            raise ColumnMismatch(f"the target has {len(listed)} columns, the query gives {len(own)}", place)
        return listed

    def _star_place(self) -> Place:
        items = self._chain.links[-1].select.items
        return next((item.place for item in items if isinstance(item, nodes.Star)), self._insert.target.place)

    def _read(self, name: str, one: Type) -> Read:
        return Read(name, one, self._declared[name].path if name in self._declared else (name.removeprefix(GENERATED),))

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

    def _check_bytes(self, branch: Branch) -> None:
        """Raises ColumnMismatch where a value of format bytes would have to be taken apart or made."""
        read = self._source if branch.opens_value or VALUE in branch.used else None
        written = self._target if not branch.copies else None
        for mapping, name in ((read, self._chain.source), (written, self._insert.target)):
            if mapping is not None and mapping.options.get(VALUE_FORMAT) == BYTES:
                message = (
                    f"values of mapping '{mapping.name}' are bytes, which have no columns; only SELECT * copies them"
                )
                raise ColumnMismatch(message, name.place)
