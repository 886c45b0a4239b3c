"""The interface of formats: the language gives paths and types of fields, and gets Python code that reaches them.

A format is one module with one `Format` in it. It is pure: if it needs the schema of a registry id, it raises
UnknownWriter; its caller fetches the schema and calls again. The code of a format is made of its own templates; what a
user wrote is bound as values. A record that cannot be read or written raises BadRecord.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jobplane.schemas.types.datatypes import Type, is_numeric

FieldPath = tuple[str, ...]
"""The names from the outermost field to the innermost; () is the entire key or value."""
WHOLE: FieldPath = ()
SchemaText = Callable[[int], str]
"""The text of a schema by its number in the registry. Raises UnknownSchema where it is to be asked for first."""
Convert = Callable[[Any], Any]
"""From a value that is not NULL to another. Raises BadRecord, ValueError or ArithmeticError."""


@dataclass(frozen=True, slots=True)
class TypedField:
    """A field to be read or written, as a value of its type: jobplane.schemas.types.datatypes says what Python has."""

    path: FieldPath
    type: Type


@dataclass(frozen=True, slots=True)
class FieldDecoder:
    """`decode(data)` makes a row from the bytes of a key or value that is not null. `places` is a Python expression for
    each field, in order, where the row is called `r`; it gives None, or a JSON null, for NULL. `conversions` turn the
    value of a field, unless it is NULL, into a value of its type; None if it is one already.
    """

    decode: Callable[[bytes], Any]
    places: tuple[str, ...]
    conversions: tuple[Convert | None, ...]
    again: Callable[[bytes, Any], Any] | None = None


@dataclass(frozen=True, slots=True)
class FieldEncoder:
    """`code` is a Python expression for the bytes, with `{0}`, `{1}` … for the values of the fields, None for NULL; the
    names in it are in `bound`. `conversions` are applied first to values that are not NULL; None if none is needed.
    """

    code: str
    bound: Mapping[str, Any]
    conversions: tuple[Convert | None, ...]


@dataclass(frozen=True, slots=True)
class FormatLayout:
    """What is known about the keys, or the values, of one topic besides the name of the format.

    `columns` are all declared columns in their order (CSV finds fields by position), `delimiter` is that of CSV.
    `schema` is the Avro schema as JSON: the reader's for a source, the writer's for a sink. `schema_id` is its number
    in the registry, None if records are bare, without the registry's five bytes before them.
    """

    columns: tuple[TypedField, ...] = ()
    delimiter: str = ","
    schema: str = ""
    schema_id: int | None = None


@dataclass(frozen=True, slots=True)
class Format:
    """One format, with all that the language asks of it: nothing outside of schemas/formats tests for its name.

    `whole` is the type of a key or value that has no fields; None where there are fields. `types` are the names of the
    types that its fields may have, where it cannot hold all.
    """

    name: str
    reading: Callable[[Sequence[TypedField], FormatLayout, SchemaText], FieldDecoder]
    writing: Callable[[Sequence[TypedField], FormatLayout], FieldEncoder]
    whole: Type | None = None
    types: frozenset[str] = field(default_factory=frozenset)
    self_describing: bool = False
    """A record names its fields: a query may use any field without a declaration."""
    holds_objects: bool = False
    """Every value is an object, so a record without a field of the query is worth a notice."""
    nests_fields: bool = False
    """Fields may lie inside of fields."""
    copies_bytes: bool = False
    """Any bytes are a value: no columns are declared, and `SELECT *` copies them."""
    has_schema: bool = False
    """A schema says what the fields are; it is inline or in the schema registry."""
    needs_columns: bool = False
    """Fields are found by their order alone, so the columns must be declared."""

    @property
    def has_fields(self) -> bool:
        """Whether a value has fields that columns may name."""
        return self.whole is None

    @property
    def is_binary(self) -> bool:
        """Whether the bytes must be decoded before a person can read them."""
        return self.has_schema or (self.whole is not None and is_numeric(self.whole))
