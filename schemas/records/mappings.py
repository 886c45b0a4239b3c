"""Mappings as jobs keep them: a name for a topic, its columns, formats and schemas."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MappedColumn:
    """A column of a mapping: its SQL type, and the path of its field in the record's value."""

    name: str
    type: str
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AvroSchema:
    """A schema as JSON text: the reader's of a source, the writer's of a sink.

    `id` is its number in the schema registry, 0 where records are bare: the registry's numbers begin with 1.
    """

    text: str
    id: int = 0


@dataclass(frozen=True, slots=True)
class WatermarkRule:
    """`WATERMARK FOR column AS expression IDLE AFTER idle`: how late a record may be, and when silence counts as time.

    The expression is SQL over the columns, `idle` an interval in SQL; it is empty where silence never counts.
    """

    column: str
    expression: str
    idle: str = ""


@dataclass(frozen=True, slots=True)
class TopicMapping:
    """A name for a topic, with the types of its columns. Without columns it is the topic, under another name.

    In a job, a mapping without a statement stands for a topic whose formats are in the job's own options. The schemas
    are those of keys and values in Avro, as they were when the job was created.
    """

    name: str
    topic: str
    columns: tuple[MappedColumn, ...]
    options: dict[str, str]
    statement: str
    key_schema: AvroSchema | None = None
    value_schema: AvroSchema | None = None
    watermark: WatermarkRule | None = None
