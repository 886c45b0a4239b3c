"""What binds tighter: the flat operands and operators of one expression become a tree.

From loose to tight: OR · AND · NOT · = <> < <= > >= IS BETWEEN IN LIKE (at most one, as in the standard) · || · + - ·
* / % · sign · :: [] . AT TIME ZONE.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

from jobplane.schemas.errors import BadSyntax, Place
from jobplane.sql.syntax import expressions as ex

OR = frozenset({"OR"})
AND = frozenset({"AND"})
COMPARISON = frozenset({"=", "<>", "<", "<=", ">", ">="})
CONCAT = frozenset({"||"})
SUM = frozenset({"+", "-"})
PRODUCT = frozenset({"*", "/", "%"})


@dataclass(frozen=True, slots=True)
class Test:
    """`IS NULL`, `BETWEEN 1 AND 2` …: `build` makes a condition of what stands before it."""

    build: Callable[[ex.Expression], ex.Expression]
    place: Place


@dataclass(frozen=True, slots=True)
class Operand:
    """`[NOT] expression [test …]`"""

    expression: ex.Expression
    negated_at: Place | None
    tests: list[Test]


@dataclass(frozen=True, slots=True)
class Operator:
    text: str
    place: Place


@dataclass(frozen=True, slots=True)
class OperandChain:
    """Operands with the operators between them: always one operator fewer."""

    operands: Sequence[Operand]
    operators: Sequence[Operator]

    def split(self, separators: frozenset[str]) -> tuple[list["OperandChain"], list[Operator]]:
        """The runs between the operators that are separators, and those operators."""
        cuts = [i for i, operator in enumerate(self.operators) if operator.text in separators]
        bounds = [-1, *cuts, len(self.operators)]
        runs = [OperandChain(self.operands[a + 1 : b + 1], self.operators[a + 1 : b]) for a, b in pairwise(bounds)]
        return runs, [self.operators[i] for i in cuts]


def build_tree(run: OperandChain) -> ex.Expression:
    """Raises BadSyntax where parentheses are needed."""
    return _disjunction(run)


def _disjunction(run: OperandChain) -> ex.Expression:
    runs, _ = run.split(OR)
    parts = tuple(_conjunction(part) for part in runs)
    return parts[0] if len(parts) == 1 else ex.Or(parts, parts[0].place)


def _conjunction(run: OperandChain) -> ex.Expression:
    runs, _ = run.split(AND)
    parts = tuple(_negation(part) for part in runs)
    return parts[0] if len(parts) == 1 else ex.And(parts, parts[0].place)


def _negation(run: OperandChain) -> ex.Expression:
    _check_negations(run.operands[1:])
    negated_at = run.operands[0].negated_at
    inner = _predicate(run)
    return ex.Not(inner, negated_at) if negated_at else inner


def _check_negations(operands: Sequence[Operand]) -> None:
    for operand in operands:
        if operand.negated_at:
            raise BadSyntax("put this NOT and what it negates in parentheses", operand.negated_at)


def _predicate(run: OperandChain) -> ex.Expression:
    tests = [(i, test) for i, operand in enumerate(run.operands) for test in operand.tests]
    runs, comparisons = run.split(COMPARISON)
    chained = [test.place for _, test in tests] + [operator.place for operator in comparisons]
    if len(chained) > 1 and (joint := _joined_conditions(run, [i for i, _ in tests])):
        raise BadSyntax("|| joins texts; between conditions write OR", joint)
    if len(chained) > 1:
        raise BadSyntax("comparisons do not chain; put one of them in parentheses", _last(chained))
    if tests:
        position, test = tests[0]
        if position != len(run.operands) - 1:
            raise BadSyntax("put the condition before this in parentheses", run.operators[position].place)
        return test.build(_concat(run))
    left = _concat(runs[0])
    if not comparisons:
        return left
    operator = cast("ex.ComparisonOperator", comparisons[0].text)
    return ex.Comparison(operator, left, _concat(runs[1]), left.place)


def _joined_conditions(run: OperandChain, tested: Sequence[int]) -> Place | None:
    """Where || stands between two conditions. `tested` are the indices of the operands with a test."""
    conditions = [*(i - 0.5 for i in tested), *(i for i, one in enumerate(run.operators) if one.text in COMPARISON)]
    joints = (i for i, one in enumerate(run.operators) if one.text in CONCAT and min(conditions) < i < max(conditions))
    return next((run.operators[i].place for i in joints), None)


def _last(places: list[Place]) -> Place:
    return max(places, key=lambda place: (place.line, place.column))


def build_sum(run: OperandChain) -> ex.Expression:
    """A run without comparisons and tests. Raises BadSyntax for a NOT."""
    _check_negations(run.operands)
    return _concat(run)


def _concat(run: OperandChain) -> ex.Expression:
    runs, _ = run.split(CONCAT)
    parts = tuple(_sum(part) for part in runs)
    return parts[0] if len(parts) == 1 else ex.Concat(parts, parts[0].place)


def _sum(run: OperandChain) -> ex.Expression:
    return _chain(run, SUM, _product)


def _product(run: OperandChain) -> ex.Expression:
    return _chain(run, PRODUCT, lambda single: single.operands[0].expression)


def _chain(run: OperandChain, level: frozenset[str], tighter: Callable[[OperandChain], ex.Expression]) -> ex.Expression:
    runs, operators = run.split(level)
    first, *others = [tighter(part) for part in runs]
    if not others:
        return first
    texts = [cast("ex.ArithmeticOperator", operator.text) for operator in operators]
    return ex.Arithmetic(first, tuple(zip(texts, others, strict=True)), first.place)
