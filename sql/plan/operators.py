"""The operators of a query's plan: what is done to records and rows, and nothing of how.

A row is a set of values under keys. Operators are recorded with jobs: tags and fields are kept for ever, and a field
that is added has a default that means what plans of before mean.
"""

import msgspec

from jobplane.schemas.formats.fields import FieldPath, TypedField
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type
from jobplane.sql.analysis.topic_format import SideFormat
from jobplane.sql.functions.aggregates.aggregate import OfferedCall
from jobplane.sql.runtime.windows import Windows
from jobplane.sql.types.typed import GENERATED, Typed


class _Operator(msgspec.Struct, frozen=True, tag_field="operator", omit_defaults=True, forbid_unknown_fields=True):
    pass


class ScannedField(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A field of a record's value, or with `of_key` of its key, and the key under which the row has its value.

    Where no mapping declares the type, it is the one that the query's uses of the field taught.
    """

    key: str
    type: Type
    path: FieldPath
    of_key: bool = False


class ScanOperator(_Operator, frozen=True, tag="scan"):
    """Makes a row of each record of a source, with the fields named. `source` is what the query calls the topic.

    `key_format` is None where nobody says what keys are: they travel as they are.
    """

    source: str
    key_format: SideFormat | None
    value_format: SideFormat
    fields: tuple[ScannedField, ...]


class FilterOperator(_Operator, frozen=True, tag="filter"):
    """Rows for which the condition is not TRUE end here. `text` is the condition as SQL, for people."""

    condition: Typed
    text: str


class ProjectedColumn(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """`type` is the one by which the column is written: UNKNOWN for JSON that is handed through, whatever it is."""

    name: str
    value: Typed
    type: Type


class ProjectOperator(_Operator, frozen=True, tag="project"):
    """Computes columns. With `keeps` the row has them besides what it had, evaluated here, once for all who name them.

    Else the row is the columns alone, and each is evaluated where it is taken.
    """

    columns: tuple[ProjectedColumn, ...]
    keeps: bool = False


class UnnestOperator(_Operator, frozen=True, tag="unnest"):
    """Makes a row for each element. `element` is its key, `second` that of a map's value; `ordinal` counts from 1.

    `is_json`: elements are values of JSON, whose null is NULL. `text` is the array or map as SQL, for people.
    """

    value: Typed
    element: str
    second: str
    ordinal: str
    is_json: bool
    text: str


class WatermarkOperator(_Operator, frozen=True, tag="watermark"):
    """The row asserts that no time before `value` is to come in its partition: the newest of these is the watermark.

    `value` is an instant; a row for which it is NULL is a BadRecord. `text` is it as SQL, for people. Rows go on
    unchanged. A partition that was read to its end, and is silent for `idle` microseconds, holds back no window; 0: it
    does so for ever.
    """

    value: Typed
    text: str
    idle: int = 0


class WindowOperator(_Operator, frozen=True, tag="window"):
    """Makes a row for each window that the row's time is in, which has the window's `start` and `end`.

    `value` is the time; a row for which it is NULL is a BadRecord. `text` is the time as SQL, for people. Where groups
    of windows follow, `slice` is the key of the end of the pane: the smallest part of a window that the time is in.
    """

    value: Typed
    start: str
    end: str
    windows: Windows
    text: str
    slice: str = ""


class OrderItem(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One value to sort by."""

    value: Typed
    descending: bool = False
    nulls_first: bool = False


class AggregateColumn(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What `function` makes of the rows of a group; the row of the group has it under the key `name`.

    Rows for which `where` is not TRUE are left out. With `distinct` rows with equal arguments count once. `order` is
    that of the rows, for functions to which it matters. `offered`: the aggregate is that of a package.
    """

    name: str
    function: str
    arguments: tuple[Typed, ...]
    type: Type
    distinct: bool = False
    where: Typed | None = None
    order: tuple[OrderItem, ...] = ()
    offered: OfferedCall | None = None


class GroupOperator(_Operator, frozen=True, tag="group"):
    """Rows with equal `keys` become one, with the keys and the aggregates, each under its name, GROUP_TIME and
    WINDOW_TIME.

    `window` are the names, among `keys`, of the start and the end of the window; empty without a window. `slice` is
    that of the WindowOperator: a row that reaches the group when the watermark of its partition has passed it is late.
    A group with a window becomes a row when the watermark passes the end of the window. With `changes`, and always
    without a window, it becomes a row whenever it changed, which replaces the row before.

    `bound`: the keys contain the key of the record, or its partition, so that the rows of a group are in one partition.
    """

    keys: tuple[ProjectedColumn, ...]
    aggregates: tuple[AggregateColumn, ...]
    window: tuple[str, ...] = ()
    slice: str = ""
    changes: bool = False
    bound: bool = False


class UnionOperator(_Operator, frozen=True, tag="union"):
    """Takes the rows of several operators, each with the columns that it has."""


class WrittenColumn(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Where the column of a row goes: `part` of the record, and in a key or value the field at `path`.

    `declared` is the type of the target's column, where it has one.
    """

    column: str
    part: str
    path: FieldPath = ()
    declared: Type | None = None


class SinkOperator(_Operator, frozen=True, tag="sink"):
    """Makes a record of the target of each row. `columns` tells where a column goes; a row may lack some of them.

    With `star` all fields of the record that was read are written, the columns over them. A row without columns is then
    the record as it was; where nothing but filters was on its way, also its partition and headers. A row without a
    column for the key has the key of the record that was read, and so on for its other parts.

    `target` is what the statement calls the topic; empty where a plan has one target.
    """

    key_format: SideFormat | None
    value_format: SideFormat
    star: bool
    columns: tuple[WrittenColumn, ...]
    target: str = ""


Operator = (
    ScanOperator
    | FilterOperator
    | ProjectOperator
    | UnnestOperator
    | WatermarkOperator
    | WindowOperator
    | GroupOperator
    | UnionOperator
    | SinkOperator
)
GROUP_TIME = f"{GENERATED}group time"
"""The key of the newest timestamp of a record in a group: a BIGINT of milliseconds, NULL if none has a timestamp."""
WINDOW_TIME = f"{GENERATED}window time"
"""The key of the last millisecond of a group's window, a TIMESTAMP WITH TIME ZONE; of the moment of writing where that
is earlier, since Kafka takes no timestamps from the future."""
VALUE_PART, KEY_PART = "value", "key"
"""Parts of a record that are encoded. A column may go to another part, by the name that the query has for that."""


def field_to_write(column: ProjectedColumn, to: WrittenColumn) -> TypedField:
    """What the target's format is asked to write for a column."""
    return TypedField(to.path, t.UNKNOWN if column.type == t.UNKNOWN else to.declared or column.type)
