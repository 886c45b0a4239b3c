"""How the values of one group become one value, a record at a time. Pure.

An accumulator keeps nothing itself: it is given a state and returns the next one, which may be the same object,
changed. A state is None, a number, a text, or lists, sets and dictionaries of such: msgspec writes it as it is, and
reads it back as `state_type`. States of parts of a group are merged in a fixed order. However the values were divided,
the result is the same; only in the last bits of a REAL or DOUBLE does it depend on the order of addition.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from jobplane.schemas.types.datatypes import Type


@dataclass(frozen=True, slots=True)
class Ordering:
    """One value that ORDER BY inside of an aggregate's call sorts by."""

    type: Type
    descending: bool = False
    nulls_first: bool = False


@dataclass(frozen=True, slots=True)
class Arguments:
    """What an aggregate is called with. `constants` are the values of the arguments after those of the records.

    `returns` is the type that the result is checked for, where the aggregate is that of a package.
    """

    types: tuple[Type, ...]
    constants: tuple[Any, ...] = ()
    order: tuple[Ordering, ...] = ()
    returns: Type | None = None


class Accumulator(ABC):
    """`merge` and `result` may raise BadRecord, ValueError or ArithmeticError, as functions do.

    With `takes_null` the values may be None; without it, `add` is only called if none is. With `ordered`, the first of
    the values is the record's position: `(*values of ORDER BY, µs since 1970, partition, offset)`.
    """

    state_type: Any
    position_type: Any = None
    """The type of a position, as `state_type` has that of a state, where there are any."""
    takes_null: ClassVar[bool] = False
    ordered: ClassVar[bool] = False
    may_raise: ClassVar[bool] = False
    """With it, `add` may raise like the others, and leaves the state that it is given as it is. Without it, `add` never
    raises, and may change the state and return it."""
    code: str = ""
    """What `add` does, as a Python expression with `{state}`, `{0}`, `{1}` …, each of which is a name; or empty."""
    plain: str = ""
    """When the result is the state itself, as a Python condition with `{state}`; empty where it never is, or may not
    be."""

    @abstractmethod
    def init(self) -> Any:
        """The state of a group without values."""

    @abstractmethod
    def add(self, state: Any, *values: Any) -> Any:
        """The state with one more record."""

    @abstractmethod
    def merge(self, state: Any, later: Any) -> Any:
        """Both states in one, which shares nothing that can change with `later`; `later` stays as it is."""

    @abstractmethod
    def result(self, state: Any) -> Any:
        """The value of the aggregate; None is NULL. The state stays as it is."""

    def copy(self, state: Any) -> Any:
        """The same state, which shares nothing with it that can change."""
        return self.merge(self.init(), state)

    def widen(self, state: Any) -> Any:
        """The state as msgspec can write it, if it raised OverflowError for a whole number of more than 64 bits."""
        return state
