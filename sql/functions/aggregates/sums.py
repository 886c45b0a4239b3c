"""SUM and AVG.

Whole numbers and DECIMALs are added up exactly, and only the result must be in range; REAL and DOUBLE are added up as
DOUBLE. A number of JSON is what it is in each record: a sum of whole ones is whole while 64 bits hold it.
"""

from decimal import Decimal
from typing import Any

from jobplane.schemas.failures import BadRecord
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import MAX_PRECISION, Type
from jobplane.schemas.types.decimals import EXACT, fit_decimal, quotient
from jobplane.sql.functions.aggregates.accumulator import Accumulator, Arguments
from jobplane.sql.functions.aggregates.aggregate import NUMBER, declare, parameter
from jobplane.sql.functions.aggregates.stored import finite, is_wide, narrow
from jobplane.sql.functions.signature import DECIMAL

_SMALLEST_SCALE = 6
"""Digits after the point that the average of DECIMALs has at least, as a quotient has."""


class WholeSum(Accumulator):
    """A sum that msgspec does not write becomes a Decimal, which takes part in sums as well."""

    state_type = int | Decimal | None
    code = "{0} if {state} is None else {state} + {0}"
    plain = f"type({{state}}) is int and {-(2**63)} <= {{state}} < {2**63}"

    def init(self) -> None:
        return None

    def add(self, state: Any, value: int) -> Any:
        return value if state is None else state + value

    def merge(self, state: Any, later: Any) -> Any:
        return later if state is None else state if later is None else state + later

    def result(self, state: Any) -> int | None:
        if state is None:
            return None
        if is_wide(total := int(state)):
            raise BadRecord(f"SUM is {total}, which is out of range for BIGINT")
        return total

    def widen(self, state: Any) -> Any:
        return Decimal(state) if is_wide(state) else state


class JsonSum(WholeSum):
    """Of numbers of JSON: a whole sum of more than 64 bits becomes a DOUBLE, or is too large to be one."""

    may_raise = True
    state_type = int | float | None

    def result(self, state: Any) -> Any:
        return finite("SUM", narrow(state))

    def widen(self, state: Any) -> Any:
        return narrow(state)


class DoubleSum(WholeSum):
    state_type = float | None
    plain = ""

    def result(self, state: Any) -> Any:
        return finite("SUM", state)

    def widen(self, state: Any) -> Any:
        return state


class DecimalSum(Accumulator):
    state_type = Decimal | None

    def __init__(self, result: Type) -> None:
        self.scale = result.size[1]

    def init(self) -> None:
        return None

    def add(self, state: Decimal | None, value: Decimal) -> Decimal:
        return value if state is None else EXACT.add(state, value)

    def merge(self, state: Decimal | None, later: Decimal | None) -> Decimal | None:
        return state if later is None else self.add(state, later)

    def result(self, state: Decimal | None) -> Decimal | None:
        return None if state is None else fit_decimal(state, MAX_PRECISION, self.scale)


class Average(Accumulator):
    """The state is the sum and the number of values. The average is the DOUBLE next to the quotient of both."""

    def __init__(self, total: Accumulator) -> None:
        self.total = total
        self.state_type = list[total.state_type]  # type: ignore[name-defined]

    def init(self) -> list[Any]:
        return [None, 0]

    def add(self, state: list[Any], value: Any) -> list[Any]:
        total = state[0]
        state[0] = value if total is None else total + value
        state[1] += 1
        return state

    def merge(self, state: list[Any], later: list[Any]) -> list[Any]:
        return [self.total.merge(state[0], later[0]), state[1] + later[1]]

    def result(self, state: list[Any]) -> Any:
        total, count = state
        if isinstance(total, Decimal):
            total = int(total)
        return None if total is None else finite("AVG", total / count)

    def widen(self, state: list[Any]) -> list[Any]:
        return [self.total.widen(state[0]), state[1]]


class JsonAverage(Average):
    may_raise = True

    def add(self, state: list[Any], value: Any) -> list[Any]:
        return [self.total.add(state[0], value), state[1] + 1]


class DecimalAverage(Average):
    def __init__(self, result: Type) -> None:
        super().__init__(DecimalSum(result))
        self.state_type = list[int | Decimal | None]
        self.scale = result.size[1]

    def add(self, state: list[Any], value: Decimal) -> list[Any]:
        state[0] = self.total.add(state[0], value)
        state[1] += 1
        return state

    def result(self, state: list[Any]) -> Decimal | None:
        total, count = state
        return None if total is None else quotient(total, Decimal(count), self.scale)


def sum_type(types: tuple[Type, ...]) -> Type:
    """BIGINT, DOUBLE, a number of JSON, or a DECIMAL with the scale of the values."""
    (one,) = types
    if one.name == "DECIMAL":
        return t.decimal(MAX_PRECISION, one.size[1])
    return t.BIGINT if t.is_integer(one) else one if one == t.NUMBER else t.DOUBLE


def average_type(types: tuple[Type, ...]) -> Type:
    """DOUBLE, or a DECIMAL that has room for every digit before the point, and for at least six after it if it can."""
    (one,) = types
    if one.name != "DECIMAL":
        return t.DOUBLE
    precision, scale = one.size
    return t.decimal(MAX_PRECISION, max(scale, min(_SMALLEST_SCALE, MAX_PRECISION - (precision - scale))))


def _sum(arguments: Arguments) -> Accumulator:
    result = sum_type(arguments.types)
    if result.name == "DECIMAL":
        return DecimalSum(result)
    return {t.BIGINT: WholeSum, t.NUMBER: JsonSum, t.DOUBLE: DoubleSum}[result]()


def _average(arguments: Arguments) -> Accumulator:
    result, total = average_type(arguments.types), _sum(arguments)
    if result.name == "DECIMAL":
        return DecimalAverage(result)
    return JsonAverage(total) if total.may_raise else Average(total)


SUMS = (
    *declare(
        "SUM",
        (parameter("number", DECIMAL),),
        DECIMAL,
        _sum,
        "The exact sum of the numbers, with their scale.",
        result=sum_type,
    ),
    *declare(
        "SUM",
        (parameter("number", NUMBER),),
        NUMBER,
        _sum,
        "The sum of the numbers: exact for whole ones, a DOUBLE for REAL.",
        result=sum_type,
    ),
    *declare(
        "AVG",
        (parameter("number", DECIMAL),),
        DECIMAL,
        _average,
        "The average, rounded to the scale of the numbers, or to 6 digits after the point if they have fewer.",
        result=average_type,
    ),
    *declare(
        "AVG",
        (parameter("number", NUMBER),),
        t.DOUBLE,
        _average,
        "The average of the numbers.",
    ),
)
