"""JSON objects as msgspec reads and writes them: structs of only the fields a query needs, nested as their paths."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from sql.plan import Read
from sql.values import read_as

_NULL = msgspec.Raw(b"null")
Path = tuple[str, ...]


def row_of(fields: Sequence[Read], names: Mapping[str, str]) -> tuple[type, dict[str, str]]:
    """A struct that reads the fields, and for each the Python that finds it in the row `r`. What is missing is NULL.

    `names` are the struct's own, by field. The Python may give None, or a JSON null for a field of any type.
    """
    leaves = {field.path: field for field in fields}
    reads: dict[str, str] = {}

    def struct(prefix: Path, place: str, there: str) -> type:
        members: list[tuple[str, Any, Any]] = []
        rename = {}
        for part in dict.fromkeys(path[len(prefix)] for path in leaves if path[: len(prefix)] == prefix):
            path = (*prefix, part)
            if field := leaves.get(path):
                member, read_as = names[field.key], _read_as(field)
                members.append((member, read_as, _NULL if read_as is msgspec.Raw else None))
                reads[field.key] = f"({place}.{member} if {there} else None)" if there else f"{place}.{member}"
            else:
                member = f"n{len(members)}"
                inner = f"{place}.{member}"
                guard = f"{there} and {inner} is not None" if there else f"{inner} is not None"
                members.append((member, struct(path, inner, guard) | None, None))
            rename[member] = part
        made: type = msgspec.defstruct("Row", members, rename=rename, gc=False)
        return made

    return struct((), "r", ""), reads


def _read_as(field: Read) -> Any:
    read = read_as(field.type)
    return read if read is msgspec.Raw else read | None


def value_of(outputs: Sequence[tuple[Path, str]]) -> tuple[str, dict[str, type]]:
    """Python that makes the value of (path, Python of the field) pairs, and the structs bound to the names in it."""
    structs: dict[str, type] = {}
    leaves = dict(outputs)

    def make(prefix: Path) -> str:
        name = f"Out{len(structs)}"
        structs[name] = object  # keeps the name while inner ones are made
        arguments: list[str] = []
        members: dict[str, str] = {}
        for part in dict.fromkeys(path[len(prefix)] for path in leaves if path[: len(prefix)] == prefix):
            members[f"o{len(members)}"] = part
            path = (*prefix, part)
            arguments.append(leaves[path] if path in leaves else make(path))
        structs[name] = msgspec.defstruct(name, [(one, Any) for one in members], rename=members, gc=False)
        return f"{name}({', '.join(arguments)})"

    return make(()), structs
