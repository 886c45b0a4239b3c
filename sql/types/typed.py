"""An expression whose types are known: what is evaluated, in what order, and what NULL does to it.

Python that is evaluated stands here as templates of our own with `{}` for each argument; all a user wrote is in values.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from schemas.failures import BadRecord
from schemas.types.datatypes import BOOLEAN, MAX_LENGTH, Type
from sql.runtime import operations

Path = tuple[str | int, ...]
"""From a column of no declared type into its value: names of fields, ELEMENT for any element of an array, VALUE for
any value of a map."""
ELEMENT, VALUE = 0, 1
GENERATED = "\x1f"
"""Keys of our own begin with it. A column whose name does has it twice: see sql/analysis/names.py."""
LARGEST_CONSTANT = 64 * 1024
"""Characters, bytes or elements of a value that constants are folded to."""
Check = Literal["", "whole", "finite", "bounded"]
"""What a result may not be before it is looked at: beyond 64 bits, infinite, or longer than a value may be."""


@dataclass(frozen=True, slots=True)
class Constant:
    value: Any
    type: Type


@dataclass(frozen=True, slots=True)
class Field:
    """A value that is there for the row. `slot` is where it lies, while its type may still follow from its use."""

    key: str
    type: Type
    slot: Path = ()


@dataclass(frozen=True, slots=True)
class Apply:
    """Evaluated only when no argument is NULL, else NULL. `gives_null`: the result may be None all the same.

    `fault`: why it has no value, for whatever record, where constants tell so.
    """

    code: str
    arguments: tuple["Typed", ...]
    type: Type
    bound: tuple[tuple[str, Any], ...] = ()
    gives_null: bool = False
    check: Check = ""
    slot: Path = ()
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Loose:
    """Evaluated always; None stands for NULL, in the arguments and in the result. `fault`: as that of Apply."""

    code: str
    arguments: tuple["Typed", ...]
    type: Type
    bound: tuple[tuple[str, Any], ...] = ()
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Junction:
    """AND ends with the first FALSE, OR with the first TRUE."""

    operands: tuple["Typed", ...]
    ends_with: bool
    type: Type = BOOLEAN


@dataclass(frozen=True, slots=True)
class NullTest:
    operand: "Typed"
    negated: bool
    type: Type = BOOLEAN


@dataclass(frozen=True, slots=True)
class Choice:
    """The value of the first branch whose condition is TRUE."""

    branches: tuple[tuple["Typed", "Typed"], ...]
    otherwise: "Typed"
    type: Type


@dataclass(frozen=True, slots=True)
class Coalesce:
    """The first operand that is not NULL; those after it are not evaluated."""

    operands: tuple["Typed", ...]
    type: Type


@dataclass(frozen=True, slots=True)
class Let:
    """`body` with the value of a Field of this key, evaluated once."""

    key: str
    value: "Typed"
    body: "Typed"
    type: Type


@dataclass(frozen=True, slots=True)
class Loop:
    """What a lambda makes of an array, whose elements stand under one key, or of a map, whose keys and values do.

    NULL where `over` is NULL. `results`: of TRANSFORM the new element, or the new key and value; of FILTER whether an
    entry stays; of REDUCE what stands under the key `accumulator` from then on, where `start` stood first.
    """

    name: Literal["TRANSFORM", "FILTER", "REDUCE"]
    over: "Typed"
    keys: tuple[str, ...]
    results: tuple["Typed", ...]
    type: Type
    start: "Typed | None" = None
    accumulator: str = ""
    slot: Path = ()


VIEW = "view({})"
"""Of a value of JSON that is handed through as it is in one place, and looked into in another."""


Typed = Constant | Field | Apply | Loose | Junction | NullTest | Choice | Coalesce | Let | Loop


def apply(
    code: str, arguments: tuple[Typed, ...], type_: Type, *, gives_null: bool = False, check: Check = "", **bound: Any
) -> Typed:
    """An Apply, or its value where all arguments are constants and it has one."""
    made = Apply(code, arguments, type_, tuple(bound.items()), gives_null, check)
    if not all(isinstance(one, Constant) for one in arguments):
        return made
    values = [one.value for one in arguments if isinstance(one, Constant)]
    if None in values:
        return Constant(None, type_)
    return _folded(made, values)


def slot_of(value: "Typed") -> Path:
    """Where a value lies, where it lies anywhere."""
    return value.slot if isinstance(value, Apply | Field | Loop) else ()


def whole_of(value: "Typed") -> "Typed":
    """What a view looks into, as it is; any other value itself."""
    return value.arguments[0] if isinstance(value, Apply) and value.code == VIEW else value


def loose(code: str, arguments: tuple[Typed, ...], type_: Type, **bound: Any) -> Typed:
    """A Loose, or its value where all arguments are constants and it has one."""
    made = Loose(code, arguments, type_, tuple(bound.items()))
    values = [one.value for one in arguments if isinstance(one, Constant)]
    return _folded(made, values) if len(values) == len(arguments) else made


def call(function: Callable[..., Any], arguments: tuple[Typed, ...], type_: Type, **how: Any) -> Typed:
    """A strict call of a Python function."""
    places = ", ".join(["{}"] * len(arguments))
    return apply(f"call({places})", arguments, type_, call=function, **how)


def faulty(value: Typed, reason: str) -> Typed:
    """An operation that has no value for any record, because of its constants."""
    return replace(value, fault=reason) if isinstance(value, Apply | Loose) else value


def _folded(made: Apply | Loose, values: list[Any]) -> Typed:
    """Its value; itself, with the reason, where it has none: whether a record ever gets there is not known here."""
    if any(map(_is_large, values)):
        return made
    names = [f"a{i}" for i in range(len(values))]
    try:
        value = eval(made.code.format(*names), dict(made.bound) | dict(zip(names, values, strict=True)))  # noqa: S307
        if isinstance(made, Apply) and value is not None:
            _CHECKS[made.check](value)
    except TypeError:
        return made
    except (BadRecord, ArithmeticError, RecursionError, ValueError) as error:
        return faulty(made, operations.bad_record(error).message)
    return made if _is_large(value) else Constant(value, made.type)


def _is_large(value: Any) -> bool:
    """Whoever judges statements neither holds such values nor computes with them: each record does for itself."""
    return isinstance(value, str | bytes | list | dict) and len(value) > LARGEST_CONSTANT


def _check_finite(value: float) -> None:
    if value - value:
        operations.out_of_range()


def _check_length(value: Any) -> None:
    if len(value) > MAX_LENGTH:
        operations.too_long(value)


_CHECKS: dict[Check, Callable[[Any], Any]] = {
    "": lambda _: None,
    "whole": operations.check_whole,
    "finite": _check_finite,
    "bounded": _check_length,
}
