"""What a query needs from a record and makes of it. All that can be refused without a record is refused here."""

from collections.abc import Mapping as MappingOf
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from schemas.errors import ColumnMismatch, UnknownColumn, did_you_mean
from schemas.formats import BYTES, VALUE_FORMAT
from schemas.values import MappedColumn, Mapping
from sql import nodes
from sql.column_types import KINDS
from sql.types import Type, column_types

Sources = MappingOf[str, Mapping]
NO_SOURCES: Sources = {}


class Kind(StrEnum):
    COPY = "copy"
    PROJECT = "project"


@dataclass(frozen=True, slots=True)
class Field:
    """A field read from the record's value. `declared` is its SQL type where it is mapped, else empty."""

    name: str
    type: Type
    path: tuple[str, ...]
    declared: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    """A field of the value written. `declared` is the SQL type of the target's column, else empty."""

    name: str
    expression: nodes.Expression
    path: tuple[str, ...]
    declared: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """COPY keeps the record as it is. PROJECT writes `outputs`, with `star` on top of all the record's own fields.

    `fields` are what `where` and `outputs` read; `kinds` those of the columns there are, where the source is mapped.
    """

    kind: Kind
    where: nodes.Expression | None
    fields: tuple[Field, ...]
    star: bool
    outputs: tuple[Output, ...]
    kinds: dict[str, Type] | None = None


def source_names(insert: nodes.Insert) -> tuple[nodes.Name, ...]:
    """The mappings and topics the query reads, each once, in the order they are named."""
    return (insert.query.source,)


def plan(insert: nodes.Insert, sources: Sources = NO_SOURCES, target: Mapping | None = None) -> Plan:
    """`sources` are the mappings among the names the query reads; any other name, or one without columns, is a topic.

    Raises TypeMismatch, ColumnMismatch or UnknownColumn with its place.
    """
    query = insert.query
    source = sources.get(query.source.text)
    declared = {column.name: column for column in source.columns} if source and source.columns else None
    items = _expanded(query.items, declared) if declared else query.items
    stars = [item for item in items if isinstance(item, nodes.Star)]
    if len(stars) > 1 or sum(isinstance(item, nodes.Star) for item in query.items) > 1:
        raise ColumnMismatch("* already stands for all fields; once is enough", query.items[-1].place)
    columns = _columns(insert, target)
    if stars and columns:
        remedy = "name them, or leave out the column list" if insert.columns else "name them"
        raise ColumnMismatch(f"the fields of * are not known before the record; {remedy}", stars[0].place)
    outputs = _outputs(items, columns, target)
    kinds = {name: KINDS[column.type] for name, column in declared.items()} if declared else None
    types = column_types(query.where, [_value(output) for output in outputs], kinds)
    fields = tuple(Field(name, kind, *_read_from(name, declared)) for name, kind in types.items())
    _check_bytes(insert, source if fields else None, target if outputs else None)
    return Plan(Kind.PROJECT if outputs else Kind.COPY, query.where, fields, bool(stars), outputs, kinds)


def _check_bytes(insert: nodes.Insert, read: Mapping | None, written: Mapping | None) -> None:
    """Raises ColumnMismatch where a value of format bytes would have to be taken apart or made."""
    for mapping, name in ((read, insert.query.source), (written, insert.target)):
        if mapping is not None and mapping.options.get(VALUE_FORMAT) == BYTES:
            message = f"values of mapping '{mapping.name}' are bytes, which have no columns; only SELECT * copies them"
            raise ColumnMismatch(message, name.place)


def _read_from(name: str, declared: dict[str, MappedColumn] | None) -> tuple[tuple[str, ...], str]:
    return (declared[name].path, declared[name].type) if declared else ((name,), "")


def _value(output: Output) -> tuple[nodes.Expression, Type, str]:
    kind = KINDS[output.declared] if output.declared else Type.ANY
    return output.expression, kind, f"column {output.name} ({output.declared})"


def _expanded(
    items: Sequence[nodes.Star | nodes.Item], declared: dict[str, MappedColumn]
) -> tuple[nodes.Star | nodes.Item, ...]:
    """The items with the columns of the mapping in place of *."""
    expanded: list[nodes.Star | nodes.Item] = []
    for item in items:
        if isinstance(item, nodes.Star):
            expanded += (nodes.Item(nodes.Column(name, item.place), None, item.place) for name in declared)
        else:
            expanded.append(item)
    return tuple(expanded)


def _columns(insert: nodes.Insert, target: Mapping | None) -> tuple[nodes.Name, ...]:
    """The columns written to, in the order of the query's; empty where they are called as the query calls them."""
    if target is None or not target.columns:
        return insert.columns
    names = [column.name for column in target.columns]
    for column in insert.columns:
        if column.text not in names:
            hint = did_you_mean(column.text, names) or f"; columns are {', '.join(names)}"
            raise UnknownColumn(f"mapping '{target.name}' has no column '{column}'{hint}", column.place)
    return insert.columns or tuple(nodes.Name(name, insert.target.place) for name in names)


def _outputs(
    items: Sequence[nodes.Star | nodes.Item], columns: Sequence[nodes.Name], target: Mapping | None
) -> tuple[Output, ...]:
    if columns and len(columns) != len(items):
        message = f"the target has {len(columns)} columns, the query gives {len(items)}"
        raise ColumnMismatch(message, columns[0].place)
    declared = {column.name: column for column in target.columns} if target else {}
    outputs: dict[str, Output] = {}
    for position, item in enumerate(items):
        if isinstance(item, nodes.Star):
            continue
        name = columns[position] if columns else _name(item, position)
        if name.text in outputs:
            message = f"two columns are called {name}; give one another name with AS"
            raise ColumnMismatch(message, name.place)
        column = declared.get(name.text)
        path, kind = (column.path, column.type) if column else ((name.text,), "")
        outputs[name.text] = Output(name.text, item.expression, path, kind)
    return tuple(outputs.values())


def _name(item: nodes.Item, position: int) -> nodes.Name:
    if item.alias:
        return item.alias
    if isinstance(item.expression, nodes.Column):
        return nodes.Name(item.expression.name, item.place)
    return nodes.Name(f"_col{position}", item.place)
