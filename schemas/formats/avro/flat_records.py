"""Records whose fields are simple values, decoded and encoded by functions generated for their schema.

The functions do what fastavro does, at a third of the cost, and only for what is beyond doubt: they leave every other
record, and so every error, to `otherwise`. The text of a function is made of the templates below; names, types and
defaults of a schema are never a part of it.
"""

import io
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import fastavro
from fastavro.read import LOGICAL_READERS

Decode = Callable[[bytes], Any]
Encode = Callable[..., bytes]
_DOUBTFUL = (ValueError, TypeError, IndexError, OverflowError, ArithmeticError, AttributeError, struct.error)
_DOUBLE, _FLOAT = struct.Struct("<d"), struct.Struct("<f")
_ONE_BYTE = [bytes([n << 1 if n < 64 else (127 - n << 1) + 1]) for n in range(128)]
"""The encoded numbers from 0 to 63, then from -64 to -1: where Python finds them by a negative index."""
_LENGTHS = _ONE_BYTE[:64]


@dataclass(frozen=True, slots=True)
class _Kind:
    """A field's simple type. `null` is the branch of null in its union, which has two: -1 where it is no union."""

    name: str
    logical: Any = None
    null: int = -1


def _kind_of(schema: Any) -> _Kind | None:
    """None where the type is not simple."""
    if isinstance(schema, list):
        others = [one for one in schema if one != "null"]
        inner = _kind_of(others[0]) if len(schema) == 2 and len(others) == 1 else None
        return _Kind(inner.name, inner.logical, schema.index("null")) if inner is not None else None
    if isinstance(schema, str):
        return _Kind(schema) if schema in _READ else None
    if isinstance(schema["type"], str) and schema["type"] in _READ:
        return _Kind(schema["type"], schema if "logicalType" in schema else None)
    return None


# Decoding: `v` are the bytes, `i` is where the field begins

_NUMBER = """\
n = v[i]
if n < 128:
    i += 1
elif (b := v[i + 1]) < 128:
    n += (b << 7) - 128
    i += 2
elif (c := v[i + 2]) < 128:
    n += (b << 7) + (c << 14) - 16512
    i += 3
elif (d := v[i + 3]) < 128:
    n += (b << 7) + (c << 14) + (d << 21) - 2113664
    i += 4
else:
    n, i = number(v, i)
"""
_LONG = _NUMBER + "{to} = (n >> 1) ^ -(n & 1)\n"
_SPAN = _NUMBER + "if n & 1:\n    raise ValueError\ne = i + (n >> 1)\n"
_READ = {
    "null": "{to} = None\n",
    "boolean": "n = v[i]\nif n > 1:\n    raise ValueError\n{to} = n == 1\ni += 1\n",
    "int": _LONG,
    "long": _LONG,
    "float": "({to},) = float_at(v, i)\ni += 4\n",
    "double": "({to},) = double_at(v, i)\ni += 8\n",
    "bytes": _SPAN + "{to} = v[i:e]\ni = e\n",
    "string": _SPAN + "{to} = v[i:e].decode()\ni = e\n",
}


_SKIP = _READ | {
    "float": "i += 4\n",
    "double": "i += 8\n",
    "bytes": _SPAN + "i = e\n",
    "string": _SPAN + "i = e\n",
}
"""For fields that nobody asks for: damage in them does not count if the record ends where it should."""


def _number(v: bytes, i: int) -> tuple[int, int]:
    """A number as it is encoded, of 64 bits, and where it ends."""
    n = shift = 0
    while (b := v[i]) > 127 and shift < 63:
        n |= (b & 127) << shift
        shift += 7
        i += 1
    n |= b << shift
    if n >> 64:
        raise OverflowError
    return n, i + 1


def flat_decoder(schema: Any, names: Sequence[str], start: int, otherwise: Decode) -> Decode | None:
    """A function from the bytes of a record, which begins at `start`, to the values of the named fields.

    `schema` is that of writer and reader. None where a field is not simple.
    """
    kinds = [_kind_of(field["type"]) for field in schema["fields"]]
    bound: dict[str, Any] = {
        "number": _number,
        "float_at": _FLOAT.unpack_from,
        "double_at": _DOUBLE.unpack_from,
        "doubtful": _DOUBTFUL,
        "otherwise": otherwise,
    }
    lines = [f"i = {start:d}"]
    for at, (field, kind) in enumerate(zip(schema["fields"], kinds, strict=True)):
        if kind is None:
            return None
        lines += _reading(kind, f"f{at}", bound, wanted=field["name"] in names)
    at_name = {field["name"]: at for at, field in enumerate(schema["fields"])}
    values = "".join(f"f{at_name[name]}, " for name in names)
    lines += ["if i == len(v):", f"    return ({values})"]
    return _function("decode(v)", lines, "otherwise(v)", bound)


def _reading(kind: _Kind, to: str, bound: dict[str, Any], *, wanted: bool) -> list[str]:
    lines = (_READ if wanted else _SKIP)[kind.name].format(to=to).splitlines()
    logical = wanted and kind.logical and LOGICAL_READERS.get(f"{kind.name}-{kind.logical['logicalType']}")
    if logical:
        schema = kind.logical
        bound[f"logical_{to}"] = lambda value: logical(value, schema, None)
        lines.append(f"{to} = logical_{to}({to})")
    if kind.null < 0:
        return lines
    head = [
        "n = v[i]",
        "i += 1",
        f"if n == {kind.null * 2:d}:",
        f"    {to} = None",
        f"elif n == {2 - kind.null * 2:d}:",
    ]
    return [*head, *_indented(lines), "else:", "    raise ValueError"]


# Encoding: each value becomes the bytes `p`

_TO_LONG = """\
if type({0}) is not int:
    raise ValueError
p{1} = one_byte[{0}] if -64 <= {0} < 64 else long_bytes({0})
"""
_WRITE = {
    "null": "if {0} is not None:\n    raise ValueError\np{1} = b''\n",
    "boolean": "p{1} = boolean_bytes[{0}] if type({0}) is bool else refuse()\n",
    "int": "if type({0}) is not int or not -2147483648 <= {0} < 2147483648:\n    raise ValueError\n"
    "p{1} = one_byte[{0}] if -64 <= {0} < 64 else long_bytes({0})\n",
    "long": _TO_LONG,
    "float": "p{1} = float_bytes({0}) if type({0}) is float else refuse()\n",
    "double": "p{1} = double_bytes({0}) if type({0}) is float else refuse()\n",
    "bytes": "if type({0}) is not bytes:\n    raise ValueError\n"
    "p{1} = (lengths[n] if (n := len({0})) < 64 else long_bytes(n)) + {0}\n",
    "string": "if type({0}) is not str:\n    raise ValueError\ne = {0}.encode()\n"
    "p{1} = (lengths[n] if (n := len(e)) < 64 else long_bytes(n)) + e\n",
}


def _long_bytes(value: int) -> bytes:
    """A number of 64 bits."""
    n = (value << 1) ^ (value >> 63)
    if n < 0x4000:
        return bytes((n & 127 | 128, n >> 7)) if n > 127 else bytes((n,))
    if n < 0x20_0000:
        return bytes((n & 127 | 128, n >> 7 & 127 | 128, n >> 14))
    if n < 0x1000_0000:
        return bytes((n & 127 | 128, n >> 7 & 127 | 128, n >> 14 & 127 | 128, n >> 21))
    if not -(2**63) <= value < 2**63:
        raise OverflowError
    parts = bytearray()
    while n > 127:
        parts.append(n & 127 | 128)
        n >>= 7
    parts.append(n)
    return bytes(parts)


def _refuse() -> bytes:
    raise ValueError


def flat_encoder(schema: Any, header: bytes, names: Sequence[str], otherwise: Encode) -> Encode | None:
    """A function from the values of the named fields to the bytes of a record, with `header` before them.

    A field that is not named has its default. None where a field is not simple or has a logical type, and where one is
    named twice.
    """
    bound: dict[str, Any] = {
        "one_byte": _ONE_BYTE,
        "lengths": _LENGTHS,
        "long_bytes": _long_bytes,
        "boolean_bytes": (b"\0", b"\1"),
        "float_bytes": _FLOAT.pack,
        "double_bytes": _DOUBLE.pack,
        "refuse": _refuse,
        "header": header,
        "doubtful": _DOUBTFUL,
        "otherwise": otherwise,
    }
    if len({*names}) < len(names):
        return None
    given = {name: f"v{at}" for at, name in enumerate(names)}
    lines, parts = list[str](), ["header"] if header else []
    for at, field in enumerate(schema["fields"]):
        parts.append(f"p{at}")
        kind = _kind_of(field["type"])
        if kind is None or kind.logical is not None:
            return None
        if field["name"] in given:
            lines += _writing(kind, given[field["name"]], at)
        else:
            bound[f"p{at}"] = _written(field["type"], field["default"])
    lines.append(f"return join(({', '.join(parts)},))")
    bound["join"] = b"".join
    arguments = ", ".join(given.values())
    return _function(f"encode({arguments})", lines, f"otherwise({arguments})", bound)


def _writing(kind: _Kind, value: str, at: int) -> list[str]:
    lines = _WRITE[kind.name].format(value, at).splitlines()
    if kind.null < 0:
        return lines
    null, other = bytes([kind.null * 2]), bytes([2 - kind.null * 2])
    there = [*lines, f"p{at} = {other!r} + p{at}"]
    return [f"if {value} is None:", f"    p{at} = {null!r}", "else:", *_indented(there)]


def _written(kind: Any, value: Any) -> bytes:
    out, schema = io.BytesIO(), {"type": "record", "name": "Default", "fields": [{"name": "value", "type": kind}]}
    fastavro.schemaless_writer(out, schema, {"value": value})
    return out.getvalue()


def _indented(lines: Sequence[str]) -> list[str]:
    return ["    " + line for line in lines]


def _function(head: str, lines: Sequence[str], otherwise: str, bound: dict[str, Any]) -> Callable[..., Any]:
    body = ["    try:", *_indented(_indented(lines)), "    except doubtful:", "        pass", f"    return {otherwise}"]
    text = "\n".join([f"def {head}:", *body])
    exec(compile(text, "<avro>", "exec"), bound)  # noqa: S102  # the templates of this module only
    made: Callable[..., Any] = bound[head.partition("(")[0]]
    return made
