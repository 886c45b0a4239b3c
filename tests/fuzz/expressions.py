"""Expressions of chance: mostly of a type that is asked for, now and then of another, to any depth.

Every function of the catalogue, every operator and every form of the grammar is among them.
"""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import get_args

from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type
from jobplane.sql.functions import BUILT_IN
from jobplane.sql.functions.signature import VARIABLES, Function, Parameter
from jobplane.sql.syntax import expressions as ex
from tests.fuzz.literals import KEYS, NESTED, SCALARS, SPECIAL, any_type, literal, text, written_type

COMPARISONS = get_args(ex.ComparisonOperator)
TRUTHS = ("NULL", "TRUE", "FALSE", "UNKNOWN")
PARTS = {
    t.VARCHAR: ("__key", "__topic"),
    t.TIMESTAMP_TZ: ("__timestamp",),
    t.INTEGER: ("__partition",),
    t.BIGINT: ("__offset",),
    t.map_of(t.VARCHAR, t.VARCHAR): ("__headers",),
    t.JSON: ("this",),
}
ORDERED = (t.BIGINT, t.DOUBLE, t.VARCHAR, t.DATE, t.TIMESTAMP, t.TIMESTAMP_TZ, t.decimal(9, 2), t.BOOLEAN)
NUMERIC = (t.INTEGER, t.BIGINT, t.DOUBLE, t.decimal(9, 2), t.REAL)
MOVING = {
    t.DATE: t.YEAR_TO_MONTH,
    t.TIMESTAMP: t.DAY_TO_SECOND,
    t.TIMESTAMP_TZ: t.YEAR_TO_MONTH,
    t.TIME: t.DAY_TO_SECOND,
}
WRONG = 0.01
"""How often an expression is of another type than the one asked for."""
LEAF = 0.35


def _by_result() -> dict[str, list[Function]]:
    found: dict[str, list[Function]] = {}
    for several in BUILT_IN.functions.values():
        for one in several:
            found.setdefault(one.returns.name, []).append(one)
    return found


_RETURNING = _by_result()
_ANYTHING = [one for name in ("T", "V", "O") for one in _RETURNING.get(name, ())]


class Expressions:
    """`columns` are the names there are, by type; `parameters` those of the lambdas round the expression."""

    def __init__(self, chance: Random, columns: Mapping[Type, Sequence[str]], parameters: tuple[str, ...] = ()) -> None:
        self._chance, self._columns, self._parameters = chance, columns, parameters

    def any(self, depth: int) -> tuple[Type, ex.Expression]:
        one = any_type(self._chance)
        return one, self.of(one, depth)

    def of(self, one: Type, depth: int) -> ex.Expression:
        chance = self._chance
        if chance.random() < WRONG:
            one = any_type(chance)
        if depth <= 0 or chance.random() < LEAF:
            return self._leaf(one, depth)
        own = _FORMS.get(one.name, ())
        forms = own if own and chance.random() < 0.45 else _GENERAL
        return chance.choice(forms)(self, one, depth - 1)

    def _leaf(self, one: Type, depth: int) -> ex.Expression:
        chance = self._chance
        draw = chance.random()
        if draw < 0.03:
            return ex.Null()
        if draw < 0.06 and one in PARTS:
            return ex.Column(chance.choice(PARTS[one]))
        if draw < 0.6 and (names := self._columns.get(one)):
            return ex.Column(chance.choice(names))
        if (made := literal(one, chance)) is not None:
            return made
        if one.name in t.NESTED and depth > -3:
            return _MADE_OF[one.name](self, one, depth - 1)
        return ex.Cast(ex.Null(), ex.ColumnType(str(one)), safe=False)

    def several(self, one: Type, depth: int, least: int = 0, most: int = 3) -> tuple[ex.Expression, ...]:
        return tuple(self.of(one, depth) for _ in range(self._chance.randint(least, most)))

    # Forms of any type

    def called(self, one: Type, depth: int) -> ex.Expression:
        """A function that returns the type; now and then any."""
        chance = self._chance
        those = [*_RETURNING.get(one.name, ()), *(_RETURNING.get("N", ()) if t.is_numeric(one) else ()), *_ANYTHING]
        if chance.random() < 0.02 or not those:
            those = [*chance.choice(list(BUILT_IN.functions.values()))]
        return self.call_of(chance.choice(those), one, depth)

    def call_of(self, function: Function, one: Type, depth: int) -> ex.Expression:
        chance = self._chance
        stands = dict(unified(function.returns, one))
        wanted = [each for each in function.parameters if not each.optional or chance.random() < 0.5]
        if function.variadic and wanted:
            wanted += [wanted[-1]] * chance.randrange(3)
        if chance.random() < 0.01:
            wanted = wanted[1:] if chance.random() < 0.5 else [*wanted, *wanted[-1:]]
        return ex.Call(function.name, tuple(self.argument(each, stands, depth) for each in wanted))

    def argument(self, parameter: Parameter, stands: dict[str, Type], depth: int) -> ex.Expression:
        """`stands`: what variables of types stand for in the call."""
        chance = self._chance
        if parameter.choices and chance.random() < 0.97:
            word = chance.choice(parameter.choices)
            return ex.String(word.lower() if chance.random() < 0.3 else word)
        if parameter.name in SPECIAL and chance.random() < 0.9:
            return text(chance, parameter.name)
        return self.of(self._bound(parameter.type, stands), depth)

    def _bound(self, one: Type, stands: dict[str, Type]) -> Type:
        """The type with its variables settled."""
        chance = self._chance
        if one.name in VARIABLES:
            drawn = {"N": NUMERIC, "O": ORDERED, "K": KEYS}.get(one.name, SCALARS)
            return stands.setdefault(one.name, chance.choice(drawn))
        if one.name == "ANY":
            return any_type(chance)
        if one.name == "DECIMAL" and not one.size:
            return t.decimal(9, 2)
        if one.arguments:
            return Type(one.name, tuple(self._bound(each, stands) for each in one.arguments), one.size, one.fields)
        return one

    def case(self, one: Type, depth: int) -> ex.Expression:
        chance = self._chance
        otherwise = self.of(one, depth) if chance.random() < 0.6 else None
        if chance.random() < 0.5:
            kind = chance.choice(ORDERED)
            branches = tuple((self.of(kind, depth), self.of(one, depth)) for _ in range(chance.randint(1, 2)))
            return ex.Case(self.of(kind, depth), branches, otherwise)
        branches = tuple((self.of(t.BOOLEAN, depth), self.of(one, depth)) for _ in range(chance.randint(1, 2)))
        return ex.Case(None, branches, otherwise)

    def coalesced(self, one: Type, depth: int) -> ex.Expression:
        return ex.Call("COALESCE", self.several(one, depth, 1, 3))

    def nullif(self, one: Type, depth: int) -> ex.Expression:
        return ex.Call("NULLIF", self.several(one, depth, 2, 2))

    def cast(self, one: Type, depth: int) -> ex.Expression:
        chance = self._chance
        near = any_type(chance) if chance.random() < 0.05 else chance.choice((one, t.VARCHAR, t.JSON))
        return ex.Cast(self.of(near, depth), written_type(one, chance), safe=chance.random() < 0.4)

    def element(self, one: Type, depth: int) -> ex.Expression:
        chance = self._chance
        if chance.random() < 0.6:
            return ex.Element(self.of(t.array(one), depth), self.of(t.INTEGER, 0))
        key = chance.choice(KEYS)
        return ex.Element(self.of(t.map_of(key, one), depth), self.of(key, 0))

    def field(self, one: Type, depth: int) -> ex.Expression:
        chance = self._chance
        if chance.random() < 0.5:
            items = self.of(chance.choice(SCALARS), 0), self.of(one, depth)
            name = items[1].name if isinstance(items[1], ex.Column) else "_col1"
            return ex.Access(ex.RowOf(items), name if chance.random() < 0.97 else "x")
        return ex.Access(self.of(t.JSON, depth), chance.choice("xyab"))

    def _lambda(self, gives: Type, depth: int, *parameters: Type) -> ex.Lambda:
        """A body of the type over the columns there are and parameters of these types."""
        chance = self._chance
        names = tuple(f"p{len(self._parameters) + i}" for i in range(len(parameters)))
        if chance.random() < 0.02:
            names = tuple(chance.choice(("c3_0", "p0", "this", "s")) for _ in parameters)
        columns = dict(self._columns)
        for name, one in zip(names, parameters, strict=True):
            columns[one] = (name, name, name, *columns.get(one, ()))
        body = Expressions(chance, columns, (*self._parameters, *names)).of(gives, depth)
        return ex.Lambda(names[1:] if chance.random() < 0.01 else names, body)

    def reduced(self, one: Type, depth: int) -> ex.Expression:
        chance = self._chance
        if chance.random() < 0.7:
            element = chance.choice(ORDERED)
            step = self._lambda(one, depth, one, element)
            return ex.Call("REDUCE", (self.of(t.array(element), depth), self.of(one, 0), step))
        pair = chance.choice(KEYS), chance.choice(SCALARS)
        step = self._lambda(one, depth, one, *pair)
        return ex.Call("REDUCE", (self.of(t.map_of(*pair), depth), self.of(one, 0), step))

    # Forms of one type

    def transformed(self, one: Type, depth: int) -> ex.Expression:
        """An array or a map, each of its elements become another."""
        if one.name == "MAP":
            pair = self._chance.choice(KEYS), self._chance.choice(SCALARS)
            each = (self._lambda(part, depth, *pair) for part in one.arguments)
            return ex.Call("TRANSFORM", (self.of(t.map_of(*pair), depth), *each))
        element = any_type(self._chance)
        each_element = self._lambda(one.arguments[0], depth, element)
        return ex.Call("TRANSFORM", (self.of(t.array(element), depth), each_element))

    def filtered(self, one: Type, depth: int) -> ex.Expression:
        return ex.Call("FILTER", (self.of(one, depth), self._lambda(t.BOOLEAN, depth, *one.arguments)))

    def logical(self, _: Type, depth: int) -> ex.Expression:
        chance = self._chance
        operands = self.several(t.BOOLEAN, depth, 2, 3)
        return chance.choice((ex.And(operands), ex.Or(operands), ex.Not(operands[0])))

    def tested(self, _: Type, depth: int) -> ex.Expression:
        what = self._chance.choice(TRUTHS)
        one = any_type(self._chance) if what == "NULL" else t.BOOLEAN
        return ex.Is(self.of(one, depth), what, self._negated)  # type: ignore[arg-type]

    def comparison(self, _: Type, depth: int) -> ex.Expression:
        chance = self._chance
        one = chance.choice(ORDERED) if chance.random() < 0.96 else any_type(chance)
        a, b, c = (self.of(one, depth) for _ in range(3))
        match chance.randrange(6):
            case 0:
                return ex.Between(a, b, c, chance.random() < 0.3, self._negated)
            case 1:
                return ex.In(a, (b, c, *self.several(one, depth, 0, 2)), self._negated)
            case 2:
                return ex.Distinct(a, b, self._negated)
        return ex.Comparison(chance.choice(COMPARISONS), a, b)

    def like(self, _: Type, depth: int) -> ex.Expression:
        chance = self._chance
        escape = ex.String(chance.choice(("\\", "!", "", "ab"))) if chance.random() < 0.2 else None
        return ex.Like(self.of(t.VARCHAR, depth), self.of(t.VARCHAR, 0), escape, self._negated)

    def arithmetic(self, one: Type, depth: int) -> ex.Expression:
        chance = self._chance
        kind = one if chance.random() < 0.6 else chance.choice(NUMERIC)
        if chance.random() < 0.15:
            return ex.Sign("-" if chance.random() < 0.6 else "+", self.of(kind, depth))
        operators = chance.choice(("+-", "*/%"))
        rest = tuple((chance.choice(operators), self.of(kind, depth)) for _ in range(chance.randint(1, 3)))
        return ex.Arithmetic(self.of(one, depth), rest)  # type: ignore[arg-type]

    def moved(self, one: Type, depth: int) -> ex.Expression:
        by = self.of(MOVING.get(one, t.DAY_TO_SECOND), depth)
        return ex.Arithmetic(self.of(one, depth), ((self._chance.choice("+-"), by),))  # type: ignore[arg-type]

    def interval(self, one: Type, depth: int) -> ex.Expression:
        chance = self._chance
        match chance.randrange(4):
            case 0:
                return ex.Sign(chance.choice("+-"), self.of(one, depth))  # type: ignore[arg-type]
            case 1:
                number = (chance.choice("*/"), self.of(chance.choice((*NUMERIC, one)), depth))
                return ex.Arithmetic(self.of(one, depth), (number,))  # type: ignore[arg-type]
            case 2:
                moments = self.several(t.TIMESTAMP, depth, 2, 2)
                return ex.Arithmetic(moments[0], (("-", moments[1]),))
        return ex.Arithmetic(self.of(one, depth), ((chance.choice("+-"), self.of(one, depth)),))  # type: ignore[arg-type]

    def joined(self, one: Type, depth: int) -> ex.Expression:
        return ex.Concat(self.several(one, depth, 2, 6))

    def array(self, one: Type, depth: int) -> ex.Expression:
        return ex.ArrayOf(self.several(one.arguments[0], depth))

    def map(self, one: Type, depth: int) -> ex.Expression:
        key, value = one.arguments
        pairs = range(self._chance.randrange(3))
        return ex.MapOf(tuple((self.of(key, depth), self.of(value, depth)) for _ in pairs))

    def row(self, one: Type, depth: int) -> ex.Expression:
        return ex.RowOf(tuple(self.of(each, depth) for each in one.arguments))

    def type_name(self, _: Type, depth: int) -> ex.Expression:
        return ex.Call("TYPEOF", (self.any(depth)[1],))

    @property
    def _negated(self) -> bool:
        return self._chance.random() < 0.3


def unified(declared: Type, wanted: Type) -> list[tuple[str, Type]]:
    """What the variables of a result stand for where it is to be of a type."""
    if declared.name in VARIABLES:
        return [(declared.name, wanted)]
    if declared.name == wanted.name:
        pairs = zip(declared.arguments, wanted.arguments, strict=False)
        return [found for a, b in pairs for found in unified(a, b)]
    return []


_E = Expressions
_Form = Callable[[Expressions, Type, int], ex.Expression]
_GENERAL: tuple[_Form, ...] = (
    *(
        _E.called,
        _E.called,
        _E.called,
        _E.case,
        _E.coalesced,
        _E.nullif,
        _E.cast,
        _E.cast,
        _E.element,
        _E.field,
        _E.reduced,
    ),
)
_MADE_OF: dict[str, _Form] = {"ARRAY": _E.array, "MAP": _E.map, "ROW": _E.row}
_FORMS: dict[str, tuple[_Form, ...]] = {
    "BOOLEAN": (_E.logical, _E.tested, _E.comparison, _E.comparison, _E.like),
    **{one.name: (_E.arithmetic,) for one in (*t.INTEGERS, t.decimal(9, 2), t.DOUBLE, t.REAL)},
    "VARCHAR": (_E.joined, _E.joined, _E.type_name),
    "VARBINARY": (_E.joined,),
    **{one.name: (_E.moved,) for one in MOVING},
    "INTERVAL DAY TO SECOND": (_E.interval,),
    "INTERVAL YEAR TO MONTH": (_E.interval,),
    "ARRAY": (_E.array, _E.array, _E.joined, _E.transformed, _E.filtered),
    "MAP": (_E.map, _E.map, _E.transformed, _E.filtered),
    "ROW": (_E.row,),
}
assert {one.name for one in NESTED} == set(_MADE_OF)
