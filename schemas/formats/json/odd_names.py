"""JSON fields whose names a msgspec struct cannot have: with a double quote, a backslash or a control character.

Objects with such fields are read and written as dictionaries; all others as structs, which are faster.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from jobplane.schemas.msgspec_types import json_decoder

_ODD = re.compile(r'["\\\x00-\x1f]')
_AT = re.compile(r" - at `\$(?P<path>.*)`$")
_members = json_decoder(dict[str, msgspec.Raw] | None).decode
NOTHING: Any = object()


def is_odd(name: str) -> bool:
    return _ODD.search(name) is not None


def object_maker(names: Sequence[str]) -> Callable[..., dict[str, Any]]:
    """What makes the object of its values, in the order of their names."""
    return lambda *values: dict(zip(names, values, strict=True))


def field_finder(path: Sequence[str], decode: Callable[[Any], Any], missing: Any) -> Callable[[bytes], Any]:
    """A function that reads one field of an object. It raises msgspec.ValidationError with the path of the field."""

    def find(data: Any) -> Any:
        for i, name in enumerate(path):
            members = decode_under(path[:i], _members, data)
            data = NOTHING if members is None else members.get(name, NOTHING)
            if data is NOTHING:
                return missing
        return decode_under(path, decode, data)

    return find


def decode_under(path: Sequence[str], decode: Callable[[Any], Any], data: Any) -> Any:
    """Decodes a part of a value. Raises msgspec.ValidationError with the path from the entire value."""
    try:
        return decode(data)
    except msgspec.ValidationError as error:
        said = str(error)
        at = _AT.search(said)
        inner = at["path"] if at else ""
        before = "".join(f".{name}" for name in path)
        raise msgspec.ValidationError(f"{said[: at.start()] if at else said} - at `${before}{inner}`") from None
