"""From expression back to text, with parentheses only where they are needed."""

from decimal import Decimal
from typing import assert_never

from jobplane.schemas.names import quote_name
from jobplane.sql.syntax import expressions as ex

_FUNCTION_WORDS = frozenset({"LEFT", "RIGHT"})

OR, AND, NOT, PREDICATE, CONCAT, SUM, PRODUCT, SIGN, PRIMARY = range(9)
"""How tight a form binds: an operand that binds looser than its place needs stands in parentheses."""


def string_literal(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


def render_expression(tree: ex.Expression, needed: int = OR) -> str:
    """The text of an expression for a place where everything looser than `needed` needs parentheses."""
    text, level = _form(tree)
    return text if level >= needed else f"({text})"


def _form(tree: ex.Expression) -> tuple[str, int]:  # one line a form
    match tree:
        case ex.Sign(sign, operand):
            return sign + render_expression(operand, PRIMARY), SIGN
        case ex.Arithmetic(first, rest):
            level = SUM if rest[0][0] in "+-" else PRODUCT
            parts = [render_expression(first, level + 1)]
            for operator, operand in rest:
                parts += operator, render_expression(operand, level + 1)
            return " ".join(parts), level
        case ex.Concat(operands):
            return " || ".join([render_expression(operand, SUM) for operand in operands]), CONCAT
        case ex.Not(operand):
            return f"NOT {render_expression(operand, PREDICATE)}", NOT
        case ex.And(operands):
            return " AND ".join([render_expression(operand, NOT) for operand in operands]), AND
        case ex.Or(operands):
            return " OR ".join([render_expression(operand, AND) for operand in operands]), OR
        case ex.Comparison() | ex.Distinct() | ex.Between() | ex.In() | ex.Like() | ex.Is():
            return _predicate(tree), PREDICATE
    return _primary(tree), PRIMARY


def _predicate(tree: ex.Comparison | ex.Distinct | ex.Between | ex.In | ex.Like | ex.Is) -> str:
    match tree:
        case ex.Comparison(operator, left, right):
            return f"{render_expression(left, CONCAT)} {operator} {render_expression(right, CONCAT)}"
        case ex.Distinct(left, right, negated):
            return (
                f"{render_expression(left, CONCAT)} IS {_not(negated)}DISTINCT FROM {render_expression(right, CONCAT)}"
            )
        case ex.Between(operand, low, high, symmetric, negated):
            word = f"{_not(negated)}BETWEEN{' SYMMETRIC' if symmetric else ''}"
            bounds = f"{render_expression(low, CONCAT)} AND {render_expression(high, CONCAT)}"
            return f"{render_expression(operand, CONCAT)} {word} {bounds}"
        case ex.In(operand, items, negated):
            return f"{render_expression(operand, CONCAT)} {_not(negated)}IN ({_listed(items)})"
        case ex.Like(operand, pattern, escape, negated):
            by = f" ESCAPE {render_expression(escape, CONCAT)}" if escape else ""
            return f"{render_expression(operand, CONCAT)} {_not(negated)}LIKE {render_expression(pattern, CONCAT)}{by}"
        case ex.Is(operand, what, negated):
            return f"{render_expression(operand, CONCAT)} IS {_not(negated)}{what}"
    assert_never(tree)


def _not(negated: bool) -> str:  # noqa: FBT001  # a fact
    return "NOT " if negated else ""


def _listed(items: tuple[ex.Expression, ...]) -> str:
    return ", ".join(map(render_expression, items))


def _primary(tree: ex.Literals | ex.Column | ex.Made) -> str:  # one line a form
    match tree:
        case ex.Column(column):
            return quote_name(column)
        case ex.Number(value):
            return f"{value:f}" if isinstance(value, Decimal) else _exponent(value)
        case ex.String(text):
            return string_literal(text)
        case ex.Bytes(value):
            return f"X'{value.hex().upper()}'"
        case ex.Boolean(truth):
            return str(truth).upper()
        case ex.Null():
            return "NULL"
        case ex.Moment(kind, text):
            return f"{kind} {string_literal(text)}"
        case ex.Interval(text, unit, last):
            return f"INTERVAL {string_literal(text)} {unit}{f' TO {last}' if last else ''}"
        case ex.Access(operand, field):
            inner = f"({_primary(operand)})" if isinstance(operand, ex.Number) else render_expression(operand, PRIMARY)
            return f"{inner}.{quote_name(field)}"
        case ex.Element(operand, index):
            return f"{render_expression(operand, PRIMARY)}[{render_expression(index)}]"
        case ex.Call():
            return _call(tree)
        case ex.Lambda(parameters, body):
            names = ", ".join(map(quote_name, parameters))
            return f"{names if len(parameters) == 1 else f'({names})'} => {render_expression(body)}"
        case ex.ArrayOf(items):
            return f"ARRAY[{_listed(items)}]"
        case ex.MapOf(pairs):
            return f"MAP[{_listed(tuple(one for pair in pairs for one in pair))}]"
        case ex.RowOf(items):
            return f"ROW({_listed(items)})"
        case ex.Cast(operand, kind, safe):
            return f"{'TRY_' if safe else ''}CAST({render_expression(operand)} AS {kind.text})"
        case ex.Case(operand, branches, otherwise):
            parts = [f" {render_expression(operand)}"] if operand else []
            parts += (f" WHEN {render_expression(when)} THEN {render_expression(then)}" for when, then in branches)
            parts += [f" ELSE {render_expression(otherwise)}"] if otherwise else []
            return f"CASE{''.join(parts)} END"
    assert_never(tree)


def _call(tree: ex.Call) -> str:
    plain = tree.name if tree.name in _FUNCTION_WORDS else quote_name(tree.name)
    listed = "*" if tree.name == "COUNT" and not tree.arguments else _listed(tree.arguments)
    order = f" ORDER BY {', '.join(map(_sort_item, tree.order))}" if tree.order else ""
    where = f" FILTER (WHERE {render_expression(tree.where)})" if tree.where else ""
    return f"{plain}({'DISTINCT ' if tree.distinct else ''}{listed}{order}){where}"


def _sort_item(item: ex.SortItem) -> str:
    nulls = "" if item.nulls_first is None else f" NULLS {'FIRST' if item.nulls_first else 'LAST'}"
    return f"{render_expression(item.expression)}{' DESC' if item.descending else ''}{nulls}"


def _exponent(value: float) -> str:
    """A float is written with an exponent, which makes it a float."""
    return str(value) if isinstance(value, int) else f"{Decimal(repr(value)).normalize():e}"
