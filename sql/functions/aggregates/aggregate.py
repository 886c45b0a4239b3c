"""Declares aggregates: the types they take and give, and the accumulator that computes them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from jobplane.schemas.types.datatypes import Type
from jobplane.sql.functions.aggregates.accumulator import Accumulator, Arguments
from jobplane.sql.functions.signature import Function, Parameter


class OfferedCall(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a plan records of a call to an aggregate of a package: only the same one can go on with its groups.

    `parameters` are the types that it takes, `state` says what it keeps.
    """

    package: str
    parameters: tuple[str, ...]
    state: str


NUMBER, ORDERED, ANYTHING = Type("N"), Type("O"), Type("T")
"""Stand for the type of the argument: see sql/functions/signature.py."""


@dataclass(frozen=True, slots=True, eq=False)
class Aggregate:
    """`function` has the name, the parameters and the meaning; a call of it makes the accumulator of `Arguments`.

    The first `values` arguments are values of records, those after them are constants. `result_type` has the type of
    the result, for types of arguments that suit the parameters. `takes_order`: ORDER BY may stand in the call. `state`
    says what an aggregate of a package keeps of a group.
    """

    function: Function
    values: int
    result_type: Callable[[tuple[Type, ...]], Type]
    takes_order: bool = False
    state: str = ""

    @property
    def name(self) -> str:
        return self.function.name

    @property
    def signature(self) -> str:
        """`COUNT(*) → BIGINT`, `ARRAY_AGG(value T [ORDER BY …]) → ARRAY<T>`"""
        arguments, arrow, returns = self.function.signature.removeprefix(f"{self.name}(").partition(") → ")
        return f"{self.name}({arguments or '*'}{' [ORDER BY …]' * self.takes_order}{arrow}{returns}"

    def accumulator(self, arguments: Arguments) -> Accumulator:
        """The same for the same arguments, for ever: jobs record the name and the arguments."""
        made: Accumulator = self.function.call(arguments)
        return made


def offered_call(aggregate: Aggregate, count: int) -> OfferedCall | None:
    """A call with `count` arguments; None if the aggregate is one of the language."""
    function = aggregate.function
    if function.package is None:
        return None
    parameters = tuple(str(function.parameter(i).type) for i in range(count))
    return OfferedCall(function.package.name, parameters, aggregate.state)


def parameter(name: str, type_: Type, *, takes_null: bool = False) -> Parameter:
    """An argument with the values of records."""
    return Parameter(name, type_, takes_null, optional=False)


def constant(name: str, type_: Type, check: Callable[[Any], Any] | None = None, *, optional: bool = False) -> Parameter:
    """An argument that is the same for all records. `check` raises ValueError for one that has no meaning."""
    return Parameter(name, type_, takes_null=False, optional=optional, check=check)


def same_type(types: tuple[Type, ...]) -> Type:
    """That of the first argument."""
    return types[0]


def declare(
    names: str,
    parameters: tuple[Parameter, ...],
    returns: Type,
    make: Callable[[Arguments], Accumulator],
    meaning: str,
    *,
    values: int | None = None,
    result: Callable[[tuple[Type, ...]], Type] | None = None,
    takes_order: bool = False,
    gives_null: bool = True,
) -> tuple[Aggregate, ...]:
    """An aggregate under each of the names. `result` has the type of the result if `returns` only shows it."""
    count = len(parameters) if values is None else values
    functions = (
        Function(name, make, parameters, variadic=False, returns=returns, gives_null=gives_null, summary=meaning)
        for name in names.split()
    )
    return tuple(Aggregate(one, count, result or (lambda _: returns), takes_order) for one in functions)
