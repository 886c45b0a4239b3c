"""Values as JSON text, and what such a text stands for."""

from typing import Any, TypeVar

import msgspec

V = TypeVar("V")
ENCODER = msgspec.json.Encoder(decimal_format="number")


def json_text(value: Any) -> msgspec.Raw:
    """A value as JSON."""
    return msgspec.Raw(ENCODER.encode(value))


def text_of_json(value: msgspec.Raw) -> str:
    """A string as it is, without its quotes; all else as its JSON text."""
    raw = bytes(value)
    return str(msgspec.json.decode(raw, type=str)) if raw[:1] == b'"' else raw.decode()


def present(value: V) -> V | None:
    """The value, None for a null of JSON."""
    return None if isinstance(value, msgspec.Raw) and bytes(value) == b"null" else value
