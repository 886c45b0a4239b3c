"""MIN_BY and MAX_BY, TOPK: what belongs to the smallest or largest value, and the largest values."""

from bisect import bisect_left, insort
from functools import reduce
from typing import Any

from jobplane.schemas.types import datatypes as t
from jobplane.sql.functions.aggregates.accumulator import Accumulator, Arguments
from jobplane.sql.functions.aggregates.aggregate import (
    ANYTHING,
    ORDERED,
    Aggregate,
    constant,
    declare,
    parameter,
    same_type,
)
from jobplane.sql.functions.aggregates.extremes import BETTER
from jobplane.sql.functions.aggregates.stored import finite, narrow, stored_as
from jobplane.sql.runtime.operations import check_alike

_MOST_VALUES = 1000


class ValueBy(Accumulator):
    """The state is the value with what it is judged by. Of equal ones the first one stays. `extreme` is MIN or MAX."""

    takes_null = True
    may_raise = True

    def __init__(self, extreme: str, arguments: Arguments) -> None:
        value, by = arguments.types
        self.is_better, self.mixed, self.stored = BETTER[extreme], by == t.SCALAR, stored_as(value)
        self.state_type = tuple[self.stored.kind | None, stored_as(by).kind] | None  # type: ignore[name-defined,misc]

    def init(self) -> None:
        return None

    def add(self, state: Any, value: Any, by: Any) -> Any:
        if by is None or not self._beats(by, state):
            return state
        return None if value is None else self.stored.write(value), by

    def _beats(self, by: Any, state: Any) -> bool:
        if state is None:
            return True
        if self.mixed:
            check_alike(state[1], by)
        return bool(self.is_better(by, state[1]))

    def merge(self, state: Any, later: Any) -> Any:
        return later if later is not None and self._beats(later[1], state) else state

    def result(self, state: Any) -> Any:
        return None if state is None or state[0] is None else self.stored.read(state[0])

    def widen(self, state: Any) -> Any:
        return None if state is None else tuple(map(narrow, state))


class Largest(Accumulator):
    """The state has the largest values, the smallest of them first. With `distinct`, equal values count once."""

    may_raise = True

    def __init__(self, arguments: Arguments, *, distinct: bool) -> None:
        one, (self.count,) = arguments.types[0], arguments.constants
        self.mixed, self.distinct = one == t.SCALAR, distinct
        self.state_type = list[stored_as(one).kind]  # type: ignore[misc]

    def init(self) -> list[Any]:
        return []

    def add(self, state: list[Any], value: Any) -> list[Any]:
        if state and self.mixed:
            check_alike(state[0], value)
        full = len(state) == self.count
        if (full and value <= state[0]) or (self.distinct and self._has(state, value)):
            return state
        largest = state[1:] if full else state.copy()
        insort(largest, value)
        return largest

    def _has(self, state: list[Any], value: Any) -> bool:
        at = bisect_left(state, value)
        return at < len(state) and bool(state[at] == value)

    def merge(self, state: list[Any], later: list[Any]) -> list[Any]:
        return reduce(self.add, later, state)

    def result(self, state: list[Any]) -> list[Any] | None:
        return [finite("TOPK", narrow(value)) for value in reversed(state)] or None

    def widen(self, state: list[Any]) -> list[Any]:
        return list(map(narrow, state))


def _count(count: int) -> None:
    if not 1 <= count <= _MOST_VALUES:
        raise ValueError(f"TOPK gives from 1 to {_MOST_VALUES} values, not {count}")


def _by(extreme: str, meaning: str) -> tuple[Aggregate, ...]:
    return declare(
        f"{extreme}_BY",
        (parameter("value", ANYTHING, takes_null=True), parameter("by", ORDERED)),
        ANYTHING,
        lambda arguments: ValueBy(extreme, arguments),
        meaning,
        result=same_type,
    )


def _topk(names: str, meaning: str, *, distinct: bool) -> tuple[Aggregate, ...]:
    return declare(
        names,
        (parameter("value", ORDERED), constant("count", t.BIGINT, _count)),
        t.array(ORDERED),
        lambda arguments: Largest(arguments, distinct=distinct),
        meaning,
        values=1,
        result=lambda types: t.array(types[0]),
    )


RANKED = (
    *_by("MIN", "The value of the record with the smallest `by`. Records whose `by` is NULL are left out."),
    *_by("MAX", "The value of the record with the largest `by`. Records whose `by` is NULL are left out."),
    *_topk("TOPK", "An array of the largest values, the largest first.", distinct=False),
    *_topk("TOPK_DISTINCT TOPKDISTINCT", "An array of the largest different values, the largest first.", distinct=True),
)
