"""MIN and MAX, by the order of `<`. Of equal values the first one stays."""

import operator
from typing import Any

from jobplane.schemas.types import datatypes as t
from jobplane.sql.functions.aggregates.accumulator import Accumulator, Arguments
from jobplane.sql.functions.aggregates.aggregate import ORDERED, declare, parameter, same_type
from jobplane.sql.functions.aggregates.stored import finite, narrow, stored_as
from jobplane.sql.runtime.operations import check_alike

BETTER = {"MIN": operator.lt, "MAX": operator.gt}
_SIGNS = {"MIN": "<", "MAX": ">"}


class Extreme(Accumulator):
    """`name` is MIN or MAX."""

    def __init__(self, name: str, arguments: Arguments) -> None:
        self.name, self.is_better = name, BETTER[name]
        self.state_type = stored_as(arguments.types[0]).kind | None
        self.code = f"{{0}} if {{state}} is None or {{0}} {_SIGNS[name]} {{state}} else {{state}}"

    def init(self) -> None:
        return None

    def add(self, state: Any, value: Any) -> Any:
        return value if state is None or self.is_better(value, state) else state

    def merge(self, state: Any, later: Any) -> Any:
        return state if later is None else self.add(state, later)

    def result(self, state: Any) -> Any:
        return state


class JsonExtreme(Extreme):
    """Of numbers of JSON: one that is whole and has more than 64 bits becomes a DOUBLE."""

    def result(self, state: Any) -> Any:
        return finite(self.name, narrow(state))

    def widen(self, state: Any) -> Any:
        return narrow(state)


class ScalarExtreme(JsonExtreme):
    """Of values whose kind each record decides: they are of one kind, or cannot be compared."""

    may_raise = True

    def __init__(self, name: str, arguments: Arguments) -> None:
        super().__init__(name, arguments)
        self.code = ""

    def add(self, state: Any, value: Any) -> Any:
        if state is not None:
            check_alike(state, value)
        return super().add(state, value)


def _extreme(name: str, arguments: Arguments) -> Accumulator:
    kinds = {t.NUMBER: JsonExtreme, t.SCALAR: ScalarExtreme}
    return kinds.get(arguments.types[0], Extreme)(name, arguments)


EXTREMES = (
    *declare(
        "MIN",
        (parameter("value", ORDERED),),
        ORDERED,
        lambda arguments: _extreme("MIN", arguments),
        "The smallest value.",
        result=same_type,
    ),
    *declare(
        "MAX",
        (parameter("value", ORDERED),),
        ORDERED,
        lambda arguments: _extreme("MAX", arguments),
        "The largest value.",
        result=same_type,
    ),
)
