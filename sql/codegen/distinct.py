"""The values that groups are told apart by, and the DISTINCT of an aggregate."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type
from jobplane.sql.functions.aggregates.accumulator import Accumulator
from jobplane.sql.functions.aggregates.stored import narrow, same, stored_as

Convert = Callable[[Any], Any]
_NAN = float("nan")
_TRUE, _FALSE, _MARK = "\x1ft", "\x1ff", "\x1f"
"""TRUE and FALSE among texts and numbers: Python takes them for 1 and 0. Texts that begin with the mark have it two
times."""


@dataclass(frozen=True, slots=True)
class KeyKind:
    """`write` makes a value one that equals those which SQL takes for the same, and only those; `read` undoes it.

    `kind` is what msgspec reads a written value as. Neither is called with NULL, which is None.
    """

    kind: Any
    write: Convert | None
    read: Convert | None


def key_kind(one: Type) -> KeyKind:
    if one.name in ("REAL", "DOUBLE"):
        return KeyKind(float | None, _double, None)
    if one == t.NUMBER:
        return KeyKind(int | float | None, _number, None)
    if one == t.SCALAR:
        return KeyKind(int | float | str | None, _scalar, _scalar_again)
    stored = stored_as(one)
    write, read = (None if each is same else each for each in (stored.write, stored.read))
    return KeyKind(stored.kind | None, write, read)


def _double(value: float) -> float:
    """There is one zero, and one NaN."""
    return _NAN if value != value else value + 0.0


def _number(value: Any) -> Any:
    """A whole number of 64 bits is one, however it was written; any other is a DOUBLE."""
    value = narrow(value)
    if type(value) is int:
        return value
    return int(value) if value.is_integer() and abs(value) < 2**63 else _double(value)


def _scalar(value: Any) -> Any:
    if isinstance(value, bool):
        return _TRUE if value else _FALSE
    if isinstance(value, str):
        return _MARK + value if value.startswith(_MARK) else value
    return _number(value)


def _scalar_again(value: Any) -> Any:
    if not isinstance(value, str) or not value.startswith(_MARK):
        return value
    return value[1:] if value.startswith(_MARK * 2) else value == _TRUE


class DistinctValues(Accumulator):
    """Keeps the arguments, each once, and gives them to another accumulator at the end.

    Where that is `ordered`, each with its first position.
    """

    def __init__(self, inner: Accumulator, types: tuple[Type, ...]) -> None:
        self._inner, self._kinds = inner, [key_kind(one) for one in types]
        key: Any = tuple.__class_getitem__(tuple(one.kind for one in self._kinds))
        self.position_type = inner.position_type
        self.state_type = dict.__class_getitem__((key, self.position_type))
        self.takes_null, self.ordered = inner.takes_null, inner.ordered  # type: ignore[misc]

    def init(self) -> dict[Any, Any]:
        return {}

    def add(self, state: dict[Any, Any], *values: Any) -> dict[Any, Any]:
        position, values = (values[0], values[1:]) if self.ordered else (None, values)
        key = tuple(
            one.write(value) if one.write is not None and value is not None else value
            for one, value in zip(self._kinds, values, strict=True)
        )
        if key not in state or (position is not None and _place(position) < _place(state[key])):
            state[key] = position
        return state

    def merge(self, state: dict[Any, Any], later: dict[Any, Any]) -> dict[Any, Any]:
        for key, position in later.items():
            if key not in state or (position is not None and _place(position) < _place(state[key])):
                state[key] = position
        return state

    def widen(self, state: dict[Any, Any]) -> dict[Any, Any]:
        return {key: None if position is None else tuple(map(narrow, position)) for key, position in state.items()}

    def result(self, state: dict[Any, Any]) -> Any:
        made = self._inner.init()
        for key, position in sorted(state.items(), key=lambda one: [_rank(value) for value in one[0]]):
            values = [
                one.read(value) if one.read is not None and value is not None else value
                for one, value in zip(self._kinds, key, strict=True)
            ]
            made = self._inner.add(made, position, *values) if self.ordered else self._inner.add(made, *values)
        return self._inner.result(made)


def _place(position: Any) -> Any:
    """The time, the partition and the offset: what is sorted by before that is the same for equal arguments."""
    return position[-3:]


def _rank(value: Any) -> Any:
    """One order for all values, so that DOUBLEs are always added up in the same one."""
    kind = "number" if isinstance(value, int | float) else type(value).__name__
    return (value is None, kind, 0 if value is None else value)
