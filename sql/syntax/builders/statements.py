"""Builds statements: the rules round the queries."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

from parsimonious.nodes import Node

from jobplane.schemas.errors import BadSyntax, NotSupported, RepeatedOption, StatementTooLarge
from jobplane.schemas.options import canonical_value, parse_instant
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.builders.base import Builder, children_of, first_child, keyword, list_items
from jobplane.sql.syntax.parts import KEY, THIS, column_refusal

if TYPE_CHECKING:
    from jobplane.sql.syntax import expressions as ex
    from jobplane.sql.syntax.builders.queries import QueryBuilder

MAX_INSERTS = 256
_OF_QUERIES = frozenset({"insert", "expression", "number", "string", "type", "watermark"})
"""Queries, and the rules of queries that are also met outside of them."""


class StatementBuilder(Builder):
    """Leaves queries, literals and types to a builder of their own, which is loaded for statements that have some."""

    def visit(self, node: Node) -> Any:
        """As in parsimonious."""
        return self._queries.visit(node) if node.expr_name in _OF_QUERIES else super().visit(node)

    @cached_property
    def _queries(self) -> "QueryBuilder":
        from jobplane.sql.syntax.builders.queries import QueryBuilder

        return QueryBuilder(self.text)

    def visit_text(self, _: Node, children: list[Any]) -> Any:
        return children[1]

    def visit_statement(self, _: Node, children: list[Any]) -> Any:
        return children[0]

    # Statements

    def visit_create_job(self, _: Node, children: list[Any]) -> statements.CreateJob:
        _, _, if_not_exists, name, options, _, inserts = children
        return statements.CreateJob(name, bool(children_of(if_not_exists)), tuple(first_child(options) or ()), inserts)

    def visit_inserts(self, _: Node, children: list[Any]) -> tuple[statements.Insert, ...]:
        found = children[0]
        return (found,) if isinstance(found, statements.Insert) else found

    def visit_insert_set(self, node: Node, children: list[Any]) -> tuple[statements.Insert, ...]:
        inserts = tuple(list_items(children[1], children[2]))
        if len(inserts) > MAX_INSERTS:
            raise StatementTooLarge(f"a set has at most {MAX_INSERTS} INSERTs, not {len(inserts)}", self.place(node))
        return inserts

    def visit_drop_job(self, _: Node, children: list[Any]) -> statements.DropJob:
        _, _, if_exists, name, with_snapshot = children
        return statements.DropJob(name, bool(children_of(if_exists)), first_child(with_snapshot))

    def visit_alter_job(self, _: Node, children: list[Any]) -> statements.AlterJob:
        return statements.AlterJob(children[2], children[3][0])

    def visit_new_options(self, _: Node, children: list[Any]) -> statements.NewOptions:
        return statements.NewOptions(tuple(children[0]), bool(children_of(children[1])))

    def visit_create_snapshot(self, _: Node, children: list[Any]) -> statements.CreateSnapshot:
        _, or_replace, _, snapshot, _, _, job = children
        return statements.CreateSnapshot(snapshot, job, bool(children_of(or_replace)))

    def visit_drop_snapshot(self, _: Node, children: list[Any]) -> statements.DropSnapshot:
        _, _, if_exists, snapshot = children
        return statements.DropSnapshot(snapshot, bool(children_of(if_exists)))

    def visit_show(self, _: Node, children: list[Any]) -> statements.Show:
        _, subject, like, as_of = children
        at = first_child(as_of)
        if at is not None and subject not in statements.STATEFUL:
            raise NotSupported(f"AS OF cannot be used with {subject}: only their present state is known", at.place)
        return statements.Show(subject, at, first_child(like))

    def visit_like_name(self, _: Node, children: list[Any]) -> statements.LikeName:
        return statements.LikeName(children[1].value, children[1].place)

    def visit_show_create(self, _: Node, children: list[Any]) -> statements.ShowCreate:
        return statements.ShowCreate(children[3])

    def visit_show_history(self, _: Node, children: list[Any]) -> statements.ShowHistory:
        return statements.ShowHistory(children[4])

    def visit_describe(self, _: Node, children: list[Any]) -> statements.Describe:
        return statements.Describe(children[1], children[2])

    def visit_subject(self, node: Node, _: list[Any]) -> statements.ShowSubject:
        return statements.ShowSubject(node.children[0].children[0].text.upper())

    def visit_kind(self, node: Node, _: list[Any]) -> statements.DescribeKind:
        return statements.DescribeKind(node.children[0].children[0].text.upper())

    def visit_as_of(self, _: Node, children: list[Any]) -> Any:
        return children[2][0]

    def visit_at_offset(self, node: Node, children: list[Any]) -> statements.AsOfOffset:
        number: ex.Number = children[1]
        if not isinstance(number.value, int):
            raise BadSyntax("an offset is a whole number", number.place)
        return statements.AsOfOffset(number.value, number.place)

    def visit_at_time(self, _: Node, children: list[Any]) -> statements.AsOfTime:
        text: ex.String = children[1]
        try:
            parse_instant(text.value)
        except (ValueError, OverflowError):
            message = f"an instant is written as 2026-01-31T08:30:00Z (ISO-8601), not '{text.value}'"
            raise BadSyntax(message, text.place) from None
        return statements.AsOfTime(text.value, text.place)

    # Mappings

    def visit_create_mapping(self, _: Node, children: list[Any]) -> statements.CreateMapping:
        _, or_replace, _, _, if_not_exists, name, external, columns, _, kind, options = children
        if children_of(or_replace) and children_of(if_not_exists):
            raise BadSyntax("OR REPLACE and IF NOT EXISTS exclude each other; leave one out", name.place)
        replaces, exists = bool(children_of(or_replace)), bool(children_of(if_not_exists))
        mapped, watermark = first_child(columns) or ((), None)
        return statements.CreateMapping(
            name, replaces, exists, first_child(external), mapped, kind, tuple(first_child(options) or ()), watermark
        )

    def visit_drop_mapping(self, _: Node, children: list[Any]) -> statements.DropMapping:
        return statements.DropMapping(children[4], bool(children_of(children[3])))

    def visit_external_name(self, _: Node, children: list[Any]) -> statements.Name:
        name: statements.Name = children[2]
        return name

    def visit_mapped(self, _: Node, children: list[Any]) -> Any:
        parts = [children[1], *(part for _, part in children_of(children[2]))]
        columns = tuple(one for one in parts if isinstance(one, statements.ColumnDefinition))
        watermarks = [one for one in parts if isinstance(one, statements.WatermarkDefinition)]
        if len(watermarks) > 1:
            raise BadSyntax("a mapping has one WATERMARK; leave out the others", watermarks[1].place)
        return columns, next(iter(watermarks), None)

    def visit_mapped_part(self, _: Node, children: list[Any]) -> Any:
        return children[0]

    def visit_mapped_column(self, _: Node, children: list[Any]) -> statements.ColumnDefinition:
        name, kind, external = children
        if name.text not in (KEY, THIS) and (reason := column_refusal(name.text)):
            raise NotSupported(reason, name.place)
        return statements.ColumnDefinition(name, kind, first_child(external))

    def visit_with_snapshot(self, _: Node, children: list[Any]) -> statements.Name:
        name: statements.Name = children[2]
        return name

    def visit_action(self, node: Node, _: list[Any]) -> statements.Action:
        return statements.Action(node.children[0].children[0].text.upper())

    # Options

    def visit_options(self, _: Node, children: list[Any]) -> list[statements.Option]:
        return first_child(children[2]) or []

    def visit_option_list(self, _: Node, children: list[Any]) -> list[statements.Option]:
        options = [children[0], *(option for _, option in children_of(children[1]))]
        seen = set()
        for option in options:
            if option.name.text in seen:
                raise RepeatedOption(f"the option '{option.name}' is given twice", option.name.place)
            seen.add(option.name.text)
        return options

    def visit_option(self, _: Node, children: list[Any]) -> statements.Option:
        name, _, value = children[0]
        if not isinstance(name, statements.Name):
            if not name.value:
                raise BadSyntax("an option needs a name", name.place)
            name = statements.Name(name.value, name.place)
        return statements.Option(name, canonical_value(name.text, value.value), value.place)

    def visit_explain(self, _: Node, children: list[Any]) -> statements.Explain:
        _, mode, explained = children
        return statements.Explain(explained, first_child(mode) or statements.ExplainMode.PLAN)

    def visit_explain_mode(self, node: Node, _: list[Any]) -> statements.ExplainMode:
        return statements.ExplainMode(keyword(node))

    def visit_explained(self, _: Node, children: list[Any]) -> statements.CreateJob | statements.Insert:
        return children[0]  # type: ignore[no-any-return]

    def visit_lone_insert(self, _: Node, children: list[Any]) -> statements.Insert:
        return children[1]  # type: ignore[no-any-return]

    def visit_lone_expression(self, _: Node, children: list[Any]) -> "ex.Expression":
        return children[1]  # type: ignore[no-any-return]
