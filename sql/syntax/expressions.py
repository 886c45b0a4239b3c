"""Expressions as syntax trees. A place is where a node begins in the text; it does not count in equality.

Chains are flat: `a + b - c` is one Arithmetic, `a AND b AND c` one And: a tree is only as deep as its text is nested.
What the standard writes with keywords (`EXTRACT(YEAR FROM x)`, `x AT TIME ZONE z`) is a plain Call.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from jobplane.schemas.errors import STATEMENT_START, Place


def _place() -> Place:
    return field(default=STATEMENT_START, compare=False)


@dataclass(frozen=True, slots=True)
class ColumnType:
    """As written, in one canonical form: `BIGINT`, `DECIMAL(10, 2)`, `ARRAY<TIMESTAMP WITH TIME ZONE>`."""

    text: str
    place: Place = _place()


@dataclass(frozen=True, slots=True)
class Number:
    """A literal: int for digits alone, Decimal with a point, float with an exponent. A negative one is a Sign."""

    value: int | float | Decimal
    place: Place = _place()

    def __post_init__(self) -> None:
        if not 0 <= self.value < float("inf"):
            raise ValueError(f"not a number of the language: {self.value}")


@dataclass(frozen=True, slots=True)
class String:
    value: str
    place: Place = _place()


@dataclass(frozen=True, slots=True)
class Bytes:
    """`X'0AFF'`"""

    value: bytes
    place: Place = _place()


@dataclass(frozen=True, slots=True)
class Boolean:
    value: bool
    place: Place = _place()


@dataclass(frozen=True, slots=True)
class Null:
    place: Place = _place()


MomentType = Literal["DATE", "TIME", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE"]


@dataclass(frozen=True, slots=True)
class Moment:
    """`DATE '2026-01-31'`; what the text means is decided elsewhere."""

    type: MomentType
    text: str
    place: Place = _place()


@dataclass(frozen=True, slots=True)
class Interval:
    """`INTERVAL '1-6' YEAR TO MONTH`; `last` is empty where there is one unit."""

    text: str
    first: str
    last: str
    place: Place = _place()


@dataclass(frozen=True, slots=True)
class Column:
    """`quoted`: it stands in double quotes, as a text does elsewhere."""

    name: str
    place: Place = _place()
    quoted: bool = field(default=False, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Access:
    """`operand.field`: a field inside a value, or a column of a source."""

    operand: "Expression"
    field: str
    place: Place = _place()


@dataclass(frozen=True, slots=True)
class Element:
    """`operand[index]`: of an array, counted from 1, or of a map."""

    operand: "Expression"
    index: "Expression"
    place: Place = _place()


@dataclass(frozen=True, slots=True)
class SortItem:
    """One value of ORDER BY. `nulls_first` is None where the text does not say."""

    expression: "Expression"
    descending: bool
    nulls_first: bool | None


@dataclass(frozen=True, slots=True)
class Call:
    """A function by the name it was called by, in capital letters. `COUNT(*)` has no arguments.

    Of aggregates alone: `distinct`, `order` of the rows, and the condition `where` of FILTER.
    """

    name: str
    arguments: tuple["Expression", ...]
    place: Place = _place()
    distinct: bool = False
    order: tuple[SortItem, ...] = ()
    where: "Expression | None" = None


@dataclass(frozen=True, slots=True)
class Lambda:
    """`x => body`, `(k, v) => body`: an argument of a call, and nothing else."""

    parameters: tuple[str, ...]
    body: "Expression"
    place: Place = _place()


@dataclass(frozen=True, slots=True)
class ArrayOf:
    items: tuple["Expression", ...]
    place: Place = _place()


@dataclass(frozen=True, slots=True)
class MapOf:
    """`MAP[key, value, …]`"""

    pairs: tuple[tuple["Expression", "Expression"], ...]
    place: Place = _place()


@dataclass(frozen=True, slots=True)
class RowOf:
    items: tuple["Expression", ...]
    place: Place = _place()


@dataclass(frozen=True, slots=True)
class Cast:
    """`safe`: TRY_CAST, which gives NULL for what cannot be converted."""

    operand: "Expression"
    type: ColumnType
    safe: bool
    place: Place = _place()


@dataclass(frozen=True, slots=True)
class Case:
    """With an `operand`, it is compared with the first value of each branch; without one these are conditions."""

    operand: "Expression | None"
    branches: tuple[tuple["Expression", "Expression"], ...]
    otherwise: "Expression | None"
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


@dataclass(frozen=True, slots=True)
class Concat:
    """`a || b || c`: two operands or more."""

    operands: tuple["Expression", ...]
    place: Place = _place()


ComparisonOperator = Literal["=", "<>", "<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True)
class Comparison:
    operator: ComparisonOperator
    left: "Expression"
    right: "Expression"
    place: Place = _place()


@dataclass(frozen=True, slots=True)
class Distinct:
    """`left IS [NOT] DISTINCT FROM right`"""

    left: "Expression"
    right: "Expression"
    negated: bool
    place: Place = _place()


@dataclass(frozen=True, slots=True)
class Between:
    operand: "Expression"
    low: "Expression"
    high: "Expression"
    symmetric: bool
    negated: bool
    place: Place = _place()


@dataclass(frozen=True, slots=True)
class In:
    operand: "Expression"
    items: tuple["Expression", ...]
    negated: bool
    place: Place = _place()


@dataclass(frozen=True, slots=True)
class Like:
    operand: "Expression"
    pattern: "Expression"
    escape: "Expression | None"
    negated: bool
    place: Place = _place()


@dataclass(frozen=True, slots=True)
class Is:
    """`operand IS [NOT] what`; UNKNOWN is NULL, of a condition."""

    operand: "Expression"
    what: Literal["NULL", "TRUE", "FALSE", "UNKNOWN"]
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


Literals = Number | String | Bytes | Boolean | Null | Moment | Interval
Made = Access | Element | Call | Lambda | ArrayOf | MapOf | RowOf | Cast | Case
Operation = Sign | Arithmetic | Concat
Condition = Comparison | Distinct | Between | In | Like | Is | Not | And | Or
Expression = Literals | Column | Made | Operation | Condition
