"""The parts of a Kafka record besides the fields of its value: their names, and how they are read and written."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from jobplane.schemas.failures import BadRecord
from jobplane.schemas.formats.json.second_look import with_second_look
from jobplane.schemas.msgspec_types import json_decoder
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type
from jobplane.schemas.types.json_text import null_to_none
from jobplane.sql.runtime.record_parts import EPOCH, text_of_bytes
from jobplane.sql.syntax.parts import THIS
from jobplane.sql.types.typed import GENERATED

KEY_FIELDS = f"{GENERATED}key"
"""The key as JSON, of which fields may be asked."""
KEY_WHOLE, VALUE_WHOLE = f"{GENERATED}whole key", f"{GENERATED}whole value"
"""The key, or the value, as what its format says it is."""
RAW_HEADERS = f"{GENERATED}headers"
"""The headers as Kafka has them."""
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class RecordPart:
    """`code` is the Python that finds it in the message `m`, None where it is NULL."""

    type: Type
    code: str
    bound: Mapping[str, Callable[..., Any]]


def _instant(timestamp: tuple[int, int]) -> datetime | None:
    """None for a record without a timestamp."""
    return EPOCH + timestamp[1] * _MILLISECOND if timestamp[0] else None


def _headers(headers: Sequence[tuple[str, bytes | None]] | None) -> dict[str, str | None]:
    return {key: text_of_bytes(value) for key, value in headers or ()}


_raw = with_second_look(json_decoder(msgspec.Raw).decode)


def _document(value: bytes | None) -> Any:
    return None if value is None else null_to_none(_raw(value))


PARTS = {
    "__key": RecordPart(t.VARCHAR, "text(m.key())", {"text": text_of_bytes}),
    "__timestamp": RecordPart(t.TIMESTAMP_TZ, "instant(m.timestamp())", {"instant": _instant}),
    "__partition": RecordPart(t.INTEGER, "m.partition()", {}),
    "__offset": RecordPart(t.BIGINT, "m.offset()", {}),
    "__topic": RecordPart(t.VARCHAR, "m.topic()", {}),
    "__headers": RecordPart(t.map_of(t.VARCHAR, t.VARCHAR), "headers(m.headers())", {"headers": _headers}),
    RAW_HEADERS: RecordPart(t.map_of(t.VARCHAR, t.VARBINARY), "(m.headers() or [])", {}),
    THIS: RecordPart(t.JSON, "document(v)", {"document": _document}),
}
PARTITION = "__partition"
READABLE = frozenset(PARTS) - {RAW_HEADERS}
WRITABLE = frozenset({"__key", "__timestamp", "__headers", "__partition"})


def partition_check(topic: str, partitions: int) -> Callable[[int | None], int]:
    """A function that checks that a partition exists; NULL leaves the choice to the key."""

    def checked(value: int | None) -> int:
        if value is None:
            return -1
        if not 0 <= value < partitions:
            raise BadRecord(f"__partition is {value}; '{topic}' has partitions 0 to {partitions - 1}")
        return value

    return checked
