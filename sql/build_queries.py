"""The rules of INSERT and of the queries in it."""

from typing import Any

from parsimonious.nodes import Node

from schemas.errors import NestedTooDeep
from sql import nodes
from sql.build_expressions import ExpressionBuilder
from sql.building import first, listed, many, word
from sql.scan import MAX_DEPTH


class QueryBuilder(ExpressionBuilder):
    """Queries, from the inside out."""

    def visit_insert(self, node: Node, children: list[Any]) -> nodes.Insert:
        _, _, target, columns, query = children
        return nodes.Insert(nodes.Keyword(word(node.children[0])), target, tuple(first(columns) or ()), query)

    def visit_columns(self, _: Node, children: list[Any]) -> list[nodes.Name]:
        return listed(children[1], children[2])

    def visit_query(self, _: Node, children: list[Any]) -> nodes.Query:
        bindings, select, others = children
        return nodes.Query(tuple(first(bindings) or ()), (select, *(other for _, _, other in many(others))))

    def visit_bindings(self, node: Node, children: list[Any]) -> list[nodes.Binding]:
        bindings = listed(children[1], children[2])
        if len(bindings) > MAX_DEPTH:
            raise NestedTooDeep(f"WITH names more than {MAX_DEPTH} queries", self.place(node))
        return bindings

    def visit_binding(self, _: Node, children: list[Any]) -> nodes.Binding:
        name, _, _, query, _ = children
        return nodes.Binding(name, query)

    def visit_select(self, _: Node, children: list[Any]) -> nodes.Select:
        _, item, items, _, source, unnests, where = children
        return nodes.Select(tuple(listed(item, items)), source, tuple(many(unnests)), first(where))

    def visit_source(self, _: Node, children: list[Any]) -> Any:
        return children[0]

    def visit_derived(self, _: Node, children: list[Any]) -> nodes.Derived:
        return nodes.Derived(children[1], first(children[3]))

    def visit_table(self, _: Node, children: list[Any]) -> nodes.Table:
        return nodes.Table(children[0], first(children[1]))

    def visit_unnest(self, node: Node, children: list[Any]) -> nodes.Unnest:
        _, _, _, expression, _, ordinality, named = children
        alias, columns = first(named) or (None, ())
        return nodes.Unnest(expression, bool(many(ordinality)), alias, columns, self.place(node))

    def visit_unnest_alias(self, _: Node, children: list[Any]) -> Any:
        return children[0], tuple(first(children[1]) or ())

    def visit_where(self, _: Node, children: list[Any]) -> Any:
        return children[1]

    def visit_item(self, _: Node, children: list[Any]) -> Any:
        return children[0]

    def visit_star(self, node: Node, _: list[Any]) -> nodes.Star:
        return nodes.Star(None, self.place(node))

    def visit_source_star(self, node: Node, children: list[Any]) -> nodes.Star:
        return nodes.Star(children[0], self.place(node))

    def visit_value_item(self, node: Node, children: list[Any]) -> nodes.Item:
        return nodes.Item(children[0], first(children[1]), self.place(node))

    def visit_alias(self, _: Node, children: list[Any]) -> nodes.Name:
        name: nodes.Name = children[0][1] if isinstance(children[0], list) else children[0]
        return name
