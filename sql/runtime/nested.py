"""What generated code calls to look into values of JSON, arrays and maps, and to make them. NULL is None."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from jobplane.schemas.failures import BadRecord
from jobplane.schemas.formats.json.values import decoder, msgspec_type, read_conversion
from jobplane.schemas.msgspec_types import json_decoder
from jobplane.schemas.types.datatypes import Type
from jobplane.schemas.types.json_text import null_to_none
from jobplane.sql.runtime.operations import reword

NULL_KEY = "a key of a MAP is NULL"
_fields = json_decoder(dict[str, msgspec.Raw] | None).decode
_items = json_decoder(list[msgspec.Raw] | None).decode


@lru_cache(maxsize=1024)
def json_reader(one: Type, name: str) -> Callable[[msgspec.Raw], Any]:
    """Reads a value of JSON as a value of the type. `name` is what messages call the value."""
    decode = decoder(msgspec_type(one) | None).decode
    finish = read_conversion(one)

    def read(raw: msgspec.Raw) -> Any:
        try:
            value = decode(raw)
            return value if value is None or finish is None else finish(value)
        except msgspec.ValidationError as error:
            raise BadRecord(reword(str(error), name)) from None

    return read


def json_field(raw: msgspec.Raw, name: str) -> msgspec.Raw | None:
    return null_to_none((_fields(raw) or {}).get(name))


def json_item(raw: msgspec.Raw, index: int) -> msgspec.Raw | None:
    return null_to_none(item(_items(raw) or [], index))


def item(values: list[Any], index: int) -> Any:
    """The element, counted from 1; None where there is none."""
    return values[index - 1] if 1 <= index <= len(values) else None


def map_of_pairs(pairs: Sequence[tuple[Any, Any]]) -> dict[Any, Any]:
    if any(key is None for key, _ in pairs):
        raise ValueError(NULL_KEY)
    return dict(pairs)
