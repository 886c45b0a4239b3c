"""The functions of the language: one typed Python function each, in a module by family.

`BUILT_IN` has the language's own functions and aggregates; a catalogue with those of installed packages is made from
it. A catalogue never changes: whoever plans, compiles or lists is given one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from jobplane.sql.functions import (
    arrays,
    binary,
    documents,
    masking,
    numbers,
    patterns,
    real_numbers,
    temporal,
    temporal_conversions,
    temporal_fields,
    text,
    urls,
)
from jobplane.sql.functions.aggregates import AGGREGATES
from jobplane.sql.functions.aggregates.aggregate import Aggregate
from jobplane.sql.functions.signature import Function, functions_in

_FAMILIES = (
    arrays,
    binary,
    documents,
    masking,
    numbers,
    patterns,
    real_numbers,
    temporal,
    temporal_conversions,
    temporal_fields,
    text,
    urls,
)


@dataclass(frozen=True, slots=True, eq=False)
class FunctionCatalogue:
    """`functions` and `aggregates` by name, in capital letters: of those of one name the first that takes the arguments
    is taken.

    `not_offered`, by name: why a function of an installed package is not offered. A catalogue equals itself alone.
    """

    functions: Mapping[str, tuple[Function, ...]]
    not_offered: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    has_packages: bool = False
    """Whether any function is that of an installed package."""
    aggregates: Mapping[str, tuple[Aggregate, ...]] = field(default_factory=lambda: AGGREGATES)

    def with_packages(
        self,
        functions: Iterable[Function],
        not_offered: Mapping[str, str] = MappingProxyType({}),
        aggregates: Iterable[Aggregate] = (),
    ) -> "FunctionCatalogue":
        """A catalogue that has these too, each the only one of its name."""
        more = {one.name: (one,) for one in functions}
        others = {one.name: (one,) for one in aggregates}
        return FunctionCatalogue(
            MappingProxyType({**self.functions, **more}),
            MappingProxyType({**self.not_offered, **not_offered}),
            has_packages=self.has_packages or bool(more or others),
            aggregates=MappingProxyType({**self.aggregates, **others}),
        )

    def of_name(self, name: str) -> tuple[Function, ...]:
        """What a call of this name may mean: functions, or what aggregates are called with."""
        return (*self.functions.get(name, ()), *(one.function for one in self.aggregates.get(name, ())))


def _catalogue_of(functions: Iterable[Function]) -> FunctionCatalogue:
    found: dict[str, tuple[Function, ...]] = {}
    for one in functions:
        found[one.name] = (*found.get(one.name, ()), one)
    return FunctionCatalogue(MappingProxyType(found))


BUILT_IN = _catalogue_of(one for family in _FAMILIES for one in functions_in(family))
