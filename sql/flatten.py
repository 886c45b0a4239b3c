"""A query as chains: each one source topic or mapping, and the SELECTs its rows go through, from the inside out.

Subqueries and WITH are the links of a chain, UNION ALL makes more chains.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.errors import StatementTooLarge
from sql import expressions as ex
from sql import nodes

MAX_CHAINS = 64
Bindings = Mapping[str, "Bound"]


@dataclass(frozen=True, slots=True)
class Bound:
    """A query of WITH, and those named before it."""

    query: nodes.Query
    bindings: Bindings


@dataclass(frozen=True, slots=True)
class Link:
    """One SELECT. `names` are those of its source; `columns` those a UNION ALL takes from its first branch."""

    select: nodes.Select
    names: tuple[str, ...]
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chain:
    source: nodes.Name
    links: tuple[Link, ...]


def chains(query: nodes.Query, bindings: Bindings | None = None) -> list[Chain]:
    """Raises StatementTooLarge where UNION ALL in WITH makes too many."""
    known = dict(bindings or {})
    for binding in query.bindings:
        known[binding.name.text] = Bound(binding.query, dict(known))
    found = []
    columns: tuple[str, ...] = ()
    for select in query.branches:
        for chain in _below(select.source, known):
            names = (select.source.alias.text,) if select.source.alias else _own(select.source)
            found.append(Chain(chain.source, (*chain.links, Link(select, names, columns))))
            if len(found) > MAX_CHAINS:
                message = f"with UNION ALL the query has more than {MAX_CHAINS} branches"
                raise StatementTooLarge(message, chain.source.place)
        columns = columns or column_names(select)
    return found


def _below(source: nodes.Table | nodes.Derived, known: Bindings) -> list[Chain]:
    if isinstance(source, nodes.Derived):
        return chains(source.query, known)
    if bound := known.get(source.name.text):
        return chains(bound.query, bound.bindings)
    return [Chain(source.name, ())]


def _own(source: nodes.Table | nodes.Derived) -> tuple[str, ...]:
    return (source.name.text,) if isinstance(source, nodes.Table) else ()


def column_names(select: nodes.Select) -> tuple[str, ...]:
    """What the columns of a SELECT are called; none where it has a star."""
    names = []
    for position, item in enumerate(select.items):
        if isinstance(item, nodes.Star):
            return ()
        names.append(item_name(item, position).text)
    return tuple(names)


def item_name(item: nodes.Item, position: int) -> nodes.Name:
    """Its alias, else what its expression is called."""
    return item.alias or nodes.Name(called_by(item.expression, position), item.place)


def called_by(expression: ex.Expression, position: int) -> str:
    """The column or field an expression hands through, else its position."""
    match expression:
        case ex.Column(name) | ex.Access(_, name):
            return name
    return f"_col{position}"
