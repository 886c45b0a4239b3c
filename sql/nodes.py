"""What a statement says, as values. Places are where it was said; they take no part in equality.

Chains are flat: `a + b - c` is one Arithmetic, `a AND b AND c` one And: a tree is only as deep as its text is nested.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from schemas.errors import START, Place


def _place() -> Place:
    return field(default=START, compare=False)


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
class Number:
    """A literal: int for digits alone, else float; never negative (that is a Sign)."""

    value: int | float
    place: Place = _place()

    def __post_init__(self) -> None:
        if not 0 <= self.value < float("inf"):
            raise ValueError(f"not a number of the language: {self.value}")


@dataclass(frozen=True, slots=True)
class String:
    value: str
    place: Place = _place()


@dataclass(frozen=True, slots=True)
class Boolean:
    value: bool
    place: Place = _place()


@dataclass(frozen=True, slots=True)
class Null:
    place: Place = _place()


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    place: Place = _place()


@dataclass(frozen=True, slots=True)
class Sign:
    sign: Literal["+", "-"]
    operand: "Expression"
    place: Place = _place()


ArithmeticOperator = Literal["+", "-", "*", "/", "%"]


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Operators of one precedence, from left to right: all of `+ -` or all of `* / %`."""

    first: "Expression"
    rest: tuple[tuple[ArithmeticOperator, "Expression"], ...]
    place: Place = _place()


ComparisonOperator = Literal["=", "<>", "<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True)
class Comparison:
    operator: ComparisonOperator
    left: "Expression"
    right: "Expression"
    place: Place = _place()


@dataclass(frozen=True, slots=True)
class IsNull:
    operand: "Expression"
    negated: bool
    place: Place = _place()


@dataclass(frozen=True, slots=True)
class Not:
    operand: "Expression"
    place: Place = _place()


@dataclass(frozen=True, slots=True)
class And:
    """Two operands or more."""

    operands: tuple["Expression", ...]
    place: Place = _place()


@dataclass(frozen=True, slots=True)
class Or:
    """Two operands or more."""

    operands: tuple["Expression", ...]
    place: Place = _place()


Expression = Number | String | Boolean | Null | Column | Sign | Arithmetic | Comparison | IsNull | Not | And | Or


@dataclass(frozen=True, slots=True)
class Star:
    """All fields of the record."""

    place: Place = _place()


@dataclass(frozen=True, slots=True)
class Item:
    expression: Expression
    alias: Name | None
    place: Place = _place()


@dataclass(frozen=True, slots=True)
class Query:
    items: tuple[Star | Item, ...]
    source: Name
    where: Expression | None


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
    name: Name
    if_not_exists: bool
    options: tuple[Option, ...]
    insert: Insert


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
class ColumnType:
    """As written, in one canonical form: `BIGINT`, `DECIMAL(10, 2)`, `TIMESTAMP WITH TIME ZONE`."""

    text: str
    place: Place = _place()


@dataclass(frozen=True, slots=True)
class ColumnDefinition:
    name: Name
    type: ColumnType
    external: Name | None


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

    @property
    def topic(self) -> Name:
        return self.external or self.name


@dataclass(frozen=True, slots=True)
class DropMapping:
    name: Name
    if_exists: bool


class Subject(StrEnum):
    """What SHOW lists. Those of STATEFUL are known as they were at any time."""

    JOBS = "JOBS"
    SNAPSHOTS = "SNAPSHOTS"
    MAPPINGS = "MAPPINGS"
    TOPICS = "TOPICS"
    FUNCTIONS = "FUNCTIONS"


STATEFUL = frozenset({Subject.JOBS, Subject.SNAPSHOTS, Subject.MAPPINGS})


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
class Show:
    subject: Subject
    as_of: AsOfOffset | AsOfTime | None = None


@dataclass(frozen=True, slots=True)
class ShowCreate:
    job: Name


@dataclass(frozen=True, slots=True)
class ShowHistory:
    job: Name


class Kind(StrEnum):
    JOB = "JOB"
    MAPPING = "MAPPING"
    SNAPSHOT = "SNAPSHOT"


@dataclass(frozen=True, slots=True)
class Describe:
    kind: Kind
    name: Name


Change = CreateJob | DropJob | AlterJob | CreateSnapshot | DropSnapshot | CreateMapping | DropMapping
"""What the command log takes."""
Read = Show | ShowCreate | ShowHistory | Describe
"""What the client answers from the topics."""
Statement = Change | Read
