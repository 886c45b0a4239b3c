"""Resolves calls of aggregates: which aggregate a call means, how its arguments are converted, and what it gives.

Also where such a call may stand, and by which values rows are told apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from jobplane.schemas.errors import NotSupported, Place, TypeMismatch, UnknownFunction
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type
from jobplane.sql.analysis.calls import BoundCall, choose_function
from jobplane.sql.analysis.foreign_functions import ELSEWHERE
from jobplane.sql.functions import FunctionCatalogue
from jobplane.sql.functions.aggregates.aggregate import Aggregate
from jobplane.sql.syntax import expressions as ex
from jobplane.sql.syntax.walk import walk
from jobplane.sql.types.coercion import Coercion
from jobplane.sql.types.typed import Constant, SlotPath, Typed, slot_of

_MISPLACED = {
    "WHERE": "aggregates do not stand in WHERE, which is before groups; put the condition into HAVING",
    "GROUP BY": "aggregates do not stand in GROUP BY; name columns of the rows",
    "an aggregate": "an aggregate does not stand in another; write the inner one to a topic, and read that with a job",
    "a lambda": "an aggregate does not stand in a lambda; take ARRAY_AGG outside of it",
}
"""By the clause: why an aggregate is refused there, and what to do."""


@dataclass(frozen=True, slots=True)
class ResolvedAggregate:
    """`slot`: while uses are learned, where the values lie whose type the result has."""

    aggregate: Aggregate
    arguments: tuple[Typed, ...]
    type: Type
    slot: SlotPath = ()


def resolve_aggregate(
    name: str,
    arguments: Sequence[tuple[Typed, Place]],
    place: Place,
    coercion: Coercion,
    catalogue: FunctionCatalogue,
) -> ResolvedAggregate:
    """`name` is that of an aggregate; COUNT(*) has no arguments. Raises TypeMismatch with its place."""
    if name == "COUNT" and len(arguments) > 1:
        raise TypeMismatch(f"COUNT takes * or one value, not {len(arguments)}", arguments[1][1])
    alike = {one.function: one for one in catalogue.aggregates[name]}
    function = choose_function(list(alike), arguments, place, coercion)
    aggregate = alike[function]
    for value, at in arguments[aggregate.values :]:
        if not isinstance(value, Constant) or value.value is None:
            raise TypeMismatch(f"{name} needs a constant here, which is the same for all records", at)
    binding = BoundCall(function, list(alike), arguments, place, coercion)
    converted = binding.converted()
    if not coercion.slots.learned and (found := binding.of_slot(function.returns)):
        return ResolvedAggregate(aggregate, converted, found.type, slot_of(found))
    if function.package is not None:
        return ResolvedAggregate(aggregate, converted, binding.returns)
    return ResolvedAggregate(aggregate, converted, aggregate.result_type(tuple(one.type for one in converted)))


def is_aggregate(tree: object, catalogue: FunctionCatalogue) -> bool:
    """Whether it is the call of an aggregate."""
    return isinstance(tree, ex.Call) and tree.name in catalogue.aggregates


def has_aggregate(tree: object, catalogue: FunctionCatalogue) -> bool:
    """Whether the call of an aggregate is in it."""
    return any(is_aggregate(one, catalogue) for one in walk(tree))


def refuse_aggregate(call: ex.Call, clause: str, catalogue: FunctionCatalogue) -> None:
    """Raises NotSupported for an aggregate where none may stand, and for what only aggregates take."""
    if is_aggregate(call, catalogue):
        if call.name in ELSEWHERE:
            raise UnknownFunction(f"{call.name} is an aggregate; for an array write {ELSEWHERE[call.name]}", call.place)
        raise NotSupported(_MISPLACED.get(clause, "aggregates stand in SELECT and HAVING only"), call.place)
    words = {"DISTINCT": call.distinct, "ORDER BY": call.order, "FILTER (WHERE …)": call.where}
    if given := [word for word, is_given in words.items() if is_given]:
        raise NotSupported(f"{call.name} is not an aggregate, and only those take {given[0]}; leave it out", call.place)


def simple_value(value: Typed, by: str, place: Place, coercion: Coercion) -> Typed:
    """A value by which rows are told apart. Raises TypeMismatch for one that has parts, and for JSON."""
    if value.type == t.UNKNOWN:
        value = coercion.to(value, t.SCALAR, by, place)
    if value.type.name in (*t.NESTED, "JSON", "NULL"):
        hint = "; CAST it AS VARCHAR" if value.type == t.JSON else "; name its parts" if value.type != t.NULL else ""
        raise TypeMismatch(f"{by} needs a simple value; this is {value.type.words}{hint}", place)
    return value
