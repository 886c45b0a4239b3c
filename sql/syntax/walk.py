"""Walks over the nodes of a syntax tree."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any


def walk(tree: object) -> Iterator[object]:
    """The tree and all nodes in it, parents first, in the order of the text."""
    waiting: list[Any] = [tree]
    while waiting:
        one = waiting.pop()
        yield one
        if isinstance(one, tuple):
            waiting += reversed(one)
        else:
            kind: Any = type(one)
            waiting += [getattr(one, name) for name in _fields(kind)]


@cache
def _fields(kind: type) -> tuple[str, ...]:
    """The names of the fields of a node, the last first; none of what is not a node."""
    return tuple(one.name for one in reversed(fields(kind))) if is_dataclass(kind) else ()
