"""Variances, covariances and correlations, of DOUBLEs.

They are computed by the differences from the mean so far (Welford), so that large numbers that differ little keep their
digits; two states are merged as Chan, Golub and LeVeque do it.
"""

import math
from collections.abc import Callable
from typing import Any

from jobplane.schemas.types import datatypes as t
from jobplane.sql.functions.aggregates.accumulator import Accumulator
from jobplane.sql.functions.aggregates.aggregate import Aggregate, declare, parameter
from jobplane.sql.functions.aggregates.stored import finite

Moments = list[float]


class Variance(Accumulator):
    """The state has the number of values, their mean and the sum of the squares of their differences from it.

    `of_sample` divides by one value less; `rooted` gives the standard deviation.
    """

    state_type = list[float]

    def __init__(self, name: str, *, of_sample: bool, rooted: bool) -> None:
        self.name, self.of_sample, self.rooted = name, of_sample, rooted

    def init(self) -> Moments:
        return [0.0, 0.0, 0.0]

    def add(self, state: Moments, value: float) -> Moments:
        count, mean, squares = state
        count += 1
        before = value - mean
        mean += before / count
        state[:] = count, mean, squares + before * (value - mean)
        return state

    def merge(self, state: Moments, later: Moments) -> Moments:
        (n, mean, squares), (m, other, more) = state, later
        if not n or not m:
            return list(state if n else later)
        apart, count = other - mean, n + m
        return [count, mean + apart * m / count, squares + more + apart * apart * n * m / count]

    def result(self, state: Moments) -> float | None:
        count, _, squares = state
        if (divisor := count - self.of_sample) < 1:
            return None
        variance = finite(self.name, squares / divisor)
        return math.sqrt(variance) if self.rooted else float(variance)


class Comoments(Accumulator):
    """The state has the number of pairs, both means, both sums of squares and the sum of products of differences."""

    state_type = list[float]

    def __init__(self, name: str, result: Callable[[Moments], float | None]) -> None:
        self.name, self.of = name, result

    def init(self) -> Moments:
        return [0.0] * 6

    def add(self, state: Moments, y: float, x: float) -> Moments:
        count, mean_y, mean_x, squares_y, squares_x, products = state
        count += 1
        before_y, before_x = y - mean_y, x - mean_x
        mean_y += before_y / count
        mean_x += before_x / count
        after_x = x - mean_x
        state[:] = (
            count,
            mean_y,
            mean_x,
            squares_y + before_y * (y - mean_y),
            squares_x + before_x * after_x,
            products + before_y * after_x,
        )
        return state

    def merge(self, state: Moments, later: Moments) -> Moments:
        n, mean_y, mean_x, squares_y, squares_x, products = state
        m, other_y, other_x, more_y, more_x, more = later
        if not n or not m:
            return list(state if n else later)
        count, y, x = n + m, other_y - mean_y, other_x - mean_x
        weight = n * m / count
        return [
            count,
            mean_y + y * m / count,
            mean_x + x * m / count,
            squares_y + more_y + y * y * weight,
            squares_x + more_x + x * x * weight,
            products + more + y * x * weight,
        ]

    def result(self, state: Moments) -> float | None:
        return None if (found := self.of(state)) is None else float(finite(self.name, found))


def _covariance(state: Moments, *, of_sample: bool) -> float | None:
    divisor = state[0] - of_sample
    return state[5] / divisor if divisor >= 1 else None


def _correlation(state: Moments) -> float | None:
    """None if all values of one side are equal."""
    _, _, _, squares_y, squares_x, products = state
    both = finite("CORR", math.sqrt(squares_y) * math.sqrt(squares_x))
    return max(-1.0, min(1.0, products / both)) if both else None


def _variance(names: str, meaning: str, *, of_sample: bool, rooted: bool) -> tuple[Aggregate, ...]:
    made = Variance(names.split(maxsplit=1)[0], of_sample=of_sample, rooted=rooted)
    return declare(names, (parameter("number", t.DOUBLE),), t.DOUBLE, lambda _: made, meaning)


def _of_pairs(name: str, meaning: str, result: Callable[[Moments], Any]) -> tuple[Aggregate, ...]:
    made = Comoments(name, result)
    both = parameter("y", t.DOUBLE), parameter("x", t.DOUBLE)
    return declare(name, both, t.DOUBLE, lambda _: made, meaning)


MOMENTS = (
    *_variance("VAR_POP", "The variance of all values.", of_sample=False, rooted=False),
    *_variance("VAR_SAMP VARIANCE", "The variance of a sample; NULL for one value.", of_sample=True, rooted=False),
    *_variance("STDDEV_POP", "The standard deviation of all values.", of_sample=False, rooted=True),
    *_variance(
        "STDDEV_SAMP STDDEV", "The standard deviation of a sample; NULL for one value.", of_sample=True, rooted=True
    ),
    *_of_pairs("COVAR_POP", "The covariance of all pairs.", lambda state: _covariance(state, of_sample=False)),
    *_of_pairs(
        "COVAR_SAMP", "The covariance of a sample; NULL for one pair.", lambda state: _covariance(state, of_sample=True)
    ),
    *_of_pairs("CORR", "The correlation, from -1 to 1; NULL if all y, or all x, are equal.", _correlation),
)
