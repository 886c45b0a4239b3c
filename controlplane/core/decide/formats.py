"""The formats, columns and Avro schemas of the topics of a new job, fixed at CREATE.

A topic without a mapping has the formats in the job's options. A source is read with the newest schema of its subject;
a sink's schema follows from its columns and is registered, unless the newest one of its subject has the same columns.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from jobplane.controlplane.core.facts import Facts
from jobplane.schemas.errors import STATEMENT_START, BadMapping, ColumnMismatch, Place, SchemaNotFound
from jobplane.schemas.formats import AVRO_SCHEMAS, FORMAT_OPTIONS, JSON_FLAT, KEY_FORMAT, SUBJECTS, VALUE_FORMAT
from jobplane.schemas.formats.avro import types as avro
from jobplane.schemas.formats.fields import Format, TypedField
from jobplane.schemas.formats.known import FORMATS
from jobplane.schemas.records.mappings import AvroSchema, MappedColumn, TopicMapping
from jobplane.schemas.records.sources import Sink
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type
from jobplane.sql.plan.graph import Branch
from jobplane.sql.syntax.parts import KEY
from jobplane.sql.types.names import parse_type

ROLES = {"key": KEY_FORMAT, "value": VALUE_FORMAT}


def effective_mapping(mapping: TopicMapping | None, topic: str, options: Mapping[str, str]) -> TopicMapping | None:
    """A topic's mapping; without one, a mapping with the formats in the job's options; else None."""
    formats = {name: text for name, text in options.items() if name in FORMAT_OPTIONS}
    return mapping if mapping is not None or not formats else TopicMapping(topic, topic, (), formats, "")


def source_mapping(mapping: TopicMapping | None, facts: Facts, place: Place) -> TopicMapping | None:
    """The mapping of a source with its readers' schemas, and with their columns if it declares none.

    Raises SchemaNotFound, BadMapping, NoRegistry, FactsUnavailable.
    """
    if mapping is None:
        return None
    for role in _schema_roles(mapping):
        schema = _inline_schema(mapping, role) or facts.latest_schema(subject_name(mapping, role), place)
        if schema is None:
            raise SchemaNotFound(_missing_schema_text(mapping, role), place)
        mapping = _add_schema(mapping, role, schema, place)
    if _format(mapping, "value").needs_columns and not _columns(mapping, "value"):
        message = f"records of '{mapping.topic}' do not name their fields; declare them with CREATE MAPPING"
        raise ColumnMismatch(message, place)
    return mapping


def add_schema_columns(mapping: TopicMapping, facts: Facts, place: Place) -> tuple[TopicMapping, tuple[str, ...]]:
    """A new mapping with the columns of its schemas, and the notices about it."""
    notices: list[str] = []
    for role in _schema_roles(mapping):
        schema = _inline_schema(mapping, role) or facts.latest_schema(subject_name(mapping, role), place)
        if schema is None:
            notices.append(f"{_missing_schema_text(mapping, role)}; a job that writes will register one")
        else:
            filled = _add_schema(mapping, role, schema, place)
            mapping = replace(mapping, columns=filled.columns)
    return mapping, tuple(notices)


Writer = tuple[Place, Branch]
"""An INSERT into a sink: where it names the sink, and a branch of its query."""


def add_writer_schemas(sink: Sink, writers: Sequence[Writer], facts: Facts) -> Sink:
    """The sink with its writers' schemas; those that are not registered yet are registered.

    Raises ColumnMismatch, SchemaIncompatible, NoRegistry, FactsUnavailable.
    """
    mapping = sink.mapping
    if mapping is None:
        return sink
    (place, first), *others = writers
    for role in _schema_roles(mapping):
        outputs, declared = _outputs(first, role), _fields(mapping, role)
        for there, other in others:
            if not declared and _outputs(other, role) != outputs:
                raise ColumnMismatch(_other_columns_text(sink, outputs, _outputs(other, role)), there)
        fields = declared or outputs
        if fields and (role == "value" or outputs):
            schema = _inline_schema(mapping, role) or _find_or_register(mapping, role, fields, facts, place)
            mapping = _set_schema(mapping, role, schema)
    return replace(sink, mapping=mapping)


def _outputs(branch: Branch, role: str) -> tuple[TypedField, ...]:
    return tuple(one.field for one in (branch.key if role == "key" else branch.outputs))


def _other_columns_text(sink: Sink, first: Sequence[TypedField], other: Sequence[TypedField]) -> str:
    one, two = (", ".join(f"{'.'.join(field.path)} {field.type}" for field in each) for each in (first, other))
    return (
        f"the INSERTs into '{sink.name}' give other columns ({one}; {two}), and its schema is made of them: give the "
        "same columns, or declare them with CREATE MAPPING"
    )


def sink_reader_mapping(sink: Sink) -> TopicMapping | None:
    """The mapping that reads the values written to a sink."""
    mapping = sink.mapping
    if mapping is None or mapping.value_schema is None:
        return mapping
    return _add_schema(mapping, "value", mapping.value_schema, STATEMENT_START)


def add_inline_schemas(mapping: TopicMapping | None, place: Place) -> TopicMapping | None:
    """The mapping of a sink with the schemas in its options, and their columns."""
    if mapping is None:
        return None
    for role in _schema_roles(mapping):
        if schema := _inline_schema(mapping, role):
            mapping = _add_schema(mapping, role, schema, place)
    return mapping


def subject_name(mapping: TopicMapping, role: str) -> str:
    """The registry's subject of a topic's keys or values, named as registry clients name it by default."""
    return mapping.options.get(SUBJECTS[role]) or f"{mapping.topic}-{role}"


def _schema_roles(mapping: TopicMapping) -> Iterable[str]:
    return [role for role in ROLES if _format(mapping, role).has_schema]


def _format(mapping: TopicMapping, role: str) -> Format:
    return FORMATS[mapping.options.get(ROLES[role], JSON_FLAT)]


def _inline_schema(mapping: TopicMapping, role: str) -> AvroSchema | None:
    text = mapping.options.get(AVRO_SCHEMAS[role])
    return AvroSchema(text) if text else None


def _find_or_register(
    mapping: TopicMapping, role: str, fields: Sequence[TypedField], facts: Facts, place: Place
) -> AvroSchema:
    of = subject_name(mapping, role)
    newest = facts.latest_schema(of, place)
    if newest is not None and _schema_columns(mapping, role, newest, place) == tuple(fields):
        return newest
    name, namespace = avro.full_name(newest.text) if newest is not None else (_record_name(of), "")
    try:
        text = avro.build_schema(fields, name, namespace)
    except ValueError as reason:
        which = _format(mapping, role).name
        raise ColumnMismatch(f"{role}s of '{mapping.name}' are {which}: {reason}", place) from None
    return facts.registered_schema(of, text, place)


def _add_schema(mapping: TopicMapping, role: str, schema: AvroSchema, place: Place) -> TopicMapping:
    """The mapping with a schema, and its columns if none are declared. Raises BadMapping if they do not fit."""
    told = _schema_columns(mapping, role, schema, place)
    declared = _columns(mapping, role)
    for column in declared:
        path = column.path[1:] if role == "key" else column.path
        one, field = avro.type_at(told, path), ".".join(path)
        if one is None:
            message = f"the schema of '{mapping.topic}' has no field {field} (column {column.name})"
            raise BadMapping(message, place)
        if not _can_hold(parse_type(column.type), one):
            raise BadMapping(f"column {column.name} is {column.type}; the schema says that {field} is {one}", place)
    if not declared:
        taken = {column.name for column in mapping.columns}
        prefix = (KEY,) if role == "key" else ()
        added = tuple(
            MappedColumn(name if name not in taken else f"{role}_{name}", str(one.type), (*prefix, name))
            for one in told
            for name in one.path
        )
        mapping = replace(mapping, columns=(*mapping.columns, *added))
    return _set_schema(mapping, role, schema)


def _schema_columns(mapping: TopicMapping, role: str, schema: AvroSchema, place: Place) -> tuple[TypedField, ...]:
    """The columns of a schema. Raises BadMapping if it is not a record schema, or is recursive."""
    try:
        avro.check_defaults(schema.text)
        return avro.columns_of(schema.text)
    except ValueError as reason:
        raise BadMapping(f"the schema of the {role}s of '{mapping.topic}': {reason}", place) from None


def _can_hold(column: Type, field: Type) -> bool:
    """Whether all values of a field are values of the column."""
    if t.is_integer(column) and t.is_integer(field):
        return t.BITS[column.name] >= t.BITS[field.name]
    return column == field or (column, field) == (t.DOUBLE, t.REAL)


def _set_schema(mapping: TopicMapping, role: str, schema: AvroSchema) -> TopicMapping:
    return replace(mapping, key_schema=schema) if role == "key" else replace(mapping, value_schema=schema)


def _columns(mapping: TopicMapping, role: str) -> list[MappedColumn]:
    return [column for column in mapping.columns if (column.path[0] == KEY) is (role == "key")]


def _fields(mapping: TopicMapping, role: str) -> tuple[TypedField, ...]:
    start = 1 if role == "key" else 0
    return tuple(TypedField(one.path[start:], parse_type(one.type)) for one in _columns(mapping, role))


def _record_name(of: str) -> str:
    """A subject as an Avro name: other characters become underscores."""
    name = re.sub(r"\W", "_", of, flags=re.ASCII)
    return f"_{name}" if name[:1].isdigit() else name


def _missing_schema_text(mapping: TopicMapping, role: str) -> str:
    remedy = f"name one with {SUBJECTS[role]}, or give the schema as {AVRO_SCHEMAS[role]}"
    return f"the registry has no subject '{subject_name(mapping, role)}'; {remedy}"
