"""Values as JSON text, and back."""

import re
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


def null_to_none(value: V) -> V | None:
    """The value, None for a null of JSON."""
    return None if isinstance(value, msgspec.Raw) and bytes(value) == b"null" else value


def is_json(data: bytes) -> bool:
    """Whether bytes are one JSON value, in UTF-8."""
    try:
        msgspec.json.decode(data, type=msgspec.Raw)
        if not data.isascii():
            data.decode()  # msgspec passes over what is inside strings
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


_AT = re.compile(r"(?:JSON is malformed: )?(?P<what>.*?)(?: \((?P<place>byte \d+)\))?", re.DOTALL)
_MALFORMED = {
    "Input data was truncated": "it ends too early",
    "expected ','": "a comma is missing",
    "expected ',' or ']'": "a comma or ] is missing",
    "expected ',' or '}'": "a comma or } is missing",
    "expected ':'": "a colon is missing",
    "expected '\"'": "a name in double quotes is missing",
    "invalid character": "an unexpected character",
    "invalid character in string": "a control character in a text",
    "invalid character in unicode escape": "an invalid escape",
    "invalid escape character in string": "an invalid escape",
    "invalid escaped character": "an invalid escape",
    "invalid number": "an invalid number",
    "object keys must be strings": "a name without double quotes",
    "trailing characters": "something follows the value",
    "trailing comma in array": "a comma before ]",
    "trailing comma in object": "a comma before }",
    "unexpected end of escaped utf-16 surrogate pair": "half a pair of surrogates",
    "invalid utf-16 surrogate pair": "half a pair of surrogates",
}


def describe_malformed(error: msgspec.DecodeError) -> str:
    """Why bytes are not JSON, and where: `something follows the value (byte 10)`. Bytes count from 0."""
    found = _AT.fullmatch(str(error))
    what, place = (found["what"], found["place"]) if found else ("", None)
    said = _MALFORMED.get(what, "it is malformed")
    return f"{said} ({place})" if place else said


_FIELD = re.compile(r"Object (?P<how>missing required|contains unknown) field `(?P<name>.*?)`(?: - at `(?P<at>.*)`)?")
_TYPE = re.compile(r"Expected `(?P<wanted>[^`]*)`, got `(?P<got>\w+)`(?: - at `\$\.?(?P<at>.*)`)?")
_NAMES = {
    "str": "a text", "int": "a number", "float": "a number", "bool": "true or false", "array": "an array",
    "object": "an object", "null": "null",
}  # fmt: skip


def describe_unfit(error: msgspec.MsgspecError) -> str:
    """Why JSON is not the object that was asked for, or not JSON."""
    if not isinstance(error, msgspec.ValidationError):
        return (
            f"it is not JSON: {describe_malformed(error)}"
            if isinstance(error, msgspec.DecodeError)
            else "it cannot be read"
        )
    said = str(error)
    if field := _FIELD.fullmatch(said):
        missing = field["how"] == "missing required"
        return f'"{field["name"]}" is missing' if missing else f'"{field["name"]}" is not a field of it'
    if found := _TYPE.fullmatch(said):
        wanted = " or ".join(_NAMES.get(one, one) for one in found["wanted"].split(" | "))
        what = f'"{found["at"]}"' if found["at"] else "it"
        return f"{what} is {_NAMES.get(found['got'], found['got'])}, and must be {wanted}"
    return "a value in it is not what it must be"
