"""Compares values for functions as the operators of SQL do; a JSON value counts as what it contains."""

from collections.abc import Hashable, Sequence
from typing import Any, TypeVar

import msgspec

from jobplane.schemas.failures import BadRecord
from jobplane.sql.runtime.operations import check_alike

V = TypeVar("V")


def decode_json(value: Any) -> Any:
    """The decoded content of a JSON value; any other value unchanged."""
    return msgspec.json.decode(value) if isinstance(value, msgspec.Raw) else value


def check_comparable(values: Sequence[V]) -> Sequence[V]:
    """The same. Raises BadRecord where they are not of one kind, as values of JSON may be, or have no order."""
    keys = [decode_json(value) for value in values]
    for key in keys:
        check_alike(keys[0], key)
        if isinstance(key, list | dict | msgspec.Struct):
            raise BadRecord(f"{'an array' if isinstance(key, list) else 'an object'} has no order")
    return values


def identity(value: Any) -> Hashable:
    """The same for equal values: TRUE is not 1, but 1 is 1.0; objects whatever the order of their fields."""
    match value:
        case bool():
            return bool, value
        case list():
            return list, *map(identity, value)
        case dict():
            return dict, frozenset((key, identity(one)) for key, one in value.items())
        case msgspec.Struct():
            return type(value), *map(identity, msgspec.structs.astuple(value))
        case msgspec.Raw():
            return identity(msgspec.json.decode(value))
    return value  # type: ignore[no-any-return]
