"""The format `csv`: one line of text, after RFC 4180; fields are found by their position.

An empty field is NULL, a quoted empty field is the empty string. Fields after the end of a short line are NULL.
"""

import base64
import math
import re
import sys
from collections.abc import Callable, Sequence
from datetime import UTC
from decimal import Decimal
from typing import Annotated, Any

import msgspec

from jobplane.schemas.failures import BadRecord, Unreadable
from jobplane.schemas.formats import CSV
from jobplane.schemas.formats.fields import (
    Convert,
    FieldDecoder,
    FieldEncoder,
    Format,
    FormatLayout,
    SchemaText,
    TypedField,
)
from jobplane.schemas.formats.json import values as json_values
from jobplane.schemas.formats.json.second_look import BOM
from jobplane.schemas.formats.json.value import read_json
from jobplane.schemas.msgspec_types import json_decoder
from jobplane.schemas.shown import show_value
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types import temporal_text as text
from jobplane.schemas.types.datatypes import MAX_PRECISION, Type
from jobplane.schemas.types.json_text import json_text, text_of_json
from jobplane.schemas.types.number_text import decimal_of, double_of, whole_of

QUOTE = '"'
_QUOTE, _BACKSLASH = b'"\\'
_LOGICAL = {"true": True, "false": False, "1": True, "0": False}


def field_decoder(fields: Sequence[TypedField], layout: FormatLayout, _: SchemaText) -> FieldDecoder:
    """Raises ValueError for a field whose position in the line is not declared."""
    places = {column.path: i for i, column in enumerate(layout.columns)}
    for field in fields:
        if field.path not in places:
            name = ".".join(field.path) or "the whole"
            raise ValueError(f"the fields of a line have no names, so {name} cannot be found; declare columns")
    return FieldDecoder(
        _decoder(layout.delimiter, len(layout.columns), {places[field.path]: field for field in fields}),
        tuple(f"r.c{places[field.path]}" for field in fields),
        tuple(None if field.type.name in _AT_ONCE else read_conversion(field.type) for field in fields),
    )


def _decoder(delimiter: str, count: int, wanted: dict[int, TypedField]) -> Callable[[bytes], msgspec.Struct]:
    """Decodes a line of `count` fields as a row with members c0, c1 …, None for NULL. The fields in `wanted`, by their
    position, are converted.

    A line without quotes is nearly a JSON array of strings, and msgspec reads numbers from strings too. If msgspec
    refuses the line, each field is converted by itself: its value may only be written in another way.
    """
    kinds = [_kind(wanted.get(i)) for i in range(count)]
    row = _row([(f"c{i}", kind) for i, kind in enumerate(kinds)])
    row_with_nulls = _row([(f"c{i}", kind | None, None) for i, kind in enumerate(kinds)])
    read, read_with_nulls = (json_decoder(one, strict=False).decode for one in (row, row_with_nulls))
    careful, one_by_one, between = _careful(delimiter, count), _one_by_one(row, wanted), delimiter.encode()
    marked = 0 in wanted and kinds[0] is _TEXT
    """Whether a byte order mark would be taken for a part of the first field."""

    def decode(data: bytes) -> msgspec.Struct:
        if marked and data >= BOM:
            data = data.removeprefix(BOM)
        if _QUOTE not in data and _BACKSLASH not in data:
            array = b'["%b"]' % data.replace(between, b'","')
            try:
                return read(array)
            except (msgspec.DecodeError, UnicodeDecodeError):
                pass
            if b"null" not in data.lower():  # or that text would be read as NULL
                try:
                    return read_with_nulls(array.replace(b'""', b"null"))
                except (msgspec.DecodeError, UnicodeDecodeError):
                    pass
        return one_by_one(careful(data))

    return decode


def _kind(field: TypedField | None) -> Any:
    """The type that msgspec reads a field's text as."""
    return str if field is None else _AT_ONCE.get(field.type.name, _TEXT)


def _row(members: Sequence[Any]) -> type[msgspec.Struct]:
    return msgspec.defstruct("Row", members, array_like=True, forbid_unknown_fields=True, gc=False)


def _one_by_one(
    row: type[msgspec.Struct], wanted: dict[int, TypedField]
) -> Callable[[list[str | None]], msgspec.Struct]:
    """Converts field by field, so that the error names the bad field."""
    fields = [
        (i, ".".join(field.path), read_conversion(field.type) if field.type.name in _AT_ONCE else None)
        for i, field in wanted.items()
    ]

    def read(values: list[str | None]) -> msgspec.Struct:
        made: list[Any] = [*values]
        for i, name, convert in fields:
            if (value := made[i]) is None:
                continue
            try:
                value.encode()
                made[i] = convert(value) if convert else value
            except UnicodeEncodeError:
                raise BadRecord(f"field '{name}' is not UTF-8 text") from None
            except ValueError as error:
                raise BadRecord(f"field '{name}': {error}") from None
        return row(*made)

    return read


def _careful(delimiter: str, count: int) -> Callable[[bytes], list[str | None]]:
    """Takes any line apart: None for NULL. Bytes that are not UTF-8 stay in their field as half surrogates."""
    quoted = _quoted(delimiter)

    def apart(data: bytes) -> list[str | None]:
        line = data.removeprefix(BOM).decode(errors="surrogateescape")
        if line[-1:] == "\n":
            line = line[:-1].removesuffix("\r")
        if QUOTE in line:
            values = quoted(line)
        elif "\n" in line:
            raise Unreadable("a line ends within the record: a record is one line", CSV)
        else:
            values = [one or None for one in line.split(delimiter)]
        if len(values) > count:
            raise Unreadable(f"the line has {len(values)} fields; {count} columns are declared", CSV)
        return values + [None] * (count - len(values))

    return apart


def _quoted(delimiter: str) -> Callable[[str], list[str | None]]:
    """Takes a line apart that has quotes in it."""
    field = re.compile(rf'(?:"([^"]*(?:""[^"]*)*)"|([^"\n{re.escape(delimiter)}]*))(?:{re.escape(delimiter)}|\Z)')

    def apart(line: str) -> list[str | None]:
        values: list[str | None] = []
        at, end = 0, len(line)
        while True:
            found = field.match(line, at)
            if found is None:
                raise BadRecord(f"a quote or a line end is misplaced in field {len(values) + 1} of the line")
            inner, bare = found.groups()
            values.append(inner.replace('""', QUOTE) if inner is not None else bare or None)
            at = found.end()
            if at == end:
                return [*values, None] if found[0].endswith(delimiter) else values

    return apart


def _whole(one: Type) -> Convert:
    low, high = json_values.integer_bounds(one)

    def read(said: str) -> int:
        number = whole_of(said)
        if number is None:
            number = _without_fraction(decimal_of(said))
        if number is None or not low <= number <= high:
            raise ValueError(f"{show_value(said)} is not {_a(one)}")
        return number

    return read


def _without_fraction(number: Decimal | None) -> int | None:
    """A whole number may be written with a point or an exponent, as in JSON."""
    if number is None or number.adjusted() > MAX_PRECISION or number != number.to_integral_value():
        return None
    return int(number)


def _a(one: Type) -> str:
    return f"{'an' if one.name[0] in 'AEIOU' else 'a'} {one}"


def _decimal(one: Type) -> Convert:
    fit = json_values.read_conversion(one)

    def read(said: str) -> Any:
        number = decimal_of(said)
        if number is None or fit is None:
            raise ValueError(f"{show_value(said)} is not {_a(one)}")
        return fit(number)

    return read


def _floating(one: Type) -> Convert:
    finish = json_values.read_conversion(one)

    def read(said: str) -> Any:
        number = double_of(said)
        if number is None or not math.isfinite(number):
            raise ValueError(f"{show_value(said)} is not {_a(one)}")
        return finish(number) if finish else number

    return read


def _logical(said: str) -> bool:
    value = _LOGICAL.get(said)
    if value is None:
        value = _LOGICAL.get(said.lower())
    if value is None:
        raise ValueError(f"{show_value(said)} is neither true nor false")
    return value


def _octets(said: str) -> bytes:
    try:
        return base64.b64decode(said, validate=True)
    except ValueError:
        raise ValueError(f"{show_value(said)} is not base64") from None


def _json(said: str) -> msgspec.Raw | None:
    return read_json(said.encode())


_TEXT = Annotated[str, msgspec.Meta(min_length=1)]
_AT_ONCE: dict[str, Any] = {
    "VARCHAR": _TEXT,
    "BOOLEAN": bool,
    "DOUBLE": Annotated[float, msgspec.Meta(ge=-sys.float_info.max, le=sys.float_info.max)],
    **{one.name: json_values.msgspec_type(one) for one in t.INTEGERS},
}
"""What msgspec reads from strings; it takes numbers as JSON spells them. A bound keeps NaN and infinity out."""
_READ: dict[str, Convert | None] = {
    "VARCHAR": None,
    "BOOLEAN": _logical,
    "REAL": _floating(t.REAL),
    "DOUBLE": _floating(t.DOUBLE),
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
    "REAL": lambda value: repr(json_values.shortest_real(value)),
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


def read_conversion(one: Type) -> Convert | None:
    """Raises ValueError for a type that a field of a line cannot have."""
    if t.is_integer(one):
        return _whole(one)
    if one.name == "DECIMAL":
        return _decimal(one)
    if one.name not in _READ:
        raise ValueError(f"a field of a line cannot be {one}")
    return _READ[one.name]


def field_encoder(fields: Sequence[TypedField], layout: FormatLayout) -> FieldEncoder:
    """Declared columns are written in their order; those that the query does not write are NULL."""
    order = [column.path for column in layout.columns] or [field.path for field in fields]
    given = {field.path: i for i, field in enumerate(fields)}
    for field in fields:
        if len(field.path) != 1:
            raise ValueError(f"a line has no field {'.'.join(field.path) or 'that is the whole'}")
        if field.type.name not in _WRITTEN:
            raise ValueError(f"column {field.path[0]} is {field.type}, which a field of a line cannot be; CAST it")
    special = re.compile(rf'["\r\n{re.escape(layout.delimiter)}]')
    arguments = ", ".join(f"{{{given[path]}}}" if path in given else "None" for path in order)
    return FieldEncoder(
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


FORMAT = Format("csv", field_decoder, field_encoder, types=frozenset({*_READ, "DECIMAL", *t.BITS}), needs_columns=True)
