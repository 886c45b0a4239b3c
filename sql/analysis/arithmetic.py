"""What `+ - * / %` mean for the types on either side: tables, then one function each.

Whole numbers are added up as BIGINT, DECIMALs exactly, REAL and DOUBLE as DOUBLE, numbers of JSON as they are.
"""

from jobplane.schemas.errors import Place, TypeMismatch
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type
from jobplane.sql.operations.casts import implicit
from jobplane.sql.operations.operation import Decimals, Operation, Widen
from jobplane.sql.types.coercion import Coercion, common_type, number_size
from jobplane.sql.types.typed import Constant, Typed, apply, with_fault

MINIMAL_SCALE = 6
"""Digits after the point that a quotient keeps at least, and a product if it has as many."""

_NAMES = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide", "%": "remainder"}
_MOMENTS = (t.TIMESTAMP, t.TIMESTAMP_TZ)
_INTERVALS = (t.DAY_TO_SECOND, t.YEAR_TO_MONTH)


def arithmetic(operator: str, left: Typed, right: Typed, places: tuple[Place, Place], coercion: Coercion) -> Typed:
    """`left operator right`. Raises TypeMismatch with its place."""
    made = _operation(operator, left, right, places, coercion)
    nothing = operator in "/%" and isinstance(right, Constant) and right.value == 0 and t.is_numeric(right.type)
    return with_fault(made, "division by zero") if nothing else made


def _operation(operator: str, left: Typed, right: Typed, places: tuple[Place, Place], coercion: Coercion) -> Typed:
    if _is_temporal(left.type) or _is_temporal(right.type):
        return _temporal(operator, left, right, places, coercion)
    a, b = (
        one if t.is_numeric(one.type) else coercion.to(one, t.NUMBER, operator, place)
        for one, place in zip((left, right), places, strict=True)
    )
    return _numbers(operator, a, b, places, coercion)


def negation(value: Typed, place: Place, coercion: Coercion) -> Typed:
    if value.type in _INTERVALS:
        return apply(_of_interval("negate", value.type), (value,), value.type)
    number = value if t.is_numeric(value.type) else coercion.to(value, t.NUMBER, "the sign -", place)
    if number.type.name == "DECIMAL":
        return apply("negate-decimal", (number,), number.type)
    if t.is_integer(number.type):
        return apply("negate-bigint", (number,), t.BIGINT)
    return apply("negate", (number,), number.type)


def _numbers(operator: str, left: Typed, right: Typed, places: tuple[Place, Place], coercion: Coercion) -> Typed:
    common = common_type((left.type, right.type)) or t.NUMBER
    if common.name == "DECIMAL":
        return _decimals(operator, left, right)
    result = t.BIGINT if t.is_integer(common) else t.DOUBLE if common == t.REAL else common
    both = tuple(coercion.to(one, result, operator, place) for one, place in zip((left, right), places, strict=True))
    if operator == "%":
        return apply("remainder", both, result)
    if operator != "/":
        return apply(f"{_NAMES[operator]}-{'bigint' if result == t.BIGINT else 'double'}", both, result)
    if result == t.DOUBLE or any(isinstance(one, Constant) and isinstance(one.value, float) for one in both):
        return apply("divide-double", both, result)
    return apply("divide-bigint" if result == t.BIGINT else "divide-number", both, result)


def _decimals(operator: str, left: Typed, right: Typed) -> Typed:
    (p1, s1), (p2, s2) = number_size(left), number_size(right)
    exact = t.decimal(t.MAX_PRECISION, max(s1, s2))
    sides = []
    for one in (left, right):
        converted = implicit(one.type, exact) is not None
        sides.append(apply(Widen(one.type, exact), (one,), exact) if converted else one)
    both = tuple(sides)
    longer, quotients = max(s1, s2), max(MINIMAL_SCALE, s1 + p2 + 1)
    summed = max(p1 - s1, p2 - s2) + longer + 1, longer, longer
    wanted, scale, fewest = {
        "+": summed,
        "-": summed,
        "*": (p1 + p2, s1 + s2, max(longer, min(s1 + s2, MINIMAL_SCALE))),
        "/": (p1 + s2 + quotients - s1, quotients, MINIMAL_SCALE),
        "%": (min(p1 - s1, p2 - s2) + longer, longer, longer),
    }[operator]
    precision = min(t.MAX_PRECISION, wanted)
    scale = max(fewest, scale - (wanted - precision))
    result = t.decimal(max(precision, scale, 1), scale)
    name = _NAMES[operator]
    rounded = operator == "/" or wanted > precision
    operation: Operation = Decimals(name, precision, scale) if rounded else f"{name}-decimal"
    return apply(operation, both, result)


def _is_temporal(one: Type) -> bool:
    return one.name in t.TEMPORAL


def _temporal(operator: str, left: Typed, right: Typed, places: tuple[Place, Place], coercion: Coercion) -> Typed:
    a, b = left.type, right.type
    if t.UNKNOWN in (a, b) or t.NULL in (a, b):
        return _temporal(operator, *_guess_types(operator, left, right, places, coercion), places, coercion)
    if operator == "-" and a == t.DATE == b:
        return apply("subtract", (left, right), t.DAY_TO_SECOND)
    if operator == "-" and (a in (*_MOMENTS, t.DATE) and b in (*_MOMENTS, t.DATE)):
        _, both = coercion.unify(((left, places[0]), (right, places[1])), "- goes from")
        return apply("subtract", both, t.DAY_TO_SECOND)
    if operator == "+" and a in _INTERVALS and b not in _INTERVALS:
        return _temporal(operator, right, left, (places[1], places[0]), coercion)
    if operator in "+-" and a == b and a in _INTERVALS:
        return apply(_of_interval(_NAMES[operator], a), (left, right), a)
    if operator in "+-" and b in _INTERVALS and (a in (t.DATE, *_MOMENTS) or (a == t.TIME and b == t.DAY_TO_SECOND)):
        return _add_interval(operator, left, right)
    if operator == "*" and b in _INTERVALS and t.is_numeric(a):
        return _temporal(operator, right, left, (places[1], places[0]), coercion)
    if operator in "*/" and a in _INTERVALS and t.is_numeric(b):
        return _scale_interval(operator, left, right)
    raise TypeMismatch(f"{a.words} {operator} {b.words} has no meaning", places[0])


def _of_interval(name: str, one: Type) -> str:
    """Months are whole numbers, of 64 bits like all others."""
    return f"{name}-bigint" if one == t.YEAR_TO_MONTH else name


def _guess_types(
    operator: str, left: Typed, right: Typed, places: tuple[Place, Place], coercion: Coercion
) -> tuple[Typed, Typed]:
    """Both sides, with the type of the one of which nothing is known taken from the other."""
    known, unknown = (right, 0) if left.type in (t.UNKNOWN, t.NULL) else (left, 1)
    if operator in "*/":
        wanted = t.NUMBER
    elif known.type in _INTERVALS:
        wanted = t.TIMESTAMP if unknown == 0 or operator == "+" else known.type
    else:
        wanted = t.DAY_TO_SECOND if operator == "+" else known.type
    sides = [left, right]
    sides[unknown] = coercion.to(sides[unknown], wanted, operator, places[unknown])
    return sides[0], sides[1]


def _add_interval(operator: str, moment: Typed, interval: Typed) -> Typed:
    name = _NAMES[operator]
    if interval.type == t.YEAR_TO_MONTH:
        return apply(f"{name}-months", (moment, interval), moment.type)
    if moment.type == t.TIME:
        return apply("add-to-time" if operator == "+" else "subtract-from-time", (moment, interval), t.TIME)
    if moment.type == t.DATE:
        moment = apply("at-midnight", (moment,), t.TIMESTAMP)
    return apply(f"{name}-interval", (moment, interval), moment.type)


def _scale_interval(operator: str, interval: Typed, number: Typed) -> Typed:
    if number.type.name == "DECIMAL":
        number = apply("decimal-to-double", (number,), t.DOUBLE)
    kind = "months" if interval.type == t.YEAR_TO_MONTH else "interval"
    return apply(f"{_NAMES[operator]}-{kind}", (interval, number), interval.type)
