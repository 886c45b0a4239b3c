"""Resolves calls of aggregates: which aggregate a call means, how its arguments are converted, and what it gives."""

from collections.abc import Sequence
from dataclasses import dataclass

from jobplane.schemas.errors import Place, TypeMismatch
from jobplane.schemas.types.datatypes import Type
from jobplane.sql.analysis.calls import BoundCall, choose_function
from jobplane.sql.functions.aggregates import AGGREGATES
from jobplane.sql.functions.aggregates.aggregate import Aggregate
from jobplane.sql.types.coercion import Coercion
from jobplane.sql.types.typed import Constant, SlotPath, Typed, slot_of


@dataclass(frozen=True, slots=True)
class ResolvedAggregate:
    """`slot`: while uses are learned, where the values lie whose type the result has."""

    aggregate: Aggregate
    arguments: tuple[Typed, ...]
    type: Type
    slot: SlotPath = ()


def resolve_aggregate(
    name: str, arguments: Sequence[tuple[Typed, Place]], place: Place, coercion: Coercion
) -> ResolvedAggregate:
    """`name` is one of AGGREGATES; COUNT(*) has no arguments. Raises TypeMismatch with its place."""
    alike = {one.function: one for one in AGGREGATES[name]}
    function = choose_function(list(alike), arguments, place, coercion)
    aggregate = alike[function]
    for value, at in arguments[aggregate.values :]:
        if not isinstance(value, Constant) or value.value is None:
            raise TypeMismatch(f"{name} needs a constant here, which is the same for all records", at)
    binding = BoundCall(function, list(alike), arguments, place, coercion)
    converted = binding.converted()
    if not coercion.slots.learned and (found := binding.of_slot(function.returns)):
        return ResolvedAggregate(aggregate, converted, found.type, slot_of(found))
    return ResolvedAggregate(aggregate, converted, aggregate.result_type(tuple(one.type for one in converted)))
