"""What = <> < <= > >=, IN, BETWEEN and IS DISTINCT FROM mean: one rule for all of them.

Values of different kinds cannot be compared: if their types show it, the plan refuses it; if only the record shows it,
it is a BAD_RECORD. BETWEEN is the AND of two comparisons, IN the OR of its items, in their order.
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import groupby
from math import floor

from jobplane.schemas.errors import Place, TypeMismatch
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type
from jobplane.sql.analysis.folding import junction
from jobplane.sql.operations.equality import NEAREST, Incomparable, equality
from jobplane.sql.operations.operation import Among, Differ, Equal, Operation
from jobplane.sql.operations.table import COMPARISONS
from jobplane.sql.types.coercion import Coercion
from jobplane.sql.types.typed import Apply, Constant, Field, Typed, apply, apply_nullable, strip_view

PlacedValue = tuple[Typed, Place]
_NAMES = {
    "=": "equal", "<>": "unequal", "<": "less", "<=": "less-or-equal", ">": "greater", ">=": "greater-or-equal"
}  # fmt: skip
_MIRRORED = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def comparison(operator: str, left: PlacedValue, right: PlacedValue, coercion: Coercion, by: str = "") -> Typed:
    """`left operator right`; `by` is what asks for it, where it is not the operator. Raises TypeMismatch."""
    by = by or operator
    a, b = _sides(by, left, right, coercion)
    if t.NULL in (a.type, b.type):
        return apply("equal", (a, b), t.BOOLEAN)
    if a.type.name in t.NESTED:
        if operator not in ("=", "<>"):
            raise TypeMismatch(f"{a.type.words} has no order; compare its parts", left[1])
        found = apply(_equality(by, a, b, left[1], coercion), (a, b), t.BOOLEAN)
        return apply("not", (found,), t.BOOLEAN) if operator == "<>" else found
    _equality(by, a, b, left[1], coercion)  # tells whether there is one
    if (a.type.name, b.type.name) == ("DECIMAL", "NUMBER"):
        a, b, operator = b, a, _MIRRORED[operator]
    if (a.type.name, b.type.name) == ("NUMBER", "DECIMAL"):
        return apply(f"{_NAMES[operator]}-number-decimal", (a, b), t.BOOLEAN)
    if t.SCALAR in (a.type, b.type):
        return apply(f"{_NAMES[operator]}-scalar", (a, b), t.BOOLEAN)
    return apply(_NAMES[operator], (a, b), t.BOOLEAN)


def distinct_test(left: PlacedValue, right: PlacedValue, coercion: Coercion) -> Typed:
    """`left IS DISTINCT FROM right`. Raises TypeMismatch."""
    by = "IS DISTINCT FROM"
    a, b = _sides(by, left, right, coercion)
    found = _equality(by, a, b, left[1], coercion)
    return apply_nullable(Differ(a.type, b.type) if isinstance(found, Equal) else "differ", (a, b), t.BOOLEAN)


def between_test(operand: PlacedValue, low: PlacedValue, high: PlacedValue, coercion: Coercion) -> Typed:
    """`operand >= low AND operand <= high`; the operand is named twice. Raises TypeMismatch."""
    above = comparison(">=", operand, low, coercion, "BETWEEN")
    operand = _learn("BETWEEN", operand, low, coercion)
    below = comparison("<=", operand, high, coercion, "BETWEEN")
    bounds = _constant(above, operand[0]), _constant(below, operand[0])
    if None not in bounds:
        return apply("between", (operand[0], *filter(None, bounds)), t.BOOLEAN)
    return junction((above, below), ends_with=False)


def in_test(operand: PlacedValue, items: Sequence[PlacedValue], coercion: Coercion) -> Typed:
    """`operand IN (items)`; the operand is named more than once. Raises TypeMismatch."""
    compared: list[tuple[Typed, Constant | None]] = []
    for item in items:
        test = comparison("=", operand, item, coercion, "IN")
        operand = _learn("IN", operand, item, coercion)
        compared.append((test, _constant(test, operand[0])))
    tests: list[Typed] = []
    for plain, group in groupby(compared, lambda pair: pair[1] is not None):
        several = list(group)
        if plain and len(several) > 1:  # constants in a row are found by one look-up
            those = tuple(dict.fromkeys(constant.value for _, constant in several if constant is not None))
            tests.append(apply(Among(those), operand[:1], t.BOOLEAN))
        else:
            tests += (test for test, _ in several)
    return junction(tests, ends_with=True)


def _learn(by: str, operand: PlacedValue, other: PlacedValue, coercion: Coercion) -> PlacedValue:
    """An operand of which nothing was known, after it was compared: what it is compared with next must be alike."""
    value, place = operand
    return (_sides(by, operand, other, coercion)[0], place) if value.type == t.UNKNOWN else operand


def _constant(test: Typed, operand: Typed) -> Constant | None:
    """What an operand is compared with by Python's own operator, where that is a constant."""
    if isinstance(test, Apply) and test.operation in COMPARISONS and test.arguments[0] == operand:
        other = test.arguments[1]
        return other if isinstance(other, Constant) and other.value is not None else None
    return None


def _sides(by: str, left: PlacedValue, right: PlacedValue, coercion: Coercion) -> tuple[Typed, Typed]:
    """Both sides, as they are compared. Raises TypeMismatch."""
    a, b = _seen(left[0]), _seen(right[0])
    names = {a.type.name, b.type.name}
    if "NULL" in names:
        return a, b
    if names == {"UNKNOWN"}:
        if isinstance(a, Field) and isinstance(b, Field) and a.slot and b.slot:
            coercion.slots.join(a.slot, b.slot, right[1])
            return a, b
        return coercion.to(a, t.SCALAR, by, left[1]), coercion.to(b, t.SCALAR, by, right[1])
    if t.is_numeric(a.type) and t.is_numeric(b.type):
        return _beside(a, b), _beside(b, a)
    if names <= t.NESTED:
        return a, b
    if names == {"UNKNOWN", "ROW"}:
        raise TypeMismatch(f"{by} compares a ROW with a value without a declared type; compare its fields", left[1])
    if a.type == t.UNKNOWN and b.type.name in t.NESTED:
        return coercion.to(a, _open(b.type), by, left[1]), b
    if b.type == t.UNKNOWN and a.type.name in t.NESTED:
        return a, coercion.to(b, _open(a.type), by, right[1])
    _, (a, b) = coercion.unify(((a, left[1]), (b, right[1])), f"{by} compares")
    return a, b


def _open(one: Type) -> Type:
    """The type of an array or map beside one in which there is nothing but NULL."""
    return replace(one, arguments=tuple(t.UNKNOWN if each == t.NULL else _open(each) for each in one.arguments))


def _seen(value: Typed) -> Typed:
    """A value of JSON that is looked into elsewhere: as the array that it is there, else as it is."""
    return value if value.type.name == "ARRAY" else strip_view(value)


def _beside(value: Typed, other: Typed) -> Typed:
    """A number as it is compared with another: Python compares all but a DECIMAL with a float exactly."""
    if value.type.name != "DECIMAL":
        return value
    if other.type.name in NEAREST:
        return apply(f"nearest-{other.type.name.lower()}", (value,), other.type)
    if other.type == t.NUMBER and isinstance(value, Constant) and value.value is not None and _as_double(value.value):
        return Constant(float(value.value), t.DOUBLE)
    return value


def _as_double(value: Decimal) -> bool:
    """Whether no whole number lies between a constant and the DOUBLE nearest to it."""
    nearest = float(value)
    return nearest == value or (not nearest.is_integer() and floor(nearest) == floor(value))


def _equality(by: str, a: Typed, b: Typed, place: Place, coercion: Coercion) -> Operation:
    """Raises TypeMismatch."""
    try:
        equality(a.type, b.type, nulls_equal=False)
    except Incomparable as reason:
        if a.type.name in t.NESTED and not coercion.slots.learned:  # uses may still tell what is in it
            return "equal"
        if a.type == t.JSON:
            raise TypeMismatch(f"a JSON value cannot be compared with {by}; use IS NULL, or CAST it", place) from None
        hint = f"; {reason}" if str(reason) else ""
        raise TypeMismatch(f"{by} compares {a.type.words} with {b.type.words}{hint}", place) from None
    return Equal(a.type, b.type)
