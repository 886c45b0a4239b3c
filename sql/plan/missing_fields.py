"""Fields that a query names and none of some records has: a slip most likely, which a job takes for NULL in silence.

`"paid"` where a text was meant, an alias of the SELECT in its WHERE, a misspelt name. Only topics without declared
columns are looked at, since a mapping refuses what it does not declare.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from jobplane.schemas.formats.fields import FieldPath
from jobplane.schemas.names import quote_name
from jobplane.schemas.suggestions import did_you_mean
from jobplane.schemas.types.datatypes import Type
from jobplane.sql.analysis.record import READABLE
from jobplane.sql.plan.chains import chains
from jobplane.sql.plan.graph import Plan
from jobplane.sql.syntax import expressions as ex
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.expressions import Column
from jobplane.sql.syntax.render.expressions import render_expression, string_literal
from jobplane.sql.syntax.walk import walk

MOST = 5
"""Fields that are told of, of each source."""


def missing_fields(
    planned: Plan, inserts: Sequence[statements.Insert], records: Mapping[str, Sequence[Any]]
) -> tuple[str, ...]:
    """What is to be said of fields that no record has. `records` are values of JSON, by the source they are of.

    Sources without records are left out.
    """
    aliases = {name: hint for insert in inserts for name, hint in _aliases(planned, insert).items()}
    texts = {column.name: column.quoted for insert in inserts for one in walk(insert) for column in _texts(one)}
    told: dict[str, None] = {}
    for source, values in records.items():
        objects = [value for value in values if isinstance(value, dict)]
        fields = {
            one.path: one.type
            for branch in planned.branches
            if branch.source == source
            for one in branch.reads
            if one.path and not one.of_key
        }
        for path, there in dict(_missing(fields, objects)).items():
            field, hint = ".".join(map(quote_name, path)), _hint(path, there, aliases, texts)
            told.setdefault(f"{_count(len(objects), source)} field {field}, so {field} is NULL{hint}")
    return tuple(told)[:MOST]


def _count(count: int, source: str) -> str:
    if count == 1:
        return f"the newest record of '{source}' has no"
    return f"none of the newest {count} records of '{source}' has a"


def _missing(
    fields: Mapping[FieldPath, Type], objects: Sequence[dict[str, Any]]
) -> Iterator[tuple[FieldPath, Collection[str]]]:
    """Paths that lead nowhere in any of the objects, with the names that are there instead."""
    for path, one in fields.items():
        yield from _absent(path[-1], one, path[:-1], _at(objects, path[:-1]))


def _at(objects: Iterable[Any], path: FieldPath) -> list[dict[str, Any]]:
    found: list[Any] = list(objects)
    for part in path:
        found = [one[part] for one in found if isinstance(one, dict) and part in one]
    return [one for one in found if isinstance(one, dict)]


def _absent(
    name: str, one: Type, above: FieldPath, objects: Sequence[dict[str, Any]]
) -> Iterator[tuple[FieldPath, set[str]]]:
    """`objects` are what the field should be in; where there is none, nothing is known."""
    values = [value[name] for value in objects if name in value]
    if objects and not values:
        yield (*above, name), {key for value in objects for key in value}
        return
    while one.name == "ARRAY":
        values = [element for value in values if isinstance(value, list) for element in value]
        one = one.arguments[0]
    if one.name == "ROW":
        inner = [value for value in values if isinstance(value, dict)]
        for field, argument in zip(one.fields, one.arguments, strict=True):
            yield from _absent(field, argument, (*above, name), inner)


def _aliases(planned: Plan, insert: statements.Insert) -> dict[str, str]:
    """What a SELECT calls by another name than a field has, and what to write instead of the name."""
    aggregates = {one.function for branch in planned.branches if branch.group for one in branch.group.aggregates}
    items = [item for chain in chains(insert.query) for link in chain.links for item in link.select.items]
    return {
        item.alias.text: "put the condition into HAVING"
        if any(isinstance(one, ex.Call) and one.name in aggregates for one in walk(item.expression))
        else f"write {render_expression(item.expression)}"
        for item in items
        if isinstance(item, statements.Item) and item.alias and item.expression != Column(item.alias.text)
    }


def _texts(one: object) -> Iterator[Column]:
    """The names that a text may have been meant by: in double quotes, or alone where another name is compared."""
    match one:
        case Column(quoted=True):
            yield one
        case ex.Comparison(_, left, right) | ex.Distinct(left, right):
            sides = ((left, right), (right, left))
            yield from (
                side for side, other in sides if isinstance(side, Column) and not isinstance(other, ex.Literals)
            )
        case ex.In(_, items):
            yield from (item for item in items if isinstance(item, Column))
        case ex.Like(_, Column() as pattern):
            yield pattern
        case _:
            pass


def _hint(path: FieldPath, there: Collection[str], aliases: Mapping[str, str], texts: Mapping[str, bool]) -> str:
    """What was probably meant; the first that fits."""
    name = path[-1]
    if len(path) == 1 and name in aliases:
        return f"; the SELECT defines that name, and cannot use it itself: {aliases[name]}"
    if near := did_you_mean(name, there):
        return near
    if len(path) == 1 and (part := f"__{name.lower()}") in READABLE:
        return f"; the record's own {name.lower()} is {part}"
    if len(path) == 1 and name in texts:
        rule = "double quotes make a name, a text has" if texts[name] else "a text has"
        return f"; {rule} single quotes: {string_literal(name)}"
    return ""
