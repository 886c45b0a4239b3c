"""Builds literals and types."""

from decimal import Decimal
from typing import Any

from parsimonious.nodes import Node

from jobplane.schemas.errors import BadSyntax
from jobplane.schemas.names import quote_name
from jobplane.schemas.types.datatypes import MAX_PRECISION
from jobplane.sql.syntax import expressions as ex
from jobplane.sql.syntax.builders.base import Builder, children_of, first_child, keyword, list_items

MAX_INTEGER = 2**63
"""Integer literals go up to this, so that its negative can be written."""


class LiteralBuilder(Builder):
    """Numbers, strings, truth values, moments, intervals, and the types of columns and casts."""

    # Literals

    def visit_number(self, node: Node, _: list[Any]) -> ex.Number:
        text, place = node.children[0].text, self.place(node)
        if not text.isdigit() and "e" in text.lower():
            value: int | float | Decimal = float(text)
            fits = value < float("inf")
        else:
            whole, _, fraction = text.partition(".")
            fits = len(text) <= MAX_PRECISION + 1 and (bool(fraction) or int(whole) <= MAX_INTEGER)
            value = Decimal(text) if fraction else int(whole) if fits else 0
        if not fits:
            message = "this number is out of range (integers have 64 bits, decimals 38 digits, others are doubles)"
            raise BadSyntax(message, place)
        return ex.Number(value, place)

    def visit_string(self, node: Node, _: list[Any]) -> ex.String:
        return ex.String(node.children[0].text[1:-1].replace("''", "'"), self.place(node))

    def visit_bytes(self, node: Node, _: list[Any]) -> ex.Bytes:
        return ex.Bytes(bytes.fromhex(node.children[0].text[2:-1]), self.place(node))

    def visit_truth(self, node: Node, _: list[Any]) -> ex.Boolean:
        return ex.Boolean(keyword(node) == "TRUE", self.place(node))

    def visit_null(self, node: Node, _: list[Any]) -> ex.Null:
        return ex.Null(self.place(node))

    def visit_moment(self, node: Node, children: list[Any]) -> ex.Moment:
        kind, text = children
        return ex.Moment(kind, text.value, self.place(node))

    def visit_moment_type(self, node: Node, _: list[Any]) -> str:
        return " ".join(node.text.upper().split())

    def visit_interval(self, node: Node, children: list[Any]) -> ex.Interval:
        _, sign, text, unit, last = children
        minus = "-" if (signed := first_child(sign)) and signed.text[0] == "-" else ""
        return ex.Interval(minus + text.value, unit, first_child(last) or "", self.place(node))

    def visit_to_unit(self, _: Node, children: list[Any]) -> str:
        unit: str = children[1]
        return unit

    def visit_unit(self, node: Node, _: list[Any]) -> str:
        unit: str = node.children[0].text.upper().removesuffix("S")
        return unit

    def visit_sign(self, node: Node, _: list[Any]) -> Node:
        return node

    # Types

    def visit_type(self, node: Node, children: list[Any]) -> ex.ColumnType:
        return ex.ColumnType(children[0], self.place(node))

    def visit_simple_type(self, _: Node, children: list[Any]) -> str:
        name, precision, size, zone = children
        words = [name.text.upper(), *(["PRECISION"] if children_of(precision) else [])]
        return " ".join(words) + (first_child(size) or "") + (f" {first_child(zone)}" if first_child(zone) else "")

    def visit_nested_type(self, node: Node, children: list[Any]) -> str:
        _, _, head, rest, _ = children
        return f"{keyword(node.children[0])}<{', '.join(one.text for one in list_items(head, rest))}>"

    def visit_row_type(self, _: Node, children: list[Any]) -> str:
        return f"ROW({', '.join(list_items(children[2], children[3]))})"

    def visit_row_field(self, _: Node, children: list[Any]) -> str:
        name, kind = children
        return f"{quote_name(name.text)} {kind.text}"

    def visit_interval_type(self, _: Node, children: list[Any]) -> str:
        _, unit, last = children
        return f"INTERVAL {unit}" + (f" TO {children_of(last)[0][1]}" if children_of(last) else "")

    def visit_type_size(self, _: Node, children: list[Any]) -> str:
        numbers = list_items(children[1], children[2])
        for number in numbers:
            if not isinstance(number.value, int):
                raise BadSyntax("the size of a type is a whole number", number.place)
        return f"({', '.join(str(number.value) for number in numbers)})"

    def visit_time_zone(self, node: Node, _: list[Any]) -> str:
        return f"{keyword(node)} TIME ZONE"
