"""From expression back to text, with parentheses only where they are needed."""

from decimal import Decimal
from typing import assert_never

from jobplane.schemas.names import name
from jobplane.sql.syntax import expressions as ex

_FUNCTION_WORDS = frozenset({"LEFT", "RIGHT"})

OR, AND, NOT, PREDICATE, CONCAT, SUM, PRODUCT, SIGN, PRIMARY = range(9)
"""How tight a form binds: an operand that binds looser than its place needs stands in parentheses."""


def string(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


def expression(tree: ex.Expression, needed: int = OR) -> str:
    """The text of an expression for a place where everything looser than `needed` needs parentheses."""
    text, level = _form(tree)
    return text if level >= needed else f"({text})"


def _form(tree: ex.Expression) -> tuple[str, int]:  # one line a form
    match tree:
        case ex.Sign(sign, operand):
            return sign + expression(operand, PRIMARY), SIGN
        case ex.Arithmetic(first, rest):
            level = SUM if rest[0][0] in "+-" else PRODUCT
            parts = [expression(first, level + 1)]
            for operator, operand in rest:
                parts += operator, expression(operand, level + 1)
            return " ".join(parts), level
        case ex.Concat(operands):
            return " || ".join([expression(operand, SUM) for operand in operands]), CONCAT
        case ex.Not(operand):
            return f"NOT {expression(operand, PREDICATE)}", NOT
        case ex.And(operands):
            return " AND ".join([expression(operand, NOT) for operand in operands]), AND
        case ex.Or(operands):
            return " OR ".join([expression(operand, AND) for operand in operands]), OR
        case ex.Comparison() | ex.Distinct() | ex.Between() | ex.In() | ex.Like() | ex.Is():
            return _predicate(tree), PREDICATE
    return _primary(tree), PRIMARY


def _predicate(tree: ex.Comparison | ex.Distinct | ex.Between | ex.In | ex.Like | ex.Is) -> str:
    match tree:
        case ex.Comparison(operator, left, right):
            return f"{expression(left, CONCAT)} {operator} {expression(right, CONCAT)}"
        case ex.Distinct(left, right, negated):
            return f"{expression(left, CONCAT)} IS {_not(negated)}DISTINCT FROM {expression(right, CONCAT)}"
        case ex.Between(operand, low, high, symmetric, negated):
            word = f"{_not(negated)}BETWEEN{' SYMMETRIC' if symmetric else ''}"
            return f"{expression(operand, CONCAT)} {word} {expression(low, CONCAT)} AND {expression(high, CONCAT)}"
        case ex.In(operand, items, negated):
            return f"{expression(operand, CONCAT)} {_not(negated)}IN ({_listed(items)})"
        case ex.Like(operand, pattern, escape, negated):
            by = f" ESCAPE {expression(escape, CONCAT)}" if escape else ""
            return f"{expression(operand, CONCAT)} {_not(negated)}LIKE {expression(pattern, CONCAT)}{by}"
        case ex.Is(operand, what, negated):
            return f"{expression(operand, CONCAT)} IS {_not(negated)}{what}"
    assert_never(tree)


def _not(negated: bool) -> str:  # noqa: FBT001  # a fact
    return "NOT " if negated else ""


def _listed(items: tuple[ex.Expression, ...]) -> str:
    return ", ".join(map(expression, items))


def _primary(tree: ex.Literals | ex.Column | ex.Made) -> str:  # one line a form
    match tree:
        case ex.Column(column):
            return name(column)
        case ex.Number(value):
            return f"{value:f}" if isinstance(value, Decimal) else _exponent(value)
        case ex.String(text):
            return string(text)
        case ex.Bytes(value):
            return f"X'{value.hex().upper()}'"
        case ex.Boolean(truth):
            return str(truth).upper()
        case ex.Null():
            return "NULL"
        case ex.Moment(kind, text):
            return f"{kind} {string(text)}"
        case ex.Interval(text, unit, last):
            return f"INTERVAL {string(text)} {unit}{f' TO {last}' if last else ''}"
        case ex.Access(operand, field):
            inner = f"({_primary(operand)})" if isinstance(operand, ex.Number) else expression(operand, PRIMARY)
            return f"{inner}.{name(field)}"
        case ex.Element(operand, index):
            return f"{expression(operand, PRIMARY)}[{expression(index)}]"
        case ex.Call(called, arguments):
            plain = called if called in _FUNCTION_WORDS else name(called)
            return f"{plain}({_listed(arguments)})"
        case ex.Lambda(parameters, body):
            names = ", ".join(map(name, parameters))
            return f"{names if len(parameters) == 1 else f'({names})'} => {expression(body)}"
        case ex.ArrayOf(items):
            return f"ARRAY[{_listed(items)}]"
        case ex.MapOf(pairs):
            return f"MAP[{_listed(tuple(one for pair in pairs for one in pair))}]"
        case ex.RowOf(items):
            return f"ROW({_listed(items)})"
        case ex.Cast(operand, kind, safe):
            return f"{'TRY_' if safe else ''}CAST({expression(operand)} AS {kind.text})"
        case ex.Case(operand, branches, otherwise):
            parts = [f" {expression(operand)}"] if operand else []
            parts += (f" WHEN {expression(when)} THEN {expression(then)}" for when, then in branches)
            parts += [f" ELSE {expression(otherwise)}"] if otherwise else []
            return f"CASE{''.join(parts)} END"
    assert_never(tree)


def _exponent(value: float) -> str:
    """A float is told by its exponent."""
    return str(value) if isinstance(value, int) else f"{Decimal(repr(value)).normalize():e}"
