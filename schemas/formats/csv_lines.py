"""`csv`: one line of text, after RFC 4180, its fields told by their order.

An empty field is NULL, a quoted empty one the empty string. A line that ends early has NULLs for the rest.
"""

import base64
import binascii
import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from schemas import datatypes as t
from schemas import temporal_text as text
from schemas.datatypes import Type
from schemas.failures import BadRecord
from schemas.formats import json_values
from schemas.formats.fields import Convert, Format, Layout, Reading, Wanted, Writing
from schemas.formats.json_value import read_json
from schemas.json_text import json_text, text_of_json
from schemas.shown import shown

QUOTE = '"'
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?", re.ASCII)
_LOGICAL = {"true": True, "false": False}


def reading(fields: Sequence[Wanted], layout: Layout) -> Reading:
    """Raises ValueError for a field whose place in the line is not declared."""
    places = {column.path: i for i, column in enumerate(layout.columns)}
    for field in fields:
        if field.path not in places:
            raise ValueError(
                f"a line does not say which field is {'.'.join(field.path) or 'the whole'}; declare columns"
            )
    return Reading(
        _decoder(layout.delimiter, len(layout.columns)),
        tuple(f"r[{places[field.path]}]" for field in fields),
        tuple(read_as(field.type) for field in fields),
    )


def _decoder(delimiter: str, count: int) -> Callable[[bytes], Sequence[str | None]]:
    """A line as its fields, None for NULL; as many as there are columns."""
    quoted = _quoted(delimiter)

    def decode(data: bytes) -> Sequence[str | None]:
        try:
            line = data.decode()
        except UnicodeDecodeError as bad:
            raise BadRecord(f"byte {bad.start} of the line is not UTF-8 text") from None
        if line[-1:] == "\n":
            line = line[:-1].removesuffix("\r")
        values: list[str | None]
        if QUOTE in line:
            values = quoted(line)
        else:
            if "\n" in line:
                raise BadRecord("a line ends within the record: a record is one line")
            values = [*line.split(delimiter)]
            if "" in values:
                values = [one or None for one in values]
        if len(values) == count:
            return values
        if len(values) > count:
            raise BadRecord(f"the line has {len(values)} fields; {count} columns are declared")
        return values + [None] * (count - len(values))

    return decode


def _quoted(delimiter: str) -> Callable[[str], list[str | None]]:
    """Takes a line apart that has quotes in it."""
    field = re.compile(rf'(?:"([^"]*(?:""[^"]*)*)"|([^"\n{re.escape(delimiter)}]*))(?:{re.escape(delimiter)}|\Z)')

    def apart(line: str) -> list[str | None]:
        values: list[str | None] = []
        at, end = 0, len(line)
        while True:
            found = field.match(line, at)
            if found is None:
                raise BadRecord(
                    f"a quote or a line end stands where none may be, in field {len(values) + 1} of the line"
                )
            inner, bare = found.groups()
            values.append(inner.replace('""', QUOTE) if inner is not None else bare or None)
            at = found.end()
            if at == end:
                return [*values, None] if found[0].endswith(delimiter) else values

    return apart


def _whole(one: Type) -> Convert:
    low, high = json_values.bounds(one)

    def read(said: str) -> int:
        try:
            value = int(said)
            if low <= value <= high and "_" not in said:
                return value
        except ValueError:
            pass
        raise ValueError(f"{shown(said)} is no {one}")

    return read


def _decimal(one: Type) -> Convert:
    fit = json_values.reader(one)

    def read(said: str) -> Any:
        try:
            value = Decimal(said) if _NUMBER.fullmatch(said) else None
        except InvalidOperation:
            value = None
        if value is None or fit is None:
            raise ValueError(f"{shown(said)} is no {one}")
        return fit(value)

    return read


def _real(said: str) -> float:
    return json_values.real(_double(said))


def _double(said: str) -> float:
    value = float(said)
    if math.isfinite(value) and "_" not in said:
        return value
    raise ValueError(f"{shown(said)} is no DOUBLE")


def _logical(said: str) -> bool:
    value = _LOGICAL.get(said)
    if value is None:
        value = _LOGICAL.get(said.lower())
    if value is None:
        raise ValueError(f"{shown(said)} is neither true nor false")
    return value


def _octets(said: str) -> bytes:
    try:
        return base64.b64decode(said, validate=True)
    except binascii.Error:
        raise ValueError(f"{shown(said)} is not base64") from None


def _json(said: str) -> msgspec.Raw | None:
    return read_json(said.encode())


_READ: dict[str, Convert | None] = {
    "VARCHAR": None,
    "BOOLEAN": _logical,
    "REAL": _real,
    "DOUBLE": _double,
    "VARBINARY": _octets,
    "DATE": text.date_of,
    "TIME": text.time_of,
    "TIMESTAMP": text.timestamp_of,
    "TIMESTAMP WITH TIME ZONE": text.instant_of,
    "INTERVAL DAY TO SECOND": text.interval_of,
    "INTERVAL YEAR TO MONTH": text.months_of,
    "JSON": _json,
}
_WRITTEN: dict[str, Convert] = {
    "VARCHAR": str,
    "BOOLEAN": lambda value: "true" if value else "false",
    "REAL": repr,
    "DOUBLE": repr,
    "DECIMAL": lambda value: format(value, "f"),
    "VARBINARY": lambda value: base64.b64encode(value).decode(),
    "DATE": text.text_of,
    "TIME": text.text_of,
    "TIMESTAMP": text.text_of,
    "TIMESTAMP WITH TIME ZONE": lambda value: text.text_of(value.astimezone(UTC)),
    "INTERVAL DAY TO SECOND": text.text_of,
    "INTERVAL YEAR TO MONTH": text.text_of_months,
    "JSON": lambda value: bytes(value).decode(),
    "NUMBER": repr,
    "SCALAR": lambda value: value if isinstance(value, str) else bytes(json_text(value)).decode(),
    "UNKNOWN": text_of_json,
    **{one.name: str for one in t.INTEGERS},
}


def read_as(one: Type) -> Convert | None:
    """Raises ValueError for a type that a field of a line cannot have."""
    if t.is_integer(one):
        return _whole(one)
    if one.name == "DECIMAL":
        return _decimal(one)
    if one.name not in _READ:
        raise ValueError(f"a field of a line cannot be {one}")
    return _READ[one.name]


def writing(fields: Sequence[Wanted], layout: Layout) -> Writing:
    """Declared columns stand in their order, those that are not written as NULL."""
    order = [column.path for column in layout.columns] or [field.path for field in fields]
    given = {field.path: i for i, field in enumerate(fields)}
    for field in fields:
        if len(field.path) != 1:
            raise ValueError(f"a line has no field {'.'.join(field.path) or 'that is the whole'}")
        if field.type.name not in _WRITTEN:
            raise ValueError(f"column {field.path[0]} is {field.type}, which no field of a line can be; CAST it")
    special = re.compile(rf'["\r\n{re.escape(layout.delimiter)}]')
    arguments = ", ".join(f"{{{given[path]}}}" if path in given else "None" for path in order)
    return Writing(
        f"line(({arguments}{',' if len(order) == 1 else ''}))",
        {"line": _encoder(layout.delimiter)},
        tuple(_quoting(_WRITTEN[field.type.name], special) for field in fields),
    )


def _quoting(write: Convert, special: re.Pattern[str]) -> Convert:
    def written(value: Any) -> str:
        said: str = write(value)
        return said if said and not special.search(said) else QUOTE + said.replace(QUOTE, '""') + QUOTE

    return written


def _encoder(delimiter: str) -> Callable[[Sequence[str | None]], bytes]:
    return lambda values: delimiter.join([one or "" for one in values]).encode()


FORMAT = Format("csv", reading, writing, types=frozenset({*_READ, "DECIMAL", *t.BITS}))
