"""Records of a topic as people and programs are shown them. Pure."""

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
"""What a terminal is shown instead of partition, offset and time."""
NULL = "NULL"


@dataclass(frozen=True, slots=True)
class RecordRow:
    """A record. `time` is in epoch milliseconds, None where it has none. `error` says why it is shown as it stands."""

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
        """For people: NULL where there is no key, or no value."""
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
        """For programs: a value that is JSON stands there as JSON, all else as text."""
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
    """A record of which nothing is known but its bytes."""
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
    """What a record of a control topic says, as JSON; None for all others."""
    if not isinstance(data, bytes) or not data.startswith(MARKER):
        return None
    try:
        return msgspec.json.encode(decode_record(data)).decode()
    except UnknownRecord:
        return None


def text_or_hex(data: bytes | str | None) -> str | None:
    """Text where bytes are UTF-8 without a NUL, which no text has; else `0x` and their hexadecimal digits."""
    if data is None or isinstance(data, str):
        return data
    try:
        return data.decode() if b"\0" not in data else f"0x{data.hex()}"
    except UnicodeDecodeError:
        return f"0x{data.hex()}"


def is_framed(message: Message) -> bool:
    """Whether a value may be Avro as a schema registry's client writes it: 00, then the number of a schema."""
    value = message.value()
    return isinstance(value, bytes) and number_in_frame(value) > 0


def listing(records: list[RecordRow], *, drawn: bool = False) -> Listing:
    """Headers and errors have a column where a record has some. `drawn`: for a terminal, where values need the room."""
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
