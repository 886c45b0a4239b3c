"""Implicit conversions: numbers widen, a DATE is a TIMESTAMP at midnight, NULL is of every type.

A value of unknown type gets the type that its use needs; the slot that it comes from notes that type.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from msgspec.structs import replace

from jobplane.schemas.errors import Place, TypeMismatch
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type
from jobplane.sql.operations.casts import implicit
from jobplane.sql.operations.operation import Widen
from jobplane.sql.types.slots import PARTS, Slots
from jobplane.sql.types.typed import Choice, Coalesce, Constant, Let, Loop, Typed, apply, slot_of, strip_view

_MOMENTS = ("DATE", "TIMESTAMP")
_DOCUMENTS = ("SCALAR", "JSON")
_REMEDIES = {t.DATE: "DATE", t.TIME: "TIME", t.TIMESTAMP: "TIMESTAMP", t.TIMESTAMP_TZ: "TIMESTAMP WITH TIME ZONE"}


def conversion_cost(source: Type, target: Type) -> int | None:
    """How far an implicit conversion goes: 0 none, None where there is none."""
    if source == target or source in (t.NULL, t.UNKNOWN):
        return 0
    if t.is_numeric(source) and t.is_numeric(target):
        return _widening(source, target)
    if (source.name, target.name) in (_MOMENTS, _DOCUMENTS):
        return 1
    if source.name == target.name and source.name in ("ARRAY", "MAP"):
        costs = [conversion_cost(a, b) for a, b in zip(source.arguments, target.arguments, strict=True)]
        return None if None in costs else max(one or 0 for one in costs)
    return None


def _widening(source: Type, target: Type) -> int | None:
    if source == t.NUMBER or target == t.NUMBER:
        return 1
    if t.is_integer(source) and t.is_integer(target):
        return 0 if t.BITS[source.name] <= t.BITS[target.name] else None
    order = ("DECIMAL", "REAL", "DOUBLE")
    if target.name not in order:
        return None
    return 1 if t.is_integer(source) or order.index(source.name) <= order.index(target.name) else None


def common_type(types: Sequence[Type]) -> Type | None:
    """The type all have in common; UNKNOWN where none is known, NULL where all are NULL, None where there is none."""
    known = [one for one in types if one not in (t.NULL, t.UNKNOWN)]
    if not known:
        return t.UNKNOWN if t.UNKNOWN in types else t.NULL
    common: Type | None = known[0]
    for one in known[1:]:
        common = _common(common, one) if common else None
    return common


def _common(a: Type, b: Type) -> Type | None:
    if a == b:
        return a
    if t.is_numeric(a) and t.is_numeric(b):
        return _common_number(a, b)
    if {a.name, b.name} == set(_MOMENTS):
        return t.TIMESTAMP
    if a.name == b.name and a.name in ("ARRAY", "MAP"):
        inner = [common_type(pair) for pair in zip(a.arguments, b.arguments, strict=True)]
        return None if None in inner else Type(a.name, tuple(one for one in inner if one))
    return None


def _common_number(a: Type, b: Type) -> Type:
    for widest in (t.NUMBER, t.DOUBLE, t.REAL):
        if widest in (a, b):
            return widest
    if "DECIMAL" not in (a.name, b.name):
        return max(a, b, key=lambda one: t.BITS[one.name])
    (p1, s1), (p2, s2) = decimal_size(a), decimal_size(b)
    scale = max(s1, s2)
    return t.decimal(min(t.MAX_PRECISION, max(p1 - s1, p2 - s2) + scale), scale)


def number_size(value: Typed) -> tuple[int, int]:
    """Precision and scale of an exact number; of a whole constant, its own digits."""
    if isinstance(value, Constant) and isinstance(value.value, int):
        return len(str(abs(value.value))), 0
    return decimal_size(value.type)


def decimal_size(one: Type) -> tuple[int, int]:
    """Precision and scale of a type of exact numbers."""
    if one.name == "DECIMAL":
        precision, scale = one.size
        return precision, scale
    return len(str(2 ** (t.BITS[one.name] - 1))), 0


@dataclass(frozen=True, slots=True)
class Coercion:
    """Conversions that note what slots must hold."""

    slots: Slots

    def to(self, value: Typed, target: Type, by: str, place: Place) -> Typed:
        """The value as the type that `by` needs. Raises TypeMismatch."""
        if t.UNKNOWN in value.type.parts() and value.type.name in ("UNKNOWN", target.name):
            return self._unknown(value, target, place)
        if target == t.JSON:
            value = strip_view(value)
        if isinstance(value, Constant) and value.value is None:
            return Constant(None, target)
        if value.type == target or target == t.UNKNOWN:
            return value
        if conversion_cost(value.type, target) is None:
            alike = value.type.words == target.words
            needed, found = (str(target), str(value.type)) if alike else (target.words, value.type.words)
            hint = cast_hint(value.type, target)
            if by == "||" and target == t.VARCHAR and value.type.name not in t.NESTED:
                hint = hint or f"; CAST it AS {t.VARCHAR}"
            raise TypeMismatch(f"{by} needs {needed}; this is {found}{hint}", place)
        if implicit(value.type, target) is None:
            return _with_type(value, target)
        return apply(Widen(value.type, target), (value,), target)

    def _unknown(self, value: Typed, target: Type, place: Place) -> Typed:
        """A value whose type is not fully known, with the type that its use needs; its slot must hold that type."""
        one, slot = value.type, slot_of(value)
        if slot and (one == t.UNKNOWN or one in PARTS):
            part, wanted_of = (slot, target) if one == t.UNKNOWN else ((*slot, PARTS[one]), target.arguments[-1])
            self.slots.demand(part, wanted_of, place)
            return _with_type(value, target)
        match value:
            case Coalesce(operands):
                return Coalesce(tuple(self._unknown_or_null(one, target, place) for one in operands), target)
            case Choice(branches, otherwise):
                chosen = tuple((when, self._unknown_or_null(then, target, place)) for when, then in branches)
                return Choice(chosen, self._unknown_or_null(otherwise, target, place), target)
            case Let(key, bound, body):
                return Let(key, bound, self._unknown_or_null(body, target, place), target)
            case Loop():
                return self._loop(value, target, place)
        return _with_type(value, target)

    def _loop(self, value: Loop, target: Type, place: Place) -> Typed:
        """The results of the lambdas get the types that the result of the loop needs."""
        if value.name == "FILTER":
            return replace(value, over=self._unknown_or_null(value.over, target, place), type=target)
        wanted_of = target.arguments if value.name == "TRANSFORM" else (target,)
        pairs = zip(value.results, wanted_of, strict=True)
        results = tuple(self._unknown_or_null(one, of, place) for one, of in pairs)
        start = value.start and self._unknown_or_null(value.start, target, place)
        return replace(value, results=results, start=start, type=target)

    def pass_on(self, value: Typed, by: str, place: Place) -> Typed:
        """A value that is passed on unchanged: its unknown parts are JSON."""
        return self.to(value, t.as_json(value.type), by, place)

    def _unknown_or_null(self, value: Typed, target: Type, place: Place) -> Typed:
        return self.to(value, target, "this", place)

    def unify(self, values: Sequence[tuple[Typed, Place]], by: str) -> tuple[Type, tuple[Typed, ...]]:
        """The values as the type they have in common. Raises TypeMismatch where they have none."""
        values = [(strip_view(value), place) for value, place in values]
        common = common_type([value.type for value, _ in values])
        if common is None:
            common = values[0][0].type
            for value, place in values:
                if common_type((common, value.type)) is None:
                    hint = cast_hint(value.type, common) or cast_hint(common, value.type)
                    raise TypeMismatch(f"{by} {common.words} with {value.type.words}{hint}", place)
                common = common_type((common, value.type)) or common
        return common, tuple(self.to(value, common, by, place) for value, place in values)


def _with_type(value: Typed, target: Type) -> Typed:
    return replace(value, type=target)


def cast_hint(source: Type, target: Type) -> str:
    """What to write instead, where one type is taken for another."""
    if source == t.VARCHAR and target in _REMEDIES:
        return f"; write {_REMEDIES[target]} '…', or CAST it"
    if source == t.JSON and target != t.UNKNOWN:
        return f"; CAST it AS {target if target not in (t.NUMBER, t.SCALAR) else t.DOUBLE}"
    return ""


def constant_number(value: float | Decimal) -> Constant:
    """A literal: INTEGER or BIGINT for digits alone, DECIMAL with a point, DOUBLE with an exponent."""
    if isinstance(value, int):
        fits = t.INTEGER if value < 2**31 else t.BIGINT
        return Constant(value, fits) if value < 2**63 else Constant(Decimal(value), t.decimal(19, 0))
    if isinstance(value, float):
        return Constant(value, t.DOUBLE)
    exponent = value.as_tuple().exponent
    scale = -exponent if isinstance(exponent, int) else 0
    return Constant(value, t.decimal(max(len(value.as_tuple().digits), scale, 1), scale))
