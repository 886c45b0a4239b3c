"""An expression whose types are known: what is evaluated, in what order, and what NULL does to it.

Nothing in an expression is Python: an operation has a name, all a user wrote is in values. Expressions are recorded in
plans by the tags below, which are kept for ever.
"""

from typing import Any, Literal

import msgspec

from jobplane.schemas.failures import BadRecord
from jobplane.schemas.types.datatypes import BOOLEAN, MAX_LENGTH, Type
from jobplane.sql.functions import BUILT_IN, FunctionCatalogue
from jobplane.sql.operations.operation import Operation, View, template_of
from jobplane.sql.operations.template import Check, Template
from jobplane.sql.runtime import operations

SlotPath = tuple[str | int, ...]
"""From a column of no declared type into its value: names of fields, ELEMENT for any element of an array, VALUE for
any value of a map."""
ELEMENT, VALUE = 0, 1
GENERATED = "\x1f"
"""Generated keys begin with it. A column whose name begins with it has it twice: see sql/analysis/names.py."""
LARGEST_CONSTANT = 64 * 1024
"""Characters, bytes or elements of a value that constants are folded to."""


class _RecordedExpression(
    msgspec.Struct, frozen=True, tag_field="expression", omit_defaults=True, forbid_unknown_fields=True
):
    pass


class Constant(_RecordedExpression, frozen=True, tag="constant"):
    value: Any
    type: Type


class Field(_RecordedExpression, frozen=True, tag="field"):
    """A value that is there for the row. `slot` is where it lies, while its type may still follow from its use."""

    key: str
    type: Type
    slot: SlotPath = ()


class Apply(_RecordedExpression, frozen=True, tag="apply"):
    """Evaluated only when no argument is NULL, else NULL.

    `fault`: why it has no value, for whatever record, where constants tell so.
    """

    operation: Operation
    arguments: tuple["Typed", ...]
    type: Type
    slot: SlotPath = ()
    fault: str = ""

    def template(self, functions: FunctionCatalogue = BUILT_IN) -> Template:
        """Raises UnknownOperation."""
        return template_of(self.operation, len(self.arguments), functions)


class ApplyNullable(_RecordedExpression, frozen=True, tag="loose"):
    """Evaluated always; None stands for NULL, in the arguments and in the result. `fault`: as that of Apply."""

    operation: Operation
    arguments: tuple["Typed", ...]
    type: Type
    fault: str = ""

    def template(self, functions: FunctionCatalogue = BUILT_IN) -> Template:
        """Raises UnknownOperation."""
        return template_of(self.operation, len(self.arguments), functions)


class Junction(_RecordedExpression, frozen=True, tag="junction"):
    """AND ends with the first FALSE, OR with the first TRUE."""

    operands: tuple["Typed", ...]
    ends_with: bool
    type: Type = BOOLEAN


class NullTest(_RecordedExpression, frozen=True, tag="null-test"):
    operand: "Typed"
    negated: bool
    type: Type = BOOLEAN


class Choice(_RecordedExpression, frozen=True, tag="choice"):
    """The value of the first branch whose condition is TRUE."""

    branches: tuple[tuple["Typed", "Typed"], ...]
    otherwise: "Typed"
    type: Type


class Coalesce(_RecordedExpression, frozen=True, tag="coalesce"):
    """The first operand that is not NULL; those after it are not evaluated."""

    operands: tuple["Typed", ...]
    type: Type


class Let(_RecordedExpression, frozen=True, tag="let"):
    """`body` with the value of a Field of this key, evaluated once."""

    key: str
    value: "Typed"
    body: "Typed"
    type: Type


class Loop(_RecordedExpression, frozen=True, tag="loop"):
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
    slot: SlotPath = ()


Typed = Constant | Field | Apply | ApplyNullable | Junction | NullTest | Choice | Coalesce | Let | Loop


def apply(operation: Operation, arguments: tuple[Typed, ...], type_: Type) -> Typed:
    """An Apply, or its value where all arguments are constants and it has one."""
    made = Apply(operation, arguments, type_)
    if not all(isinstance(one, Constant) for one in arguments):
        return made
    values = [one.value for one in arguments if isinstance(one, Constant)]
    if None in values:
        return Constant(None, type_)
    return _fold(made, values)


def slot_of(value: "Typed") -> SlotPath:
    """Where a value lies, where it lies anywhere."""
    return value.slot if isinstance(value, Apply | Field | Loop) else ()


def strip_view(value: "Typed") -> "Typed":
    """The JSON value that a view looks into; any other value itself."""
    return value.arguments[0] if isinstance(value, Apply) and isinstance(value.operation, View) else value


def apply_nullable(operation: Operation, arguments: tuple[Typed, ...], type_: Type) -> Typed:
    """A Loose, or its value where all arguments are constants and it has one."""
    made = ApplyNullable(operation, arguments, type_)
    values = [one.value for one in arguments if isinstance(one, Constant)]
    return _fold(made, values) if len(values) == len(arguments) else made


def with_fault(value: Typed, reason: str) -> Typed:
    """An operation that has no value for any record, because of its constants."""
    return msgspec.structs.replace(value, fault=reason) if isinstance(value, Apply | ApplyNullable) else value


def _fold(made: Apply | ApplyNullable, values: list[Any]) -> Typed:
    """Its value; itself, with the reason, where it has none: whether a record ever gets there is not known here."""
    if any(map(_is_large, values)):
        return made
    names = [f"a{i}" for i in range(len(values))]
    template = made.template()
    try:
        value = eval(template.code.format(*names), {**template.bound, **dict(zip(names, values, strict=True))})  # noqa: S307
        if isinstance(made, Apply) and value is not None:
            _check(value, template.check)
    except TypeError:
        return made
    except (BadRecord, ArithmeticError, RecursionError, ValueError) as error:
        return with_fault(made, operations.bad_record(error).message)
    return made if _is_large(value) else Constant(value, made.type)


def _is_large(value: Any) -> bool:
    """Whoever judges statements neither holds such values nor computes with them: each record does for itself."""
    return isinstance(value, str | bytes | list | dict) and len(value) > LARGEST_CONSTANT


def _check(value: Any, check: Check) -> None:
    """Raises BadRecord where a result is out of bounds."""
    if check == "whole":
        operations.check_bigint(value)
    elif check == "finite" and value - value:
        operations.raise_out_of_range()
    elif check == "bounded" and len(value) > MAX_LENGTH:
        operations.raise_too_long(value)
