"""Statements as syntax trees. A place is where a node begins in the text; it does not count in equality."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from jobplane.schemas.errors import STATEMENT_START, Place

if TYPE_CHECKING:
    from jobplane.sql.syntax.expressions import ColumnType, Expression, Interval, String


def _place() -> Place:
    return field(default=STATEMENT_START, compare=False)


@dataclass(frozen=True, slots=True)
class Name:
    """A job, snapshot, topic, option or column as the user called it: unquoted, case kept."""

    text: str
    place: Place = _place()

    def __post_init__(self) -> None:
        if not self.text:
            raise ValueError("a name may not be empty")

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Star:
    """All columns, or those of one source."""

    source: Name | None = None
    place: Place = _place()


@dataclass(frozen=True, slots=True)
class Item:
    expression: "Expression"
    alias: Name | None
    place: Place = _place()


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping, a topic, or a query named before by WITH. `alias` is what its columns may be called by."""

    name: Name
    alias: Name | None = None


@dataclass(frozen=True, slots=True)
class Derived:
    """A query in parentheses."""

    query: "Query"
    alias: Name | None


class WindowFunction(StrEnum):
    TUMBLE = "TUMBLE"
    HOP = "HOP"
    CUMULATE = "CUMULATE"
    SESSION = "SESSION"


@dataclass(frozen=True, slots=True)
class Ordered:
    """`IMPOSE_ORDER(TABLE source, DESCRIPTOR(time), lag)`: rows come at most `lag` behind the newest time."""

    source: "TableInput"
    time: "Expression"
    lag: "Interval"
    alias: Name | None
    place: Place = _place()


@dataclass(frozen=True, slots=True)
class Windowed:
    """`HOP(TABLE source, DESCRIPTOR(time), size, step)`: the rows of a source, each with the windows that it is in.

    `step` is what lies between two windows: the slide of HOP, the step of CUMULATE; None for TUMBLE and SESSION. The
    `size` of SESSION is its gap, and `keys` are those of its PARTITION BY.
    """

    function: WindowFunction
    source: "TableInput"
    time: "Expression"
    size: "Interval"
    step: "Interval | None"
    offset: "Interval | None"
    zone: "String | None"
    alias: Name | None
    place: Place = _place()
    keys: tuple["Expression", ...] = ()


TableFunction = Ordered | Windowed
Source = Table | Derived | TableFunction
TableInput = Source
"""What a table function takes."""


@dataclass(frozen=True, slots=True)
class UnnestClause:
    """`CROSS JOIN UNNEST(array) [WITH ORDINALITY] alias (column, …)`: one row for each element."""

    expression: "Expression"
    ordinality: bool
    alias: Name | None
    columns: tuple[Name, ...]
    place: Place = _place()


@dataclass(frozen=True, slots=True)
class Select:
    items: tuple[Star | Item, ...]
    source: Source
    unnests: tuple[UnnestClause, ...]
    where: "Expression | None"
    group: tuple["Expression", ...] = ()
    having: "Expression | None" = None
    distinct: bool = False


@dataclass(frozen=True, slots=True)
class Binding:
    """`name AS (query)` of WITH."""

    name: Name
    query: "Query"


@dataclass(frozen=True, slots=True)
class Query:
    """The branches are put together by UNION ALL."""

    bindings: tuple[Binding, ...]
    branches: tuple[Select, ...]


class EmitMode(StrEnum):
    """When groups become rows: once, when their window closes, or with each commit in which they changed."""

    FINAL = "FINAL"
    CHANGES = "CHANGES"


@dataclass(frozen=True, slots=True)
class Emit:
    mode: EmitMode
    place: Place = _place()


class Keyword(StrEnum):
    """INSERT and SINK mean the same on Kafka; the word is kept."""

    INSERT = "INSERT"
    SINK = "SINK"


@dataclass(frozen=True, slots=True)
class Insert:
    """`columns` is empty when the target has no column list."""

    keyword: Keyword
    target: Name
    columns: tuple[Name, ...]
    query: Query
    emit: Emit | None = None


@dataclass(frozen=True, slots=True)
class Option:
    """As written: whether the name exists and what the value means is decided elsewhere."""

    name: Name
    value: str
    value_place: Place = _place()


@dataclass(frozen=True, slots=True)
class NewOptions:
    """Options of a job to change, and whether it is resumed then."""

    options: tuple[Option, ...]
    resumes: bool


class Action(StrEnum):
    SUSPEND = "SUSPEND"
    RESUME = "RESUME"
    RESTART = "RESTART"


@dataclass(frozen=True, slots=True)
class CreateJob:
    """Several `inserts` are a statement set: BEGIN INSERT …; INSERT …; END. A set of one is that INSERT."""

    name: Name
    if_not_exists: bool
    options: tuple[Option, ...]
    inserts: tuple[Insert, ...]


@dataclass(frozen=True, slots=True)
class DropJob:
    name: Name
    if_exists: bool
    with_snapshot: Name | None


@dataclass(frozen=True, slots=True)
class AlterJob:
    name: Name
    change: Action | NewOptions


@dataclass(frozen=True, slots=True)
class CreateSnapshot:
    snapshot: Name
    job: Name
    or_replace: bool


@dataclass(frozen=True, slots=True)
class DropSnapshot:
    snapshot: Name
    if_exists: bool


@dataclass(frozen=True, slots=True)
class ColumnDefinition:
    name: Name
    type: "ColumnType"
    external: Name | None


@dataclass(frozen=True, slots=True)
class WatermarkDefinition:
    """`WATERMARK FOR column AS expression [IDLE AFTER interval]`"""

    column: Name
    expression: "Expression"
    idle: "Interval | None"
    place: Place = _place()


@dataclass(frozen=True, slots=True)
class CreateMapping:
    """`external` is the topic, where it is called otherwise. The word EXTERNAL before MAPPING changes nothing."""

    name: Name
    or_replace: bool
    if_not_exists: bool
    external: Name | None
    columns: tuple[ColumnDefinition, ...]
    type: Name
    options: tuple[Option, ...]
    watermark: WatermarkDefinition | None = None

    @property
    def topic(self) -> Name:
        return self.external or self.name


@dataclass(frozen=True, slots=True)
class DropMapping:
    name: Name
    if_exists: bool


class ShowSubject(StrEnum):
    """What SHOW lists. Those of STATEFUL are known as they were at any time."""

    JOBS = "JOBS"
    SNAPSHOTS = "SNAPSHOTS"
    MAPPINGS = "MAPPINGS"
    TOPICS = "TOPICS"
    FUNCTIONS = "FUNCTIONS"


STATEFUL = frozenset({ShowSubject.JOBS, ShowSubject.SNAPSHOTS, ShowSubject.MAPPINGS})


@dataclass(frozen=True, slots=True)
class AsOfOffset:
    """After the event at this offset of `events`."""

    offset: int
    place: Place = _place()


@dataclass(frozen=True, slots=True)
class AsOfTime:
    """After all events up to this instant, ISO-8601 as written."""

    text: str
    place: Place = _place()


@dataclass(frozen=True, slots=True)
class LikeName:
    """Only names like the pattern: `%` is any text, `_` any character; case does not matter."""

    pattern: str
    place: Place = _place()


@dataclass(frozen=True, slots=True)
class Show:
    subject: ShowSubject
    as_of: AsOfOffset | AsOfTime | None = None
    like: LikeName | None = None


@dataclass(frozen=True, slots=True)
class ShowCreate:
    job: Name


@dataclass(frozen=True, slots=True)
class ShowHistory:
    job: Name


class DescribeKind(StrEnum):
    JOB = "JOB"
    MAPPING = "MAPPING"
    SNAPSHOT = "SNAPSHOT"


@dataclass(frozen=True, slots=True)
class Describe:
    kind: DescribeKind
    name: Name


class ExplainMode(StrEnum):
    """What EXPLAIN shows: the plan, the plan with the generated code, or what the query makes of the newest records."""

    PLAN = "PLAN"
    CODE = "CODE"
    ANALYZE = "ANALYZE"


@dataclass(frozen=True, slots=True)
class Explain:
    """What a query would do, of a job to create or on its own."""

    statement: "CreateJob | Insert"
    mode: ExplainMode = ExplainMode.PLAN


ChangingStatement = CreateJob | DropJob | AlterJob | CreateSnapshot | DropSnapshot | CreateMapping | DropMapping
"""Statements that the command log takes."""
CreatingStatement = CreateJob | CreateMapping
"""A statement that may be sent before the effect of the one before: a job needs no other job to run."""
ReadingStatement = Show | ShowCreate | ShowHistory | Describe | Explain
"""Statements that the client answers from the topics."""
Statement = ChangingStatement | ReadingStatement
