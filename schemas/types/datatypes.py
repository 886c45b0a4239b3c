"""The types of SQL as values, how they are written, and which Python class a value of each has.

BOOLEAN bool · TINYINT SMALLINT INTEGER BIGINT int · DECIMAL Decimal · REAL DOUBLE float · VARCHAR str · VARBINARY
bytes · DATE date · TIME time · TIMESTAMP datetime without a zone · TIMESTAMP WITH TIME ZONE datetime with one ·
INTERVAL DAY TO SECOND timedelta · INTERVAL YEAR TO MONTH a number of months · JSON msgspec.Raw · ARRAY list · MAP dict
· ROW a struct. NULL is None everywhere. Three more types are only known for each record: NUMBER, SCALAR and
UNKNOWN.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NewType

from jobplane.schemas.names import quote_name

Instant = NewType("Instant", datetime)
"""TIMESTAMP WITH TIME ZONE: a datetime in UTC."""
Months = NewType("Months", int)
"""INTERVAL YEAR TO MONTH."""

MAX_PRECISION = 38
MOST_TYPES, DEEPEST = 10_000, 100
"""Types in a type, and how deep they may lie in each other."""
MAX_LENGTH = 16 * 1024 * 1024
"""Characters, bytes or elements of a value that is made: more would take the memory of all jobs of a host."""


@dataclass(frozen=True, slots=True)
class Type:
    """`arguments` are the types of elements, of key and value, or of the fields; `size` is (precision, scale)."""

    name: str
    arguments: tuple["Type", ...] = ()
    size: tuple[int, ...] = ()
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        """As SQL writes it."""
        if self.size:
            return f"{self.name}({', '.join(map(str, self.size))})"
        if self.name == "ROW":
            listed = ", ".join(f"{quote_name(n)} {t}" for n, t in zip(self.fields, self.arguments, strict=True))
            return f"ROW({listed})"
        return f"{self.name}<{', '.join(map(str, self.arguments))}>" if self.arguments else self.name

    @property
    def words(self) -> str:
        """What a person calls a value of this type."""
        return WORDS.get(self.name) or str(as_json(self))

    def parts(self) -> Iterator["Type"]:
        """This type and all inside it."""
        yield self
        for argument in self.arguments:
            yield from argument.parts()


def as_json(one: Type) -> Type:
    """The type with JSON for all of which nothing is known."""
    if one.name == "UNKNOWN":
        return JSON
    return replace(one, arguments=tuple(map(as_json, one.arguments))) if one.arguments else one


def is_bounded(one: Type) -> bool:
    """Whether a type is not too large, or too deep, to be looked through: `ROW(x, x)` of such a row, of such a row …"""
    waiting, types = [(one, 1)], 0
    while waiting:
        each, depth = waiting.pop()
        types += 1
        if types > MOST_TYPES or depth > DEEPEST:
            return False
        waiting += [(argument, depth + 1) for argument in each.arguments]
    return True


BOOLEAN, VARCHAR, VARBINARY, JSON = Type("BOOLEAN"), Type("VARCHAR"), Type("VARBINARY"), Type("JSON")
TINYINT, SMALLINT, INTEGER, BIGINT = Type("TINYINT"), Type("SMALLINT"), Type("INTEGER"), Type("BIGINT")
REAL, DOUBLE = Type("REAL"), Type("DOUBLE")
DATE, TIME, TIMESTAMP = Type("DATE"), Type("TIME"), Type("TIMESTAMP")
TIMESTAMP_TZ = Type("TIMESTAMP WITH TIME ZONE")
YEAR_TO_MONTH, DAY_TO_SECOND = Type("INTERVAL YEAR TO MONTH"), Type("INTERVAL DAY TO SECOND")

NULL = Type("NULL")
"""The type of NULL itself: it fits every type."""
NUMBER = Type("NUMBER")
"""A JSON number: an exact whole number or a DOUBLE; each record decides."""
SCALAR = Type("SCALAR")
"""A number, a string, true or false, as each record has it."""
UNKNOWN = Type("UNKNOWN")
"""A column without a type, of which nothing is known yet."""


def decimal(precision: int, scale: int) -> Type:
    return Type("DECIMAL", size=(precision, scale))


def array(element: Type) -> Type:
    return Type("ARRAY", (element,))


def map_of(key: Type, value: Type) -> Type:
    return Type("MAP", (key, value))


def row(fields: tuple[str, ...], types: tuple[Type, ...]) -> Type:
    return Type("ROW", types, fields=fields)


INTEGERS = (TINYINT, SMALLINT, INTEGER, BIGINT)
APPROXIMATE = frozenset({"REAL", "DOUBLE", "NUMBER"})
NUMERIC = frozenset({*(one.name for one in INTEGERS), "DECIMAL"}) | APPROXIMATE
BITS = {"TINYINT": 8, "SMALLINT": 16, "INTEGER": 32, "BIGINT": 64}
TEMPORAL = frozenset({one.name for one in (DATE, TIME, TIMESTAMP, TIMESTAMP_TZ, YEAR_TO_MONTH, DAY_TO_SECOND)})
NESTED = frozenset({"ARRAY", "MAP", "ROW"})
WORDS = {
    **dict.fromkeys(NUMERIC, "a number"),
    "VARCHAR": "a string",
    "BOOLEAN": "true or false",
    "SCALAR": "a number, a string, true or false",
    "JSON": "any JSON value",
    "UNKNOWN": "any JSON value",
}


def is_integer(one: Type) -> bool:
    return one.name in BITS


def is_numeric(one: Type) -> bool:
    return one.name in NUMERIC
