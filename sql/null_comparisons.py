"""Comparisons with NULL in a query: NULL for every record, which was hardly meant. They are not refused."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from sql import expressions as ex
from sql.render_expressions import CONCAT, expression

_TESTS = {"=": "IS NULL", "<>": "IS NOT NULL"}
MOST = 5


def null_comparisons(tree: object) -> tuple[str, ...]:
    """What is to be said of them, each once."""
    return tuple(dict.fromkeys(_found(tree)))[:MOST]


def _found(tree: object) -> Iterator[str]:
    match tree:
        case ex.Comparison(operator, ex.Null(), other) | ex.Comparison(operator, other, ex.Null()):
            test = _TESTS.get(operator)
            remedy = f"write {expression(other, CONCAT)} {test}" if test else "compare with a value"
            yield f"{expression(tree)} is NULL for every record and never true: {remedy}"
        case ex.In(_, items, negated=True) if any(isinstance(one, ex.Null) for one in items):
            yield f"{expression(tree)} is never true, for the NULL among its items: leave NULL out"
        case _:
            pass
    if isinstance(tree, tuple):
        for one in tree:
            yield from _found(one)
    elif is_dataclass(tree):
        for part in fields(tree):
            yield from _found(getattr(tree, part.name))
