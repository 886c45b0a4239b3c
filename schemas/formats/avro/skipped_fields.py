"""Guards fields that the reader's schema leaves out: fastavro skips them without checking that their bytes exist.

A damaged record may announce an array of a million million floats; fastavro would loop that often, holding the
interpreter. For schemas that allow this, the bytes are read from a source that raises EOFError at its end.
"""

import io
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jobplane.schemas.formats.avro.types import named_schemas

_UNSEEN = frozenset({"boolean", "float", "double"})
"""Types that fastavro skips by their size alone; all others begin with a number, which must exist."""


class EndCheckedSource:
    """A source that raises EOFError if fewer bytes are left than are asked for."""

    __slots__ = ("_read", "seek", "tell")

    def __init__(self, source: io.BytesIO) -> None:
        self._read, self.seek, self.tell = source.read, source.seek, source.tell

    def read(self, count: int) -> bytes:
        data = self._read(count)
        if len(data) < count:
            raise EOFError
        return data


def end_checked(writer: Any, reader: Any) -> Callable[[io.BytesIO], Any]:
    """The wrapper of a source that fastavro needs to read records of one schema as those of another."""
    named = named_schemas(writer)
    known = [_names(one) for one in named_schemas(reader).values() if "fields" in one]
    for record in named.values():
        for field in record.get("fields", ()):
            left_out = not all(field["name"] in names for names in known)
            if left_out and any(_is_unseen(items, named) for items in _items(field["type"], named)):
                return EndCheckedSource
    return _as_it_is


def _as_it_is(source: io.BytesIO) -> io.BytesIO:
    return source


def _names(record: Any) -> set[str]:
    """All names that the fields of a reader's record go by."""
    return {name for field in record["fields"] for name in (field["name"], *field.get("aliases", ()))}


def _items(schema: Any, named: Mapping[str, Any]) -> Iterator[Any]:
    """The schemas of the elements of all arrays in a schema."""
    if isinstance(schema, list):
        for one in schema:
            yield from _items(one, named)
    elif isinstance(schema, str):
        yield from _items(named[schema], named) if schema in named else ()
    else:
        if schema["type"] == "array":
            yield schema["items"]
        for part in (schema.get("items"), schema.get("values"), *(one["type"] for one in schema.get("fields", ()))):
            if part is not None:
                yield from _items(part, named)


def _is_unseen(schema: Any, named: Mapping[str, Any]) -> bool:
    one = named.get(schema, schema) if isinstance(schema, str) else schema
    kind = one["type"] if isinstance(one, dict) else one
    if kind in ("record", "error"):
        return all(field["type"] == "null" or _is_unseen(field["type"], named) for field in one["fields"])
    return isinstance(kind, str) and (kind in _UNSEEN or kind == "fixed")
