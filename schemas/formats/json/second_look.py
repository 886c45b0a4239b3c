"""Decodes JSON again that msgspec refused, if the fields that the query reads are sound.

A byte order mark before a value is not part of it. An escape of half a surrogate pair, such as `\\ud83d` alone, is not
Unicode text: that is an error only in a field that is read. Records that msgspec takes at once cost nothing more.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from jobplane.schemas.failures import BadRecord
from jobplane.schemas.msgspec_types import json_decoder

BOM = b"\xef\xbb\xbf"
_HIGH, _LOW = rb"[dD][89abAB][0-9a-fA-F]{2}", rb"[dD][c-fC-F][0-9a-fA-F]{2}"
_ESCAPE = re.compile(rb"\\(?:u%s\\u%s|(?P<half>u(?:%s|%s))|.)" % (_HIGH, _LOW, _HIGH, _LOW), re.DOTALL)
_PRIVATE = range(0xE000, 0xF8FF)
"""Code points that no standard uses."""
Path = tuple[str, ...]
_fields = json_decoder(dict[str, msgspec.Raw]).decode


def decode_again(decode: Callable[[bytes], Any], data: bytes, error: msgspec.DecodeError) -> Any:
    """Decodes bytes that the decoder refused with `error`. Raises that error, one like it, or BadRecord."""
    bare = data.removeprefix(BOM)
    one = _with_halves_as(rb"\ufffd", bare)
    if one == data or isinstance(error, msgspec.ValidationError):
        raise error
    row = decode(one)
    if one != bare and (path := _difference(row, decode(_with_halves_as(rb"\ufffc", bare)), ())) is not None:
        raise _not_unicode(path)
    return row


def with_second_look(decode: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """The decoder with a second look."""

    def read(data: bytes) -> Any:
        try:
            return decode(data)
        except msgspec.DecodeError as error:
            return decode_again(decode, data, error)

    return read


def all_fields(data: bytes) -> dict[str, msgspec.Raw]:
    """The fields of an object as they are written in it, half surrogate pairs too. Raises DecodeError, BadRecord."""
    try:
        return _fields(data)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError as error:
        bare = data.removeprefix(BOM)
        halves = {found["half"] for found in _ESCAPE.finditer(bare) if found["half"]}
        if not halves:
            return decode_again(_fields, data, error)  # type: ignore[no-any-return]
    lower = bare.lower()
    unused = (code for code in _PRIVATE if b"\\u%04x" % code not in lower and chr(code).encode() not in bare)
    codes = dict(zip(halves, unused, strict=False))
    marked = _ESCAPE.sub(lambda found: b"\\u%04x" % codes[found["half"]] if found["half"] else found[0], bare)
    signs = {chr(code) for code in codes.values()}
    fields = {}
    for name, value in _fields(marked).items():
        if not signs.isdisjoint(name):
            raise BadRecord("the name of a field is not Unicode text: it has half a pair of surrogates")
        fields[name] = _restored(value, codes)
    return fields


def _restored(value: msgspec.Raw, codes: Mapping[bytes, int]) -> msgspec.Raw:
    text = bytes(value)
    for half, code in codes.items():
        text = text.replace(b"\\u%04x" % code, b"\\" + half)
    return msgspec.Raw(text)


def _with_halves_as(escape: bytes, data: bytes) -> bytes:
    return _ESCAPE.sub(lambda found: escape if found["half"] else found[0], data) if rb"\u" in data else data


def _difference(one: Any, other: Any, path: Path) -> Path | None:
    """Where two values differ first, which are of one type."""
    if one == other:
        return None
    parts: Iterable[tuple[str, Any, Any]] = ()
    if isinstance(one, msgspec.Struct):
        names = zip(one.__struct_encode_fields__, one.__struct_fields__, strict=True)
        parts = ((name, getattr(one, member), getattr(other, member)) for name, member in names)
    elif isinstance(one, tuple):
        parts = (("", *pair) for pair in zip(one, other, strict=True))
    elif isinstance(one, list):
        parts = ((f"[{i}]", *pair) for i, pair in enumerate(zip(one, other, strict=True), 1))
    elif isinstance(one, dict) and one.keys() == other.keys():
        parts = ((name, one[name], other[name]) for name in one)
    found = (_difference(a, b, (*path, name)) for name, a, b in parts)
    return next((place for place in found if place is not None), path)


def _not_unicode(path: Path) -> BadRecord:
    where = "".join(part if part.startswith("[") else f".{part}" for part in path if part).removeprefix(".")
    what = f"field '{where}'" if where else "the value"
    return BadRecord(f"{what} holds text that is not Unicode: half a pair of surrogates, such as \\ud83d alone")
