"""The parts of an expression, and the values that it names."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import assert_never

from msgspec.structs import replace

from jobplane.sql.types.typed import (
    Apply,
    ApplyNullable,
    Choice,
    Coalesce,
    Constant,
    Field,
    Junction,
    Let,
    Loop,
    NullTest,
    Typed,
)


def children(tree: Typed) -> Iterator[Typed]:
    """The values that an expression consists of."""
    match tree:
        case Constant() | Field():
            return
        case Apply(_, arguments) | ApplyNullable(_, arguments):
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


def post_order(trees: Iterable[Typed]) -> Iterator[Typed]:
    """All values in expressions: each once, after the values that it consists of. The depth is not limited."""
    done: set[int] = set()
    for tree in trees:
        waiting = [tree]
        while waiting:
            one = waiting[-1]
            missing = [] if id(one) in done else [child for child in children(one) if id(child) not in done]
            if missing:
                waiting += reversed(missing)
                continue
            waiting.pop()
            if id(one) not in done:
                done.add(id(one))
                yield one


def substitute(tree: Typed, value_of: Callable[[Field], Typed]) -> Typed:
    """The expression with other values for its fields."""
    made: dict[int, Typed] = {}
    for one in post_order([tree]):
        new = [made[id(child)] for child in children(one)]
        made[id(one)] = value_of(one) if isinstance(one, Field) else _with_children(one, new)
    return made[id(tree)]


class ExpressionCleaner:
    """Expressions without what only their analysis needs: slots, and the faults of constants."""

    def __init__(self) -> None:
        self._made: dict[int, tuple[Typed, Typed]] = {}
        """By the identity of an expression, which is kept so that no other takes it: that and what becomes of it."""

    def clean(self, tree: Typed) -> Typed:
        if isinstance(tree, Constant | Field):
            return _clean_node(tree)
        for one in post_order([tree]):
            if id(one) not in self._made:
                before = list(children(one))
                made = [self._made[id(child)][1] for child in before]
                alike = all(new is old for new, old in zip(made, before, strict=True))
                self._made[id(one)] = one, _clean_node(one if alike else _with_children(one, made))
        return self._made[id(tree)][1]


def _clean_node(one: Typed) -> Typed:
    match one:
        case Field(slot=(_, *_)) | Loop(slot=(_, *_)):
            return replace(one, slot=())
        case Apply() if one.slot or one.fault:
            return replace(one, slot=(), fault="")
        case ApplyNullable() if one.fault:
            return replace(one, fault="")
    return one


def _with_children(tree: Typed, new: Sequence[Typed]) -> Typed:
    """The expression with other children, in the order of `children`."""
    match tree:
        case Constant() | Field():
            return tree
        case Apply() | ApplyNullable():
            return replace(tree, arguments=tuple(new))
        case Junction() | Coalesce():
            return replace(tree, operands=tuple(new))
        case NullTest():
            return replace(tree, operand=new[0])
        case Choice():
            return replace(tree, branches=tuple(zip(new[:-1:2], new[1::2], strict=True)), otherwise=new[-1])
        case Let():
            return replace(tree, value=new[0], body=new[1])
        case Loop(start=None):
            return replace(tree, over=new[0], results=tuple(new[1:]))
        case Loop():
            return replace(tree, over=new[0], start=new[1], results=tuple(new[2:]))
        case never:
            assert_never(never)
