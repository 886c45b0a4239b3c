"""What all rules have in common when a parse tree becomes values: places and names."""

from bisect import bisect_right
from typing import Any

from parsimonious.nodes import Node, NodeVisitor

from jobplane.schemas.errors import Place, Refused
from jobplane.sql.syntax import statements


def children_of(node: Any) -> list[Any]:
    """The children of a `?`, `*` or `+` that matched; empty if it matched nothing, which is a Node."""
    return node if isinstance(node, list) else []


def first_child(node: Any) -> Any:
    """What a `?` matched, or None."""
    return node[0] if isinstance(node, list) else None


def list_items(head: Any, rest: Any) -> list[Any]:
    """The items of `item (comma item)*`."""
    return [head, *(item for _, item in children_of(rest))]


def keyword(node: Node) -> str:
    """The keyword a choice of keywords matched, in capital letters."""
    while node.children:
        node = node.children[0]
    return str(node.text).upper()


class Builder(NodeVisitor):  # type: ignore[misc]  # parsimonious carries no types
    """Has one method for each rule; a rule without a method gives its children, or its node if it has none."""

    unwrapped_exceptions = (Refused,)

    def __init__(self, text: str) -> None:
        self.text = text
        self._lines = [0, *(i + 1 for i, c in enumerate(text) if c == "\n")]

    def place(self, node: Node) -> Place:
        line = bisect_right(self._lines, node.start)
        return Place(line, node.start - self._lines[line - 1] + 1)

    def generic_visit(self, node: Node, children: list[Any]) -> Any:
        return children or node

    # Names

    def visit_name(self, _: Node, children: list[Any]) -> statements.Name:
        name: statements.Name = children[0]
        return name

    def visit_bare(self, node: Node, _: list[Any]) -> statements.Name:
        return statements.Name(node.children[1].text, self.place(node))

    def visit_quoted(self, node: Node, _: list[Any]) -> statements.Name:
        return statements.Name(node.children[0].text[1:-1].replace('""', '"'), self.place(node))
