"""Writes a statement in lines for people: one line for each clause, nested parts indented. They parse to the same."""

from collections.abc import Iterator, Sequence
from typing import assert_never

from jobplane.schemas.names import quote_name
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.render.statements import (
    alias_clause,
    emit_clause,
    function_name,
    insert_head,
    job_head,
    mapped_parts,
    mapping_head,
    option_list,
    partition_by,
    render,
    select_clauses,
    select_item,
    select_word,
    unnest_clause,
    window_arguments,
)

WIDTH = 72
"""Characters of a line that is not broken."""
_INDENT = "    "


def render_lines(statement: statements.Statement | statements.Insert) -> list[str]:
    """The one line of `render` where it is short, else several."""
    text = render(statement)
    return [text] if len(text) <= WIDTH else list(_break_lines(statement, text))


def render_set(inserts: Sequence[statements.Insert]) -> list[str]:
    """BEGIN, the INSERTs, and END."""
    lines = ["BEGIN"]
    for insert in inserts:
        *before, last = render_lines(insert)
        lines += _indent([*before, f"{last};"])
    return [*lines, "END"]


def _break_lines(statement: statements.Statement | statements.Insert, text: str) -> Iterator[str]:
    match statement:
        case statements.CreateJob(options=options, inserts=inserts) if len(inserts) > 1:
            yield job_head(statement)
            yield from filter(None, [option_list(options)])
            first, *lines = render_set(inserts)
            yield f"AS {first}"
            yield from lines
        case statements.CreateJob(options=options, inserts=(insert,)):
            yield job_head(statement)
            yield from filter(None, [option_list(options)])
            head, *query = _break_lines(insert, "")
            yield f"AS {head}"
            yield from query
        case statements.Insert():
            yield insert_head(statement)
            yield from _query(statement.query)
            yield from filter(None, [emit_clause(statement.emit).lstrip()])
        case statements.CreateMapping() if parts := mapped_parts(statement):
            yield f"{mapping_head(statement)} ("
            yield from _indent(_with_commas(parts))
            yield f") TYPE {quote_name(statement.type.text)}"
            yield from filter(None, [option_list(statement.options)])
        case _:
            yield text


def _query(query: statements.Query) -> Iterator[str]:
    for number, one in enumerate(query.bindings):
        last = number == len(query.bindings) - 1
        yield f"{'' if number else 'WITH '}{quote_name(one.name.text)} AS ("
        yield from _indent(_query(one.query))
        yield ")" if last else "),"
    for number, select in enumerate(query.branches):
        if number:
            yield "UNION ALL"
        lines = list(_select(select))
        line = " ".join(lines)
        yield from [line] if isinstance(select.source, statements.Table) and len(line) <= WIDTH else lines


def _select(select: statements.Select) -> Iterator[str]:
    items = [select_item(one) for one in select.items]
    line = f"{select_word(select)} {', '.join(items)}"
    if len(line) <= WIDTH:
        yield line
    else:
        yield select_word(select)
        yield from _indent(_with_commas(items))
    yield from _source(select.source)
    yield from (unnest_clause(one).lstrip() for one in select.unnests)
    yield from select_clauses(select)


def _source(source: statements.Source) -> Iterator[str]:
    match source:
        case statements.Table(name):
            yield f"FROM {quote_name(name.text)}{alias_clause(source.alias)}"
        case statements.Derived(query):
            yield "FROM ("
            yield from _indent(_query(query))
            yield f"){alias_clause(source.alias)}"
        case statements.Windowed() | statements.Ordered():
            first, *others = _source(source.source)
            written = [f"TABLE {first.removeprefix('FROM ')}", *others]
            if isinstance(source.source, statements.Windowed | statements.Ordered):
                written = [f"TABLE({first.removeprefix('FROM ')}", *others[:-1], f"{others[-1]})"]
            written[-1] += partition_by(source)
            yield f"FROM {function_name(source)}("
            yield from _indent([*written[:-1], f"{written[-1]},"])
            yield from _indent([", ".join(window_arguments(source))])
            yield f"){alias_clause(source.alias)}"
        case never:
            assert_never(never)


def _with_commas(parts: Sequence[str]) -> list[str]:
    return [*(f"{part}," for part in parts[:-1]), parts[-1]]


def _indent(lines: Iterator[str] | list[str]) -> Iterator[str]:
    return (_INDENT + line for line in lines)
