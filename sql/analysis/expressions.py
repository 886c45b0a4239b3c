"""Turns syntax trees into typed expressions: looks up names, finds types, adds conversions.

A query is analysed twice: first to learn the types of undeclared columns from their uses, then with these types.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, assert_never

from jobplane.schemas.errors import NestedTooDeep, Place, TypeMismatch
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types import temporal_text as text
from jobplane.schemas.types.datatypes import Type
from jobplane.sql.analysis.aggregates import refuse_aggregate
from jobplane.sql.analysis.arithmetic import arithmetic, negation
from jobplane.sql.analysis.calls import refuse_unknown, resolve_call
from jobplane.sql.analysis.comparison import between_test, comparison, distinct_test, in_test
from jobplane.sql.analysis.faults import Faults
from jobplane.sql.analysis.folding import choice, coalesce, junction, null_test
from jobplane.sql.analysis.lambdas import LAMBDA_FORMS, MISPLACED_LAMBDA, Scope, apply_lambda
from jobplane.sql.analysis.nested import element, field_of, header, make_array, make_map, make_row
from jobplane.sql.analysis.row_values import compare_by_fields
from jobplane.sql.functions import FunctionCatalogue
from jobplane.sql.functions.patterns import compile_like
from jobplane.sql.operations.casts import Impossible, explicit
from jobplane.sql.operations.operation import CastOperation, ConcatOperation, LikeOperation
from jobplane.sql.syntax import expressions as ex
from jobplane.sql.syntax.column_names import expression_name
from jobplane.sql.types.coercion import Coercion, common_type, constant_number
from jobplane.sql.types.names import resolve_type
from jobplane.sql.types.slots import Slots
from jobplane.sql.types.typed import (
    GENERATED,
    Apply,
    Choice,
    Coalesce,
    Constant,
    Field,
    Let,
    Typed,
    apply,
    apply_nullable,
    strip_view,
)

FEW = 4
"""Operands of || that one expression of Python joins."""
_MOMENTS: dict[str, tuple[Type, Callable[[str], Any]]] = {
    "DATE": (t.DATE, text.date_of),
    "TIME": (t.TIME, text.time_of),
    "TIMESTAMP": (t.TIMESTAMP, text.timestamp_of),
    "TIMESTAMP WITH TIME ZONE": (t.TIMESTAMP_TZ, text.instant_of),
}


@dataclass(slots=True)
class Analysis:
    """`slots` are those of the record; `nested` counts the lambdas round a place. `clause` is that of the place, for
    messages.

    Every method may raise TypeMismatch, UnknownColumn or another Refused.
    """

    slots: Slots
    scope: Scope
    faults: Faults
    functions: FunctionCatalogue
    coercion: Coercion = field(init=False)
    nested: int = 0
    clause: str = ""
    _keys: int = 0

    def __post_init__(self) -> None:
        self.coercion = Coercion(self.slots)

    def key(self, what: str) -> str:
        """A new key for a value that is there in a part of an expression alone."""
        self._keys += 1
        return f"{GENERATED}{what}{self._keys}"

    def condition(self, tree: ex.Expression, by: str) -> Typed:
        return self.coercion.to(self.typed(tree), t.BOOLEAN, by, tree.place)

    def typed(self, tree: ex.Expression) -> Typed:
        made = self._form(compare_by_fields(tree))
        if made.type.arguments and not t.is_bounded(made.type):
            raise NestedTooDeep(
                f"the type of this value has more than {t.MOST_TYPES:,} types in it, or more than {t.DEEPEST} deep",
                tree.place,
            )
        self.faults.note(made, tree.place)
        return made

    def _form(self, tree: ex.Expression) -> Typed:  # one line a form
        match tree:
            case ex.Number(value):
                return constant_number(value)
            case ex.String(value):
                return Constant(value, t.VARCHAR)
            case ex.Bytes(value):
                return Constant(value, t.VARBINARY)
            case ex.Boolean(value):
                return Constant(value, t.BOOLEAN)
            case ex.Null():
                return Constant(None, t.NULL)
            case ex.Moment(kind, said, place):
                one, parse = _MOMENTS[kind]
                return Constant(_literal(lambda: parse(said), place), one)
            case ex.Interval():
                return _interval(tree)
            case ex.Column() | ex.Access():
                return self._named(tree)
            case ex.Element(operand, index, place):
                return self._element(operand, index, place)
            case ex.Call():
                return self._call(tree)
            case ex.Lambda():
                raise TypeMismatch(MISPLACED_LAMBDA, tree.place)
            case ex.ArrayOf(items):
                return make_array(self._several(items), self.coercion)
            case ex.MapOf(pairs):
                return make_map(
                    self._several([k for k, _ in pairs]), self._several([v for _, v in pairs]), self.coercion
                )
            case ex.RowOf(items):
                return make_row(
                    [expression_name(item, i) for i, item in enumerate(items)], self._several(items), self.coercion
                )
            case ex.Cast(operand, kind, safe, place):
                return self._cast(self.typed(operand), resolve_type(kind), place, safe=safe)
            case ex.Case():
                return self._case(tree)
            case ex.Sign(sign, operand):
                return self._signed(sign, operand)
            case ex.Arithmetic(first, rest):
                return self._chain(first, rest)
            case ex.Concat(operands):
                return self._concat(operands)
            case ex.Comparison(operator, left, right):
                a, b = self._several((left, right))
                return comparison(operator, a, b, self.coercion)
            case ex.Distinct(left, right, negated):
                a, b = self._several((left, right))
                differ = distinct_test(a, b, self.coercion)
                return apply("not", (differ,), t.BOOLEAN) if negated else differ
            case ex.Between():
                return self._between(tree)
            case ex.In():
                return self._in(tree)
            case ex.Like():
                return self._like(tree)
            case ex.Is():
                return self._is(tree)
            case ex.Not(operand):
                return apply("not", (self.condition(operand, "NOT"),), t.BOOLEAN)
            case ex.And(operands):
                return junction(self._in_order(operands, lambda one: self.condition(one, "AND")), ends_with=False)
            case ex.Or(operands):
                return junction(self._in_order(operands, lambda one: self.condition(one, "OR")), ends_with=True)
        assert_never(tree)

    def _several(self, trees: Sequence[ex.Expression]) -> list[tuple[Typed, Place]]:
        return [(self.typed(tree), tree.place) for tree in trees]

    def _in_order(self, trees: Sequence[ex.Expression], typed: Callable[[ex.Expression], Typed]) -> list[Typed]:
        """Each is looked at where those before it leave something open."""
        first = typed(trees[0])
        with self.faults.aside():
            return [first, *map(typed, trees[1:])]

    def _named(self, tree: ex.Column | ex.Access) -> Typed:
        """Dotted names from the left: sources, columns, fields in them."""
        fields: list[str] = []
        base: ex.Expression = tree
        while isinstance(base, ex.Access):
            fields.insert(0, base.field)
            base = base.operand
        if isinstance(base, ex.Column):
            value, rest = self.scope.resolve([base.name, *fields], base.place, quoted=base.quoted and not fields)
        else:
            value, rest = self.typed(base), fields
        for name in rest:
            value = field_of(value, name, tree.place, self.slots)
        return value

    def _element(self, operand: ex.Expression, index: ex.Expression, place: Place) -> Typed:
        if isinstance(operand, ex.Column) and operand.name == "__headers":
            return header(self.coercion.to(self.typed(index), t.VARCHAR, "__headers[…]", index.place))
        return element(self.typed(operand), self.typed(index), (place, index.place), self.coercion)

    def _call(self, tree: ex.Call) -> Typed:
        refuse_aggregate(tree, self.clause, self.functions)
        if tree.name in LAMBDA_FORMS or any(isinstance(one, ex.Lambda) for one in tree.arguments):
            return apply_lambda(tree, self)
        match tree.name, tree.arguments:
            case ("COALESCE", (_, *_)) | ("IFNULL", (_, _)):
                places = [one.place for one in tree.arguments]
                typed = zip(self._in_order(tree.arguments, self.typed), places, strict=True)
                common, values = self.coercion.unify(list(typed), f"{tree.name} takes")
                made = coalesce if self.slots.learned else Coalesce
                return made(values, common)
            case "NULLIF", (left, right):
                return self._nullif(left, right)
            case "TYPEOF", (operand,):
                return self._type_name(strip_view(self.typed(operand)))
        refuse_unknown(tree.name, tree.place, self.functions)  # first: a misspelt aggregate may have any arguments
        return resolve_call(tree.name, self._several(tree.arguments), tree.place, self.coercion, self.functions)

    def _type_name(self, value: Typed) -> Typed:
        """A type that only each record shows is found for each record."""
        if value.type in (t.UNKNOWN, t.JSON, t.NUMBER, t.SCALAR):
            json = self.coercion.to(value, t.JSON, "TYPEOF", Place(1, 1)) if value.type == t.UNKNOWN else value
            return apply_nullable("type-name", (json,), t.VARCHAR)
        return Constant(str(value.type), t.VARCHAR)

    def _cast(self, value: Typed, target: Type, place: Place, *, safe: bool) -> Typed:
        value = self.coercion.pass_on(strip_view(value), "CAST", place)
        try:
            conversion = explicit(value.type, target)
        except Impossible as impossible:
            hint = f"; {impossible}" if str(impossible) else ""
            raise TypeMismatch(f"{value.type.words} cannot be CAST to {target}{hint}", place) from None
        if conversion is None:
            return Constant(None, target) if value.type == t.NULL else value
        return apply(CastOperation(value.type, target, safe), (value,), target)

    def _case(self, tree: ex.Case) -> Typed:
        values = [then for _, then in tree.branches] + ([tree.otherwise] if tree.otherwise else [])
        with self.faults.aside():
            typed = self._several(values)
        if tree.otherwise is None:
            typed.append((Constant(None, t.NULL), tree.place))
        common, results = self.coercion.unify(typed, "CASE gives")
        operand = None if tree.operand is None else self._once(tree.operand)

        def condition(when: ex.Expression) -> Typed:
            if operand is None:
                return self.condition(when, "WHEN")
            return comparison("=", operand.placed, (self.typed(when), when.place), self.coercion)

        conditions = self._in_order([when for when, _ in tree.branches], condition)
        chosen = self._choice(list(zip(conditions, results, strict=False)), results[-1], common)
        return chosen if operand is None else operand.round(chosen)

    def _nullif(self, left: ex.Expression, right: ex.Expression) -> Typed:
        """CASE WHEN left = right THEN NULL ELSE left END: what it is compared as does not change it."""
        operand = self._once(left)
        of = operand.value
        equal = comparison("=", operand.placed, (self.typed(right), right.place), self.coercion)
        return operand.round(self._choice([(equal, Constant(None, of.type))], of, of.type))

    def _choice(self, branches: Sequence[tuple[Typed, Typed]], otherwise: Typed, common: Type) -> Typed:
        """While uses are learned, a branch that is never taken still tells of its columns."""
        made = choice if self.slots.learned else Choice
        return made(tuple(branches), otherwise, common)

    def _once(self, tree: ex.Expression) -> "_Once":
        value = self.typed(tree)
        if isinstance(value, Field | Constant) or value.type == t.UNKNOWN:
            return _Once(value, tree.place)
        key = self.key("case")
        return _Once(Field(key, value.type), tree.place, key, value)

    def _signed(self, sign: str, operand: ex.Expression) -> Typed:
        if sign == "-" and isinstance(operand, ex.Number) and operand.value == 2**63:
            return Constant(-(2**63), t.BIGINT)
        value = self.typed(operand)
        if sign == "-":
            return negation(value, operand.place, self.coercion)
        plain = t.is_numeric(value.type) or value.type in (t.DAY_TO_SECOND, t.YEAR_TO_MONTH)
        return value if plain else self.coercion.to(value, t.NUMBER, "the sign +", operand.place)

    def _chain(self, first: ex.Expression, rest: Sequence[tuple[str, ex.Expression]]) -> Typed:
        total, place = self.typed(first), first.place
        for operator, operand in rest:
            total = arithmetic(operator, total, self.typed(operand), (place, operand.place), self.coercion)
            if isinstance(total, Apply) and (operator in "/%" or not total.template(self.functions).check):
                self.faults.note(total, place)  # of other chains the end is what counts
        return total

    def _concat(self, operands: Sequence[ex.Expression]) -> Typed:
        values = self._several(operands)
        arrays_known = [value.type for value, _ in values if value.type.name == "ARRAY"]
        if arrays_known:
            common = common_type(arrays_known) or arrays_known[0]
            arrays = tuple(self.coercion.to(value, common, "||", place) for value, place in values)
            return _join(arrays, common)
        known = t.VARBINARY if any(value.type == t.VARBINARY for value, _ in values) else t.VARCHAR
        texts = tuple(self.coercion.to(value, known, "||", place) for value, place in values)
        return _join(texts, known)

    def _between(self, tree: ex.Between) -> Typed:
        operand, *bounds = kept = [self._once(one) for one in (tree.operand, tree.low, tree.high)]
        if not tree.symmetric:
            kept = kept[:1]
            bounds = [_Once(self.typed(one), one.place) for one in (tree.low, tree.high)]
        low, high = (one.placed for one in bounds)
        within = between_test(operand.placed, low, high, self.coercion)
        if tree.symmetric:
            within = junction((within, between_test(operand.placed, high, low, self.coercion)), ends_with=True)
        within = apply("not", (within,), t.BOOLEAN) if tree.negated else within
        for one in reversed(kept):
            within = one.round(within)
        return within

    def _in(self, tree: ex.In) -> Typed:
        operand = self._once(tree.operand)
        found = in_test(operand.placed, self._several(tree.items), self.coercion)
        return operand.round(apply("not", (found,), t.BOOLEAN) if tree.negated else found)

    def _like(self, tree: ex.Like) -> Typed:
        sides = [tree.operand, tree.pattern, *([tree.escape] if tree.escape else [])]
        values = tuple(self.coercion.to(self.typed(one), t.VARCHAR, "LIKE", one.place) for one in sides)
        if all(isinstance(one, Constant) for one in values[1:]):
            constants = [one.value for one in values[1:] if isinstance(one, Constant)]
            if None in constants:
                return Constant(None, t.BOOLEAN)
            pattern, escape = (*constants, None)[:2]
            _literal(lambda: compile_like(pattern, escape), tree.pattern.place)
            found = apply(LikeOperation(pattern, escape), values[:1], t.BOOLEAN)
        else:
            found = apply("like-escape" if tree.escape else "like", values, t.BOOLEAN)
        return apply("not", (found,), t.BOOLEAN) if tree.negated else found

    def _is(self, tree: ex.Is) -> Typed:
        if tree.what == "NULL":
            return null_test(strip_view(self.typed(tree.operand)), negated=tree.negated)
        value = self.condition(tree.operand, f"IS {tree.what}")
        if tree.what == "UNKNOWN":
            return null_test(value, negated=tree.negated)
        return apply_nullable(f"is-{'not-' if tree.negated else ''}{tree.what.lower()}", (value,), t.BOOLEAN)


@dataclass(frozen=True, slots=True)
class _Once:
    """A value that is evaluated once and used several times. `value` stands for it; `kept` is stored under the key."""

    value: Typed
    place: Place
    key: str = ""
    kept: Typed | None = None

    @property
    def placed(self) -> tuple[Typed, Place]:
        return self.value, self.place

    def round(self, body: Typed) -> Typed:
        """The expression that names the value, with the value before it."""
        return body if self.kept is None else Let(self.key, self.kept, body, body.type)


def _join(values: tuple[Typed, ...], one: Type) -> Typed:
    """One after the other; of many, the length is looked at before the result is made."""
    return apply(ConcatOperation(many=len(values) > FEW), values, one)


def _interval(tree: ex.Interval) -> Constant:
    months = (tree.last or tree.first) in ("YEAR", "MONTH", "QUARTER")
    value = _literal(lambda: text.interval_literal(tree.text, tree.first, tree.last), tree.place)
    return Constant(value, t.YEAR_TO_MONTH if months else t.DAY_TO_SECOND)


def _literal(value: Callable[[], Any], place: Place) -> Any:
    try:
        return value()
    except (ValueError, ArithmeticError) as error:
        raise TypeMismatch(str(error), place) from None
