"""Makes typed Python functions functions of the language: their annotations are their registration.

`int` takes any whole number (BIGINT), `float` any number, `N` any number and gives the same type back, `O` anything
that can be ordered, `T` anything; `X | None` takes, or gives, NULL: without it a NULL argument makes the result NULL
and the function is not called. A default makes an argument optional, `*values` takes one or more. `Literal["YEAR", …]`
takes one of these words; `Annotated[str, ConstantCheck(check)]` checks a constant when the job is created;
`Annotated[int, Scale()]` takes a constant only. `object` takes a value of any type, made ready for JSON. A
BadRecord, ValueError or ArithmeticError of the function is the error of its record.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from types import ModuleType, NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from jobplane.schemas.records.packages import Package
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Instant, Months, Type

Json = msgspec.Raw
"""One value's JSON text."""

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")
N = TypeVar("N", int, float, Decimal)
O = TypeVar("O", bound=Any)  # noqa: E741  # ordered


@dataclass(frozen=True, slots=True)
class ConstantCheck:
    """`check` gets a constant argument; an exception refuses the statement."""

    check: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Scale:
    """Marks the constant argument that is the scale of the DECIMAL result."""


@dataclass(frozen=True, slots=True)
class AsJsonText:
    """Marks a parameter whose values become text: they are converted as for JSON."""


ANY = Type("ANY")
VARIABLES = {"T", "K", "V", "N", "O"}
"""Types that stand for those of the arguments; a decimal without a size takes the size of an argument."""
DECIMAL = Type("DECIMAL")
_TYPES: dict[Any, Type] = {
    bool: t.BOOLEAN,
    int: t.BIGINT,
    float: t.DOUBLE,
    Decimal: DECIMAL,
    str: t.VARCHAR,
    bytes: t.VARBINARY,
    date: t.DATE,
    time: t.TIME,
    datetime: t.TIMESTAMP,
    Instant: t.TIMESTAMP_TZ,
    timedelta: t.DAY_TO_SECOND,
    Months: t.YEAR_TO_MONTH,
    Json: t.JSON,
    object: ANY,
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """`choices` are the words it takes, in capital letters, where it takes words. `gives_scale`: see Scale."""

    name: str
    type: Type
    takes_null: bool
    optional: bool
    choices: tuple[str, ...] = ()
    check: Callable[[Any], Any] | None = None
    gives_scale: bool = False
    written: bool = False


@dataclass(frozen=True, slots=True)
class Function:
    """`variadic`: the last parameter may be repeated. `gives_null`: the result may be NULL although no argument is.

    `package` is the installed package of the function, None for the language's own. `refuses` raises ValueError for
    arguments that make every call fail; arguments that are not constants are NOT_CONSTANT.
    """

    name: str
    call: Callable[..., Any]
    parameters: tuple[Parameter, ...]
    variadic: bool
    returns: Type
    gives_null: bool
    summary: str
    package: Package | None = None
    refuses: Callable[..., Any] | None = None

    @property
    def signature(self) -> str:
        """`LPAD(text VARCHAR, length BIGINT[, fill VARCHAR]) → VARCHAR`"""
        text = ""
        for i, one in enumerate(self.parameters):
            what = f"{', ' if i else ''}{one.name} {'|'.join(one.choices) or one.type}"
            text += f"[{what}]" if one.optional else what
        more = ", …" if self.variadic else ""
        return f"{self.name}({text}{more}) → {self.returns}"

    def takes(self, count: int) -> bool:
        """Whether it takes this number of arguments."""
        required = sum(not one.optional for one in self.parameters)
        return required <= count and (self.variadic or count <= len(self.parameters))

    def parameter(self, position: int) -> Parameter:
        return self.parameters[min(position, len(self.parameters) - 1)]


_MARK = "__sql_functions__"
"""The attribute of a Python function that holds the functions of the language it is."""

C = TypeVar("C", bound=Callable[..., Any])


NOT_CONSTANT: Any = object()
"""Stands for an argument that is not a constant."""


def are_constant(*values: Any) -> bool:
    """Whether all of them are constants."""
    return all(value is not NOT_CONSTANT for value in values)


def sql(name: str = "", *, refuses: Callable[..., Any] | None = None) -> Callable[[C], C]:
    """Makes a Python function one of the language, under its own name without a trailing `_`, or under `name`.

    `refuses`: see Function.
    """

    def mark(call: C) -> C:
        made = replace(function_of(call, name or call.__name__.rstrip("_").upper()), refuses=refuses)
        setattr(call, _MARK, (*getattr(call, _MARK, ()), made))
        return call

    return mark


def functions_in(module: ModuleType) -> Iterator[Function]:
    """The functions of the language that a module defines, in the order of its text."""
    for value in vars(module).values():
        if getattr(value, "__module__", None) == module.__name__:
            yield from getattr(value, _MARK, ())


def function_of(call: Callable[..., Any], name: str) -> Function:
    """The function with the types of its annotations. Raises TypeError for an annotation that is not a type of SQL."""
    hints = get_type_hints(call, include_extras=True)
    parameters = inspect.signature(call).parameters.values()
    variadic = any(one.kind is one.VAR_POSITIONAL for one in parameters)
    returns, gives_null = result_type(hints["return"])
    return Function(name, call, typed_parameters(parameters, hints), variadic, returns, gives_null, summary_of(call))


def result_type(hint: Any) -> tuple[Type, bool]:
    """The type of a result by its annotation, and whether it may be NULL. Raises TypeError."""
    returns, gives_null = _nullable(hint)
    return _type(returns), gives_null


def typed_parameters(parameters: Iterable[inspect.Parameter], hints: Mapping[str, Any]) -> tuple[Parameter, ...]:
    """The parameters with the types of their annotations. Raises TypeError."""
    return tuple(_parameter(one, hints[one.name]) for one in parameters)


def summary_of(documented: object) -> str:
    """The first paragraph of a docstring, in one line."""
    return (inspect.getdoc(documented) or "").partition("\n\n")[0].replace("\n", " ")


def _parameter(one: inspect.Parameter, hint: Any) -> Parameter:
    hint, takes_null = _nullable(hint)
    optional = one.default is not one.empty
    check, notes = None, []
    if get_origin(hint) is Annotated:
        hint, *notes = get_args(hint)
        check = next((note.check for note in notes if isinstance(note, ConstantCheck)), None)
    if get_origin(hint) is Literal:
        return Parameter(one.name, t.VARCHAR, takes_null, optional, get_args(hint))
    marks = Scale() in notes, AsJsonText() in notes
    return Parameter(one.name, _type(hint), takes_null, optional, (), check, *marks)


def _nullable(hint: Any) -> tuple[Any, bool]:
    """The annotation without `| None`, and whether it had it."""
    if get_origin(hint) not in (UnionType, Union):
        return hint, False
    others = [one for one in get_args(hint) if one is not NoneType]
    if len(others) != 1:
        raise TypeError(f"{hint} is neither a type nor a type and None")
    return others[0], len(others) < len(get_args(hint))


def _type(hint: Any) -> Type:
    if isinstance(hint, TypeVar) and hint.__name__ in VARIABLES:
        return Type(hint.__name__)
    if get_origin(hint) is list:
        return t.array(_type(_nullable(get_args(hint)[0])[0]))
    if get_origin(hint) is dict:
        key, value = get_args(hint)
        return t.map_of(_type(key), _type(_nullable(value)[0]))
    if hint not in _TYPES:
        raise TypeError(f"{hint} is not a type of SQL")
    return _TYPES[hint]
