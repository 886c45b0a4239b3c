"""What names mean: columns of a query's source, its aliases, the parts of the record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from schemas import datatypes as t
from schemas.datatypes import Type
from schemas.errors import Place, UnknownColumn, did_you_mean
from schemas.values import MappedColumn
from sql.calls import WITHOUT_PARENTHESES, refuse_unrepeatable
from sql.nested import view
from sql.record import KEY_FIELDS, PARTS, READABLE, VALUE
from sql.slots import Slots
from sql.type_names import named
from sql.typed import GENERATED, Field, Typed


@dataclass(slots=True)
class Record:
    """What is read from the records of a source. `declared` are the columns of its mapping, where it has any.

    Until all uses are learned, columns without a type are UNKNOWN.
    """

    declared: Mapping[str, MappedColumn]
    slots: Slots
    used: dict[str, Type] = field(default_factory=dict)

    def column(self, name: str) -> Typed:
        """A declared column. One of type JSON is looked into as any JSON is."""
        return self._typed(name, named(self.declared[name].type))

    def _typed(self, key: str, one: Type) -> Typed:
        self.used[key] = one
        if one != t.JSON:
            return Field(key, one)
        self.slots.add((key,))
        self.slots.keep_whole((key,))
        return view(Field(key, one, (key,)), (key,), self.slots)

    def field(self, name: str) -> Typed:
        """A field of a value without declared types; one called like a part of the record has a key of its own."""
        key = f"{GENERATED}{name}" if name in READABLE else name
        self.slots.add((key,))
        one = self.slots.type_of((key,)) if self.slots.learned else self.slots.moment((key,))
        self.used[key] = one
        return view(Field(key, one, (key,)), (key,), self.slots)

    def part(self, names: Sequence[str]) -> tuple[Typed, Sequence[str]]:
        """`__key`, `__offset` …, and what is left of the names."""
        first, *rest = names
        if first == "__key" and rest:
            return self.field(KEY_FIELDS), rest
        if first == VALUE and rest and not self.declared:
            return self.field(rest[0]), rest[1:]
        return self._typed(first, PARTS[first].type), rest


@dataclass(frozen=True, slots=True)
class Names:
    """The names in one SELECT. `open`: any other is a field of the record. `qualifiers` may stand before a dot."""

    record: Record
    columns: Mapping[str, Typed]
    open: bool
    qualifiers: Mapping[str, Mapping[str, Typed] | None]

    def resolve(self, names: Sequence[str], place: Place) -> tuple[Typed, Sequence[str]]:
        """Raises UnknownColumn; NotSupported for what is no column but would change from run to run."""
        first, *rest = names
        if rest and first in self.qualifiers and (first not in self.columns or rest[0] in self.columns):
            of_alias = self.qualifiers[first]
            if of_alias is not None and rest[0] not in of_alias:
                raise self._unknown(rest[0], of_alias, place)
            first, *rest = rest
        if first in self.columns:
            return self.columns[first], rest
        if first in READABLE:
            return self.record.part([first, *rest])
        if first.upper() in WITHOUT_PARENTHESES:
            refuse_unrepeatable(first.upper(), place)
        if self.open:
            return self.record.field(first), rest
        raise self._unknown(first, self.columns, place)

    def _unknown(self, name: str, columns: Mapping[str, Typed], place: Place) -> UnknownColumn:
        hint = did_you_mean(name, columns) or f"; columns are {', '.join(columns)}"
        return UnknownColumn(f"no column is called '{name}'{hint}", place)
