"""A query as chains: each one source topic or mapping, and the SELECTs its rows go through, from the inside out.

Subqueries and WITH are the links of a chain, UNION ALL makes more chains.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from jobplane.schemas.errors import StatementTooLarge
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.column_names import column_names

MAX_CHAINS = 64
Bindings = Mapping[str, "Bound"]


@dataclass(frozen=True, slots=True)
class Bound:
    """A query of WITH, and those named before it."""

    query: statements.Query
    bindings: Bindings


@dataclass(frozen=True, slots=True)
class Link:
    """One SELECT. `names` are those of its source; `columns` those a UNION ALL takes from its first branch."""

    select: statements.Select
    names: tuple[str, ...]
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chain:
    source: statements.Name
    links: tuple[Link, ...]


def chains(query: statements.Query, bindings: Bindings | None = None) -> list[Chain]:
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


def _below(source: statements.Table | statements.Derived, known: Bindings) -> list[Chain]:
    if isinstance(source, statements.Derived):
        return chains(source.query, known)
    if bound := known.get(source.name.text):
        return chains(bound.query, bound.bindings)
    return [Chain(source.name, ())]


def _own(source: statements.Table | statements.Derived) -> tuple[str, ...]:
    return (source.name.text,) if isinstance(source, statements.Table) else ()
