"""Functions of installed packages: checks which Python functions can be one, and finds the packages a query calls."""

import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from jobplane.schemas.errors import Refused, UnknownFunction
from jobplane.schemas.records.packages import Package
from jobplane.sql.functions import BUILT_IN, FunctionCatalogue
from jobplane.sql.functions.signature import ANY, Function, function_of
from jobplane.sql.operations.operation import CallOperation
from jobplane.sql.plan.graph import Plan
from jobplane.sql.plan.plan import plan
from jobplane.sql.plan.recording import operations_in
from jobplane.sql.syntax import expressions as ex
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parser import parse
from jobplane.sql.syntax.walk import walk

_NAME = re.compile(r"[A-Z_][A-Z0-9_]*")
_NO_VALUE = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)
_CAPITALS = re.compile(r"[^a-z]+")


def package_function(call: Any, name: str, package: Package) -> Function:
    """Raises TypeError, with the reason, for what cannot be called with values of SQL."""
    if not inspect.isfunction(inspect.unwrap(call)):
        raise TypeError(f"it is {_article(type(call).__name__)}, not a function")
    if any(found(call) for found in _NO_VALUE):
        raise TypeError("it returns a coroutine or generator, not a value")
    _check_annotated(call)
    try:
        made = function_of(call, name)
    except NameError as error:
        raise TypeError(f"an annotation names {error.name}, which is not defined") from None
    if ANY in made.returns.parts():
        raise TypeError("'object' is for parameters only: return msgspec.Raw, which is any value as JSON text")
    for one in made.parameters:
        words: tuple[Any, ...] = one.choices  # as it is written; only now it is looked at
        if any(not isinstance(word, str) or not _CAPITALS.fullmatch(word) for word in words):
            raise TypeError(f"parameter '{one.name}': the words of a Literal are texts in capital letters")
    return replace(made, package=package, parameters=tuple(replace(one, check=None) for one in made.parameters))


def _check_annotated(call: Callable[..., Any]) -> None:
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


def called_functions(insert: statements.Insert) -> tuple[str, ...]:
    """The names of all functions in a query, each once."""
    return tuple(sorted({one.name for one in walk(insert) if isinstance(one, ex.Call)}))


def called_packages(insert: statements.Insert, functions: FunctionCatalogue = BUILT_IN) -> tuple[Package, ...]:
    """The packages whose functions a query calls, as they are installed here, by name."""
    if not functions.has_packages:
        return ()  # as for most: a query is not walked through for nothing
    return packages_of(called_functions(insert), functions)


def packages_of(names: Iterable[str], functions: FunctionCatalogue) -> tuple[Package, ...]:
    """The packages that functions of these names are of here, by name."""
    owners = {one.package for name in names for one in functions.functions.get(name, ())}
    return tuple(sorted((one for one in owners if one is not None), key=lambda one: one.name))


def calls_of_packages(planned: Plan) -> tuple[CallOperation, ...]:
    """The calls of functions of packages in a plan."""
    operations = (one.operation for one in operations_in(planned))
    return tuple(one for one in operations if isinstance(one, CallOperation) and one.package)
