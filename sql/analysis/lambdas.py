"""TRANSFORM, FILTER and REDUCE: the meaning of their lambdas, and the types of their results.

A parameter of a lambda hides a column, or a source, of its name. An array gives its elements one after the other, a
map its keys and values; NULL is an element like others. What is known of the elements of an unmapped column follows
from what the lambda does with them, as for columns.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, cast

from msgspec.structs import replace

from jobplane.schemas.errors import NestedTooDeep, Place, TypeMismatch
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type
from jobplane.sql.analysis.calls import argument_count, refuse_unknown
from jobplane.sql.analysis.nested import view
from jobplane.sql.syntax import expressions as ex
from jobplane.sql.types.coercion import cast_hint, common_type
from jobplane.sql.types.names import KEYS
from jobplane.sql.types.slots import PARTS
from jobplane.sql.types.typed import ELEMENT, VALUE, Field, Loop, SlotPath, Typed, slot_of, strip_view

if TYPE_CHECKING:
    from jobplane.sql.analysis.expressions import Analysis

MAX_NESTED = 5
"""Lambdas in one another. Python takes no more than twenty loops in one another; UNNEST needs some of them."""
ATTEMPTS = 3
"""How often a lambda is analysed at most, until the type of its accumulator stays."""
MISPLACED_LAMBDA = "a lambda stands only as an argument of TRANSFORM, FILTER or REDUCE"


class Scope(Protocol):
    """What names mean at a place."""

    def resolve(self, names: Sequence[str], place: Place, *, quoted: bool = False) -> tuple[Typed, Sequence[str]]:
        """The value of the first of dotted names, and the names left to look up inside it. Raises UnknownColumn.

        `quoted`: it is one name alone, in double quotes.
        """


@dataclass(frozen=True, slots=True)
class LambdaScope:
    """The names in a lambda: its parameters, then all that is outside."""

    parameters: Mapping[str, Typed]
    outside: Scope

    def resolve(self, names: Sequence[str], place: Place, *, quoted: bool = False) -> tuple[Typed, Sequence[str]]:
        first, *rest = names
        if first in self.parameters:
            return self.parameters[first], rest
        return self.outside.resolve(names, place, quoted=quoted)


@dataclass(frozen=True, slots=True)
class LambdaForm:
    """How one of the three is written: over an array, over a map; how many arguments come before the lambdas; how many
    lambdas there are for a map; how many parameters come before those of the entry."""

    array: str
    map: str
    values: int = 1
    of_map: int = 1
    before: int = 0


LAMBDA_FORMS = {
    "TRANSFORM": LambdaForm("TRANSFORM(array, x => …)", "TRANSFORM(map, (k, v) => …, (k, v) => …)", of_map=2),
    "FILTER": LambdaForm("FILTER(array, x => …)", "FILTER(map, (k, v) => …)"),
    "REDUCE": LambdaForm(
        "REDUCE(array, start, (acc, x) => …)", "REDUCE(map, start, (acc, k, v) => …)", values=2, before=1
    ),
}


def apply_lambda(tree: ex.Call, analysis: "Analysis") -> Typed:
    """A call that has a lambda among its arguments, or should have one. Raises TypeMismatch, UnknownFunction …"""
    shape = LAMBDA_FORMS.get(tree.name)
    if shape is None:
        refuse_unknown(tree.name, tree.place, analysis.functions)
        place = next(one.place for one in tree.arguments if isinstance(one, ex.Lambda))
        raise TypeMismatch(f"{tree.name} does not take a lambda; TRANSFORM, FILTER and REDUCE do", place)
    if not shape.values < len(tree.arguments) <= shape.values + shape.of_map:
        count = argument_count(len(tree.arguments))
        raise TypeMismatch(f"{tree.name} does not take {count}; it is {shape.array} or {shape.map}", tree.place)
    lambdas: list[ex.Lambda] = []
    for one in tree.arguments[shape.values :]:
        if not isinstance(one, ex.Lambda):
            raise TypeMismatch(f"{tree.name} needs a lambda here; it is {shape.array} or {shape.map}", one.place)
        lambdas.append(one)
    return _Application(tree, shape, lambdas, analysis).made()


@dataclass(slots=True)
class _Application:
    tree: ex.Call
    shape: LambdaForm
    lambdas: list[ex.Lambda]
    analysis: "Analysis"

    def made(self) -> Typed:
        over = self._over()
        keys, parameters = self._entry(over)
        self._check(over.type.name == "MAP")
        match self.tree.name:
            case "TRANSFORM":
                return self._transform(over, keys, parameters)
            case "FILTER":
                return self._filter(over, keys, parameters)
        return self._reduce(over, keys, parameters)

    def _over(self) -> Typed:
        """The array or map; of which nothing is known, the parameters of the lambda tell which it is."""
        tree, name = self.tree.arguments[0], self.tree.name
        value = self.analysis.typed(tree)
        if value.type == t.UNKNOWN:
            several = len(self.lambdas[0].parameters) - self.shape.before > 1
            one = t.map_of(t.VARCHAR, t.UNKNOWN) if several else t.array(t.UNKNOWN)
            value = self.analysis.coercion.to(value, one, name, tree.place)
        if value.type.name not in ("ARRAY", "MAP"):
            hint = cast_hint(value.type, t.array(t.JSON)) or cast_hint(strip_view(value).type, t.array(t.JSON))
            raise TypeMismatch(f"{name} needs an array or a map; this is {value.type.words}{hint}", tree.place)
        return value

    def _check(self, of_map: bool) -> None:  # noqa: FBT001  # a fact
        """Raises TypeMismatch for a lambda of other parameters, or one too many or missing."""
        name, shape = self.tree.name, self.shape
        how = f"{name} of {'a map' if of_map else 'an array'} is {shape.map if of_map else shape.array}"
        wanted = shape.before + 1 + of_map
        for one in self.lambdas:
            if len(one.parameters) != wanted:
                raise TypeMismatch(f"{how}; this lambda has {_parameters(len(one.parameters))}", one.place)
        if len(self.lambdas) != (shape.of_map if of_map else 1):
            raise TypeMismatch(f"{how}; here {_lambdas(len(self.lambdas))}", self.tree.place)

    def _entry(self, over: Typed) -> tuple[tuple[str, ...], tuple[Typed, ...]]:
        """The keys under which the parts of an entry stand, and what they are."""
        slots, slot = self.analysis.slots, slot_of(over)
        of_map = over.type.name == "MAP"
        inner: SlotPath = (*slot, VALUE if of_map else ELEMENT) if slot else ()
        one = over.type.arguments[-1]
        if one == t.UNKNOWN and inner:
            slots.add(inner)
            one = slots.moment(inner)
        last = self.analysis.key("entry")
        value = view(Field(last, one, inner), inner, slots) if inner else Field(last, one)
        if not of_map:
            return (last,), (value,)
        key = self.analysis.key("name")
        return (key, last), (Field(key, over.type.arguments[0]), value)

    def _body(self, one: ex.Lambda, parameters: tuple[Typed, ...]) -> Typed:
        with _inside(self.analysis, one, parameters):
            return strip_view(self.analysis.typed(one.body))

    def _transform(self, over: Typed, keys: tuple[str, ...], parameters: tuple[Typed, ...]) -> Typed:
        results = [self._body(one, parameters) for one in self.lambdas]
        place = self.lambdas[0].body.place
        if len(results) == 2 and results[0].type in (t.UNKNOWN, t.NULL):
            results[0] = self.analysis.coercion.to(results[0], t.VARCHAR, "a key of a MAP", place)
        if len(results) == 2 and results[0].type.name not in KEYS:
            raise TypeMismatch(f"a MAP has keys of {', '.join(sorted(KEYS - {'UNKNOWN'}))}", place)
        types = tuple(one.type for one in results)
        made = Type("MAP" if len(results) == 2 else "ARRAY", types)
        slot = self._laid(made, slot_of(results[-1]))
        if made in PARTS and slot:
            return Field(str(slot[0]), made, slot)
        return replace(self._loop(over, keys, results, made), slot=slot)

    def _laid(self, one: Type, slot: SlotPath) -> SlotPath:
        """A slot for an array, or map, of values that lie in a slot of the record."""
        if not slot:
            return ()
        column = (self.analysis.key("made"),)
        self.analysis.slots.same((*column, VALUE if one.name == "MAP" else ELEMENT), slot)
        return column

    def _filter(self, over: Typed, keys: tuple[str, ...], parameters: tuple[Typed, ...]) -> Typed:
        (one,) = self.lambdas
        with _inside(self.analysis, one, parameters):
            stays = self.analysis.condition(one.body, "FILTER")
        if not self.analysis.slots.learned and slot_of(over):
            return Field("", over.type, slot_of(over))
        return replace(self._loop(over, keys, [stays], over.type), slot=slot_of(over))

    def _reduce(self, over: Typed, keys: tuple[str, ...], parameters: tuple[Typed, ...]) -> Typed:
        given = self.tree.arguments[1]
        start = strip_view(self.analysis.typed(given))
        if start.type == t.NULL:
            message = "REDUCE that begins with NULL is always NULL; begin with a value, or CAST the NULL"
            raise TypeMismatch(message, given.place)
        accumulator = Field(self.analysis.key("accumulator"), _roomy(start.type), slot_of(start))
        kind, result = self._settled(accumulator, parameters, 1)
        if kind == t.UNKNOWN:
            return self._of_one_kind(start, result)
        coercion, place = self.analysis.coercion, self.lambdas[0].body.place
        made = self._loop(over, keys, [coercion.to(result, kind, "REDUCE", place)], kind)
        return replace(made, start=coercion.to(start, kind, "REDUCE", given.place), accumulator=accumulator.key)

    def _settled(self, accumulator: Field, parameters: tuple[Typed, ...], attempt: int) -> tuple[Type, Typed]:
        """The type that the accumulator has with what the lambda gives, and that. Raises TypeMismatch for none."""
        (one,), kind = self.lambdas, accumulator.type
        result = self._body(one, (accumulator, *parameters))
        found = common_type((kind, result.type))
        if found is not None and _roomy(found) == kind:
            return kind, result
        if found is None or attempt == ATTEMPTS:
            raise TypeMismatch(_changes(kind, result.type), one.body.place)
        return self._settled(Field(accumulator.key, _roomy(found)), parameters, attempt + 1)

    def _of_one_kind(self, start: Typed, result: Typed) -> Typed:
        """While uses are learned: the start and what the lambda gives hold the same."""
        slots = [slot for slot in (slot_of(start), slot_of(result)) if slot]
        if len(slots) == 2:
            self.analysis.slots.join(slots[0], slots[1], self.lambdas[0].body.place, compared=False)
        return Field("", t.UNKNOWN, slots[0]) if slots else start

    def _loop(self, over: Typed, keys: tuple[str, ...], results: list[Typed], one: Type) -> Loop:
        name = cast("Literal['TRANSFORM', 'FILTER', 'REDUCE']", self.tree.name)
        return Loop(name, over, keys, tuple(results), one)


@contextmanager
def _inside(analysis: "Analysis", one: ex.Lambda, parameters: tuple[Typed, ...]) -> Iterator[None]:
    """The names of the lambda hold in here; of an empty array no record gets here. Raises NestedTooDeep."""
    outside, depth = analysis.scope, analysis.nested
    if depth >= MAX_NESTED:
        raise NestedTooDeep(f"lambdas are nested more than {MAX_NESTED} deep", one.place)
    analysis.scope = LambdaScope(dict(zip(one.parameters, parameters, strict=True)), outside)
    analysis.nested = depth + 1
    try:
        with analysis.faults.aside():
            yield
    finally:
        analysis.scope, analysis.nested = outside, depth


def _roomy(one: Type) -> Type:
    """The type in which numbers of a type add up."""
    if t.is_integer(one):
        return t.BIGINT
    if one.name == "DECIMAL":
        return t.decimal(t.MAX_PRECISION, one.size[1])
    return t.DOUBLE if one == t.REAL else one


def _changes(accumulator: Type, result: Type) -> str:
    if accumulator.words == result.words:
        remedied = f"CAST what it gives AS {accumulator}"
        return f"the accumulator of REDUCE is {accumulator}, the lambda gives {result}; {remedied}"
    return (
        f"the accumulator of REDUCE begins as {accumulator.words}, the lambda gives {result.words}"
        f"{cast_hint(result, accumulator) or '; begin with a value of the type that the lambda gives'}"
    )


def _parameters(count: int) -> str:
    return f"{count} parameter{'s' * (count != 1)}"


def _lambdas(count: int) -> str:
    return f"{'is' if count == 1 else 'are'} {count} lambda{'s' * (count != 1)}"
