"""The text of any value, and how long a text may become."""

from collections.abc import Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from jobplane.schemas.failures import BadRecord
from jobplane.schemas.types.datatypes import MAX_LENGTH
from jobplane.schemas.types.json_text import json_text, text_of_json
from jobplane.schemas.types.temporal_text import text_of


def check_length(name: str, characters: int) -> None:
    """To be asked before the text is made. Raises BadRecord."""
    if characters > MAX_LENGTH:
        raise BadRecord(f"{name} would make a text of {characters} characters; at most {MAX_LENGTH} are allowed")


def join_texts(name: str, separator: str, parts: Sequence[str]) -> str:
    """The parts with the separator between them. Raises BadRecord where it is too long."""
    check_length(name, sum(map(len, parts)) + len(separator) * (len(parts) - 1))
    return separator.join(parts)


def plain_text(value: Any) -> str:
    """As CAST to VARCHAR writes it; bytes as base64, as in JSON."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case Decimal():
            return f"{value:f}"
        case date() | time() | timedelta():
            return text_of(value)
    return text_of_json(value if isinstance(value, msgspec.Raw) else json_text(value))
