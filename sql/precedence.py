"""What binds tighter: the flat operands and operators of one expression become a tree.

From loose to tight: OR · AND · NOT · = <> < <= > >= IS NULL (at most one, as in the standard) · + - · * / % · sign.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

from schemas.errors import BadSyntax, Place
from sql import nodes

OR = frozenset({"OR"})
AND = frozenset({"AND"})
COMPARISON = frozenset({"=", "<>", "<", "<=", ">", ">="})
SUM = frozenset({"+", "-"})
PRODUCT = frozenset({"*", "/", "%"})


@dataclass(frozen=True, slots=True)
class Operand:
    """`[NOT] expression [IS [NOT] NULL …]`; each null test is (negated, its place)."""

    expression: nodes.Expression
    negated_at: Place | None
    null_tests: tuple[tuple[bool, Place], ...]


@dataclass(frozen=True, slots=True)
class Operator:
    text: str
    place: Place


@dataclass(frozen=True, slots=True)
class Run:
    """Operands with the operators between them: always one operator fewer."""

    operands: Sequence[Operand]
    operators: Sequence[Operator]

    def split(self, separators: frozenset[str]) -> tuple[list["Run"], list[Operator]]:
        """The runs between the operators that are separators, and those operators."""
        cuts = [i for i, operator in enumerate(self.operators) if operator.text in separators]
        bounds = [-1, *cuts, len(self.operators)]
        runs = [Run(self.operands[a + 1 : b + 1], self.operators[a + 1 : b]) for a, b in pairwise(bounds)]
        return runs, [self.operators[i] for i in cuts]


def tree(run: Run) -> nodes.Expression:
    """Raises BadSyntax where parentheses are needed."""
    return _disjunction(run)


def _disjunction(run: Run) -> nodes.Expression:
    runs, _ = run.split(OR)
    parts = tuple(_conjunction(part) for part in runs)
    return parts[0] if len(parts) == 1 else nodes.Or(parts, parts[0].place)


def _conjunction(run: Run) -> nodes.Expression:
    runs, _ = run.split(AND)
    parts = tuple(_negation(part) for part in runs)
    return parts[0] if len(parts) == 1 else nodes.And(parts, parts[0].place)


def _negation(run: Run) -> nodes.Expression:
    for operand in run.operands[1:]:
        if operand.negated_at:
            raise BadSyntax("put this NOT and what it negates in parentheses", operand.negated_at)
    negated_at = run.operands[0].negated_at
    inner = _predicate(run)
    return nodes.Not(inner, negated_at) if negated_at else inner


def _predicate(run: Run) -> nodes.Expression:
    tests = [(i, place) for i, operand in enumerate(run.operands) for _, place in operand.null_tests]
    runs, comparisons = run.split(COMPARISON)
    chained = [place for _, place in tests] + [operator.place for operator in comparisons]
    if len(chained) > 1:
        raise BadSyntax("comparisons do not chain; put one of them in parentheses", _last(chained))
    if tests:
        position = tests[0][0]
        if position != len(run.operands) - 1:
            raise BadSyntax("put the IS NULL before this in parentheses", run.operators[position].place)
        operand = _sum(run)
        return nodes.IsNull(operand, run.operands[-1].null_tests[0][0], operand.place)
    left = _sum(runs[0])
    if not comparisons:
        return left
    operator = cast("nodes.ComparisonOperator", comparisons[0].text)
    return nodes.Comparison(operator, left, _sum(runs[1]), left.place)


def _last(places: list[Place]) -> Place:
    return max(places, key=lambda place: (place.line, place.column))


def _sum(run: Run) -> nodes.Expression:
    return _chain(run, SUM, _product)


def _product(run: Run) -> nodes.Expression:
    return _chain(run, PRODUCT, lambda single: single.operands[0].expression)


def _chain(run: Run, level: frozenset[str], tighter: Callable[[Run], nodes.Expression]) -> nodes.Expression:
    runs, operators = run.split(level)
    first, *others = [tighter(part) for part in runs]
    if not others:
        return first
    texts = [cast("nodes.ArithmeticOperator", operator.text) for operator in operators]
    return nodes.Arithmetic(first, tuple(zip(texts, others, strict=True)), first.place)
