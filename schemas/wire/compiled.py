"""Compiles readers of Avro records from their schemas: from bytes to record without a dictionary, twice as fast.

fastavro writes all records, and reads those of older schemas; the readers here are tested against it. Their source is
made only of the templates below and of names in our own schemas.
"""

import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from enum import StrEnum
from itertools import count
from struct import Struct
from typing import Any, Union, get_args, get_origin, get_type_hints

from jobplane.schemas.wire.avro_names import avro_name

RecordReader = Callable[[bytes, int], tuple[Any, int]]
"""(bytes, position) → the record that begins there, and the position after it.

Raises IndexError, KeyError or ValueError if there is none. If bytes end too early, the position may lie beyond them.
"""
Lines = Iterator[str]


def compile_reader(schema: dict[str, Any], record: type, namespace: str) -> RecordReader:
    """The reader of a record type by its own schema, which must name the same fields in the same order."""
    return _Compiler(namespace, _named(schema)).record(record)


def _more(data: bytes, place: int, value: int) -> tuple[int, int]:
    """The rest of a number of which more than one byte is needed, not yet unfolded from zigzag."""
    value &= 127
    for shift in range(7, 70, 7):
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
    raise ValueError("a number of more than ten bytes")


def _damaged(what: str, value: int) -> Any:
    raise ValueError(f"{what} {value}")


def _named(schema: Any) -> dict[str, Any]:
    """The schemas of the records in a schema, by name: each is written out where it is met first."""
    match schema:
        case {"type": "record", "name": name, "fields": listed}:
            return {name: schema} | _named([one["type"] for one in listed])
        case {"items": inner} | {"values": inner}:
            return _named(inner)
        case [*branches]:
            return {name: one for branch in branches for name, one in _named(branch).items()}
    return {}


class _Compiler:
    """Makes a function for each record type of a schema when it is first called: most records have few types in them.

    Functions call each other by name.
    """

    def __init__(self, namespace: str, named: dict[str, Any]) -> None:
        self._namespace, self._named = namespace, named
        self._known: dict[str, Any] = {"more": _more, "damaged": _damaged, "double": Struct("<d").unpack_from}
        self._known["known"] = self._known
        self._variables = count()

    def record(self, cls: type) -> RecordReader:
        """Compiles the function of a record type."""
        name = avro_name(cls)
        schema = self._named[self._namespace + name]
        listed = [one["name"] for one in schema["fields"]]
        if listed != [one.name for one in fields(cls)]:
            raise TypeError(f"the fields of {name} are not those of its schema")
        hints = get_type_hints(cls)
        values = [f"f{at}" for at in range(len(listed))]
        lines = [f"def read_{name}(d, i):"]
        for value, one in zip(values, schema["fields"], strict=True):
            lines += _indented(self._value(one["type"], hints[one["name"]], value))
        lines.append(f"    return make_{name}({', '.join(values)}), i")
        self._known[f"make_{name}"] = cls
        exec("\n".join(lines), self._known)  # noqa: S102  made of the templates here
        made: RecordReader = self._known[f"read_{name}"]
        return made

    def _reader(self, kind: Any, cls: type) -> str:
        """The name of the function of a record type, whose schema is `kind`."""
        name = (kind if isinstance(kind, str) else kind["name"]).removeprefix(self._namespace)
        if name != avro_name(cls):
            raise TypeError(f"the schema of {name} is not that of {avro_name(cls)}")

        def read(data: bytes, place: int) -> tuple[Any, int]:
            return self.record(cls)(data, place)

        reader = f"read_{name}"
        self._known.setdefault(reader, read)
        return reader

    def _value(self, kind: Any, hint: Any, to: str) -> Lines:
        """Lines that read a value of the Avro type `kind` at `d[i]` into the variable `to`, and move `i` on."""
        match kind:
            case "long":
                yield from _number(to)
                yield f"{to} = ({to} >> 1) ^ -({to} & 1)"
            case "string" if isinstance(hint, type) and issubclass(hint, StrEnum):
                self._known[f"members_{hint.__name__}"] = hint._value2member_map_
                yield from _bytes(to, ".decode()", "''")
                yield f"{to} = members_{hint.__name__}[{to}]"
            case "string":
                yield from _bytes(to, ".decode()", "''")
            case "bytes":
                yield from _bytes(to, "", "b''")
            case "double":
                yield "if i + 8 > len(d): damaged('a number cut off at', i)"
                yield f"{to} = double(d, i)[0]"
                yield "i += 8"
            case "boolean":
                yield f"{to} = d[i] == 1"
                yield "i += 1"
            case {"type": "array", "items": inner}:
                yield from self._blocks(to, "[]", self._appended(inner, get_args(hint)[0], to))
                yield f"{to} = tuple({to})"
            case {"type": "map", "values": inner}:
                yield from self._blocks(to, "{}", self._entered(inner, get_args(hint)[1], to))
            case [*branches]:
                yield from self._union(branches, hint, to)
            case {"type": "record"} | str():
                yield f"{to}, i = {self._reader(kind, hint)}(d, i)"
            case _:
                raise TypeError(f"no reader for {kind}")

    def _union(self, branches: Sequence[Any], hint: Any, to: str) -> Lines:
        """Of null and one type, or of records."""
        yield from _number(to)
        if branches[0] == "null":
            inner = next(one for one in get_args(hint) if one is not type(None))
            yield f"if {to} == 0: {to} = None"
            yield f"elif {to} == 2:"
            yield from _indented(self._value(branches[1], inner, to))
            yield f"else: damaged('no branch', {to})"
            return
        readers = f"branches{next(self._variables)}"
        self._known[readers] = [self._reader(one, cls) for one, cls in zip(branches, _members(hint), strict=True)]
        yield f"if {to} & 1: damaged('no branch', {to})"
        yield f"{to}, i = known[{readers}[{to} >> 1]](d, i)"

    def _appended(self, inner: Any, hint: Any, to: str) -> Lines:
        one = f"v{next(self._variables)}"
        yield from self._value(inner, hint, one)
        yield f"{to}.append({one})"

    def _entered(self, inner: Any, hint: Any, to: str) -> Lines:
        key, one = f"v{next(self._variables)}", f"v{next(self._variables)}"
        yield from _bytes(key, ".decode()", "''")
        yield from self._value(inner, hint, one)
        yield f"{to}[{key}] = {one}"

    def _blocks(self, to: str, empty: str, item: Lines) -> Lines:
        """Items come in blocks, each with their number before it, and 0 at the end; with the size if it is negative."""
        n = f"n{next(self._variables)}"
        yield f"{to} = {empty}"
        yield "while True:"
        yield from _indented(_number(n))
        yield f"    if not {n}: break"
        yield f"    if {n} & 1: damaged('a block with its size, of', {n})"
        yield f"    for _ in range({n} >> 1):"
        yield from _indented(_indented(item))


def _number(to: str) -> Lines:
    yield f"{to} = d[i]"
    yield "i += 1"
    yield f"if {to} > 127: {to}, i = more(d, i, {to})"


def _bytes(to: str, decoded: str, empty: str) -> Lines:
    yield from _number(to)
    yield f"if {to}:"
    yield f"    if {to} & 1: damaged('length', {to})"
    yield f"    j = i + ({to} >> 1)"
    yield f"    {to} = d[i:j]{decoded}"
    yield "    i = j"
    yield f"else: {to} = {empty}"


def _indented(lines: Lines) -> Lines:
    return (f"    {line}" for line in lines)


def _members(hint: Any) -> tuple[Any, ...]:
    if get_origin(hint) not in (types.UnionType, Union):
        raise TypeError(f"no union: {hint}")
    return get_args(hint)
