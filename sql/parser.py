"""From text to statement. `parse` returns the whole meaning of a text or raises one Refused with its place."""

from bisect import bisect_right
from collections import defaultdict
from typing import Any

from parsimonious.exceptions import ParseError
from parsimonious.nodes import Node, NodeVisitor

from schemas.errors import BadSyntax, NotSupported, Place, Refused, RepeatedOption, StatementTooLarge
from schemas.options import instant
from sql import nodes
from sql.diagnostics import syntax_error
from sql.grammar import GRAMMAR
from sql.precedence import Operand, Operator, Run, tree
from sql.render import render
from sql.scan import MAX_BYTES, check, split
from sql.unsupported import column_refusal

__all__ = ["parse", "split"]

MAX_INTEGER = 2**63
"""Integer literals go up to this, so that its negative can be written."""

_GROWTH = 6
"""No canonical form is so many times longer than its text; `1e15`, the worst, has 18 digits."""


def parse(text: str) -> nodes.Statement:
    """One statement, whose canonical form parses as well.

    Raises StatementTooLarge, NestedTooDeep, NotUtf8, BadSyntax, NotSupported, RepeatedOption, SelectNotAllowed or
    InsertNeedsJob, with its place.
    """
    check(text)
    tried: dict[int, dict[int, Node | None]] = defaultdict(dict)
    found = GRAMMAR.default_rule.match_core(text, 0, tried, ParseError(text))
    if found is None:
        raise syntax_error(text, tried)
    statement: nodes.Statement = _Builder(text).visit(found)
    if len(text) > MAX_BYTES // _GROWTH and (size := len(render(statement).encode())) > MAX_BYTES:
        raise StatementTooLarge(f"in its canonical form the statement has {size:,} bytes; {MAX_BYTES:,} are allowed")
    return statement


def _many(node: Any) -> list[Any]:
    """The children of a `?`, `*` or `+` that matched; a Node stands for one that matched nothing."""
    return node if isinstance(node, list) else []


def _first(node: Any) -> Any:
    """What a `?` matched, or None."""
    return node[0] if isinstance(node, list) else None


class _Builder(NodeVisitor):  # type: ignore[misc]  # parsimonious carries no types
    """One method a rule; a rule without one gives its children, or its node when it has none."""

    unwrapped_exceptions = (Refused,)

    def __init__(self, text: str) -> None:
        self._lines = [0, *(i + 1 for i, c in enumerate(text) if c == "\n")]

    def _place(self, node: Node) -> Place:
        line = bisect_right(self._lines, node.start)
        return Place(line, node.start - self._lines[line - 1] + 1)

    def generic_visit(self, node: Node, children: list[Any]) -> Any:
        return children or node

    def visit_text(self, _: Node, children: list[Any]) -> Any:
        return children[1]

    def visit_statement(self, _: Node, children: list[Any]) -> Any:
        return children[0]

    # Statements

    def visit_create_job(self, _: Node, children: list[Any]) -> nodes.CreateJob:
        _, _, if_not_exists, name, options, _, insert = children
        return nodes.CreateJob(name, bool(_many(if_not_exists)), tuple(_first(options) or ()), insert)

    def visit_drop_job(self, _: Node, children: list[Any]) -> nodes.DropJob:
        _, _, if_exists, name, with_snapshot = children
        return nodes.DropJob(name, bool(_many(if_exists)), _first(with_snapshot))

    def visit_alter_job(self, _: Node, children: list[Any]) -> nodes.AlterJob:
        return nodes.AlterJob(children[2], children[3][0])

    def visit_new_options(self, _: Node, children: list[Any]) -> nodes.NewOptions:
        return nodes.NewOptions(tuple(children[0]), bool(_many(children[1])))

    def visit_create_snapshot(self, _: Node, children: list[Any]) -> nodes.CreateSnapshot:
        _, or_replace, _, snapshot, _, _, job = children
        return nodes.CreateSnapshot(snapshot, job, bool(_many(or_replace)))

    def visit_drop_snapshot(self, _: Node, children: list[Any]) -> nodes.DropSnapshot:
        _, _, if_exists, snapshot = children
        return nodes.DropSnapshot(snapshot, bool(_many(if_exists)))

    def visit_show(self, _: Node, children: list[Any]) -> nodes.Show:
        _, subject, as_of = children
        at = _first(as_of)
        if at is not None and subject not in nodes.STATEFUL:
            raise NotSupported(f"AS OF: {subject} are only known as they are now", at.place)
        return nodes.Show(subject, at)

    def visit_show_create(self, _: Node, children: list[Any]) -> nodes.ShowCreate:
        return nodes.ShowCreate(children[3])

    def visit_show_history(self, _: Node, children: list[Any]) -> nodes.ShowHistory:
        return nodes.ShowHistory(children[4])

    def visit_describe(self, _: Node, children: list[Any]) -> nodes.Describe:
        return nodes.Describe(children[1], children[2])

    def visit_subject(self, node: Node, _: list[Any]) -> nodes.Subject:
        return nodes.Subject(node.children[0].children[0].text.upper())

    def visit_kind(self, node: Node, _: list[Any]) -> nodes.Kind:
        return nodes.Kind(node.children[0].children[0].text.upper())

    def visit_as_of(self, _: Node, children: list[Any]) -> Any:
        return children[2][0]

    def visit_at_offset(self, node: Node, children: list[Any]) -> nodes.AsOfOffset:
        number: nodes.Number = children[1]
        if not isinstance(number.value, int):
            raise BadSyntax("an offset is a whole number", number.place)
        return nodes.AsOfOffset(number.value, number.place)

    def visit_at_time(self, _: Node, children: list[Any]) -> nodes.AsOfTime:
        text: nodes.String = children[1]
        try:
            instant(text.value)
        except (ValueError, OverflowError):
            message = f"an instant is written as 2026-01-31T08:30:00Z (ISO-8601), not '{text.value}'"
            raise BadSyntax(message, text.place) from None
        return nodes.AsOfTime(text.value, text.place)

    # Mappings

    def visit_create_mapping(self, _: Node, children: list[Any]) -> nodes.CreateMapping:
        _, or_replace, _, _, if_not_exists, name, external, columns, _, kind, options = children
        if _many(or_replace) and _many(if_not_exists):
            raise BadSyntax("OR REPLACE and IF NOT EXISTS exclude each other; leave one out", name.place)
        replaces, exists = bool(_many(or_replace)), bool(_many(if_not_exists))
        mapped = tuple(_first(columns) or ())
        return nodes.CreateMapping(name, replaces, exists, _first(external), mapped, kind, tuple(_first(options) or ()))

    def visit_drop_mapping(self, _: Node, children: list[Any]) -> nodes.DropMapping:
        return nodes.DropMapping(children[4], bool(_many(children[3])))

    def visit_external_name(self, _: Node, children: list[Any]) -> nodes.Name:
        name: nodes.Name = children[2]
        return name

    def visit_mapped(self, _: Node, children: list[Any]) -> list[nodes.ColumnDefinition]:
        return [children[1], *(column for _, column in _many(children[2]))]

    def visit_mapped_column(self, _: Node, children: list[Any]) -> nodes.ColumnDefinition:
        name, kind, external = children
        _check_column(name.text, name.place)
        return nodes.ColumnDefinition(name, kind, _first(external))

    def visit_type(self, node: Node, children: list[Any]) -> nodes.ColumnType:
        name, precision, size, zone = children
        words = [name.text.upper(), *(["PRECISION"] if _many(precision) else [])]
        text = " ".join(words) + (_first(size) or "") + (f" {_first(zone)}" if _first(zone) else "")
        return nodes.ColumnType(text, self._place(node))

    def visit_type_size(self, _: Node, children: list[Any]) -> str:
        numbers = [children[1], *(number for _, number in _many(children[2]))]
        for number in numbers:
            if not isinstance(number.value, int):
                raise BadSyntax("the size of a type is a whole number", number.place)
        return f"({', '.join(str(number.value) for number in numbers)})"

    def visit_time_zone(self, node: Node, _: list[Any]) -> str:
        return f"{node.children[0].children[0].children[0].text.upper()} TIME ZONE"

    def visit_with_snapshot(self, _: Node, children: list[Any]) -> nodes.Name:
        name: nodes.Name = children[2]
        return name

    def visit_action(self, node: Node, _: list[Any]) -> nodes.Action:
        return nodes.Action(node.children[0].children[0].text.upper())

    # Options

    def visit_options(self, _: Node, children: list[Any]) -> list[nodes.Option]:
        return _first(children[2]) or []

    def visit_option_list(self, _: Node, children: list[Any]) -> list[nodes.Option]:
        options = [children[0], *(option for _, option in _many(children[1]))]
        seen = set()
        for option in options:
            if option.name.text in seen:
                raise RepeatedOption(f"the option '{option.name}' was given before", option.name.place)
            seen.add(option.name.text)
        return options

    def visit_option(self, _: Node, children: list[Any]) -> nodes.Option:
        name, _, value = children[0]
        if isinstance(name, nodes.String):
            if not name.value:
                raise BadSyntax("an option needs a name", name.place)
            name = nodes.Name(name.value, name.place)
        return nodes.Option(name, value.value, value.place)

    # Queries

    def visit_insert(self, node: Node, children: list[Any]) -> nodes.Insert:
        _, _, target, columns, query = children
        keyword = nodes.Keyword(node.children[0].children[0].children[0].text.upper())
        return nodes.Insert(keyword, target, tuple(_first(columns) or ()), query)

    def visit_columns(self, _: Node, children: list[Any]) -> list[nodes.Name]:
        names = [children[1], *(name for _, name in _many(children[2]))]
        for name in names:
            _check_column(name.text, name.place)
        return names

    def visit_query(self, _: Node, children: list[Any]) -> nodes.Query:
        _, item, items, _, source, where = children
        return nodes.Query((item, *(other for _, other in _many(items))), source, _first(where))

    def visit_where(self, _: Node, children: list[Any]) -> Any:
        return children[1]

    def visit_item(self, _: Node, children: list[Any]) -> Any:
        return children[0]

    def visit_star(self, node: Node, _: list[Any]) -> nodes.Star:
        return nodes.Star(self._place(node))

    def visit_value_item(self, node: Node, children: list[Any]) -> nodes.Item:
        return nodes.Item(children[0], _first(children[1]), self._place(node))

    def visit_alias(self, _: Node, children: list[Any]) -> nodes.Name:
        name: nodes.Name = children[0][1] if isinstance(children[0], list) else children[0]
        _check_column(name.text, name.place)
        return name

    # Expressions

    def visit_expression(self, _: Node, children: list[Any]) -> nodes.Expression:
        first, rest = children
        pairs = _many(rest)
        return tree(Run([first, *(operand for _, operand in pairs)], [operator for operator, _ in pairs]))

    def visit_operator(self, node: Node, _: list[Any]) -> Operator:
        text = node.children[0].text.upper()
        return Operator("<>" if text == "!=" else text, self._place(node))

    def visit_operand(self, node: Node, children: list[Any]) -> Operand:
        negation, sign, expression, null_tests = children
        if signed := _first(sign):
            expression = nodes.Sign(signed.text[0], expression, self._place(signed))
        negated_at = self._place(node) if _many(negation) else None
        return Operand(expression, negated_at, tuple(_many(null_tests)))

    def visit_sign(self, node: Node, _: list[Any]) -> Node:
        return node

    def visit_null_test(self, node: Node, children: list[Any]) -> tuple[bool, Place]:
        return bool(_many(children[1])), self._place(node)

    def visit_primary(self, _: Node, children: list[Any]) -> Any:
        return children[0]

    def visit_parenthesis(self, _: Node, children: list[Any]) -> Any:
        return children[1]

    def visit_column(self, _: Node, children: list[Any]) -> nodes.Column:
        name: nodes.Name = children[0]
        _check_column(name.text, name.place)
        return nodes.Column(name.text, name.place)

    def visit_number(self, node: Node, _: list[Any]) -> nodes.Number:
        text, place = node.children[0].text, self._place(node)
        is_integer = text.isdigit()
        in_range = int(text) <= MAX_INTEGER if is_integer and len(text) < 100 else float(text) < float("inf")
        if not in_range or (is_integer and len(text) >= 100):
            raise BadSyntax("this number is out of range (integers have 64 bits, decimals are doubles)", place)
        return nodes.Number(int(text) if is_integer else float(text), place)

    def visit_string(self, node: Node, _: list[Any]) -> nodes.String:
        return nodes.String(node.children[0].text[1:-1].replace("''", "'"), self._place(node))

    def visit_truth(self, node: Node, _: list[Any]) -> nodes.Boolean:
        return nodes.Boolean(node.children[0].children[0].text.upper() == "TRUE", self._place(node))

    def visit_null(self, node: Node, _: list[Any]) -> nodes.Null:
        return nodes.Null(self._place(node))

    # Names

    def visit_name(self, _: Node, children: list[Any]) -> nodes.Name:
        name: nodes.Name = children[0]
        return name

    def visit_bare(self, node: Node, _: list[Any]) -> nodes.Name:
        return nodes.Name(node.children[1].text, self._place(node))

    def visit_quoted(self, node: Node, _: list[Any]) -> nodes.Name:
        return nodes.Name(node.children[0].text[1:-1].replace('""', '"'), self._place(node))


def _check_column(name: str, place: Place) -> None:
    if reason := column_refusal(name):
        raise NotSupported(reason, place)
