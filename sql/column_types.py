"""The SQL types a mapping may declare: what kind of value each is, how it is read and written. A row is a type."""

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Any

import msgspec

from schemas.errors import NotSupported, UnknownType
from schemas.failures import BadRecord
from sql import nodes
from sql.types import Type

LARGEST_REAL = 3.4028234663852886e38
Fit = Callable[[Any], Any]
"""A value of the kind as the type holds it; raises ValueError where it does not fit. NULL never comes here."""


@dataclass(frozen=True, slots=True)
class ColumnType:
    """`python` is what msgspec reads a field as."""

    kind: Type
    python: Any
    fit: Fit


def _whole(bits: int) -> ColumnType:
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1

    def fit(value: float) -> int:
        whole = int(value)
        if whole != value or not low <= whole <= high:
            raise ValueError
        return whole

    return ColumnType(Type.NUMBER, Annotated[int, msgspec.Meta(ge=low, le=high)], fit)


def _real(value: float) -> float:
    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        raise ValueError from None


def _double(value: float) -> float:
    result = float(value)
    if math.isinf(result):
        raise ValueError
    return result


def _same(value: Any) -> Any:
    return value


COLUMN_TYPES = {
    "BOOLEAN": ColumnType(Type.BOOLEAN, bool, _same),
    "TINYINT": _whole(8),
    "SMALLINT": _whole(16),
    "INTEGER": _whole(32),
    "BIGINT": _whole(64),
    "REAL": ColumnType(Type.NUMBER, Annotated[float, msgspec.Meta(ge=-LARGEST_REAL, le=LARGEST_REAL)], _real),
    "DOUBLE": ColumnType(Type.NUMBER, float, _double),
    "VARCHAR": ColumnType(Type.STRING, str, _same),
    "JSON": ColumnType(Type.ANY, msgspec.Raw, _same),
}
KINDS = {name: one.kind for name, one in COLUMN_TYPES.items()}
ALIASES = {"INT": "INTEGER", "BOOL": "BOOLEAN", "DOUBLE PRECISION": "DOUBLE", "CHARACTER VARYING": "VARCHAR"}
_LATER = frozenset(
    {"DECIMAL", "NUMERIC", "DEC", "DATE", "TIME", "TIMESTAMP", "INTERVAL", "VARBINARY", "CHAR", "CHARACTER", "FLOAT"}
    | {"ARRAY", "MAP", "ROW", "OBJECT"}
)


def declared(written: nodes.ColumnType) -> str:
    """The name in COLUMN_TYPES of a type as written. Raises UnknownType or NotSupported with its place."""
    name = ALIASES.get(written.text, written.text)
    if name in COLUMN_TYPES:
        return name
    bare = written.text.partition("(")[0].partition(" ")[0]
    known = ", ".join(COLUMN_TYPES)
    if bare in _LATER or bare in COLUMN_TYPES or bare in ALIASES:
        raise NotSupported(
            f"the type {written.text} is not supported by this version; types are {known}", written.place
        )
    near = get_close_matches(bare, [*COLUMN_TYPES, *ALIASES, *_LATER], 1)
    hint = f"; did you mean {near[0]}?" if near else f"; types are {known}"
    raise UnknownType(f"no type is called {written.text}{hint}", written.place)


def fitting(column: str, type_name: str) -> Fit:
    """What a value goes through on its way into a column. Raises BadRecord where it does not fit."""
    fit = COLUMN_TYPES[type_name].fit

    def fitted(value: Any) -> Any:
        try:
            return None if value is None else fit(value)
        except ValueError:
            raise BadRecord(f"{value} does not fit into column {column} ({type_name})") from None

    return fitted
