"""Guesses what bytes are that their format cannot read, and says what to do. It is asked only after a failure.

The guess follows the reason why the bytes cannot be read, and never replaces it. The first row that recognizes the
bytes wins.
"""

import json
import struct
from collections.abc import Callable, Sequence

import msgspec

from jobplane.schemas.formats import AVRO, CSV, JSON, VARCHAR
from jobplane.schemas.formats.avro.known_schemas import HEADER, number_in_frame
from jobplane.schemas.types.json_text import is_json

_COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\xff\x06\x00\x00sNaPpY": "snappy",
    b"\x82SNAPPY\x00": "snappy",
    b"\x04\x22\x4d\x18": "lz4",
    b"PK\x03\x04": "zip",
    b"BZh": "bzip2",
}
_DELIMITERS = {"\t": "tab", ";": ";", "|": "|", ",": ","}
FEW = 2
"""Delimiters from which on a text is taken for a line of CSV: a sentence may have one comma."""
_CSV_BY = f"declare its columns by CREATE MAPPING with {{role}}Format '{CSV}'"
_TEXT_CONTROLS = frozenset("\t\r\n")
_LONGEST_VARINT = 10
"""Bytes of a number of Protobuf; longer ones would cost a time that grows with the square of their length."""


def format_hint(data: bytes, wanted: str, role: str) -> str:
    """The end of a message about bytes that the format `wanted` cannot read; empty if nothing is known about them.

    `role` is key or value.
    """
    for look in _LOOKS:
        if found := look(data):
            format_, what, remedy = found
            if format_ == wanted or (format_, wanted) == (VARCHAR, CSV):
                return ""
            option = f"{role}Format '{format_}'"
            return f"; it {what}: {remedy.replace('{option}', option).replace('{role}', role)}"
    return ""


Look = tuple[str, str, str] | None
"""The format that reads the bytes (or ""), what they are, and what to do; {option} stands for the format's option."""


def _empty(data: bytes) -> Look:
    return ("", "is empty", "a record without a {role} has null there, not zero bytes") if not data else None


def _compressed(data: bytes) -> Look:
    kind = next((name for start, name in _COMPRESSED.items() if data.startswith(start)), "")
    remedy = "leave that to Kafka: set compression.type in the producer"
    return ("", f"is compressed ({kind})", remedy) if kind else None


def _avro_file(data: bytes) -> Look:
    what = "is a file of Avro, with its header"
    return ("", what, "write each record of it as a record of Kafka") if data[:4] == b"Obj\x01" else None


def _single_object(data: bytes) -> Look:
    what = "is Avro in single-object encoding (C3 01)"
    return ("", what, "write it bare, or as a schema registry's client does") if data[:2] == b"\xc3\x01" else None


def _java(data: bytes) -> Look:
    what = "is a serialized Java object"
    return ("", what, "write JSON, Avro or CSV") if data[:4] == b"\xac\xed\x00\x05" else None


def _framed_json(data: bytes) -> Look:
    if data[:1] != b"\0" or not is_json(data[HEADER:]):
        return None
    what = f"is JSON behind 00 and the number {int.from_bytes(data[1:HEADER], 'big')} of a schema registry"
    return "", what, "write it with a serializer that puts nothing before the JSON"


def _framed(data: bytes) -> Look:
    number = number_in_frame(data)
    if not number:
        return None
    what = f"begins with 00 and the number {number} of a schema registry"
    return AVRO, what, "if it is Avro, read it with {option}, as an option of the job or its mapping"


def _twice(data: bytes) -> Look:
    """A JSON string that contains JSON."""
    if data[:1] != b'"' or not is_json(data):
        return None
    inner = msgspec.json.decode(data, type=str).encode(errors="replace")
    if inner[:1] not in (b"{", b"["):
        return None
    return "", "is JSON inside a JSON string", "it was encoded twice; encode it once"


def _json(data: bytes) -> Look:
    if not is_json(data):
        return None
    return JSON, "is JSON", "leave the format out, which is then json-flat, or read it by {option}"


def _json_lines(data: bytes) -> Look:
    lines = [line for line in data.split(b"\n") if line.strip()]
    if len(lines) < 2 or not all(map(is_json, lines)):
        return None
    return "", "is several values of JSON, one a line", "write each as a record of its own"


def _json_in_a_row(data: bytes) -> Look:
    if data.lstrip()[:1] not in (b"{", b"[") or not _is_text(data):
        return None
    text = data.decode().strip()
    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return None
    if text[end:].lstrip()[:1] not in ("{", "["):
        return None
    return "", "is several values of JSON in one record", "write each as a record of its own"


def _broken_json(data: bytes) -> Look:
    damaged = data.lstrip()[:1] in (b"{", b"[") and _is_text(data)
    return (JSON, "is JSON that is damaged", "look at what writes it") if damaged else None


def _utf16(data: bytes) -> Look:
    what = "is text in UTF-16"
    return ("", what, "write it in UTF-8") if data[:2] in (b"\xff\xfe", b"\xfe\xff") else None


def _xml(data: bytes) -> Look:
    return ("", "is XML", "write JSON, Avro or CSV") if data.lstrip()[:1] == b"<" and _is_text(data) else None


def _line(data: bytes) -> Look:
    text = data.decode(errors="replace").rstrip("\r\n")
    mark = next((one for one in _DELIMITERS if text.count(one) >= FEW), "")
    if not mark or "\n" in text or not _is_text(data):
        return None
    return (
        CSV,
        f"may be a line of CSV (with '{_DELIMITERS[mark]}')",
        _CSV_BY,
    )


def _short_line(data: bytes) -> Look:
    mark = delimiter_of([data])
    return (
        (VARCHAR, f"is text, perhaps a line of CSV (with '{_DELIMITERS[mark]}')", f"{_CSV_BY}, or {{option}}")
        if mark and _is_text(data)
        else None
    )


def delimiter_of(lines: Sequence[bytes]) -> str:
    """The delimiter of lines that may be CSV: in each as often as in the others, and no blank after it. Or nothing."""
    texts = [line.decode(errors="replace").rstrip("\r\n") for line in lines]
    for mark in _DELIMITERS:
        counts = {text.count(mark) for text in texts}
        if len(counts) == 1 and 0 not in counts and not any("\n" in text or f"{mark} " in text for text in texts):
            return mark
    return ""


def _text(data: bytes) -> Look:
    return (VARCHAR, "is text", "read it by {option}") if _is_text(data) else None


def _protobuf(data: bytes) -> Look:
    what = "may be Protobuf"
    return ("", what, "no format reads Protobuf: write JSON, Avro or CSV") if _is_protobuf(data) else None


def _whole_number(data: bytes) -> Look:
    name = {2: "smallint", 4: "integer", 8: "bigint"}.get(len(data), "")
    return (name, f"may be a number of {len(data)} bytes", "read it by {option}") if name else None


_LOOKS: tuple[Callable[[bytes], Look], ...] = (
    *(_empty, _compressed, _avro_file, _single_object, _java, _framed_json, _framed, _twice, _json, _json_lines),
    *(_json_in_a_row, _broken_json, _utf16, _xml, _line, _short_line, _text, _protobuf, _whole_number),
)


def _is_text(data: bytes) -> bool:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return False
    return all(sign.isprintable() or sign in _TEXT_CONTROLS for sign in text)


def _is_protobuf(data: bytes) -> bool:
    """Whether the bytes are, from the first to the last, fields as Protobuf writes them."""
    at, fields = 0, 0
    try:
        while at < len(data):
            tag, at = _varint(data, at)
            number, kind = tag >> 3, tag & 7
            if not 0 < number < 1 << 29 or kind not in _SKIPS:
                return False
            at = _SKIPS[kind](data, at)
            fields += 1
    except IndexError:
        return False
    return at == len(data) and fields > 0


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The number, and where it ends. Raises IndexError where there is none."""
    value = 0
    for i in range(_LONGEST_VARINT):
        value |= (data[at + i] & 127) << 7 * i
        if not data[at + i] & 128:
            return value, at + i + 1
    raise IndexError


def _bytes(data: bytes, at: int) -> int:
    length, at = _varint(data, at)
    return at + length


_SKIPS: dict[int, Callable[[bytes, int], int]] = {
    0: lambda data, at: _varint(data, at)[1],
    1: lambda _, at: at + struct.calcsize("<q"),
    2: _bytes,
    5: lambda _, at: at + struct.calcsize("<i"),
}
"""How each kind of field is passed over, by its number on the wire."""
