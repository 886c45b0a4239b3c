"""What a query needs from a record and makes of it. All that can be refused without a record is refused here."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from schemas.errors import ColumnMismatch
from sql import nodes
from sql.types import Type, column_types


class Kind(StrEnum):
    COPY = "copy"
    PROJECT = "project"


@dataclass(frozen=True, slots=True)
class Field:
    """A field read from the record's value."""

    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class Output:
    """A field of the value written."""

    name: str
    expression: nodes.Expression


@dataclass(frozen=True, slots=True)
class Plan:
    """COPY keeps the record as it is. PROJECT writes `outputs`, with `star` on top of all the record's own fields.

    `fields` are what `where` and `outputs` read.
    """

    kind: Kind
    where: nodes.Expression | None
    fields: tuple[Field, ...]
    star: bool
    outputs: tuple[Output, ...]


def plan(insert: nodes.Insert) -> Plan:
    """Raises TypeMismatch or ColumnMismatch with its place."""
    query = insert.query
    stars = [item for item in query.items if isinstance(item, nodes.Star)]
    if len(stars) > 1:
        raise ColumnMismatch("* already stands for all fields; once is enough", stars[1].place)
    if stars and insert.columns:
        message = "the fields of * are not known before the record; name them, or leave out the column list"
        raise ColumnMismatch(message, stars[0].place)
    outputs = _outputs(query.items, insert.columns)
    types = column_types(query.where, [output.expression for output in outputs])
    fields = tuple(Field(name, kind) for name, kind in types.items())
    return Plan(Kind.PROJECT if outputs else Kind.COPY, query.where, fields, bool(stars), outputs)


def _outputs(items: Sequence[nodes.Star | nodes.Item], columns: Sequence[nodes.Name]) -> tuple[Output, ...]:
    if columns and len(columns) != len(items):
        message = f"the target names {len(columns)} columns, the query has {len(items)}"
        raise ColumnMismatch(message, columns[0].place)
    outputs: dict[str, Output] = {}
    for position, item in enumerate(items):
        if isinstance(item, nodes.Star):
            continue
        name = columns[position] if columns else _name(item, position)
        if name.text in outputs:
            message = f"two columns are called {name}; give one another name with AS"
            raise ColumnMismatch(message, name.place)
        outputs[name.text] = Output(name.text, item.expression)
    return tuple(outputs.values())


def _name(item: nodes.Item, position: int) -> nodes.Name:
    if item.alias:
        return item.alias
    if isinstance(item.expression, nodes.Column):
        return nodes.Name(item.expression.name, item.place)
    return nodes.Name(f"_col{position}", item.place)
