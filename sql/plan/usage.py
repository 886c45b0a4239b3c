"""Which values an expression, or a stage, names."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, assert_never

from jobplane.sql.types.typed import (
    Apply,
    Choice,
    Coalesce,
    Constant,
    Field,
    Junction,
    Let,
    Loop,
    Loose,
    NullTest,
    Typed,
)

if TYPE_CHECKING:
    from jobplane.sql.plan.selects import Stage


def children(tree: Typed) -> Iterator[Typed]:
    """The values an expression is made of."""
    match tree:
        case Constant() | Field():
            return
        case Apply(_, arguments) | Loose(_, arguments):
            yield from arguments
        case Junction(operands) | Coalesce(operands):
            yield from operands
        case NullTest(operand):
            yield operand
        case Choice(branches, otherwise):
            for when, then in branches:
                yield when
                yield then
            yield otherwise
        case Let(_, value, body):
            yield value
            yield body
        case Loop(_, over, _, results, start=start):
            yield over
            if start is not None:
                yield start
            yield from results
        case never:
            assert_never(never)


def keys_of(tree: Typed) -> dict[str, None]:
    """The keys of the fields in an expression, in the order met."""
    found: dict[str, None] = {}
    waiting = [tree]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Field):
            found[one.key] = None
        waiting += reversed(list(children(one)))
    return found


def keys_in(stages: "Iterable[Stage]", *values: Iterable[Typed]) -> set[str]:
    found: set[str] = set()
    for stage in stages:
        found |= keys_of(stage.value).keys()
    for several in values:
        for value in several:
            found |= keys_of(value).keys()
    return found
