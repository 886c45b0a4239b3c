"""The format `json-flat`: a JSON object whose fields are the columns. Only the fields that are needed are decoded."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec

from jobplane.schemas.formats.fields import FieldDecoder, FieldEncoder, FieldPath, Format, FormatLayout, TypedField
from jobplane.schemas.formats.json.odd_names import field_finder, is_odd, object_maker
from jobplane.schemas.formats.json.second_look import decode_again
from jobplane.schemas.formats.json.values import decoder, msgspec_type, read_conversion, write_conversion
from jobplane.schemas.types.json_text import ENCODER

_NULL = msgspec.Raw(b"null")


def field_decoder(fields: Sequence[TypedField], *_: object) -> FieldDecoder:
    """A missing field is NULL. The code of a field may give a JSON null, whatever its type."""
    conversions = tuple(read_conversion(one.type) for one in fields)
    decode, places = _reading(fields)
    return FieldDecoder(decode, places, conversions, partial(decode_again, decode))


def _reading(fields: Sequence[TypedField]) -> tuple[Callable[[bytes], Any], tuple[str, ...]]:
    """The decoder of an object, and the Python expression that finds each field in its result."""
    odd = [i for i, one in enumerate(fields) if any(map(is_odd, one.path))]
    if not odd:
        struct, places = _row_of(fields, "r")
        return decoder(struct).decode, places
    struct, found = _row_of([one for i, one in enumerate(fields) if i not in odd], "r[0]")
    decode, finders = decoder(struct).decode, [_finder(fields[i]) for i in odd]
    others = iter(found)
    places = tuple(f"r[{odd.index(i) + 1}]" if i in odd else next(others) for i in range(len(fields)))
    return lambda data: (decode(data), *(find(data) for find in finders)), places


def _finder(one: TypedField) -> Callable[[bytes], Any]:
    kind = msgspec_type(one.type)
    if kind is msgspec.Raw:
        return field_finder(one.path, decoder(kind).decode, _NULL)
    return field_finder(one.path, decoder(kind | None).decode, None)


def field_encoder(fields: Sequence[TypedField], _: FormatLayout = FormatLayout()) -> FieldEncoder:  # noqa: B008  # it is frozen
    """The object with its fields in their order, nested as their paths."""
    code, structs = _value_of([one.path for one in fields])
    return FieldEncoder(
        f"encode({code})", {**structs, "encode": ENCODER.encode}, tuple(write_conversion(one.type) for one in fields)
    )


def _row_of(fields: Sequence[TypedField], row: str) -> tuple[type, tuple[str, ...]]:
    """A struct that reads the fields, and for each the Python that finds it in the row."""
    leaves = {field.path: i for i, field in enumerate(fields)}
    places = [""] * len(fields)

    def struct(prefix: FieldPath, place: str, there: str) -> type:
        members: list[tuple[str, Any, Any]] = []
        rename = {}
        for part in dict.fromkeys(path[len(prefix)] for path in leaves if path[: len(prefix)] == prefix):
            path = (*prefix, part)
            if (i := leaves.get(path)) is not None:
                member, kind = f"f{i}", msgspec_type(fields[i].type)
                members.append((member, kind, _NULL) if kind is msgspec.Raw else (member, kind | None, None))
                places[i] = f"({place}.{member} if {there} else None)" if there else f"{place}.{member}"
            else:
                member = f"n{len(members)}"
                inner = f"{place}.{member}"
                guard = f"{there} and {inner} is not None" if there else f"{inner} is not None"
                members.append((member, struct(path, inner, guard) | None, None))
            rename[member] = part
        made: type = msgspec.defstruct("Row", members, rename=rename, gc=False)
        return made

    return struct((), row, ""), tuple(places)


def _value_of(paths: Sequence[FieldPath]) -> tuple[str, dict[str, Callable[..., Any]]]:
    """Python that makes the object, and the structs bound to the names in it."""
    structs: dict[str, Callable[..., Any]] = {}
    leaves = {path: f"{{{i}}}" for i, path in enumerate(paths)}

    def make(prefix: FieldPath) -> str:
        name = f"Out{len(structs)}"
        structs[name] = object  # keeps the name while inner ones are made
        arguments: list[str] = []
        members: dict[str, str] = {}
        for part in dict.fromkeys(path[len(prefix)] for path in leaves if path[: len(prefix)] == prefix):
            members[f"o{len(members)}"] = part
            path = (*prefix, part)
            arguments.append(leaves[path] if path in leaves else make(path))
        if any(map(is_odd, members.values())):
            structs[name] = object_maker(tuple(members.values()))
        else:
            structs[name] = msgspec.defstruct(name, [(one, Any) for one in members], rename=members, gc=False)
        return f"{name}({', '.join(arguments)})"

    return make(()), structs


FORMAT = Format("json-flat", field_decoder, field_encoder, self_describing=True, holds_objects=True, nests_fields=True)
