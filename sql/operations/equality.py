"""When two values are equal, by their types: what `=` and IS DISTINCT FROM call where Python's `==` is not SQL's.

Whole numbers and DECIMALs are compared exactly, a DECIMAL with a REAL or DOUBLE as the nearest number of that type.
Arrays are compared element by element, maps key by key, rows by position. One part that differs makes them unequal,
else one part that is NULL on either side makes the answer NULL.
"""

import operator
from collections.abc import Callable, Iterable
from typing import Any

from jobplane.schemas.formats.json.values import to_real
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type
from jobplane.sql.operations.casts import at_midnight
from jobplane.sql.runtime.operations import check_alike

Equal = Callable[[Any, Any], bool | None]
"""Of two values that are not NULL; None for NULL."""
Compare = Callable[[Any, Any], Any]
_OTHER_KINDS = "{} and {} are not of one kind"


class Incomparable(Exception):
    """Values of the two types are not compared; the message is a reason or a remedy, or empty."""


def equality(a: Type, b: Type, *, nulls_equal: bool) -> Equal:
    """`nulls_equal`: inside of values NULL is equal to NULL, and to nothing else. Raises Incomparable."""
    if not {t.NULL, t.UNKNOWN}.isdisjoint({a, b}):
        return operator.eq
    if t.JSON in (a, b):
        raise Incomparable("CAST what is JSON in it")
    if {a.name, b.name}.isdisjoint(t.NESTED):
        return _of_scalars(a, b)
    if a.name != b.name:
        raise Incomparable
    if len(a.arguments) != len(b.arguments):
        raise Incomparable(f"one has {len(a.arguments)} fields, the other {len(b.arguments)}")
    inner = zip(a.arguments, b.arguments, strict=True)
    parts = [_part(equality(x, y, nulls_equal=nulls_equal), nulls_equal=nulls_equal) for x, y in inner]
    return {"ARRAY": _arrays, "MAP": _maps, "ROW": _rows}[a.name](parts)


def _of_scalars(a: Type, b: Type) -> Equal:
    names = {a.name, b.name}
    if names == {"DECIMAL", "NUMBER"}:
        equal = exactly(operator.eq)
        return equal if a.name == "NUMBER" else lambda x, y: equal(y, x)
    if "DECIMAL" in names and not names.isdisjoint(NEAREST):
        convert = NEAREST[(names - {"DECIMAL"}).pop()]
        return (lambda x, y: convert(x) == y) if a.name == "DECIMAL" else (lambda x, y: x == convert(y))
    if names == {"DATE", "TIMESTAMP"}:
        return (lambda x, y: at_midnight(x) == y) if a.name == "DATE" else (lambda x, y: x == at_midnight(y))
    if t.SCALAR in (a, b):
        return lambda x, y: check_alike(x, y) and x == y
    if a != b and not (t.is_numeric(a) and t.is_numeric(b)):
        raise Incomparable(_OTHER_KINDS.format(a.words, b.words))
    return operator.eq


def differing(equal: Equal) -> Callable[[Any, Any], bool]:
    """IS DISTINCT FROM, of values that may be NULL."""

    def differ(x: Any, y: Any) -> bool:
        return x is not y if x is None or y is None else not equal(x, y)

    return differ


NEAREST: dict[str, Callable[[Any], float]] = {"DOUBLE": float, "REAL": lambda value: to_real(float(value))}
"""What a DECIMAL is compared as with a value of the type."""


def exactly(compare: Compare) -> Compare:
    """Of a number of JSON and a DECIMAL: exact for a whole number, as DOUBLEs for another."""

    def compared(number: Any, exact: Any) -> Any:
        return compare(number, exact if type(number) is int else float(exact))

    return compared


def _part(equal: Equal, *, nulls_equal: bool) -> Equal:
    """Of two parts that may be NULL."""

    def compared(x: Any, y: Any) -> bool | None:
        if x is None or y is None:
            return x is y if nulls_equal else None
        return equal(x, y)

    return compared


def _all(answers: Iterable[bool | None]) -> bool | None:
    """AND of them, ended by the first that is FALSE."""
    result: bool | None = True
    for answer in answers:
        if answer is False:
            return False
        if answer is None:
            result = None
    return result


def _arrays(parts: list[Equal]) -> Equal:
    (element,) = parts
    return lambda x, y: _all(map(element, x, y)) if len(x) == len(y) else False


def _maps(parts: list[Equal]) -> Equal:
    _, item = parts
    return lambda x, y: _all(item(value, y[key]) for key, value in x.items()) if x.keys() == y.keys() else False


def _rows(parts: list[Equal]) -> Equal:
    names = [(f"m{i}", each) for i, each in enumerate(parts)]
    return lambda x, y: _all(each(getattr(x, name), getattr(y, name)) for name, each in names)
