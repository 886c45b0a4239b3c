"""Proposes a CREATE MAPPING from a sample of a topic's records, with comments on what was seen."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from jobplane.schemas.failures import BadRecord
from jobplane.schemas.formats import AVRO, BYTES, CSV, CSV_DELIMITER, JSON, KEY_FORMAT, VALUE_FORMAT
from jobplane.schemas.formats.avro.known_schemas import HEADER
from jobplane.schemas.formats.json.second_look import with_second_look
from jobplane.schemas.formats.looks import delimiter_of
from jobplane.schemas.msgspec_types import json_decoder
from jobplane.schemas.names import quote_name
from jobplane.schemas.shown import show_value
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type
from jobplane.sql.infer.types import infer_type
from jobplane.sql.infer.watermark import InferredWatermark, TimedValue, infer_watermark
from jobplane.sql.syntax.parts import column_refusal
from jobplane.sql.syntax.render.expressions import string_literal
from jobplane.sql.syntax.scan import MAX_BYTES

VARCHAR = "varchar"
LONGEST_TYPE = 2_000
"""Characters; a longer one is JSON."""
MOST_COLUMNS = 500
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

_object = with_second_look(json_decoder(dict[str, msgspec.Raw]).decode)
_value = with_second_look(json_decoder(msgspec.Raw).decode)


class SampledRecord(NamedTuple):
    """A record of the sample. `timestamp` is in ms since 1970, None if it has none."""

    key: bytes | None
    value: bytes | None
    partition: int = 0
    timestamp: int | None = None


@dataclass(frozen=True, slots=True)
class InferredColumn:
    """`seen` counts the objects that have it; `empty`: it is null in all of them."""

    name: str
    type: Type
    seen: int
    empty: bool


@dataclass(frozen=True, slots=True)
class InferredMapping:
    """`columns` are fields of `objects` JSON objects; `notes` say what was seen besides."""

    notes: tuple[str, ...]
    columns: tuple[InferredColumn, ...] = ()
    objects: int = 0
    options: dict[str, str] = field(default_factory=dict)
    watermark: InferredWatermark | None = None


def infer_mapping(records: Sequence[SampledRecord]) -> InferredMapping:
    """What the records of a topic are, those of a partition in their order; at least one has a value."""
    values = [one.value for one in records if one.value is not None]
    keys = [one.key for one in records if one.key is not None]
    keyed = {KEY_FORMAT: VARCHAR} if keys and all(map(_is_text, keys)) else {}
    notes = [f"{len(records):,} record" + ("s" if len(records) > 1 else "")]
    if empty := len(records) - len(values):
        notes[0] += f", {empty:,} without a value"
    found = [(one, fields) for one in records if one.value is not None and (fields := _fields(one.value)) is not None]
    objects = [fields for _, fields in found]
    if 2 * len(objects) > len(values):
        columns, left_out = _columns(objects)
        if other := len(values) - len(objects):
            notes.append(f"{other:,} of {len(values):,} values are not JSON objects, and this mapping cannot read them")
        return InferredMapping((*notes, *left_out), columns, len(objects), keyed, _watermark(columns, found))
    format_, note = _format(values)
    return InferredMapping((*notes, note), (), 0, {**keyed, VALUE_FORMAT: format_})


def _watermark(
    columns: Sequence[InferredColumn], found: Sequence[tuple[SampledRecord, dict[str, msgspec.Raw]]]
) -> InferredWatermark | None:
    times = [one.name for one in columns if one.type == t.TIMESTAMP_TZ and one.seen == len(found)]
    return infer_watermark(
        (name, [TimedValue(bytes(fields[name]), one.partition, one.timestamp) for one, fields in found])
        for name in times
    )


def mapping_statement(found: InferredMapping, topic: str, mapping: str = "") -> str:
    """The CREATE MAPPING as SQL text, one column a line. Columns that are seen least go where it would be too long."""
    columns = found.columns
    while True:
        text = _written(found, columns, topic, mapping or topic)
        if len(text.encode()) < MAX_BYTES * 3 // 4 or not columns:
            return text
        most = sorted(columns, key=lambda one: -one.seen)[: len(columns) // 2]
        columns = tuple(one for one in columns if one in most)


def _written(found: InferredMapping, columns: Sequence[InferredColumn], topic: str, mapping: str) -> str:
    lines = [f"-- {note}" for note in found.notes]
    if missing := len(found.columns) - len(columns):
        lines.append(f"-- {missing:,} more fields are left out: a statement has at most {MAX_BYTES:,} bytes")
    external = f" EXTERNAL NAME {quote_name(topic)}" if mapping != topic else ""
    options = ", ".join(f"{option} {string_literal(value)}" for option, value in found.options.items())
    end = "TYPE Kafka" + (f" OPTIONS ({options})" if options else "") + ";"
    create = f"CREATE MAPPING {quote_name(mapping)}{external}"
    if not columns:
        return "\n".join([*lines, f"{create} {end}", ""])
    names = {one.name for one in columns}
    watermarks = [found.watermark] if found.watermark and found.watermark.column in names else []
    last = 0 if watermarks else len(columns)
    rows = [_line(one, found.objects, "" if i == last else ",") for i, one in enumerate(columns, 1)]
    rows += [f"    {one.definition} -- {one.reason}" for one in watermarks]
    return "\n".join([*lines, f"{create} (", *rows, f") {end}", ""])


def _line(column: InferredColumn, objects: int, comma: str) -> str:
    said = []
    if column.seen < objects:
        said.append(f"seen in {column.seen} of {objects} records")
    if column.empty:
        said.append("always null")
    comment = f" -- {', '.join(said)}" if said else ""
    return f"    {quote_name(column.name)} {column.type}{comma}{comment}"


def _columns(objects: Sequence[dict[str, msgspec.Raw]]) -> tuple[tuple[InferredColumn, ...], list[str]]:
    """The columns in the order in which they are first seen, and why fields are left out."""
    fields: dict[str, list[bytes]] = defaultdict(list)
    for one in objects:
        for key, raw in one.items():
            fields[key].append(bytes(raw))
    notes = []
    for key in list(fields):
        if reason := _refusal(key):
            del fields[key]
            notes.append(f"left out: {reason}")
    if len(fields) > MOST_COLUMNS:
        most = sorted(fields, key=lambda key: -len(fields[key]))[:MOST_COLUMNS]
        notes.append(f"{len(fields) - MOST_COLUMNS:,} more fields are seen less, and left out")
        fields = {key: raws for key, raws in fields.items() if key in set(most)}
    columns = []
    for key, raws in fields.items():
        found = infer_type(raws)
        narrow = found if len(str(found)) <= LONGEST_TYPE else t.JSON
        columns.append(InferredColumn(key, narrow, len(raws), all(raw == b"null" for raw in raws)))
    return tuple(columns), notes


def _refusal(key: str) -> str:
    """Why a field cannot be a column, on one line."""
    if not key:
        return "a field without a name"
    reason = column_refusal(key)
    return f"{show_value(key)} ({reason})" if reason else ""


def _fields(value: bytes) -> dict[str, msgspec.Raw] | None:
    try:
        return _object(value)  # type: ignore[no-any-return]
    except (msgspec.DecodeError, UnicodeError, RecursionError, BadRecord):
        return None


def _format(values: Sequence[bytes]) -> tuple[str, str]:
    """The format of values that are not JSON objects, and what was seen."""
    if all(value[:1] == b"\0" and len(value) > HEADER for value in values):
        numbers = sorted({int.from_bytes(value[1:HEADER], "big") for value in values})
        listed = ", ".join(map(str, numbers[:3])) + (" …" if len(numbers) > 3 else "")
        seen = f"values begin with 00 and the number of a schema in a registry ({listed})"
        if all(value[HEADER : HEADER + 1] in b"{[" for value in values):
            return BYTES, f"{seen}, and go on as JSON: records with a JSON Schema, which no format reads"
        return AVRO, f"{seen}: {VALUE_FORMAT} '{AVRO}', where that schema is in Avro"
    if all(map(_is_json, values)):
        return JSON, f"values are JSON, but most are not objects: {VALUE_FORMAT} '{JSON}'"
    if all(map(_is_text, values)):
        if mark := delimiter_of(values):
            kind = "tab" if mark == "\t" else mark
            csv = f"{VALUE_FORMAT} '{CSV}'" + ("" if mark == "," else f", {CSV_DELIMITER} '{kind}'")
            seen = f"values are text, perhaps lines of CSV (with '{kind}')"
            return VARCHAR, f"{seen}: declare columns and {csv}, or {VALUE_FORMAT} '{VARCHAR}'"
        return VARCHAR, f"values are text, but not JSON: {VALUE_FORMAT} '{VARCHAR}'"
    return BYTES, f"values are neither JSON nor text: {VALUE_FORMAT} '{BYTES}' copies them as they are"


def _is_json(value: bytes) -> bool:
    try:
        _value(value)
    except (msgspec.DecodeError, UnicodeError, RecursionError, BadRecord):
        return False
    return True


def _is_text(data: bytes) -> bool:
    """UTF-8 without the control characters that no text has."""
    try:
        return _CONTROL.search(data.decode()) is None
    except UnicodeDecodeError:
        return False
