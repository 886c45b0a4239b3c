"""What the language asks of a format and is given: fields by their paths and types, and Python that reaches them.

A format is one module with one `Format` in it. It is pure: what it does not know (the schema of a registry's id) it
raises as a value of its own, and whoever runs it finds that out and asks again. Python that a format hands out is made
of its own templates; all a user wrote is bound as a value. What cannot be read or written is a BadRecord.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jobplane.schemas.types.datatypes import Type, is_numeric

FieldPath = tuple[str, ...]
"""From the outermost field to the innermost; () is a key or value as a whole."""
WHOLE: FieldPath = ()
Convert = Callable[[Any], Any]
"""From a value that is not NULL to another. Raises BadRecord, ValueError or ArithmeticError."""


@dataclass(frozen=True, slots=True)
class TypedField:
    """A field to be read or written, as a value of its type; see schemas.types.datatypes for the Python of each."""

    path: FieldPath
    type: Type


@dataclass(frozen=True, slots=True)
class FieldDecoder:
    """`decode(data)` makes a row of the bytes of a key or value, which are there. `places` is Python for each field in
    their order, where the row is called `r`: None, or a null of JSON, for NULL. `conversions` are what the value of a
    field, that is not NULL, goes through to be one of its type; None where it is one.
    """

    decode: Callable[[bytes], Any]
    places: tuple[str, ...]
    conversions: tuple[Convert | None, ...]
    again: Callable[[bytes, Any], Any] | None = None


@dataclass(frozen=True, slots=True)
class FieldEncoder:
    """`code` is Python for the bytes, with `{0}`, `{1}` … for the values of the fields, None for NULL; names in it are
    in `bound`. `conversions` are what a value that is not NULL goes through first; None where it is ready.
    """

    code: str
    bound: Mapping[str, Any]
    conversions: tuple[Convert | None, ...]


@dataclass(frozen=True, slots=True)
class FormatLayout:
    """What is known of the keys, or of the values, of one topic beyond the format's name.

    `columns` are all declared columns in their order (CSV tells fields by position), `delimiter` is CSV's. `schema` is
    Avro's as JSON: the reader's for a source, the writer's for a sink. `schema_id` is its number in the registry, None
    where records are bare, without the registry's five bytes before them.
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
    reading: Callable[[Sequence[TypedField], FormatLayout], FieldDecoder]
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
    """Fields are told by their order alone, so the columns must be declared."""

    @property
    def has_fields(self) -> bool:
        """Whether a value has fields that columns may name."""
        return self.whole is None

    @property
    def is_binary(self) -> bool:
        """Whether the bytes must be decoded before a person can read them."""
        return self.has_schema or (self.whole is not None and is_numeric(self.whole))
