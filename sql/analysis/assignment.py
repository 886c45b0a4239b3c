"""Values on their way into a column of the target, or into a part of the record written."""

from jobplane.schemas.errors import Place, TypeMismatch
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type
from jobplane.sql.analysis.record import RAW_HEADERS
from jobplane.sql.operations.casts import explicit
from jobplane.sql.operations.fitting import fitting
from jobplane.sql.operations.operation import Convert, Fit
from jobplane.sql.types.coercion import Coercion, cast_hint, conversion_cost
from jobplane.sql.types.slots import demanded_type
from jobplane.sql.types.typed import Field, Typed, apply, apply_nullable, strip_view


def assign(value: Typed, target: Type, by: str, place: Place, coercion: Coercion) -> Typed:
    """The value as the column holds it: numbers are fitted, anything may become JSON. Raises TypeMismatch."""
    if t.UNKNOWN in value.type.parts() and value.type.name in ("UNKNOWN", target.name):
        value = coercion.to(value, demanded_type(target), by, place)
    if value.type == target or value.type == t.NULL:
        return coercion.to(value, target, by, place)
    if t.is_numeric(value.type) and t.is_numeric(target):
        if t.is_integer(value.type) and conversion_cost(value.type, target) == 0:
            return coercion.to(value, target, by, place)
        return apply(Fit(by, value.type, target), (value,), target)
    if target == t.JSON and value.type != t.JSON:
        plain = value.type in (t.VARCHAR, t.VARBINARY) or explicit(value.type, t.JSON) is None
        return apply("json-text" if plain else Convert(value.type, t.JSON), (value,), target)
    if value.type.name == target.name and target.name in t.NESTED and _is_shaped(value.type, target):
        if fitting(by, value.type, target) is None:
            return coercion.to(value, target, by, place)
        return apply(Fit(by, value.type, target), (value,), target)
    if conversion_cost(value.type, target) is None:
        hint = cast_hint(value.type, target) or f"; CAST it AS {target}"
        raise TypeMismatch(f"{by} needs {target.words}; this is {value.type.words}{hint}", place)
    return coercion.to(value, target, by, place)


def _is_shaped(source: Type, target: Type) -> bool:
    """Whether values of the one type can be put into columns of the other, part by part."""
    if len(source.arguments) != len(target.arguments):
        return False
    pairs = zip(source.arguments, target.arguments, strict=True)
    return all(_is_alike(a, b) or (a.name == b.name and _is_shaped(a, b)) for a, b in pairs)


def _is_alike(source: Type, target: Type) -> bool:
    return conversion_cost(source, target) is not None or (t.is_numeric(source) and t.is_numeric(target))


def record_part(name: str, value: Typed, place: Place, coercion: Coercion) -> Typed:
    """`__key`, `__timestamp`, `__headers` or `__partition` as Kafka takes it. Raises TypeMismatch."""
    if name == "__key":
        return _key(strip_view(value), place, coercion)
    if name == "__timestamp":
        moment = coercion.to(value, t.TIMESTAMP_TZ, name, place)
        return apply_nullable("milliseconds", (moment,), t.BIGINT)
    if name == "__partition":
        return coercion.to(value, t.BIGINT, name, place)
    if isinstance(value, Field) and value.key == "__headers":
        return Field(RAW_HEADERS, value.type)
    held = value.type.arguments[1] if value.type.name == "MAP" else t.VARCHAR
    texts = held if held in (t.VARBINARY, t.JSON) else t.VARCHAR
    pairs = coercion.to(value, t.map_of(t.VARCHAR, texts), name, place)
    return apply("header-list", (pairs,), pairs.type)


def _key(value: Typed, place: Place, coercion: Coercion) -> Typed:
    """Text and bytes as they are, all else as JSON."""
    value = coercion.pass_on(value, "__key", place)
    if value.type == t.VARBINARY:
        return value
    if value.type == t.VARCHAR:
        return apply("key-of-text", (value,), t.VARBINARY)
    if value.type != t.JSON:
        converted = value.type != t.NULL and explicit(value.type, t.JSON) is not None
        value = apply(Convert(value.type, t.JSON), (value,), t.JSON) if converted else value
    return value if value.type == t.NULL else apply("key-of-json", (value,), t.VARBINARY)
