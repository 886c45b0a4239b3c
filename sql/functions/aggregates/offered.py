"""Aggregates of installed packages: a class with the methods init, add, merge and result, guarded.

Whatever a method raises, and a state or result that is not of its annotation, is a BadRecord with the name of the
method. A state goes through MessagePack after each step, so one that could not be saved is known at once, with the
record that it comes from; and where its type is one that can change, no method is given the state itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from inspect import formatannotation
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints
from zlib import crc32

import msgspec

from jobplane.schemas.failures import BadRecord
from jobplane.schemas.msgspec_types import msgpack_decoder
from jobplane.schemas.types.datatypes import Type
from jobplane.sql.functions.aggregates.accumulator import Accumulator
from jobplane.sql.functions.guarded import LONGEST_REASON, Unfit, describe_exception, value_check

_FIXED = (bool, int, float, str, bytes, Decimal, date, time, datetime, timedelta, NoneType)
_encode = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True, slots=True)
class OfferedAggregate:
    """What a package offers: an object with the methods, and the type of a state. `initial` is a group without values.

    `takes_null`, by the position of a value: whether `add` takes None for it.
    """

    name: str
    methods: Any
    state: Any
    initial: bytes
    takes_null: tuple[bool, ...]
    gives_null: bool


class OfferedAccumulator(Accumulator):
    """Gives the states of groups to the methods of a package."""

    may_raise = True

    def __init__(self, offered: OfferedAggregate, returns: Type) -> None:
        self._offered, self._methods = offered, offered.methods
        self._fit = value_check(returns)
        self._decode = msgpack_decoder(offered.state).decode
        self.state_type = offered.state
        self.takes_null = any(offered.takes_null)  # type: ignore[misc]
        self._own: Callable[[Any], Any] = _same if is_fixed(offered.state) else self._copy

    def init(self) -> Any:
        return self._decode(self._offered.initial)

    def add(self, state: Any, *values: Any) -> Any:
        if self.takes_null and self._lacks(values):
            return state
        return self._checked("add", self._call("add", self._methods.add, self._own(state), *values))

    def merge(self, state: Any, later: Any) -> Any:
        return self._checked("merge", self._call("merge", self._methods.merge, self._own(state), self._own(later)))

    def copy(self, state: Any) -> Any:
        return self._own(state)

    def result(self, state: Any) -> Any:
        value = self._call("result", self._methods.result, self._own(state))
        if value is None and self._offered.gives_null:
            return None
        try:
            return self._fit(value)
        except Unfit as unfit:
            raise BadRecord(f"{self._offered.name}.result returned {unfit}") from None

    def _lacks(self, values: tuple[Any, ...]) -> bool:
        """Whether a value is NULL that `add` does not take."""
        nullable = self._offered.takes_null
        last = len(nullable) - 1
        return any(value is None and not nullable[min(i, last)] for i, value in enumerate(values))

    def _call(self, step: str, method: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return method(*arguments)
        except (Exception, SystemExit) as error:
            raise BadRecord(f"{self._offered.name}.{step}: {describe_exception(error)}") from error

    def _checked(self, step: str, state: Any) -> Any:
        try:
            return self._copy(state)
        except Exception as error:  # noqa: BLE001  # a state may be anything that a package made
            raise BadRecord(f"{self._offered.name}.{step} returned {describe_unkept(state, error)}") from None

    def _copy(self, state: Any) -> Any:
        return self._decode(_encode(state))


def initial_state(methods: Any, kind: Any) -> bytes:
    """The state that `init` returns, encoded. Raises TypeError for one that cannot be kept, and what `init` raises."""
    state = methods.init()
    try:
        encoded = _encode(state)
        msgpack_decoder(kind).decode(encoded)
    except Exception as error:  # noqa: BLE001  # as above
        raise TypeError(f"init returns {describe_unkept(state, error)}") from None
    return encoded


def describe_state(kind: Any) -> str:
    """`tuple[int, int]`: what is recorded of a state. That of a class has a checksum of its fields."""
    schema = msgspec.json.schema(kind)
    fields = f" {crc32(msgspec.json.encode(schema)):08x}" if "$defs" in schema else ""
    return f"{formatannotation(kind)}{fields}"


def is_fixed(kind: Any) -> bool:
    """Whether values of this type cannot change."""
    if kind in _FIXED or kind is Ellipsis:
        return True
    if get_origin(kind) in (tuple, frozenset, UnionType, Union):
        return all(map(is_fixed, get_args(kind)))
    if isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return all(map(is_fixed, get_type_hints(kind).values()))
    return False


def describe_unkept(state: Any, error: Exception) -> str:
    """`a state that cannot be kept: Expected `int`, got `str``"""
    if isinstance(error, msgspec.ValidationError):
        return f"a state that is not what its annotation says: {error}"[:LONGEST_REASON]
    return f"a Python {type(state).__name__} as a state, which cannot be kept: {describe_exception(error)}"


def _same(state: Any) -> Any:
    return state
