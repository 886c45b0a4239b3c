"""Estimates from states of bounded size: APPROX_COUNT_DISTINCT and APPROX_PERCENTILE.

Both states depend on nothing but the values, in whatever order and parts they came. A sketch that draws lots, or that
compresses itself when it is written, would give other results after a restart.
"""

import math
from datetime import date, time, timedelta
from decimal import Decimal
from fractions import Fraction
from hashlib import blake2b
from typing import Any

from jobplane.schemas.failures import BadRecord
from jobplane.schemas.types import datatypes as t
from jobplane.sql.functions.aggregates.accumulator import Accumulator, Arguments
from jobplane.sql.functions.aggregates.aggregate import NUMBER, ORDERED, constant, declare, parameter
from jobplane.sql.functions.signature import DECIMAL

_BITS = 12
_REGISTERS = 1 << _BITS
_RANKS = 64 - _BITS
_MOST_HASHES = 256


class DistinctCount(Accumulator):
    """HyperLogLog: 4,096 registers, each with the longest run of zeros that hashes began with. One sigma is 1.6 %.

    Up to 256 values the state has their hashes, and the number is exact.
    """

    state_type = set[int] | bytearray

    def init(self) -> set[int]:
        return set()

    def add(self, state: set[int] | bytearray, value: Any) -> set[int] | bytearray:
        found = int.from_bytes(blake2b(_bytes_of(value), digest_size=8).digest())
        if isinstance(state, bytearray):
            _register(state, found)
            return state
        state.add(found)
        return state if len(state) <= _MOST_HASHES else _registers_of(state)

    def merge(self, state: set[int] | bytearray, later: set[int] | bytearray) -> set[int] | bytearray:
        if isinstance(state, set) and isinstance(later, set):
            state |= later
            return state if len(state) <= _MOST_HASHES else _registers_of(state)
        return bytearray(map(max, _registers_of(state), _registers_of(later)))

    def result(self, state: set[int] | bytearray) -> int:
        return len(state) if isinstance(state, set) else round(_cardinality(state))


def _bytes_of(value: Any) -> bytes:
    """The same for equal values, other ones for values of other kinds."""
    match value:
        case str():
            return value.encode()
        case bytes():
            return value
        case float():
            return b"\0" + (str(int(value)) if value.is_integer() else repr(value)).encode()
        case bool() | int() | Decimal() | timedelta():
            return b"\0" + str(value).encode()
        case date() | time():
            return value.isoformat().encode()
    raise TypeError(f"{type(value)} is not hashed")


def _register(registers: bytearray, found: int) -> None:
    index = found >> _RANKS
    rank = _RANKS + 1 - (found & ((1 << _RANKS) - 1)).bit_length()
    registers[index] = max(registers[index], rank)


def _registers_of(state: set[int] | bytearray) -> bytearray:
    if isinstance(state, bytearray):
        return state
    registers = bytearray(_REGISTERS)
    for found in state:
        _register(registers, found)
    return registers


def _cardinality(registers: bytearray) -> float:
    """The improved raw estimator of Ertl, New cardinality estimation algorithms for HyperLogLog sketches (2017)."""
    total = _REGISTERS * _tau(1 - registers.count(_RANKS + 1) / _REGISTERS)
    for rank in range(_RANKS, 0, -1):
        total = 0.5 * (total + registers.count(rank))
    total += _REGISTERS * _sigma(registers.count(0) / _REGISTERS)
    return _REGISTERS * _REGISTERS / (2 * math.log(2) * total)


def _sigma(x: float) -> float:
    step, total, before = 1.0, x, -1.0
    while total != before:
        before = total
        x *= x
        total += x * step
        step += step
    return total


def _tau(x: float) -> float:
    if x in (0.0, 1.0):
        return 0.0
    step, total, before = 1.0, 1 - x, -1.0
    while total != before:
        before = total
        x = math.sqrt(x)
        step *= 0.5
        total -= (1 - x) ** 2 * step
    return total / 3


_PARTS = 128
"""Of the numbers between a power of two and the next: the least of a part is less than 1/128 below the others."""
_TOO_LARGE = 1100
"""The exponent of a number that is too large for a DOUBLE."""
_FURTHEST = 1100 * _PARTS
"""No DOUBLE but zero is in a bucket so far below 1."""


class Percentile(Accumulator):
    """The state has the number of values in each bucket, a negative number of which has negative values.

    The buckets divide the numbers between two powers of two in 128 equal parts. The result is the number next to zero
    of the bucket up to which the `fraction` of the values goes, so whole numbers below 256 are exact.
    """

    state_type = dict[int, int]

    def __init__(self, arguments: Arguments) -> None:
        self.fraction = Fraction(repr(arguments.constants[0]))

    def init(self) -> dict[int, int]:
        return {}

    def add(self, state: dict[int, int], value: Any) -> dict[int, int]:
        try:
            mantissa, exponent = math.frexp(value)
        except OverflowError:
            mantissa, exponent = (0.5 if value > 0 else -0.5), _TOO_LARGE
        bucket = 0
        if mantissa:
            bucket = exponent * _PARTS + int((abs(mantissa) - 0.5) * (2 * _PARTS)) + _FURTHEST
            bucket = bucket if mantissa > 0 else -bucket
        state[bucket] = state.get(bucket, 0) + 1
        return state

    def merge(self, state: dict[int, int], later: dict[int, int]) -> dict[int, int]:
        for bucket, count in later.items():
            state[bucket] = state.get(bucket, 0) + count
        return state

    def result(self, state: dict[int, int]) -> float | None:
        rank = max(1, math.ceil(self.fraction * sum(state.values())))
        for bucket in sorted(state):
            rank -= state[bucket]
            if rank <= 0:
                return self._value_of(bucket)
        return None

    def _value_of(self, bucket: int) -> float:
        if not bucket:
            return 0.0
        exponent, part = divmod(abs(bucket) - _FURTHEST, _PARTS)
        if exponent == _TOO_LARGE:
            raise BadRecord("APPROX_PERCENTILE is out of range for a JSON number")
        return math.copysign(math.ldexp(0.5 + part / (2 * _PARTS), exponent), bucket)


def _fraction(fraction: float) -> None:
    if not 0 <= fraction <= 1:
        raise ValueError(f"APPROX_PERCENTILE takes a fraction from 0 to 1, not {fraction}")


SKETCHES = (
    *declare(
        "APPROX_COUNT_DISTINCT",
        (parameter("value", ORDERED),),
        t.BIGINT,
        lambda _: DistinctCount(),
        "About how many different values there are: exact up to 256, then off by about 1.6 %.",
        gives_null=False,
    ),
    *(
        one
        for number in (DECIMAL, NUMBER)
        for one in declare(
            "APPROX_PERCENTILE",
            (parameter("number", number), constant("fraction", t.DOUBLE, _fraction)),
            t.DOUBLE,
            Percentile,
            "The number that the fraction of the numbers does not exceed; off by at most 0.8 % of it.",
            values=1,
        )
    ),
)
