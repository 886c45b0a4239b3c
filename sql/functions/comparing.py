"""Values compared and told apart by functions, as the operators of SQL do it."""

from collections.abc import Hashable, Sequence
from typing import Any, TypeVar

import msgspec

from sql.runtime import alike

V = TypeVar("V")


def comparable(values: Sequence[V]) -> Sequence[V]:
    """The same. Raises BadRecord where they are not of one kind, as values of JSON may be."""
    for value in values[1:]:
        alike(values[0], value)  # type: ignore[arg-type]
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
