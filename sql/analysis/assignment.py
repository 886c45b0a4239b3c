"""Values on their way into a column of the target, or into a part of the record written."""

from collections.abc import Callable
from typing import Any

from schemas.errors import Place, TypeMismatch
from schemas.failures import BadRecord
from schemas.formats.fields import Convert
from schemas.formats.json.values import bounds, real
from schemas.types import datatypes as t
from schemas.types.datatypes import Type
from schemas.types.decimals import fitted
from schemas.types.json_text import json_text
from sql.analysis.record import RAW_HEADERS, header_list, key_of_json, milliseconds
from sql.types.casts import exactly, explicit, inside
from sql.types.coercion import Coercion, cost, remedy
from sql.types.slots import wanted
from sql.types.typed import Field, Typed, apply, call, loose, whole_of


def assigned(value: Typed, target: Type, by: str, place: Place, coercion: Coercion) -> Typed:
    """The value as the column holds it: numbers are fitted, anything may become JSON. Raises TypeMismatch."""
    if t.UNKNOWN in value.type.parts() and value.type.name in ("UNKNOWN", target.name):
        value = coercion.to(value, wanted(target), by, place)
    if value.type == target or value.type == t.NULL:
        return coercion.to(value, target, by, place)
    if t.is_numeric(value.type) and t.is_numeric(target):
        if t.is_integer(value.type) and cost(value.type, target) == 0:
            return coercion.to(value, target, by, place)
        return call(_fitting(by, value.type, target), (value,), target)
    if target == t.JSON and value.type != t.JSON:
        conversion = json_text if value.type in (t.VARCHAR, t.VARBINARY) else explicit(value.type, t.JSON)
        return call(conversion or json_text, (value,), target)
    if value.type.name == target.name and target.name in t.NESTED and _is_shaped(value.type, target):
        made = _fitting_into(by)(value.type, target)
        return call(made, (value,), target) if made else coercion.to(value, target, by, place)
    if cost(value.type, target) is None:
        hint = remedy(value.type, target) or f"; CAST it AS {target}"
        raise TypeMismatch(f"{by} needs {target.words}; this is {value.type.words}{hint}", place)
    return coercion.to(value, target, by, place)


def _is_shaped(source: Type, target: Type) -> bool:
    """Whether values of the one type can be put into columns of the other, part by part."""
    if len(source.arguments) != len(target.arguments):
        return False
    pairs = zip(source.arguments, target.arguments, strict=True)
    return all(_is_alike(a, b) or (a.name == b.name and _is_shaped(a, b)) for a, b in pairs)


def _is_alike(source: Type, target: Type) -> bool:
    return cost(source, target) is not None or (t.is_numeric(source) and t.is_numeric(target))


def _fitting_into(by: str) -> Callable[[Type, Type], Convert | None]:
    """What fits a value, or what lies in it, into a column's type."""

    def convert(source: Type, target: Type) -> Convert | None:
        if source == target or t.NULL in (source, target):
            return None
        if t.is_numeric(source) and t.is_numeric(target):
            return _fitting(by, source, target)
        return inside(source, target, convert) if source.name in t.NESTED else explicit(source, target)

    return convert


def _fitting(by: str, source: Type, target: Type) -> Convert:
    fit = _fit(source, target)

    def fits(value: Any) -> Any:
        try:
            return fit(value)
        except (ValueError, ArithmeticError, BadRecord):
            raise BadRecord(f"{value} does not fit into {by}") from None

    return fits


def _fit(source: Type, target: Type) -> Convert:
    if target.name == "DECIMAL":
        (precision, scale), exact = target.size, exactly(source)
        return lambda value: fitted(exact(value) if exact else value, precision, scale)
    if target == t.REAL:
        return lambda value: real(float(value))
    if not t.is_integer(target):
        return float
    low, high = bounds(target)

    def whole(value: Any) -> int:
        result = int(value)
        if result != value or not low <= result <= high:
            raise ValueError
        return result

    return whole


def part_of(name: str, value: Typed, place: Place, coercion: Coercion) -> Typed:
    """`__key`, `__timestamp`, `__headers` or `__partition` as Kafka takes it. Raises TypeMismatch."""
    if name == "__key":
        return _key(whole_of(value), place, coercion)
    if name == "__timestamp":
        moment = coercion.to(value, t.TIMESTAMP_TZ, name, place)
        return loose("milliseconds({})", (moment,), t.BIGINT, milliseconds=milliseconds)
    if name == "__partition":
        return coercion.to(value, t.BIGINT, name, place)
    if isinstance(value, Field) and value.key == "__headers":
        return Field(RAW_HEADERS, value.type)
    held = value.type.arguments[1] if value.type.name == "MAP" else t.VARCHAR
    texts = held if held in (t.VARBINARY, t.JSON) else t.VARCHAR
    pairs = coercion.to(value, t.map_of(t.VARCHAR, texts), name, place)
    return apply("header_list({})", (pairs,), pairs.type, header_list=header_list)


def _key(value: Typed, place: Place, coercion: Coercion) -> Typed:
    """Text and bytes as they are, all else as JSON."""
    value = coercion.handed_on(value, "__key", place)
    if value.type == t.VARBINARY:
        return value
    if value.type == t.VARCHAR:
        return call(str.encode, (value,), t.VARBINARY)
    if value.type != t.JSON:
        made = None if value.type == t.NULL else explicit(value.type, t.JSON)
        value = call(made, (value,), t.JSON) if made else value
    return value if value.type == t.NULL else call(key_of_json, (value,), t.VARBINARY)
