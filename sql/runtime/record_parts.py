"""What generated code calls for the parts of a Kafka record that a query reads or writes."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from jobplane.schemas.failures import BadRecord
from jobplane.schemas.types.json_text import text_of_json

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def text_of_bytes(value: bytes | None) -> str | None:
    return None if value is None else value.decode()


def header_text(headers: Sequence[tuple[str, bytes | None]], name: str) -> str | None:
    """The last header of a name, as Kafka's own lastHeader."""
    return next((text_of_bytes(value) for key, value in reversed(headers) if key == name), None)


def key_of_json(value: msgspec.Raw) -> bytes:
    """A string as it is, without its quotes; all else as its JSON text."""
    return text_of_json(value).encode()


def milliseconds(value: datetime | None) -> int:
    """Raises BadRecord for NULL and for what is before 1970: Kafka has no such timestamps."""
    if value is None:
        raise BadRecord("__timestamp is NULL; a record has a timestamp")
    since = (value - EPOCH) // timedelta(milliseconds=1)
    if since < 0:
        raise BadRecord(f"__timestamp is {value.isoformat()}; Kafka has no timestamps before 1970")
    return since


def header_list(headers: Mapping[str, str | bytes | msgspec.Raw | None]) -> list[tuple[str, str | bytes | None]]:
    """Values that are JSON become text, as those of keys do."""
    return [(name, key_of_json(one) if isinstance(one, msgspec.Raw) else one) for name, one in headers.items()]
