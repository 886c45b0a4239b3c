"""The formats of the keys and the values of a topic, and the columns in each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from jobplane.schemas.errors import BadMapping, Place
from jobplane.schemas.formats import CSV_DELIMITER, JSON, JSON_FLAT, KEY_FORMAT, VALUE_FORMAT
from jobplane.schemas.formats.avro.known_schemas import KnownSchemas
from jobplane.schemas.formats.fields import (
    WHOLE,
    FieldDecoder,
    FieldEncoder,
    FieldPath,
    Format,
    FormatLayout,
    SchemaText,
    TypedField,
)
from jobplane.schemas.formats.known import FORMATS
from jobplane.schemas.records.mappings import AvroSchema, MappedColumn, TopicMapping
from jobplane.schemas.types.datatypes import Type
from jobplane.sql.syntax.parts import KEY, THIS
from jobplane.sql.types.names import parse_type


@dataclass(frozen=True, slots=True)
class SideFormat:
    """The keys, or the values, of one topic; `name` is that of their format."""

    role: str
    name: str
    layout: FormatLayout

    @property
    def format(self) -> Format:
        return FORMATS[self.name]

    @property
    def whole(self) -> Type | None:
        """The type of a key or value that is one value, without fields."""
        return self.format.whole

    @property
    def is_json(self) -> bool:
        return self.format.self_describing

    def check_reading(self, fields: Sequence[TypedField]) -> None:
        """Raises ValueError where the format cannot read one of them. No record is decoded, so no schema is known."""
        self.reading(fields, KnownSchemas().text)

    def reading(self, fields: Sequence[TypedField], schema_text: SchemaText) -> FieldDecoder:
        """Raises ValueError where the format cannot read one of them."""
        return self._format(fields).reading(fields, self.layout, schema_text)

    def writing(self, fields: Sequence[TypedField]) -> FieldEncoder:
        """Raises ValueError where the format cannot write one of them."""
        return self._format(fields).writing(fields, self.layout)

    def _format(self, fields: Sequence[TypedField]) -> Format:
        """JSON is an object where fields are named, else any value."""
        if not self.is_json:
            return self.format
        return FORMATS[JSON if any(not field.path for field in fields) else JSON_FLAT]


@dataclass(frozen=True, slots=True)
class TopicFormat:
    """Both sides of a topic's records. `key` is None if keys have no declared format: then they are copied unchanged.

    `columns` are those declared; a value that has no fields is the column `this`.
    """

    key: SideFormat | None
    value: SideFormat
    columns: tuple[MappedColumn, ...]

    def side(self, column: MappedColumn) -> tuple[SideFormat, FieldPath]:
        """Where a column lies, and its path there."""
        if column.path[0] == KEY and self.key is not None:
            return self.key, column.path[1:]
        return self.value, WHOLE if self.value.whole else column.path

    @property
    def source_columns(self) -> tuple[MappedColumn, ...]:
        """Its columns in a query that reads it; none where any field may be named, or bytes are copied."""
        return self._completed(is_open=self.value.format.self_describing or self.value.format.copies_bytes)

    @property
    def target_columns(self) -> tuple[MappedColumn, ...]:
        """Its columns in a query that writes it; none if the query defines them."""
        return self._completed(is_open=False)

    def _completed(self, *, is_open: bool) -> tuple[MappedColumn, ...]:
        """A value without fields is a column, also where that is not declared."""
        whole = self.value.whole
        declared = any(column.path[0] != KEY for column in self.columns)
        if whole is None or declared or is_open:
            return self.columns
        return (*self.columns, MappedColumn(THIS, str(whole), (THIS,)))


def topic_format_of(mapping: TopicMapping | None) -> TopicFormat:
    """The formats in the mapping of a topic; without a mapping values are JSON objects, and keys are any bytes."""
    if mapping is None:
        return TopicFormat(None, SideFormat("value", JSON_FLAT, FormatLayout()), ())
    options, columns = mapping.options, mapping.columns
    key = _side(mapping, "key", options[KEY_FORMAT], mapping.key_schema) if KEY_FORMAT in options else None
    value = _side(mapping, "value", options.get(VALUE_FORMAT, JSON_FLAT), mapping.value_schema)
    found = TopicFormat(key, value, columns)
    sides = [found.side(column) for column in columns]
    fields = [TypedField(path, parse_type(column.type)) for column, (_, path) in zip(columns, sides, strict=True)]

    def of(side: SideFormat) -> SideFormat:
        own = tuple(field for field, (there, _) in zip(fields, sides, strict=True) if there is side)
        return replace(side, layout=replace(side.layout, columns=own))

    return TopicFormat(of(key) if key else None, of(value), columns)


def takes_any_field(mapping: TopicMapping | None) -> bool:
    """Whether a query may name any field of a topic's values, which are objects without declared columns."""
    return mapping is None or (not mapping.columns and topic_format_of(mapping).value.format.holds_objects)


def _side(mapping: TopicMapping, role: str, name: str, schema: AvroSchema | None) -> SideFormat:
    layout = FormatLayout(delimiter=mapping.options.get(CSV_DELIMITER, ","))
    if schema is not None:
        layout = replace(layout, schema=schema.text, schema_id=schema.id or None)
    return SideFormat(role, name, layout)


def check_columns(mapping: TopicMapping, places: Sequence[Place]) -> None:
    """Raises BadMapping for a column that its format cannot hold. `places` are the columns' own."""
    found = topic_format_of(mapping)
    for column, place in zip(mapping.columns, places, strict=True):
        if column.path[0] == KEY and found.key is None:
            raise BadMapping(
                f"the column is part of the key; give the format of keys: OPTIONS ({KEY_FORMAT} '…')", place
            )
        side, path = found.side(column)
        where, one = f"{side.role}s in {side.format.name}", parse_type(column.type)
        if side.whole is not None:
            only = KEY if side.role == "key" else THIS
            if column.path != (only,) or one != side.whole:
                message = f"{where} have no fields: their only column is {only} {side.whole}"
                raise BadMapping(message, place)
        elif not path:
            raise BadMapping(f'{where} have fields: name one, such as "{KEY}.id"', place)
        elif len(path) > 1 and not side.format.nests_fields:
            raise BadMapping(f"{where} have no fields inside fields", place)
        elif side.format.types and one.name not in side.format.types:
            raise BadMapping(
                f"{where} cannot hold {one.name}; they can hold {', '.join(sorted(side.format.types))}", place
            )
