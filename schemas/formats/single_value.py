"""The common part of formats whose keys and values are one value, without fields."""

from collections.abc import Callable, Sequence
from typing import Any

from jobplane.schemas.formats.fields import (
    Convert,
    FieldDecoder,
    FieldEncoder,
    Format,
    FormatLayout,
    SchemaText,
    TypedField,
)
from jobplane.schemas.types.datatypes import Type


def single_value_format(
    name: str, one: Type, decode: Callable[[bytes], Any], encode: Callable[[Any], bytes], finish: Convert | None = None
) -> Format:
    """`decode` makes the value from bytes, `finish` converts it further, `encode` makes bytes from a value."""

    def reading(fields: Sequence[TypedField], _: FormatLayout, __: SchemaText) -> FieldDecoder:
        _check(fields)
        return FieldDecoder(decode, ("r",) * len(fields), (finish,) * len(fields))

    def writing(fields: Sequence[TypedField], _: FormatLayout) -> FieldEncoder:
        _check(fields)
        if len(fields) != 1:
            raise ValueError(f"each is one value, but the query gives {len(fields)} columns")
        return FieldEncoder("encode({0})", {"encode": encode}, (None,))

    def _check(fields: Sequence[TypedField]) -> None:
        for field in fields:
            if field.path:
                raise ValueError(f"they have no fields, so no {'.'.join(field.path)}")
            if field.type != one:
                raise ValueError(f"they are {one}, not {field.type}")

    return Format(name, reading, writing, one)
