"""What `+ - * / %` mean for the types on either side: tables, then one function each.

Whole numbers are added up as BIGINT, DECIMALs exactly, REAL and DOUBLE as DOUBLE, numbers of JSON as they are.
"""

from datetime import date, datetime, time, timedelta

from schemas.errors import Place, TypeMismatch
from schemas.types import datatypes as t
from schemas.types.datatypes import Type
from schemas.types.decimals import EXACT, fitted, product, quotient, remainder
from sql.functions.temporal import add_months, moved
from sql.runtime import operations
from sql.types.casts import at_midnight
from sql.types.coercion import Coercion, common_type, conversion, size_of
from sql.types.typed import Apply, Constant, Typed, apply, call, faulty

MINIMAL_SCALE = 6
"""Digits after the point that a quotient keeps at least, and a product if it has as many."""

_INLINE = {"+": "({} + {})", "-": "({} - {})", "*": "({} * {})"}
_EXACT = {"+": EXACT.add, "-": EXACT.subtract, "*": product, "%": remainder}

_ANY_DAY = date(2000, 1, 1)
_MOMENTS = (t.TIMESTAMP, t.TIMESTAMP_TZ)
_INTERVALS = (t.DAY_TO_SECOND, t.YEAR_TO_MONTH)


def arithmetic(operator: str, left: Typed, right: Typed, places: tuple[Place, Place], coercion: Coercion) -> Typed:
    """`left operator right`. Raises TypeMismatch with its place."""
    made = _operation(operator, left, right, places, coercion)
    nothing = operator in "/%" and isinstance(right, Constant) and right.value == 0 and t.is_numeric(right.type)
    return faulty(made, "division by zero") if nothing else made


def _operation(operator: str, left: Typed, right: Typed, places: tuple[Place, Place], coercion: Coercion) -> Typed:
    if _is_temporal(left.type) or _is_temporal(right.type):
        return _temporal(operator, left, right, places, coercion)
    a, b = (
        one if t.is_numeric(one.type) else coercion.to(one, t.NUMBER, operator, place)
        for one, place in zip((left, right), places, strict=True)
    )
    return _numbers(operator, a, b, places, coercion)


def negated(value: Typed, place: Place, coercion: Coercion) -> Typed:
    if value.type in _INTERVALS:
        return apply("(-{})", (value,), value.type)
    number = value if t.is_numeric(value.type) else coercion.to(value, t.NUMBER, "the sign -", place)
    if number.type.name == "DECIMAL":
        return call(EXACT.minus, (number,), number.type)
    if t.is_integer(number.type):
        return apply("(-{})", (number,), t.BIGINT, check="whole")
    return apply("(-{})", (number,), number.type)


def _numbers(operator: str, left: Typed, right: Typed, places: tuple[Place, Place], coercion: Coercion) -> Typed:
    common = common_type((left.type, right.type)) or t.NUMBER
    if common.name == "DECIMAL":
        return _decimals(operator, left, right)
    result = t.BIGINT if t.is_integer(common) else t.DOUBLE if common == t.REAL else common
    both = tuple(coercion.to(one, result, operator, place) for one, place in zip((left, right), places, strict=True))
    check = "whole" if result == t.BIGINT else "finite"
    if operator in _INLINE:
        return apply(_INLINE[operator], both, result, check=check)  # type: ignore[arg-type]
    if operator == "%":
        return call(operations.remainder, both, result)
    if result == t.DOUBLE or any(isinstance(one, Constant) and isinstance(one.value, float) for one in both):
        return apply("({} / {})", both, result, check="finite")
    return call(operations.divide, both, result, check=check)


def _decimals(operator: str, left: Typed, right: Typed) -> Typed:
    (p1, s1), (p2, s2) = size_of(left), size_of(right)
    exact = t.decimal(t.MAX_PRECISION, max(s1, s2))
    sides = []
    for one in (left, right):
        made = conversion(one.type, exact)
        sides.append(call(made, (one,), exact) if made else one)
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
    if operator == "/":
        code = "fitted(quotient({}, {}, scale), precision, scale)"
        return apply(code, both, result, fitted=fitted, quotient=quotient, scale=scale, precision=precision)
    if wanted > precision:
        code = "fitted(exact({}, {}), precision, scale)"
        return apply(code, both, result, fitted=fitted, exact=_EXACT[operator], precision=precision, scale=scale)
    return apply("exact({}, {})", both, result, exact=_EXACT[operator])


def _is_temporal(one: Type) -> bool:
    return one.name in t.TEMPORAL


def _shifted(value: time, by: timedelta) -> time:
    """Past midnight the next day's time."""
    return (datetime.combine(_ANY_DAY, value) + by).time()


def _temporal(operator: str, left: Typed, right: Typed, places: tuple[Place, Place], coercion: Coercion) -> Typed:
    a, b = left.type, right.type
    if t.UNKNOWN in (a, b) or t.NULL in (a, b):
        return _temporal(operator, *_guessed(operator, left, right, places, coercion), places, coercion)
    if operator == "-" and a == t.DATE == b:
        return apply("({} - {})", (left, right), t.DAY_TO_SECOND)
    if operator == "-" and (a in (*_MOMENTS, t.DATE) and b in (*_MOMENTS, t.DATE)):
        _, both = coercion.together(((left, places[0]), (right, places[1])), "- goes from")
        return apply("({} - {})", both, t.DAY_TO_SECOND)
    if operator == "+" and a in _INTERVALS and b not in _INTERVALS:
        return _temporal(operator, right, left, (places[1], places[0]), coercion)
    if operator in "+-" and a == b and a in _INTERVALS:
        return apply(_INLINE[operator], (left, right), a)
    if operator in "+-" and b in _INTERVALS and (a in (t.DATE, *_MOMENTS) or (a == t.TIME and b == t.DAY_TO_SECOND)):
        return _moved(operator, left, right)
    if operator == "*" and b in _INTERVALS and t.is_numeric(a):
        return _temporal(operator, right, left, (places[1], places[0]), coercion)
    if operator in "*/" and a in _INTERVALS and t.is_numeric(b):
        return _scaled(operator, left, right)
    raise TypeMismatch(f"{a.words} {operator} {b.words} has no meaning", places[0])


def _guessed(
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


def _moved(operator: str, moment: Typed, interval: Typed) -> Typed:
    if interval.type == t.YEAR_TO_MONTH:
        return apply(f"add_months({{}}, {operator}{{}})", (moment, interval), moment.type, add_months=add_months)
    if moment.type == t.TIME:
        return apply(f"shifted({{}}, {operator}{{}})", (moment, interval), t.TIME, shifted=_shifted)
    if moment.type == t.DATE:
        moment = call(at_midnight, (moment,), t.TIMESTAMP)
    return apply(f"moved({{}}, {operator}{{}})", (moment, interval), moment.type, moved=moved)


def _scaled(operator: str, interval: Typed, number: Typed) -> Typed:
    if number.type.name == "DECIMAL":
        number = apply("float({})", (number,), t.DOUBLE, float=float)
    if interval.type == t.YEAR_TO_MONTH:
        return apply(f"int({{}} {operator} {{}})", (interval, number), interval.type, int=int)
    return apply(f"({{}} {operator} {{}})", (interval, number), interval.type)


def carries(one: Apply, argument: Typed) -> bool:
    """Whether a result beyond its bounds may go into this operation, whose own result tells of it."""
    return isinstance(argument, Apply) and one.check == argument.check and one.code in (*_INLINE.values(), "(-{})")
