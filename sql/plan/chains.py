"""Splits a query into chains: a source topic or mapping, and the SELECTs that its rows pass, innermost first.

Subqueries and the queries of WITH are links of a chain. Each branch of a UNION ALL is a chain of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from jobplane.schemas.errors import StatementTooLarge
from jobplane.sql.analysis.aggregates import has_aggregate
from jobplane.sql.functions import BUILT_IN, FunctionCatalogue
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
    """One SELECT. `names` are the names of its source, `columns` those that a UNION ALL has from its first branch.

    `grouped`: it makes rows of groups of rows.
    """

    select: statements.Select
    names: tuple[str, ...]
    columns: tuple[str, ...] = ()
    grouped: bool = False

    @property
    def functions(self) -> tuple[statements.TableFunction, ...]:
        """The table functions of the source, innermost first."""
        found: list[statements.TableFunction] = []
        source = self.select.source
        while isinstance(source, statements.Windowed | statements.Ordered):
            found.insert(0, source)
            source = source.source
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Chain:
    """`path` tells, from the outermost link inwards, of which branch of its query each link is."""

    source: statements.Name
    links: tuple[Link, ...]
    path: tuple[int, ...] = ()

    @property
    def group_path(self) -> tuple[int, ...]:
        """The path to the innermost link that makes groups; empty where none does. Chains with the same one meet there.

        Where a query of WITH is named twice, its rows go two ways, and its groups are made for each.
        """
        at = next((i for i, link in enumerate(self.links) if link.grouped), len(self.links))
        return self.path[: len(self.links) - at]


def chains(
    query: statements.Query, functions: FunctionCatalogue = BUILT_IN, bindings: Bindings | None = None
) -> list[Chain]:
    """`functions` tell which calls are aggregates. Raises StatementTooLarge if UNION ALL in WITH makes more than
    MAX_CHAINS.
    """
    known = dict(bindings or {})
    for binding in query.bindings:
        known[binding.name.text] = BoundQuery(binding.query, dict(known))
    found = []
    columns: tuple[str, ...] = ()
    for i, select in enumerate(query.branches):
        grouped = _is_grouped(select, functions)
        for chain in _chains_below(select.source, functions, known):
            link = Link(select, source_names(select.source), columns, grouped)
            found.append(Chain(chain.source, (*chain.links, link), (i, *chain.path)))
            if len(found) > MAX_CHAINS:
                message = f"with UNION ALL the query has more than {MAX_CHAINS} branches"
                raise StatementTooLarge(message, chain.source.place)
        columns = columns or column_names(select)
    return found


def _is_grouped(select: statements.Select, functions: FunctionCatalogue) -> bool:
    if select.distinct or select.group or select.having is not None:
        return True
    return has_aggregate(select.items, functions)


def _chains_below(source: statements.Source, functions: FunctionCatalogue, known: Bindings) -> list[Chain]:
    if isinstance(source, statements.Windowed | statements.Ordered):
        return _chains_below(source.source, functions, known)
    if isinstance(source, statements.Derived):
        return chains(source.query, functions, known)
    if bound := known.get(source.name.text):
        return chains(bound.query, functions, bound.bindings)
    return [Chain(source.name, ())]


def source_names(source: statements.Source) -> tuple[str, ...]:
    """The names that may stand before the columns of a source."""
    if source.alias:
        return (source.alias.text,)
    match source:
        case statements.Table(name):
            return (name.text,)
        case statements.Derived():
            return ()
        case statements.Windowed(source=below) | statements.Ordered(source=below):
            return source_names(below)
        case never:
            assert_never(never)
