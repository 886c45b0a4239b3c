"""The rules of INSERT and of the queries in it."""

from typing import Any

from parsimonious.nodes import Node

from jobplane.schemas.errors import NestedTooDeep
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.builders.base import children_of, first_child, keyword, list_items
from jobplane.sql.syntax.builders.windows import WindowBuilder
from jobplane.sql.syntax.scan import MAX_DEPTH


class QueryBuilder(WindowBuilder):
    """Queries, from the inside out."""

    def visit_insert(self, node: Node, children: list[Any]) -> statements.Insert:
        _, _, target, columns, query, emit = children
        listed = tuple(first_child(columns) or ())
        return statements.Insert(
            statements.Keyword(keyword(node.children[0])), target, listed, query, first_child(emit)
        )

    def visit_emit(self, node: Node, _: list[Any]) -> statements.Emit:
        return statements.Emit(statements.EmitMode(keyword(node.children[1])), self.place(node))

    def visit_watermark(self, node: Node, children: list[Any]) -> statements.WatermarkDefinition:
        _, _, column, _, expression, idle = children
        return statements.WatermarkDefinition(column, expression, first_child(idle), self.place(node))

    def visit_idle(self, _: Node, children: list[Any]) -> Any:
        return children[2]

    def visit_columns(self, _: Node, children: list[Any]) -> list[statements.Name]:
        return list_items(children[1], children[2])

    def visit_query(self, _: Node, children: list[Any]) -> statements.Query:
        bindings, select, others = children
        return statements.Query(
            tuple(first_child(bindings) or ()), (select, *(other for _, _, other in children_of(others)))
        )

    def visit_bindings(self, node: Node, children: list[Any]) -> list[statements.Binding]:
        bindings = list_items(children[1], children[2])
        if len(bindings) > MAX_DEPTH:
            raise NestedTooDeep(f"WITH names more than {MAX_DEPTH} queries", self.place(node))
        return bindings

    def visit_binding(self, _: Node, children: list[Any]) -> statements.Binding:
        name, _, _, query, _ = children
        return statements.Binding(name, query)

    def visit_select(self, _: Node, children: list[Any]) -> statements.Select:
        _, distinct, item, items, _, source, unnests, where, group, having = children
        return statements.Select(
            tuple(list_items(item, items)),
            source,
            tuple(children_of(unnests)),
            first_child(where),
            tuple(first_child(group) or ()),
            first_child(having),
            bool(children_of(distinct)),
        )

    def visit_group(self, _: Node, children: list[Any]) -> list[Any]:
        return list_items(children[2], children[3])

    def visit_having(self, _: Node, children: list[Any]) -> Any:
        return children[1]

    def visit_source(self, _: Node, children: list[Any]) -> Any:
        return children[0]

    def visit_derived(self, _: Node, children: list[Any]) -> statements.Derived:
        return statements.Derived(children[1], first_child(children[3]))

    def visit_table(self, _: Node, children: list[Any]) -> statements.Table:
        return statements.Table(children[0], first_child(children[1]))

    def visit_unnest(self, node: Node, children: list[Any]) -> statements.UnnestClause:
        _, _, _, expression, _, ordinality, named = children
        alias, columns = first_child(named) or (None, ())
        return statements.UnnestClause(expression, bool(children_of(ordinality)), alias, columns, self.place(node))

    def visit_unnest_alias(self, _: Node, children: list[Any]) -> Any:
        return children[0], tuple(first_child(children[1]) or ())

    def visit_where(self, _: Node, children: list[Any]) -> Any:
        return children[1]

    def visit_item(self, _: Node, children: list[Any]) -> Any:
        return children[0]

    def visit_star(self, node: Node, _: list[Any]) -> statements.Star:
        return statements.Star(None, self.place(node))

    def visit_source_star(self, node: Node, children: list[Any]) -> statements.Star:
        return statements.Star(children[0], self.place(node))

    def visit_value_item(self, node: Node, children: list[Any]) -> statements.Item:
        return statements.Item(children[0], first_child(children[1]), self.place(node))

    def visit_alias(self, _: Node, children: list[Any]) -> statements.Name:
        name: statements.Name = children[0][1]
        return name
