"""Parses a text. `parse` returns the statement, or raises one Refused with its place.

The grammar, and what builds statements with it, are loaded for the first text that needs them.
"""

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from jobplane.schemas.errors import NestedTooDeep, StatementTooLarge
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.scan import MAX_BYTES, check_text, split_statements

if TYPE_CHECKING:
    from parsimonious.nodes import Node

    from jobplane.sql.syntax import expressions as ex

__all__ = ["parse", "parse_insert", "split_statements"]

_GROWTH = 6
"""A canonical form is at most this many times longer than its text: `1e15`, the worst case, has 18 digits."""
_SHOW = re.compile(rf"\s*+SHOW\s++({'|'.join(statements.ShowSubject)})\s*+;?\s*+", re.IGNORECASE | re.ASCII)
"""SHOW JOBS and its like without the grammar: people and scripts look all the time, and loading it takes longer."""


def parse(text: str) -> statements.Statement:
    """One statement, whose canonical form parses as well.

    Raises StatementTooLarge, NestedTooDeep, NotUtf8, BadSyntax, NotSupported, RepeatedOption, SelectNotAllowed or
    InsertNeedsJob, with its place.
    """
    check_text(text)
    if short := _SHOW.fullmatch(text):
        return statements.Show(statements.ShowSubject(short[1].upper()))
    statement: statements.Statement = _build(text, "text")
    if len(text) > MAX_BYTES // _GROWTH:
        from jobplane.sql.syntax.render.statements import render

        if (size := len(render(statement).encode())) > MAX_BYTES:
            message = f"in its canonical form the statement has {size:,} bytes; {MAX_BYTES:,} are allowed"
            raise StatementTooLarge(message)
    return statement


def parse_job(statement: str) -> statements.CreateJob:
    """A job's canonical statement, as events and task records hold it. Raises TypeError for any other."""
    parsed = parse(statement)
    if not isinstance(parsed, statements.CreateJob):
        raise TypeError(f"a job's statement is a CREATE JOB, not {statement!r}")
    return parsed


def parse_insert(text: str) -> statements.Insert:
    """An INSERT on its own, which no job runs: to be tried. Raises what `parse` raises."""
    check_text(text)
    insert: statements.Insert = _build(text, "lone_insert")
    return insert


def parse_expression(text: str) -> "ex.Expression":
    """An expression on its own, as mappings record it. Raises what `parse` raises."""
    check_text(text)
    expression: ex.Expression = _build(text, "lone_expression")
    return expression


def _build(text: str, rule: str) -> Any:
    from parsimonious.exceptions import ParseError

    from jobplane.sql.syntax.builders.statements import StatementBuilder
    from jobplane.sql.syntax.grammar import GRAMMAR

    tried: dict[int, dict[int, Node | None]] = defaultdict(dict)
    try:
        found = GRAMMAR[rule].match_core(text, 0, tried, ParseError(text))
        if found is None:
            from jobplane.sql.syntax.refusals.diagnostics import syntax_error

            raise syntax_error(text, tried)
        return StatementBuilder(text).visit(found)
    except RecursionError:  # CASE and types nest without parentheses, which `check` counts
        raise NestedTooDeep("the statement is nested too deep") from None
