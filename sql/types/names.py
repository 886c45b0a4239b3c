"""Reads types as they are written in SQL."""

import re

from jobplane.schemas.errors import (
    STATEMENT_START,
    NestedTooDeep,
    NotSupported,
    Place,
    Refused,
    TypeMismatch,
    UnknownType,
)
from jobplane.schemas.suggestions import nearest_names, proposal
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type
from jobplane.sql.syntax import expressions as ex

SIMPLE = {
    one.name: one
    for one in (
        *(t.BOOLEAN, *t.INTEGERS, t.REAL, t.DOUBLE, t.VARCHAR, t.VARBINARY, t.DATE, t.TIME, t.TIMESTAMP),
        *(t.TIMESTAMP_TZ, t.DAY_TO_SECOND, t.YEAR_TO_MONTH, t.JSON),
    )
}
SIZED = ("DECIMAL(p, s)",)
NESTED = ("ARRAY<T>", "MAP<K, V>", "ROW(name T, …)")
ALIASES = {
    "INT": "INTEGER", "BOOL": "BOOLEAN", "DOUBLE PRECISION": "DOUBLE", "FLOAT": "DOUBLE",
    "CHARACTER VARYING": "VARCHAR", "TEXT": "VARCHAR", "STRING": "VARCHAR", "NUMERIC": "DECIMAL", "DEC": "DECIMAL",
    "BYTES": "VARBINARY", "TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE",
    "TIMESTAMP WITHOUT TIME ZONE": "TIMESTAMP", "TIME WITHOUT TIME ZONE": "TIME",
    **{f"INTERVAL {unit}": "INTERVAL YEAR TO MONTH" for unit in ("YEAR", "MONTH")},
    **{f"INTERVAL {unit}": "INTERVAL DAY TO SECOND" for unit in ("DAY", "HOUR", "MINUTE", "SECOND")},
}  # fmt: skip
_NO_SIZE = {
    "VARCHAR": "a VARCHAR holds text of any length",
    "VARBINARY": "a VARBINARY holds bytes of any length",
    "TIME": "times have microseconds",
    "TIMESTAMP": "times have microseconds",
    "TIMESTAMP WITH TIME ZONE": "times have microseconds",
}
_NOT_HERE = {
    "CHAR": "use VARCHAR",
    "CHARACTER": "use VARCHAR",
    "BINARY": "use VARBINARY",
    "OBJECT": "use JSON or ROW",
    "TIME WITH TIME ZONE": "use TIMESTAMP WITH TIME ZONE",
}
PEERS = {
    **dict.fromkeys(("LONG", "INT64", "SERIAL", "BIGSERIAL", "BIGNUMERIC"), "BIGINT"),
    **dict.fromkeys(("INT32", "MEDIUMINT", "INT4"), "INTEGER"),
    **dict.fromkeys(("INT16", "SHORT", "INT2"), "SMALLINT"),
    **dict.fromkeys(("BYTE",), "TINYINT"),
    "INT8": "BIGINT for 8 bytes, TINYINT for 8 bits",
    **dict.fromkeys(("FLOAT64", "FLOAT8"), "DOUBLE"),
    **dict.fromkeys(("FLOAT32", "FLOAT4"), "REAL"),
    **dict.fromkeys(("NUMBER", "BIGDECIMAL", "MONEY"), "DECIMAL(p, s) or DOUBLE"),
    **dict.fromkeys(("NVARCHAR", "VARCHAR2", "NVARCHAR2", "CLOB", "NTEXT", "UUID", "ENUM", "CITEXT"), "VARCHAR"),
    **dict.fromkeys(("BLOB", "BYTEA", "IMAGE", "RAW"), "VARBINARY"),
    **dict.fromkeys(("DATETIME", "DATETIME2", "TIMESTAMP_NTZ", "SMALLDATETIME"), "TIMESTAMP"),
    **dict.fromkeys(("TIMESTAMP_LTZ", "TIMESTAMP_TZ", "DATETIMEOFFSET", "INSTANT"), "TIMESTAMP WITH TIME ZONE"),
    **dict.fromkeys(("JSONB", "VARIANT"), "JSON"),
    **dict.fromkeys(("STRUCT", "RECORD", "TUPLE", "ROW"), "ROW(name type, …)"),
    **dict.fromkeys(("LIST", "ARRAY"), "ARRAY<T>"),
    "MAP": "MAP<K, V>",
    "BIT": "BOOLEAN",
}
"""The name of a type in other systems, or half of a type → what to write here."""
_TOKEN = re.compile(r'\s*("(?:[^"]|"")+"|[\w]+|[<>(),])')
KEYS = frozenset({"VARCHAR", *t.BITS, "BOOLEAN", "DATE", "UNKNOWN"})
"""What a key of a map may be: what JSON can write as the name of a field."""


def resolve_type(written: ex.ColumnType) -> Type:
    """Raises UnknownType, NotSupported or TypeMismatch with its place."""
    one = _TypeReader(written.text, written.place).whole()
    if not t.is_bounded(one):
        raise NestedTooDeep(
            f"a type has at most {t.MOST_TYPES:,} types in it, nested at most {t.DEEPEST} deep", written.place
        )
    return one


def parse_type(text: str) -> Type:
    """The type of a column as it stands in an event."""
    return _TypeReader(text, STATEMENT_START).whole()


class _TypeReader:
    """One type after another, from a canonical text."""

    def __init__(self, text: str, place: Place) -> None:
        self._tokens = _TOKEN.findall(text)
        self._at = 0
        self._text, self._place = text, place

    def whole(self) -> Type:
        made = self._type()
        if self._at != len(self._tokens):
            raise self._refused(UnknownType, f"{self._text} is not a type")
        return made

    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        self._at += 1
        return str(self._tokens[self._at - 1])

    def _type(self) -> Type:
        words = [self._take()]
        if words[0] in ("ARRAY", "MAP") and self._next() == "<":
            return self._nested(words[0])
        if words[0] == "ROW" and self._next() == "(":
            return self._row()
        size = self._size() if self._next() == "(" else ()
        while self._next() and self._next() not in "<>(),":
            words.append(self._take())
        return self._simple(" ".join(words), size or (self._size() if self._next() == "(" else ()))

    def _size(self) -> tuple[int, ...]:
        sizes = []
        while self._take() != ")":
            if self._next().isdigit():
                sizes.append(int(self._next()))
        return tuple(sizes)

    def _nested(self, name: str) -> Type:
        arguments = []
        while self._take() in ("<", ","):
            arguments.append(self._type())
        if name == "MAP" and len(arguments) == 2 and arguments[0].name not in KEYS:
            raise self._refused(TypeMismatch, f"a MAP has keys of {', '.join(sorted(KEYS - {'UNKNOWN'}))}")
        if len(arguments) != (2 if name == "MAP" else 1):
            raise self._refused(UnknownType, f"a type is written {NESTED[name == 'MAP']}")
        return Type(name, tuple(arguments))

    def _row(self) -> Type:
        names, types = [], []
        while self._take() in ("(", ","):
            name = self._take()
            names.append(name[1:-1].replace('""', '"') if name.startswith('"') else name)
            types.append(self._type())
        if len(set(names)) < len(names):
            raise self._refused(TypeMismatch, "two fields of a ROW have one name")
        return t.row(tuple(names), tuple(types))

    def _simple(self, written: str, size: tuple[int, ...]) -> Type:
        name = ALIASES.get(written, written)
        if name == "DECIMAL":
            return self._decimal(size)
        if name in SIMPLE and not size:
            return SIMPLE[name]
        if name in SIMPLE:
            remedy = _NO_SIZE.get(name, "it has no size")
            raise self._refused(NotSupported, f"{self._text}: leave out the size; {remedy}")
        if name in _NOT_HERE:
            raise self._refused(NotSupported, f"the type {name} is not supported; {_NOT_HERE[name]}")
        if name in PEERS:
            is_half = PEERS[name].startswith(name)
            what = f"{name} alone is not a type" if is_half else f"{name} is not a type"
            raise self._refused(UnknownType, f"{what}; write {PEERS[name]}")
        near = nearest_names(name, [*SIMPLE, *ALIASES, "DECIMAL", "ARRAY", "MAP", "ROW"])
        hint = proposal(near) or f"; types are {', '.join((*SIMPLE, *SIZED, *NESTED))}"
        raise self._refused(UnknownType, f"{written} is not a type{hint}")

    def _decimal(self, size: tuple[int, ...]) -> Type:
        precision, scale = (*size, *(t.MAX_PRECISION, 0)[len(size) :])
        if not 1 <= precision <= t.MAX_PRECISION or not 0 <= scale <= precision:
            message = f"DECIMAL(p, s) has a precision of 1 to {t.MAX_PRECISION} digits, of them 0 to p after the point"
            raise self._refused(TypeMismatch, message)
        return t.decimal(precision, scale)

    def _refused(self, error: type[Refused], message: str) -> Refused:
        return error(message, self._place)
