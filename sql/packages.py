"""Functions of installed packages: checks which Python functions can be one, and finds the packages a query calls.

A class with the methods init, add, merge and result is an aggregate.
"""

import inspect
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_type_hints

from jobplane.schemas.errors import Refused, UnknownFunction
from jobplane.schemas.records.packages import Package
from jobplane.sql.functions import BUILT_IN, FunctionCatalogue
from jobplane.sql.functions.aggregates.accumulator import Arguments
from jobplane.sql.functions.aggregates.aggregate import Aggregate
from jobplane.sql.functions.aggregates.offered import (
    OfferedAccumulator,
    OfferedAggregate,
    describe_state,
    initial_state,
)
from jobplane.sql.functions.signature import ANY, Function, function_of, result_type, summary_of, typed_parameters
from jobplane.sql.operations.operation import CallOperation
from jobplane.sql.plan.graph import Plan
from jobplane.sql.plan.operators import GroupOperator
from jobplane.sql.plan.plan import plan
from jobplane.sql.plan.recording import operations_in
from jobplane.sql.syntax import expressions as ex
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parser import parse
from jobplane.sql.syntax.walk import walk

_NAME = re.compile(r"[A-Z_][A-Z0-9_]*")
_NO_VALUE = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)
_STATES = {"init": 0, "add": 1, "merge": 2, "result": 1}
"""The methods of an aggregate, with the number of states that each takes."""
_CAPITALS = re.compile(r"[^a-z]+")


def package_function(call: Any, name: str, package: Package) -> Function:
    """Raises TypeError, with the reason, for what cannot be called with values of SQL."""
    if not inspect.isfunction(inspect.unwrap(call)):
        raise TypeError(f"it is {_article(type(call).__name__)}, not a function")
    _check_annotated(call)
    try:
        made = function_of(call, name)
    except NameError as error:
        raise TypeError(f"an annotation names {error.name}, which is not defined") from None
    return _of_package(made, package)


def package_aggregate(offered: type, name: str, package: Package) -> Aggregate:
    """Raises TypeError, with the reason, for a class that is not an aggregate, and what its `init` raises."""
    missing = [one for one in _STATES if not callable(getattr(offered, one, None))]
    if missing:
        has = "" if len(missing) == len(_STATES) else "; an aggregate has the methods init, add, merge and result"
        raise TypeError(f"it is a class without {_listed(missing)}{has}")
    made = offered()
    shapes = {method: _shape_of(made, method) for method in _STATES}
    state = shapes["init"].returns
    for method, one in shapes.items():
        one.check_states(method, state)
    values = shapes["add"].parameters[1:]
    if not values:
        raise TypeError("add takes a state and at least one value")
    returns, gives_null = result_type(shapes["result"].returns)
    parameters = typed_parameters(values, shapes["add"].hints)
    variadic = values[-1].kind is inspect.Parameter.VAR_POSITIONAL
    nulls = tuple(one.takes_null for one in parameters)
    kept = OfferedAggregate(name, made, state, initial_state(made, state), nulls, gives_null)

    def call(arguments: Arguments) -> OfferedAccumulator:
        return OfferedAccumulator(kept, arguments.returns or returns)

    function = Function(name, call, parameters, variadic, returns, gives_null, summary_of(offered))
    return Aggregate(_of_package(function, package), sys.maxsize, lambda _: returns, state=describe_state(state))


@dataclass(frozen=True, slots=True)
class _Shape:
    """The parameters of a method, and the annotations of these and of what it returns."""

    parameters: tuple[inspect.Parameter, ...]
    hints: dict[str, Any]

    @property
    def returns(self) -> Any:
        return self.hints["return"]

    def check_states(self, method: str, state: Any) -> None:
        """Raises TypeError where the method takes other states than it should, or gives another."""
        count = _STATES[method]
        if len(self.parameters) < count or (len(self.parameters) > count and method != "add"):
            raise TypeError(f"{method} takes {('no argument', 'a state', 'two states')[count]}")
        given = [self.hints[one.name] for one in self.parameters[:count]]
        for one in given if method == "result" else [*given, self.returns]:
            if one != state:
                raise TypeError(
                    f"{method} has a state of {inspect.formatannotation(one)}, and init returns "
                    f"{inspect.formatannotation(state)}"
                )


def _shape_of(made: object, method: str) -> _Shape:
    call = getattr(made, method)
    try:
        _check_annotated(call)
        hints = get_type_hints(call, include_extras=True)
    except NameError as error:
        raise TypeError(f"{method}: an annotation names {error.name}, which is not defined") from None
    except TypeError as error:
        raise TypeError(f"{method}: {error}") from None
    return _Shape(tuple(inspect.signature(call).parameters.values()), hints)


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _of_package(made: Function, package: Package) -> Function:
    """Raises TypeError for types that only functions of the language have."""
    if ANY in made.returns.parts():
        raise TypeError("'object' is for parameters only: return msgspec.Raw, which is any value as JSON text")
    for one in made.parameters:
        words: tuple[Any, ...] = one.choices  # as it is written; only now it is looked at
        if any(not isinstance(word, str) or not _CAPITALS.fullmatch(word) for word in words):
            raise TypeError(f"parameter '{one.name}': the words of a Literal are texts in capital letters")
    return replace(made, package=package, parameters=tuple(replace(one, check=None) for one in made.parameters))


def _check_annotated(call: Callable[..., Any]) -> None:
    if any(found(call) for found in _NO_VALUE):
        raise TypeError("it returns a coroutine or generator, not a value")
    signature = inspect.signature(call)
    for one in signature.parameters.values():
        if one.kind in (one.KEYWORD_ONLY, one.VAR_KEYWORD):
            raise TypeError(f"parameter '{one.name}' is keyword-only, but SQL passes arguments by position")
        if one.annotation is one.empty:
            raise TypeError(f"parameter '{one.name}' has no annotation")
    if signature.return_annotation is signature.empty:
        raise TypeError("the return value has no annotation")


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def is_free_name(name: str) -> bool:
    """Whether a query can call a function of this name, and the name is not taken."""
    if not _NAME.fullmatch(name):
        return False
    try:
        asked = parse(f"EXPLAIN INSERT INTO a SELECT {name}(b) FROM c")
        if isinstance(asked, statements.Explain) and isinstance(asked.statement, statements.Insert):
            plan(asked.statement)
    except UnknownFunction:
        return True
    except Refused:
        pass
    return False


def called_functions(inserts: Iterable[statements.Insert]) -> tuple[str, ...]:
    """The names of all functions in the queries, each once."""
    return tuple(sorted({one.name for insert in inserts for one in walk(insert) if isinstance(one, ex.Call)}))


def called_packages(
    inserts: Iterable[statements.Insert], functions: FunctionCatalogue = BUILT_IN
) -> tuple[Package, ...]:
    """The packages whose functions the queries call, as they are installed here, by name."""
    if not functions.has_packages:
        return ()  # as for most: a query is not walked through for nothing
    return packages_of(called_functions(inserts), functions)


def packages_of(names: Iterable[str], functions: FunctionCatalogue) -> tuple[Package, ...]:
    """The packages that functions of these names are of here, by name."""
    owners = {one.package for name in names for one in functions.of_name(name)}
    return tuple(sorted((one for one in owners if one is not None), key=lambda one: one.name))


def calls_of_packages(planned: Plan) -> tuple[tuple[str, str], ...]:
    """The functions and aggregates of packages that a plan calls, and the names of their packages."""
    operations = (one.operation for one in operations_in(planned))
    groups = [one for one in planned.operators if isinstance(one, GroupOperator)]
    aggregates = [one for group in groups for one in group.aggregates]
    return (
        *((one.name, one.package) for one in operations if isinstance(one, CallOperation) and one.package),
        *((one.function, one.offered.package) for one in aggregates if one.offered is not None),
    )
