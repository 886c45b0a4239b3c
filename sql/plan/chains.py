"""Splits a query into chains: a source topic or mapping, and the SELECTs that its rows pass, innermost first.

Subqueries and the queries of WITH are links of a chain. Each branch of a UNION ALL is a chain of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from jobplane.schemas.errors import StatementTooLarge
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.column_names import column_names

MAX_CHAINS = 64
Bindings = Mapping[str, "BoundQuery"]


@dataclass(frozen=True, slots=True)
class BoundQuery:
    """A query of WITH, and the queries of WITH that stand before it."""

    query: statements.Query
    bindings: Bindings


@dataclass(frozen=True, slots=True)
class Link:
    """One SELECT. `names` are the names of its source, `columns` those that a UNION ALL has from its first branch."""

    select: statements.Select
    names: tuple[str, ...]
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chain:
    source: statements.Name
    links: tuple[Link, ...]


def chains(query: statements.Query, bindings: Bindings | None = None) -> list[Chain]:
    """Raises StatementTooLarge if UNION ALL in WITH makes more than MAX_CHAINS."""
    known = dict(bindings or {})
    for binding in query.bindings:
        known[binding.name.text] = BoundQuery(binding.query, dict(known))
    found = []
    columns: tuple[str, ...] = ()
    for select in query.branches:
        for chain in _chains_below(select.source, known):
            names = (select.source.alias.text,) if select.source.alias else _own_names(select.source)
            found.append(Chain(chain.source, (*chain.links, Link(select, names, columns))))
            if len(found) > MAX_CHAINS:
                message = f"with UNION ALL the query has more than {MAX_CHAINS} branches"
                raise StatementTooLarge(message, chain.source.place)
        columns = columns or column_names(select)
    return found


def _chains_below(source: statements.Table | statements.Derived, known: Bindings) -> list[Chain]:
    if isinstance(source, statements.Derived):
        return chains(source.query, known)
    if bound := known.get(source.name.text):
        return chains(bound.query, bound.bindings)
    return [Chain(source.name, ())]


def _own_names(source: statements.Table | statements.Derived) -> tuple[str, ...]:
    return (source.name.text,) if isinstance(source, statements.Table) else ()
