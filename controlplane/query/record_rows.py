"""Rows for the records of a topic, for people and programs. Pure."""

from dataclasses import dataclass, replace
from typing import Any, Self

import msgspec

from jobplane.controlplane.listings.rows import Listing, Row, Screen
from jobplane.processors.kafka.cluster import Message
from jobplane.schemas.formats.avro.known_schemas import number_in_frame
from jobplane.schemas.shown import utc_text
from jobplane.schemas.wire.codec import MARKER, UnknownRecord, decode_record

COLUMNS = ("partition", "offset", "time", "key", "value")
HEADERS, ERROR = "headers", "error"
PLACE, CLOCK = "at", "time (UTC)"
"""Columns that a terminal shows instead of partition, offset and time."""
NULL = "NULL"


@dataclass(frozen=True, slots=True)
class RecordRow:
    """A record. `time` is in epoch milliseconds, None if the record has none. `error` says why it is not decoded."""

    topic: str
    partition: int
    offset: int
    time: int | None
    key: str | None
    value: str | None
    headers: tuple[tuple[str, str | None], ...] = ()
    error: str = ""

    def with_texts(self, key: str | None, value: str | None, error: str) -> Self:
        return replace(self, key=key, value=value, error=error)

    def row(self) -> Row:
        """For people: NULL if there is no key or no value."""
        row: Row = {
            "partition": self.partition,
            "offset": self.offset,
            "time": self.time,
            "key": NULL if self.key is None else self.key,
            "value": NULL if self.value is None else self.value,
        }
        if self.headers:
            row[HEADERS] = {name: NULL if text is None else text for name, text in self.headers}
        if self.error:
            row[ERROR] = self.error
        return row

    def json(self) -> dict[str, Any]:
        """For programs: a JSON value as JSON, every other value as text."""
        row = {
            "topic": self.topic,
            "partition": self.partition,
            "offset": self.offset,
            "time": self.time,
            "key": self.key,
            "value": _json_or_text(self.value),
            "headers": [list(one) for one in self.headers],
        }
        return row | ({"error": self.error} if self.error else {})


def plain_row(message: Message) -> RecordRow:
    """The row of a record whose format is not known."""
    kind, time = message.timestamp()
    headers: Any = message.headers() or ()
    return RecordRow(
        message.topic() or "",
        message.partition() or 0,
        message.offset() or 0,
        time if kind else None,
        text_or_hex(message.key()),
        control_record_text(message.value()) or text_or_hex(message.value()),
        tuple((name, text_or_hex(text)) for name, text in headers),
    )


def control_record_text(data: bytes | str | None) -> str | None:
    """A record of a control topic as JSON; None for all other records."""
    if not isinstance(data, bytes) or not data.startswith(MARKER):
        return None
    try:
        return msgspec.json.encode(decode_record(data)).decode()
    except UnknownRecord:
        return None


def text_or_hex(data: bytes | str | None) -> str | None:
    """The text if the bytes are UTF-8 without NUL, else `0x` and hexadecimal digits."""
    if data is None or isinstance(data, str):
        return data
    try:
        return data.decode() if b"\0" not in data else f"0x{data.hex()}"
    except UnicodeDecodeError:
        return f"0x{data.hex()}"


def is_framed(message: Message) -> bool:
    """Whether a value may be Avro as clients of a schema registry encode it: byte 00, then the schema's id."""
    value = message.value()
    return isinstance(value, bytes) and number_in_frame(value) > 0


def listing(records: list[RecordRow], *, drawn: bool = False) -> Listing:
    """Headers and errors have a column if a record has any. `drawn`: for a terminal, with fewer columns."""
    rows = [one.row() for one in records]
    more = tuple(name for name in (HEADERS, ERROR) if any(name in row for row in rows))
    if not drawn:
        return Listing((*COLUMNS, *more), rows, screen=Screen.RECORDS)
    rows = [row | {PLACE: f"{row['partition']}@{row['offset']}", CLOCK: _format_time(row["time"])} for row in rows]
    return Listing((PLACE, CLOCK, "key", "value", *more), rows, screen=Screen.RECORDS)


def _format_time(time: int | None) -> str:
    return "" if time is None else utc_text(time, "seconds", " ")


def _json_or_text(value: str | None) -> Any:
    if value is None:
        return None
    try:
        return msgspec.Raw(msgspec.json.format(value.encode(), indent=-1))
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return value
