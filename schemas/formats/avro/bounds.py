"""Refuses schemas that are too large to process, or whose values a few bytes could make endless.

A record that is named in two places counts twice: forty lines of schema can describe a million million fields.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jobplane.schemas.types.datatypes import DEEPEST, MOST_TYPES


@dataclass(frozen=True, slots=True)
class _Size:
    """The number of types in a schema, and how deep they are nested."""

    types: int
    depth: int


@dataclass(slots=True)
class _Bounds:
    """`named` are the schemas by name; a size is found out once for each."""

    named: Mapping[str, Any]
    _known: dict[str, _Size] = field(default_factory=dict)

    def size(self, schema: Any, inside: tuple[str, ...] = ()) -> _Size:
        """`inside` are the records round it. Raises ValueError."""
        if isinstance(schema, str):
            return self._of_name(schema, inside)
        if isinstance(schema, list):
            return self._around([self.size(one, inside) for one in schema])
        match schema["type"]:
            case "record" | "error":
                within = (*inside, schema["name"])
                return self._around([self.size(one["type"], within) for one in schema["fields"]])
            case "array":
                found = self._around([self.size(schema["items"], inside)])
                if _is_empty(schema["items"], self.named):
                    raise ValueError(
                        "an array of elements that take no bytes is not supported: its length has no limit"
                    )
                return found
            case "map":
                return self._around([self.size(schema["values"], inside)])
            case str():
                return _Size(1, 1)
        return self.size(schema["type"], inside)

    def _of_name(self, name: str, inside: tuple[str, ...]) -> _Size:
        if name in inside:
            raise ValueError(f"the record {name} contains itself, which is not supported: its depth has no limit")
        if name not in self.named:
            return _Size(1, 1)
        if name not in self._known:
            self._known[name] = self.size(self.named[name], inside)
        return self._known[name]

    def _around(self, inner: list[_Size]) -> _Size:
        """The size of a type that contains these. Raises ValueError if it is too large."""
        types, depth = 1 + sum(one.types for one in inner), 1 + max((one.depth for one in inner), default=0)
        if types > MOST_TYPES:
            raise ValueError(f"it has more than {MOST_TYPES:,} types, each counted wherever it is named")
        if depth > DEEPEST:
            raise ValueError(f"its types are nested more than {DEEPEST} deep")
        return _Size(types, depth)


def check_bounded(schema: Any, named: Mapping[str, Any]) -> None:
    """Raises ValueError where few bytes could be a value without end: fastavro would take all memory, or crash."""
    _Bounds(named).size(schema)


def _is_empty(schema: Any, named: Mapping[str, Any]) -> bool:
    """Whether every value of it is written as no bytes."""
    one = named.get(schema, schema) if isinstance(schema, str) else schema
    if isinstance(one, str | list):
        return one == "null"
    if one["type"] in ("record", "error"):
        return all(_is_empty(field["type"], named) for field in one["fields"])
    return one["type"] == "null" or (one["type"] == "fixed" and not one["size"])
