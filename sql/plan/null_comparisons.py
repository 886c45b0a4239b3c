"""Comparisons with NULL in a query: NULL for every record, which was hardly meant. They are not refused."""

from collections.abc import Iterator

from jobplane.sql.syntax import expressions as ex
from jobplane.sql.syntax.render.expressions import CONCAT, render_expression
from jobplane.sql.syntax.walk import walk

_TESTS = {"=": "IS NULL", "<>": "IS NOT NULL"}
MOST = 5


def null_comparisons(tree: object) -> tuple[str, ...]:
    """What is to be said of them, each once."""
    return tuple(dict.fromkeys(said for one in walk(tree) for said in _said(one)))[:MOST]


def _said(one: object) -> Iterator[str]:
    match one:
        case ex.Comparison(operator, ex.Null(), other) | ex.Comparison(operator, other, ex.Null()):
            test = _TESTS.get(operator)
            remedy = f"write {render_expression(other, CONCAT)} {test}" if test else "compare with a value"
            yield f"{render_expression(one)} is NULL for every record and never true: {remedy}"
        case ex.In(_, items, negated=True) if any(isinstance(item, ex.Null) for item in items):
            yield f"{render_expression(one)} is never true, for the NULL among its items: leave NULL out"
        case _:
            pass
