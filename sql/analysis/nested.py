"""Values in values: fields, elements, and how arrays, maps and rows are made."""

from collections.abc import Sequence
from itertools import chain, count

from msgspec.structs import replace

from jobplane.schemas.errors import Place, TypeMismatch, UnknownColumn
from jobplane.schemas.suggestions import did_you_mean
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type
from jobplane.sql.analysis.record import RAW_HEADERS
from jobplane.sql.operations.operation import JsonField, MakeArray, MakeMap, MakeRow, RowField, View
from jobplane.sql.runtime.nested import NULL_KEY
from jobplane.sql.types.coercion import Coercion
from jobplane.sql.types.names import KEYS
from jobplane.sql.types.slots import Slots, describe_slot
from jobplane.sql.types.typed import (
    ELEMENT,
    VALUE,
    Apply,
    Constant,
    Field,
    SlotPath,
    Typed,
    apply,
    apply_nullable,
    slot_of,
    with_fault,
)

HEADERS = Field(RAW_HEADERS, t.map_of(t.VARCHAR, t.VARBINARY))


def field_of(value: Typed, name: str, place: Place, slots: Slots) -> Typed:
    """`value.name`. Raises TypeMismatch or UnknownColumn."""
    one, slot = value.type, slot_of(value)
    if one == t.UNKNOWN and slot:
        return _inside(slot, name, slots, place)
    if one.name == "ROW":
        if name not in one.fields:
            hint = did_you_mean(name, one.fields) or f"; fields are {', '.join(one.fields)}"
            raise UnknownColumn(f"{one} has no field '{name}'{hint}", place)
        at = one.fields.index(name)
        held = one.arguments[at]
        found = _at(apply(RowField(at, held == t.JSON), (value,), held), slot, name)
        return view(found, (*slot, name), slots) if slot else found
    if one in (t.JSON, t.UNKNOWN):
        return _of_json(value, slot, name, slots, place)
    hint = "; write value['key']" if one.name == "MAP" else ""
    raise TypeMismatch(f"{one.words} has no field '{name}'{hint}", place)


def element(value: Typed, index: Typed, places: tuple[Place, Place], coercion: Coercion) -> Typed:
    """`value[index]`: of an array from 1 on, or of a map; NULL where there is none. Raises TypeMismatch."""
    slot = slot_of(value)
    if isinstance(index, Constant) and isinstance(index.value, str) and value.type.name in ("UNKNOWN", "JSON", "ROW"):
        return field_of(value, index.value, places[0], coercion.slots)
    if value.type == t.UNKNOWN:
        if index.type == t.VARCHAR:
            value = coercion.to(value, t.map_of(t.VARCHAR, t.UNKNOWN), "[…]", places[0])
        elif slot:
            coercion.to(index, t.BIGINT, "[…]", places[1])
            return _inside(slot, ELEMENT, coercion.slots, places[0])
    if value.type == t.JSON:
        number = coercion.to(index, t.BIGINT, "[…]", places[1])
        found = apply("item-of-json", (value, number), t.JSON)
        return _read(found, (*slot, ELEMENT) if slot else (), coercion.slots, places[0])
    if value.type.name == "ARRAY":
        number = coercion.to(index, t.BIGINT, "[…]", places[1])
        found = _at(_part("item", (value, number), value.type.arguments[0]), slot, ELEMENT)
        return view(found, (*slot, ELEMENT), coercion.slots) if slot else found
    if value.type.name == "MAP":
        key = coercion.to(index, value.type.arguments[0], "[…]", places[1])
        found = _at(_part("value", (value, key), value.type.arguments[1]), slot, VALUE)
        return view(found, (*slot, VALUE), coercion.slots) if slot else found
    raise TypeMismatch(f"{value.type.words} has no elements", places[0])


def header(key: Typed) -> Typed:
    """`__headers['key']`: the last header of that name, as text."""
    return apply("header", (HEADERS, key), t.VARCHAR)


def _part(operation: str, arguments: tuple[Typed, ...], one: Type) -> Typed:
    """What lies in a value; a null of JSON is NULL."""
    return apply(f"{operation}-json" if one == t.JSON else operation, arguments, one)


def _inside(slot: SlotPath, name: str | int, slots: Slots, place: Place) -> Typed:
    inner = (*slot, name)
    slots.add(inner)
    if slots.is_mixed(slot):
        raise TypeMismatch(f"column {describe_slot(slot)} is used as an array and as an object", place)
    return Field(describe_slot(inner), slots.moment(inner), inner)


def _at(value: Typed, slot: SlotPath, name: str | int) -> Typed:
    return _with_slot(value, (*slot, name) if slot else ())


def _with_slot(value: Typed, slot: SlotPath) -> Typed:
    return replace(value, slot=slot) if slot and isinstance(value, Apply | Field) else value


def view(value: Typed, slot: SlotPath, slots: Slots) -> Typed:
    """A value of JSON as what is looked up in it, where anything is."""
    slot = slots.place_of(slot)
    shape = slots.shape_of(slot) if slots.learned else t.JSON
    if value.type != t.JSON or shape == t.JSON:
        return value
    return _with_slot(apply(View(shape, describe_slot(slot)), (value,), shape), slot)


def _of_json(value: Typed, slot: SlotPath, name: str, slots: Slots, place: Place) -> Typed:
    found = apply(JsonField(name), (value,), t.JSON)
    return _read(found, (*slot, name) if slot else (), slots, place)


def _read(found: Typed, slot: SlotPath, slots: Slots, place: Place) -> Typed:
    """A value found in JSON as what its use needs."""
    if not slot:
        return found
    if not slots.learned:
        return _inside(slot[:-1], slot[-1], slots, place)
    found = _with_slot(found, slot)
    return view(found, slot, slots)


def make_array(items: Sequence[tuple[Typed, Place]], coercion: Coercion) -> Typed:
    if not items:
        return Constant([], t.array(t.NULL))
    common, values = coercion.unify(items, "an ARRAY holds")
    common, values = _settle(common, values, items, coercion)
    return apply_nullable(MakeArray(), values, t.array(common))


def make_map(keys: Sequence[tuple[Typed, Place]], values: Sequence[tuple[Typed, Place]], coercion: Coercion) -> Typed:
    if not keys:
        return Constant({}, t.map_of(t.VARCHAR, t.NULL))
    key, names = coercion.unify(keys, "a MAP has keys of")
    key, names = _settle(key, names, keys, coercion, t.VARCHAR)
    if key.name not in KEYS:
        raise TypeMismatch(f"a MAP has keys of {', '.join(sorted(KEYS - {'UNKNOWN'}))}", keys[0][1])
    common, held = coercion.unify(values, "a MAP holds")
    common, held = _settle(common, held, values, coercion)
    made = apply_nullable(MakeMap(), (*names, *held), t.map_of(key, common))
    return with_fault(made, NULL_KEY) if any(isinstance(one, Constant) and one.value is None for one in names) else made


def make_row(names: Sequence[str], items: Sequence[tuple[Typed, Place]], coercion: Coercion) -> Typed:
    values = tuple(coercion.pass_on(value, "ROW", place) for value, place in items)
    fields: dict[str, None] = {}
    for i, name in enumerate(names):
        ways = chain((name,), (f"_col{n}" for n in count(i)))
        fields[next(one for one in ways if one not in fields)] = None
    one = t.row(tuple(fields), tuple(value.type for value in values))
    return apply_nullable(MakeRow(one), values, one)


def _settle(
    common: Type,
    values: tuple[Typed, ...],
    given: Sequence[tuple[Typed, Place]],
    coercion: Coercion,
    otherwise: Type = t.JSON,
) -> tuple[Type, tuple[Typed, ...]]:
    """Values of which nothing is known are JSON."""
    if t.UNKNOWN not in common.parts():
        return common, values
    otherwise = otherwise if common == t.UNKNOWN else t.as_json(common)
    return otherwise, tuple(coercion.to(v, otherwise, "this", p) for v, (_, p) in zip(values, given, strict=True))
