"""What is done to the values of an expression, as plans record it: by a name, with what the name alone does not say.

An operation never holds a Python object or text that becomes code. `template_of` finds both by the name. Names and
their parameters are kept for ever, so that every version compiles the plans of all versions before.
"""

from functools import lru_cache
from typing import Any, assert_never

import msgspec

from jobplane.schemas.formats.json.values import argument_conversion, row_class, write_conversion
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type
from jobplane.schemas.types.decimals import EXACT, fit_decimal, product, quotient
from jobplane.schemas.types.json_text import null_to_none
from jobplane.sql.functions import BUILT_IN, FunctionCatalogue
from jobplane.sql.functions.guarded import guard_function
from jobplane.sql.functions.patterns import compile_like
from jobplane.sql.functions.signature import Function
from jobplane.sql.operations.casts import attempt, explicit, implicit
from jobplane.sql.operations.equality import differing, equality
from jobplane.sql.operations.fitting import fitting
from jobplane.sql.operations.table import TABLE
from jobplane.sql.operations.template import Template, call_template
from jobplane.sql.runtime import operations
from jobplane.sql.runtime.nested import json_field, json_reader, map_of_pairs


class _RecordedOperation(
    msgspec.Struct, frozen=True, tag_field="operation", omit_defaults=True, forbid_unknown_fields=True
):
    pass


class CastOperation(_RecordedOperation, frozen=True, tag="cast"):
    """CAST; with `safe` TRY_CAST."""

    source: Type
    target: Type
    safe: bool = False


class Convert(_RecordedOperation, frozen=True, tag="convert"):
    """A conversion of CAST that a value goes through on its way into the key or a column."""

    source: Type
    target: Type


class Widen(_RecordedOperation, frozen=True, tag="widen"):
    """A conversion without a CAST."""

    source: Type
    target: Type


class Fit(_RecordedOperation, frozen=True, tag="fit"):
    """Fits a value into a column of the target, which messages call `column`."""

    column: str
    source: Type
    target: Type


class Decimals(_RecordedOperation, frozen=True, tag="decimals"):
    """Arithmetic of DECIMALs whose result is rounded: one of `_DECIMALS`."""

    name: str
    precision: int
    scale: int


class Equal(_RecordedOperation, frozen=True, tag="equal"):
    """Equality of nested values."""

    left: Type
    right: Type


class Differ(_RecordedOperation, frozen=True, tag="differ"):
    """IS DISTINCT FROM."""

    left: Type
    right: Type


class Among(_RecordedOperation, frozen=True, tag="among"):
    """IN a list of constants."""

    values: tuple[Any, ...]


class LikeOperation(_RecordedOperation, frozen=True, tag="like"):
    """LIKE with a constant pattern."""

    pattern: str
    escape: str | None = None


class ConcatOperation(_RecordedOperation, frozen=True, tag="concat"):
    """Texts, bytes or arrays, one after the other; of `many` the length is looked at before the result is made."""

    many: bool = False


class MakeArray(_RecordedOperation, frozen=True, tag="make-array"):
    pass


class MakeMap(_RecordedOperation, frozen=True, tag="make-map"):
    """The arguments are all keys, then all values."""


class MakeRow(_RecordedOperation, frozen=True, tag="make-row"):
    row: Type


class RowField(_RecordedOperation, frozen=True, tag="row-field"):
    """The field of a ROW at a position that counts from 0. `is_json`: a null of JSON in the field is NULL."""

    index: int
    is_json: bool = False


class JsonField(_RecordedOperation, frozen=True, tag="json-field"):
    name: str


class View(_RecordedOperation, frozen=True, tag="view"):
    """A value of JSON as what the query looks up in the value; `name` is what messages call the value."""

    shape: Type
    name: str


class JsonArgument(_RecordedOperation, frozen=True, tag="written"):
    """A value as a function takes it that takes values of any type; `by_package`: a function of a package."""

    type: Type
    by_package: bool = False


class CallOperation(_RecordedOperation, frozen=True, tag="call"):
    """A call of a function by its name. `parameters` are the types of the parameters that are given, as declared.

    `package` is the installed package of the function, and `returns` the type its results are checked for; both are
    empty for the language's own functions.
    """

    name: str
    parameters: tuple[str, ...]
    package: str = ""
    returns: Type | None = None


Operation = (
    str
    | CastOperation
    | Convert
    | Widen
    | Fit
    | Decimals
    | Equal
    | Differ
    | Among
    | LikeOperation
    | ConcatOperation
    | MakeArray
    | MakeMap
    | MakeRow
    | RowField
    | JsonField
    | View
    | JsonArgument
    | CallOperation
)
"""A text is the name of an operation without parameters: see `jobplane.sql.operations.table`."""
_DECIMALS = {"add": EXACT.add, "subtract": EXACT.subtract, "multiply": product}


class UnknownOperation(Exception):
    """This version does not know the operation; the message says which."""


def template_of(operation: Operation, count: int, functions: FunctionCatalogue = BUILT_IN) -> Template:
    """The template for an operation of `count` arguments. Raises UnknownOperation."""
    if isinstance(operation, str):
        if operation not in TABLE:
            raise UnknownOperation(f"there is no operation '{operation}'")
        return TABLE[operation]
    if isinstance(operation, CallOperation):  # functions of packages come and go
        return _call(operation, count, functions)
    return _template_with_parameters(operation, count)


@lru_cache(maxsize=4096)
def _template_with_parameters(operation: Operation, count: int) -> Template:
    match operation:
        case CastOperation(source, target, safe):
            convert = explicit(source, target)
            gives_null = safe or source in (t.JSON, t.SCALAR)
            return call_template(attempt(convert) if safe and convert else convert, 1, gives_null=gives_null)
        case Convert(source, target):
            return call_template(explicit(source, target), 1)
        case Widen(source, target):
            convert = implicit(source, target)
            return Template("float({})", {"float": float}) if convert is float else call_template(convert, 1)
        case Fit(column, source, target):
            return call_template(fitting(column, source, target), 1)
        case Decimals():
            return _decimals(operation)
        case Equal(left, right):
            return Template("equal({}, {})", {"equal": equality(left, right, nulls_equal=False)}, gives_null=True)
        case Differ(left, right):
            return Template("differ({}, {})", {"differ": differing(equality(left, right, nulls_equal=True))})
        case Among(values):
            return Template("({} in those)", {"those": frozenset(values)})
        case LikeOperation(pattern, escape):
            return Template("matches({})", {"matches": compile_like(pattern, escape)})
        case ConcatOperation(many):
            added = " + ".join(["{}"] * count)
            return call_template(operations.concatenate, count) if many else Template(f"({added})", check="bounded")
        case MakeArray():
            return Template(f"[{', '.join(['{}'] * count)}]")
        case MakeMap():
            pairs = ", ".join(f"({{{i}}}, {{{i + count // 2}}})" for i in range(count // 2))
            return Template(f"made_map(({pairs},))", {"made_map": map_of_pairs})
        case MakeRow(row):
            return Template(f"row({', '.join(['{}'] * count)})", {"row": row_class(row)})
        case RowField(index, is_json):
            code = f"{{}}.m{index:d}"
            return (
                Template(f"present({code})", {"present": null_to_none}, gives_null=True)
                if is_json
                else Template(code, gives_null=True)
            )
        case JsonField(name):
            return Template("field({}, name)", {"field": json_field, "name": name}, gives_null=True)
        case View(shape, name):
            return Template("view({})", {"view": json_reader(shape, name)}, gives_null=True)
        case JsonArgument(one, by_package):
            return Template(
                "written({})", {"written": argument_conversion(one) if by_package else write_conversion(one)}
            )
        case str() | CallOperation():
            return template_of(operation, count)
        case never:
            assert_never(never)


def _decimals(operation: Decimals) -> Template:
    bound = {"fitted": fit_decimal, "precision": operation.precision, "scale": operation.scale}
    if operation.name == "divide":
        return Template("fitted(quotient({}, {}, scale), precision, scale)", {**bound, "quotient": quotient})
    if operation.name not in _DECIMALS:
        raise UnknownOperation(f"there is no operation '{operation.name}' of DECIMALs")
    return Template("fitted(exact({}, {}), precision, scale)", {**bound, "exact": _DECIMALS[operation.name]})


def call_of(function: Function, count: int, returns: Type) -> CallOperation:
    """The call of a function with `count` arguments, as plans record it."""
    types = tuple(str(function.parameter(i).type) for i in range(count))
    if function.package is None:
        return CallOperation(function.name, types)
    return CallOperation(function.name, types, function.package.name, returns)


def _call(call: CallOperation, count: int, functions: FunctionCatalogue) -> Template:
    function = _function(call, count, functions)
    made = guard_function(function, call.returns) if call.returns is not None else function.call
    nullable = [function.parameter(i).takes_null for i in range(count)]
    if not any(nullable):
        return call_template(made, count, gives_null=function.gives_null)
    guard = " or ".join(f"{{{i}}} is None" for i, takes_null in enumerate(nullable) if not takes_null)
    code = f"call({', '.join(f'{{{i}}}' for i in range(count))})"
    return Template(f"(None if {guard} else {code})" if guard else code, {"call": made})


def _function(call: CallOperation, count: int, functions: FunctionCatalogue) -> Function:
    for one in functions.functions.get(call.name, ()):
        package = one.package.name if one.package is not None else ""
        types = tuple(str(one.parameter(i).type) for i in range(count)) if one.takes(count) else None
        if package == call.package and types == call.parameters:
            return one
    raise UnknownOperation(f"there is no function {call.name}({', '.join(call.parameters)})")
