"""The aggregates of the language: what each takes and gives is declared in a module by family.

`AGGREGATES` has them by name, in capital letters: of those of one name the first that takes the arguments is taken.
"""

from collections.abc import Mapping
from types import MappingProxyType

from jobplane.sql.functions.aggregates.accumulator import Accumulator, Arguments
from jobplane.sql.functions.aggregates.aggregate import Aggregate
from jobplane.sql.functions.aggregates.collected import COLLECTED
from jobplane.sql.functions.aggregates.counts import COUNTS
from jobplane.sql.functions.aggregates.extremes import EXTREMES
from jobplane.sql.functions.aggregates.moments import MOMENTS
from jobplane.sql.functions.aggregates.ranked import RANKED
from jobplane.sql.functions.aggregates.sketches import SKETCHES
from jobplane.sql.functions.aggregates.sums import SUMS


def _by_name(aggregates: tuple[Aggregate, ...]) -> Mapping[str, tuple[Aggregate, ...]]:
    found: dict[str, tuple[Aggregate, ...]] = {}
    for one in aggregates:
        found[one.name] = (*found.get(one.name, ()), one)
    return MappingProxyType(found)


AGGREGATES = _by_name((*COUNTS, *SUMS, *EXTREMES, *MOMENTS, *RANKED, *COLLECTED, *SKETCHES))


def accumulator_of(name: str, arguments: Arguments) -> Accumulator:
    """That of a call that was resolved: aggregates of one name that take as many arguments have the same one."""
    return next(one for one in AGGREGATES[name] if one.function.takes(len(arguments.types))).accumulator(arguments)
