"""Functions of arrays and maps. Elements count from 1 on; those of an array may be NULL.

Elements are equal as `=` has it: 1 equals 1.0, TRUE does not equal 1. They are ordered as by `<`, NULL last.
"""

from collections.abc import Hashable
from typing import Annotated, Any, Literal

from jobplane.schemas.types.json_text import null_to_none
from jobplane.sql.functions.signature import AsJsonText, ConstantCheck, K, O, T, V, sql
from jobplane.sql.runtime.comparing import check_comparable, identity
from jobplane.sql.runtime.plain import join_texts, plain_text


@sql("ARRAY_LENGTH")
@sql()
def cardinality(array: list[T | None]) -> int:
    """How many elements there are."""
    return len(array)


@sql("CARDINALITY")
def cardinality_of_map(map: dict[K, V | None]) -> int:  # noqa: A002  # what users read
    """How many keys there are."""
    return len(map)


@sql()
def array_contains(array: list[T | None], value: T) -> bool:
    """Whether the value is an element of the array."""
    return array_position(array, value) is not None


@sql()
def array_position(array: list[T | None], value: T) -> int | None:
    """The position of the first such element; NULL if there is none."""
    if isinstance(value, str | bytes):  # equal to nothing of another type
        return array.index(value) + 1 if value in array else None
    wanted = identity(value)
    return next((i for i, one in enumerate(array, 1) if identity(one) == wanted), None)


@sql()
def array_distinct(array: list[T | None]) -> list[T | None]:
    """The array without the elements that equal an earlier one."""
    return list(_first_of_each(array).values())


def _first_of_each(*arrays: list[T | None]) -> dict[Hashable, T | None]:
    """The elements that do not equal an earlier one, by their identity."""
    first: dict[Hashable, T | None] = {}
    for array in arrays:
        for one in array:
            first.setdefault(identity(one), one)
    return first


@sql()
def array_union(array: list[T | None], other: list[T | None]) -> list[T | None]:
    """The elements of both arrays in their order, each once; NULL counts as an element."""
    return list(_first_of_each(array, other).values())


@sql()
def array_intersect(array: list[T | None], other: list[T | None]) -> list[T | None]:
    """The elements of the first array that are also in the other, each once; NULL counts as an element."""
    wanted = _first_of_each(other)
    return [one for key, one in _first_of_each(array).items() if key in wanted]


@sql()
def array_except(array: list[T | None], other: list[T | None]) -> list[T | None]:
    """The elements of the first array that are not in the other, each once; NULL counts as an element."""
    unwanted = _first_of_each(other)
    return [one for key, one in _first_of_each(array).items() if key not in unwanted]


@sql()
def array_remove(array: list[T | None], value: T | None) -> list[T | None]:
    """The array without the elements that equal the value; NULL removes the elements that are NULL."""
    unwanted = identity(value)
    return [one for one in array if identity(one) != unwanted]


@sql()
def array_concat(*arrays: list[T | None]) -> list[T | None]:
    """The elements of all arrays in one."""
    return [one for array in arrays for one in array]


@sql()
def array_join(array: Annotated[list[O | None], AsJsonText()], separator: str, null_text: str | None = None) -> str:
    """The texts of the elements with the separator between them; NULL is left out, or replaced by the text for NULL."""
    texts = (null_text if one is None else plain_text(one) for one in array)
    return join_texts("ARRAY_JOIN", separator, [text for text in texts if text is not None])


@sql()
def array_sort(array: list[O | None], direction: Literal["ASC", "DESC"] = "ASC") -> list[O | None]:
    """The elements from the smallest to the largest, with DESC the other way round; NULL is always last."""
    there = sorted(_there(array), reverse=direction == "DESC")
    return [*there, *[None] * (len(array) - len(there))]


@sql()
def array_min(array: list[O | None]) -> O | None:
    """The smallest element that is not NULL; NULL if there is none."""
    return min(_there(array), default=None)


@sql()
def array_max(array: list[O | None]) -> O | None:
    """The largest element that is not NULL; NULL if there is none."""
    return max(_there(array), default=None)


def _there(array: list[O | None]) -> list[Any]:
    """The elements that are not NULL. Raises BadRecord where they are not of one kind."""
    there = [one for one in array if one is not None]
    check_comparable(there)
    return there


@sql()
def array_reverse(array: list[T | None]) -> list[T | None]:
    """The elements from the last to the first."""
    return array[::-1]


def _from_one(start: int) -> int:
    if start == 0:
        raise ValueError("SLICE counts elements from 1 on, or from -1 backwards: there is no element 0")
    return start


def _not_negative(length: int) -> int:
    if length < 0:
        raise ValueError(f"the length given to SLICE is negative: {length}")
    return length


@sql("SLICE")
def part(
    array: list[T | None],
    start: Annotated[int, ConstantCheck(_from_one)],
    length: Annotated[int, ConstantCheck(_not_negative)],
) -> list[T | None]:
    """The elements from start on, as many as length says; a negative start counts from the end."""
    first = start - 1 if _from_one(start) > 0 else len(array) + start
    return array[first : first + _not_negative(length)] if first >= 0 else []


@sql()
def map_keys(map: dict[K, V | None]) -> list[K]:  # noqa: A002  # what users read
    """The keys, in the order of the map."""
    return list(map)


@sql()
def map_values(map: dict[K, V | None]) -> list[V | None]:  # noqa: A002  # what users read
    """The values, in the order of the map."""
    return list(map.values())


@sql()
def element_at(array: list[T | None], position: int) -> T | None:
    """The element at a position, from the end if it is negative; NULL if there is none."""
    index = position - 1 if position > 0 else len(array) + position
    return null_to_none(array[index]) if position and 0 <= index < len(array) else None


@sql("ELEMENT_AT")
def value_at(map: dict[K, V | None], key: K) -> V | None:  # noqa: A002  # what users read
    """The value of a key; NULL if there is none."""
    return null_to_none(map.get(key))
