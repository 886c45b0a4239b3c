"""Walks over the nodes of a syntax tree."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any


def walk(tree: object) -> Iterator[object]:
    """The tree and all nodes in it, parents first, in the order of the text."""
    waiting: list[Any] = [tree]
    while waiting:
        one = waiting.pop()
        yield one
        if isinstance(one, tuple):
            waiting += reversed(one)
        elif is_dataclass(one):
            waiting += [getattr(one, field.name) for field in reversed(fields(one))]
