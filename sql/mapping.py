"""Builds the mapping of a CREATE MAPPING: resolves types, splits paths, checks formats and options."""

from jobplane.schemas.errors import BadMapping, NotSupported, Place, UnknownType
from jobplane.schemas.formats import check_options
from jobplane.schemas.records.mappings import MappedColumn, TopicMapping, WatermarkRule
from jobplane.schemas.types.datatypes import Type
from jobplane.sql.analysis.topic_format import check_columns
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parts import KEY, THIS, column_refusal
from jobplane.sql.syntax.render.expressions import render_expression
from jobplane.sql.syntax.render.statements import render
from jobplane.sql.types.names import ALIASES, SIMPLE, resolve_type

CONNECTOR = "Kafka"


def build_mapping(create: statements.CreateMapping) -> TopicMapping:
    """Raises UnknownType, BadMapping, NotSupported, UnknownOption or BadOptionValue with its place."""
    if create.type.text.upper() != CONNECTOR.upper():
        raise NotSupported(
            f"TYPE {create.type} is not supported: the TYPE of a mapping is {CONNECTOR}", create.type.place
        )
    columns: dict[str, MappedColumn] = {}
    for column in create.columns:
        if column.name.text in columns:
            raise BadMapping(f"two columns are called {column.name}", column.name.place)
        external = column.external or column.name
        columns[column.name.text] = MappedColumn(column.name.text, str(_type(column)), _path(column, external))
        _check_apart(list(columns.values()), external.place)
    check_options((o.name.text, o.value, o.name.place, o.value_place) for o in create.options)
    mapping = TopicMapping(
        create.name.text,
        create.topic.text,
        tuple(columns.values()),
        {option.name.text: option.value for option in create.options},
        render(create),
        watermark=None if create.watermark is None else _watermark(create.watermark),
    )
    check_columns(mapping, [(column.external or column.name).place for column in create.columns])
    return mapping


def _watermark(definition: statements.WatermarkDefinition) -> WatermarkRule:
    idle = "" if definition.idle is None else render_expression(definition.idle)
    return WatermarkRule(definition.column.text, render_expression(definition.expression), idle)


def _type(column: statements.ColumnDefinition) -> Type:
    """Raises what `resolve_type` raises; its message says if name and type are swapped."""
    try:
        return resolve_type(column.type)
    except UnknownType as unknown:
        if column.name.text.upper() not in {**SIMPLE, **ALIASES}:
            raise
        message = f"{column.type.text} is not a type; a column's name stands before its type: id {column.name}"
        raise UnknownType(message, unknown.place) from None


def _path(column: statements.ColumnDefinition, external: statements.Name) -> tuple[str, ...]:
    """The fields from the outermost to the innermost, after __key those of the key; `this.` says nothing new."""
    if column.external is None:
        return (external.text,)
    parts = external.text.removeprefix("this.").split(".")
    if "" in parts:
        message = f'the path "{external}" has an empty part; write it as "outer.inner"'
        raise BadMapping(message, external.place)
    for part in parts[parts[0] == KEY :]:
        if parts != [THIS] and (reason := column_refusal(part)):
            raise NotSupported(reason, external.place)
    return tuple(parts)


def _check_apart(columns: list[MappedColumn], place: Place) -> None:
    """The field of the last column may not be that of another column, nor lie inside it, nor contain it."""
    *others, new = columns
    for other in others:
        shorter = min(len(other.path), len(new.path))
        if other.path[:shorter] == new.path[:shorter]:
            paths = f'"{".".join(other.path)}" and "{".".join(new.path)}"'
            raise BadMapping(f"columns {other.name} and {new.name} overlap: {paths}", place)
