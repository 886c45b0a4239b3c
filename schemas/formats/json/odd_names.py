"""Fields of JSON whose names no struct of msgspec can have: with a double quote, a backslash or a control character.

Objects that have such fields are read as dictionaries, and written as such; all others go by structs, which are faster.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

_ODD = re.compile(r'["\\\x00-\x1f]')
_AT = re.compile(r" - at `\$(?P<path>.*)`$")
_members = msgspec.json.Decoder(dict[str, msgspec.Raw] | None).decode
NOTHING: Any = object()


def is_odd(name: str) -> bool:
    return _ODD.search(name) is not None


def object_maker(names: Sequence[str]) -> Callable[..., dict[str, Any]]:
    """What makes the object of its values, in the order of their names."""
    return lambda *values: dict(zip(names, values, strict=True))


def field_finder(path: Sequence[str], decode: Callable[[Any], Any], missing: Any) -> Callable[[bytes], Any]:
    """What reads one field of an object. Raises msgspec.ValidationError that tells the field's path."""

    def find(data: Any) -> Any:
        for i, name in enumerate(path):
            members = decode_under(path[:i], _members, data)
            data = NOTHING if members is None else members.get(name, NOTHING)
            if data is NOTHING:
                return missing
        return decode_under(path, decode, data)

    return find


def decode_under(path: Sequence[str], decode: Callable[[Any], Any], data: Any) -> Any:
    """What is decoded of a part of a value. Raises msgspec.ValidationError that tells the path from the whole."""
    try:
        return decode(data)
    except msgspec.ValidationError as error:
        said = str(error)
        at = _AT.search(said)
        inner = at["path"] if at else ""
        before = "".join(f".{name}" for name in path)
        raise msgspec.ValidationError(f"{said[: at.start()] if at else said} - at `${before}{inner}`") from None
