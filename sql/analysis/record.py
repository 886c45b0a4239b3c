"""The parts of a Kafka record besides the fields of its value: what they are called, how they are read and written."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from schemas.failures import BadRecord
from schemas.formats.json.second_look import looking_twice
from schemas.types import datatypes as t
from schemas.types.datatypes import Type
from schemas.types.json_text import present, text_of_json
from sql.syntax.parts import THIS
from sql.types.typed import GENERATED

KEY_FIELDS = f"{GENERATED}key"
"""The key as JSON, of which fields may be asked."""
KEY_WHOLE, VALUE_WHOLE = f"{GENERATED}whole key", f"{GENERATED}whole value"
"""The key, or the value, as what its format says it is."""
RAW_HEADERS = f"{GENERATED}headers"
"""The headers as Kafka has them."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Part:
    """`code` is the Python that finds it in the message `m`, None where it is NULL."""

    type: Type
    code: str
    bound: Mapping[str, Callable[..., Any]]


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()


def _instant(timestamp: tuple[int, int]) -> datetime | None:
    """None for a record without a timestamp."""
    return EPOCH + timedelta(milliseconds=timestamp[1]) if timestamp[0] else None


def header_text(headers: Sequence[tuple[str, bytes | None]], name: str) -> str | None:
    """The last header of a name, as Kafka's own lastHeader."""
    return next((_text(value) for key, value in reversed(headers) if key == name), None)


def _headers(headers: Sequence[tuple[str, bytes | None]] | None) -> dict[str, str | None]:
    return {key: _text(value) for key, value in headers or ()}


_raw = looking_twice(msgspec.json.Decoder(msgspec.Raw).decode)


def _document(value: bytes | None) -> Any:
    return None if value is None else present(_raw(value))


PARTS = {
    "__key": Part(t.VARCHAR, "text(m.key())", {"text": _text}),
    "__timestamp": Part(t.TIMESTAMP_TZ, "instant(m.timestamp())", {"instant": _instant}),
    "__partition": Part(t.INTEGER, "m.partition()", {}),
    "__offset": Part(t.BIGINT, "m.offset()", {}),
    "__topic": Part(t.VARCHAR, "m.topic()", {}),
    "__headers": Part(t.map_of(t.VARCHAR, t.VARCHAR), "headers(m.headers())", {"headers": _headers}),
    RAW_HEADERS: Part(t.map_of(t.VARCHAR, t.VARBINARY), "(m.headers() or [])", {}),
    THIS: Part(t.JSON, "document(v)", {"document": _document}),
}
READABLE = frozenset(PARTS) - {RAW_HEADERS}
WRITABLE = frozenset({"__key", "__timestamp", "__headers", "__partition"})


def key_of_json(value: msgspec.Raw) -> bytes:
    """A string as it is, without its quotes; all else as its JSON text."""
    return text_of_json(value).encode()


def milliseconds(value: datetime | None) -> int:
    """Raises BadRecord for NULL and for what is before 1970: Kafka has no such timestamps."""
    if value is None:
        raise BadRecord("__timestamp is NULL; a record has a timestamp")
    since = (value - EPOCH) // timedelta(milliseconds=1)
    if since < 0:
        raise BadRecord(f"__timestamp is {value.isoformat()}; Kafka has none before 1970")
    return since


def header_list(headers: Mapping[str, str | bytes | msgspec.Raw | None]) -> list[tuple[str, str | bytes | None]]:
    """Values that are JSON become text, as those of keys do."""
    return [(name, key_of_json(one) if isinstance(one, msgspec.Raw) else one) for name, one in headers.items()]


def partition_in(topic: str, partitions: int) -> Callable[[int | None], int]:
    """What makes sure that a partition is there; NULL leaves the choice to the key."""

    def checked(value: int | None) -> int:
        if value is None:
            return -1
        if not 0 <= value < partitions:
            raise BadRecord(f"__partition is {value}; '{topic}' has partitions 0 to {partitions - 1}")
        return value

    return checked
