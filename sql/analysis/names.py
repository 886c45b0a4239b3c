"""Resolves names: columns of a query's source, its aliases, the parts of the record."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from jobplane.schemas.errors import NotSupported, Place, UnknownColumn
from jobplane.schemas.records.mappings import MappedColumn
from jobplane.schemas.suggestions import did_you_mean
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type
from jobplane.sql.analysis.calls import WITHOUT_PARENTHESES, refuse_unrepeatable
from jobplane.sql.analysis.nested import view
from jobplane.sql.analysis.record import KEY_FIELDS, KEY_WHOLE, PARTS, READABLE, VALUE_WHOLE
from jobplane.sql.analysis.topic_format import TopicFormat
from jobplane.sql.syntax.expressions import Expression
from jobplane.sql.syntax.parts import KEY, THIS
from jobplane.sql.syntax.render.expressions import render_expression, string_literal
from jobplane.sql.types.names import parse_type
from jobplane.sql.types.slots import Slots
from jobplane.sql.types.typed import GENERATED, Field, Typed

_WORD = re.compile(r"\w+")
LONGEST_SHOWN = 60
"""Characters of an expression that a message repeats."""


def _own_key(name: str) -> str:
    """Under which a column is read: one called like a part of the record, or like a key of ours, has its own."""
    return f"{GENERATED}{name}" if name in READABLE or name.startswith(GENERATED) else name


@dataclass(slots=True)
class SourceRecord:
    """What a query reads from the records of a source. `declared` are the declared columns, if any.

    Until all uses are learned, columns without a type are UNKNOWN.
    """

    carried: TopicFormat
    declared: Mapping[str, MappedColumn]
    slots: Slots
    used: dict[str, Type] = field(default_factory=dict)

    @property
    def key_columns(self) -> tuple[str, ...]:
        """The declared columns that are the key, or parts of it."""
        return tuple(name for name, one in self.declared.items() if self.carried.side(one)[0] is self.carried.key)

    def column(self, name: str) -> Typed:
        """A declared column. One of type JSON is looked into as any JSON is."""
        return self._typed(_own_key(name), parse_type(self.declared[name].type))

    def _typed(self, key: str, one: Type) -> Typed:
        self.used[key] = one
        if one != t.JSON:
            return Field(key, one)
        self.slots.add((key,))
        self.slots.keep_whole((key,))
        return view(Field(key, one, (key,)), (key,), self.slots)

    def field(self, name: str) -> Typed:
        """A field of a value without declared types."""
        return self._untyped(_own_key(name))

    def _untyped(self, key: str) -> Typed:
        self.slots.add((key,))
        one = self.slots.type_of((key,)) if self.slots.learned else self.slots.moment((key,))
        self.used[key] = one
        return view(Field(key, one, (key,)), (key,), self.slots)

    def part(self, names: Sequence[str], place: Place) -> tuple[Typed, Sequence[str]]:
        """`__key`, `__offset` …, and what is left of the names. Raises UnknownColumn, NotSupported."""
        first, *rest = names
        if first == KEY:
            return self._key(rest, place)
        if first == THIS:
            return self._value(rest, place)
        return self._typed(first, PARTS[first].type), rest

    def _key(self, rest: Sequence[str], place: Place) -> tuple[Typed, Sequence[str]]:
        side = self.carried.key
        if rest:
            of_key = next((name for name, one in self.declared.items() if one.path == (KEY, rest[0])), None)
            if of_key is not None:
                return self.column(of_key), rest[1:]
        whole = side.whole if side is not None else None
        if (rest and (side is None or side.is_json)) or whole == t.JSON:
            return self._untyped(KEY_FIELDS), rest
        if whole is not None:
            return self._typed(KEY_WHOLE, whole), rest
        if rest or (side is not None and side.format.has_schema):
            fields = [".".join(one.path) for one in self.declared.values() if one.path[0] == KEY]
            hint = (
                did_you_mean(".".join((KEY, *rest)), fields) or f"; its fields are {', '.join(fields) or 'not known'}"
            )
            raise UnknownColumn(f"the key has no field '{'.'.join(rest)}'{hint}", place)
        return self._typed(KEY, PARTS[KEY].type), rest

    def _value(self, rest: Sequence[str], place: Place) -> tuple[Typed, Sequence[str]]:
        side = self.carried.value
        if rest and not self.declared:
            return self.field(rest[0]), rest[1:]
        if side.is_json:
            return self._typed(THIS, PARTS[THIS].type), rest
        if side.whole is None:
            raise NotSupported(f"values in {side.format.name} cannot be read as a whole; name their columns", place)
        return self._typed(VALUE_WHOLE, side.whole), rest


def record_names(record: SourceRecord) -> "Names":
    """The names of a source itself, before any SELECT."""
    columns = {name: record.column(name) for name in record.declared}
    return Names(record, columns, not record.declared, {}, {})


@dataclass(frozen=True, slots=True)
class Names:
    """The names in one SELECT. `open`: any other is a field of the record. `qualifiers` may stand before a dot.

    `grouped`: the rows are of groups, and not of records with their parts.

    `given` are the names that the SELECT itself gives, with what they stand for: it cannot use them.
    """

    record: SourceRecord
    columns: Mapping[str, Typed]
    open: bool
    qualifiers: Mapping[str, Mapping[str, Typed] | None]
    given: Mapping[str, Expression]
    grouped: bool = False

    def resolve(self, names: Sequence[str], place: Place, *, quoted: bool = False) -> tuple[Typed, Sequence[str]]:
        """Raises UnknownColumn; NotSupported for what is no column but would change from run to run."""
        first, *rest = names
        if rest and first in self.qualifiers and (first not in self.columns or rest[0] in self.columns):
            of_alias = self.qualifiers[first]
            if of_alias is not None and rest[0] not in of_alias:
                raise self._unknown(rest[0], of_alias, place)
            first, *rest = rest
        if first in self.columns:
            return self.columns[first], rest
        if first in READABLE and self.grouped:
            raise UnknownColumn(
                f"{first} is of a record, and these rows are of groups: write MAX({first}) in these", place
            )
        if first in READABLE:
            return self.record.part([first, *rest], place)
        if first.upper() in WITHOUT_PARENTHESES:
            refuse_unrepeatable(first.upper(), place)
        if self.open:
            return self.record.field(first), rest
        raise self._unknown(first, self.columns, place, quoted=quoted)

    def _unknown(self, name: str, columns: Mapping[str, Typed], place: Place, *, quoted: bool = False) -> UnknownColumn:
        text = f"; double quotes make a name; write a text in single quotes: {string_literal(name)}" if quoted else ""
        hint = self._given(name) or did_you_mean(name, columns) or text or f"; columns are {', '.join(columns)}"
        return UnknownColumn(f"there is no column '{name}'{hint}", place)

    def _given(self, name: str) -> str:
        """What to write for a name that the SELECT gives, unless that is made of a column of the same name."""
        if name not in self.given:
            return ""
        written = render_expression(self.given[name])
        if name in _WORD.findall(written):
            return ""
        what = written if len(written) <= LONGEST_SHOWN else "the expression"
        return f": the SELECT defines that name, and cannot use it itself; write {what}"
