"""Arrays and maps: laws. What each function gives is in tests/golden/functions/arrays.txt."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobplane.schemas.failures import BadRecord
from jobplane.schemas.types.datatypes import MAX_LENGTH
from jobplane.sql.functions import arrays as f
from jobplane.sql.runtime.comparing import identity

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 2), st.sampled_from([-0.5, 0.0, 1.0]), st.text("ab", max_size=1)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab", max_size=1), inner)
)
NUMBERS = st.lists(st.none() | st.integers(-3, 3) | st.sampled_from([-0.5, 1.0]))


def equal(a: Any, b: Any) -> bool:
    """As `=` has it, written once more."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(equal(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    return bool(a == b)


@given(VALUES, VALUES)
def test_values_are_one_where_they_are_equal(a: Any, b: Any) -> None:
    raw = msgspec.Raw(msgspec.json.encode(a))
    assert (identity(a) == identity(b)) is equal(a, b)
    assert identity(raw) == identity(a)


@given(st.lists(VALUES, max_size=6))
def test_distinct_elements_are_the_first_of_each(array: list[Any]) -> None:
    distinct = f.array_distinct(array)
    assert distinct == [one for i, one in enumerate(array) if not any(equal(one, other) for other in array[:i])]
    assert [f.array_position(distinct, one) for one in distinct] == list(range(1, len(distinct) + 1))


@given(NUMBERS)
def test_sorted_elements_are_the_same_ones_in_order(array: list[Any]) -> None:
    ordered = f.array_sort(array)
    numbers = [one for one in ordered if one is not None]
    assert ordered == sorted(numbers) + [None] * (len(array) - len(numbers))
    assert sorted(map(repr, ordered)) == sorted(map(repr, array))
    assert [f.array_min(array), f.array_max(array)] == [*numbers[:1], *numbers[-1:]] or [None, None]


@given(NUMBERS, st.integers(-12, 12).filter(bool), st.integers(0, 12))
def test_a_slice_holds_the_elements_at_its_positions(array: list[Any], start: int, length: int) -> None:
    first = start if start > 0 else len(array) + start + 1
    positions = range(first, min(first + length, len(array) + 1)) if first > 0 else range(0)
    assert f.part(array, start, length) == [f.element_at(array, position) for position in positions]
    assert f.array_reverse(f.array_reverse(array)) == array


def test_a_text_that_would_be_too_long_is_refused() -> None:
    with pytest.raises(BadRecord, match=r"^ARRAY_JOIN would make a text of [0-9]+ characters"):
        f.array_join(["", "", ""], "x" * (MAX_LENGTH // 2 + 1))


def test_many_elements_that_cannot_be_hashed_are_told_apart() -> None:
    """One by one with each other they would be hundreds of millions of comparisons."""
    array: list[list[int] | None] = [[i % 10_000, i] for i in range(20_000)]
    assert f.array_distinct(array) == array
