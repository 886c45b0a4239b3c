"""The parts of a syntax tree, for whoever looks for some of them."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any


def walk(tree: object) -> Iterator[object]:
    """The tree and all that is in it, each before what it holds, in the order of the text."""
    waiting: list[Any] = [tree]
    while waiting:
        one = waiting.pop()
        yield one
        if isinstance(one, tuple):
            waiting += reversed(one)
        elif is_dataclass(one):
            waiting += [getattr(one, field.name) for field in reversed(fields(one))]
