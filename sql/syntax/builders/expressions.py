"""Builds expressions. Functions that the standard writes with keywords become plain calls here."""

from collections.abc import Callable
from typing import Any

from parsimonious.nodes import Node

from jobplane.schemas.errors import BadSyntax, NestedTooDeep, NotSupported
from jobplane.sql.syntax import expressions as ex
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.builders.base import children_of, first_child, keyword, list_items
from jobplane.sql.syntax.builders.literals import LiteralBuilder
from jobplane.sql.syntax.parts import column_refusal
from jobplane.sql.syntax.precedence import Operand, OperandChain, Operator, Test, build_sum, build_tree
from jobplane.sql.syntax.scan import MAX_DEPTH

_TRIMS = {"LEADING": "LTRIM", "TRAILING": "RTRIM", "BOTH": "BTRIM"}
Build = Callable[[ex.Expression], ex.Expression]


class ExpressionBuilder(LiteralBuilder):
    """Expressions are flat in the grammar; sql/syntax/precedence.py makes the tree."""

    def visit_expression(self, _: Node, children: list[Any]) -> ex.Expression:
        operand, tails = children
        operands, operators = [operand], []
        for tail in children_of(tails):
            if isinstance(tail, Test):
                operands[-1].tests.append(tail)
            else:
                operator, operand = tail
                operators.append(operator)
                operands.append(operand)
        return build_tree(OperandChain(operands, operators))

    def visit_tail(self, _: Node, children: list[Any]) -> Any:
        return children[0]

    def visit_test(self, node: Node, children: list[Any]) -> Test:
        return Test(children[1][0], self.place(node))

    def visit_value(self, _: Node, children: list[Any]) -> ex.Expression:
        operand, rest = children
        pairs = children_of(rest)
        return build_sum(OperandChain([operand, *(one for _, one in pairs)], [operator for operator, _ in pairs]))

    def visit_operator(self, node: Node, _: list[Any]) -> Operator:
        text = node.children[0].text.upper()
        return Operator("<>" if text == "!=" else text, self.place(node))

    visit_value_operator = visit_operator

    def visit_operand(self, node: Node, children: list[Any]) -> Operand:
        negation, sign, expression, postfixes = children
        if len(children_of(postfixes)) > MAX_DEPTH:
            raise NestedTooDeep(f"more than {MAX_DEPTH} steps into one value", self.place(node))
        for postfix in children_of(postfixes):
            expression = postfix(expression)
        if signed := first_child(sign):
            expression = ex.Sign(signed.text[0], expression, self.place(signed))
        return Operand(expression, self.place(node) if children_of(negation) else None, [])

    # Tests: each gives what makes a condition of the operand before it

    def visit_is(self, _: Node, children: list[Any]) -> Build:
        negated, what = bool(children_of(children[1])), children[2][0]
        if isinstance(what, str):
            return lambda operand: ex.Is(operand, what, negated, operand.place)  # type: ignore[arg-type]
        return lambda operand: ex.Distinct(operand, what, negated, operand.place)

    def visit_distinct(self, _: Node, children: list[Any]) -> ex.Expression:
        value: ex.Expression = children[2]
        return value

    def visit_truth_value(self, node: Node, _: list[Any]) -> str:
        return keyword(node)

    def visit_between(self, node: Node, children: list[Any]) -> Build:
        negation, _, symmetry, low, _, high = children
        symmetric = bool(children_of(symmetry)) and keyword(node.children[2]) == "SYMMETRIC"
        return lambda operand: ex.Between(operand, low, high, symmetric, bool(children_of(negation)), operand.place)

    def visit_in(self, _: Node, children: list[Any]) -> Build:
        negation, items = children[0], tuple(children[3])
        return lambda operand: ex.In(operand, items, bool(children_of(negation)), operand.place)

    def visit_like(self, _: Node, children: list[Any]) -> Build:
        negation, _, pattern, escape = children
        return lambda operand: ex.Like(
            operand, pattern, first_child(escape), bool(children_of(negation)), operand.place
        )

    def visit_escape(self, _: Node, children: list[Any]) -> Any:
        return children[1]

    # Postfixes: each gives what is made of the operand before it

    def visit_postfix(self, _: Node, children: list[Any]) -> Any:
        return children[1][0]

    def visit_cast_to(self, _: Node, children: list[Any]) -> Build:
        return lambda operand: ex.Cast(operand, children[2], safe=False, place=operand.place)

    def visit_element(self, node: Node, children: list[Any]) -> Build:
        place = self.place(node)
        return lambda operand: ex.Element(operand, children[1], place)

    def visit_field(self, _: Node, children: list[Any]) -> Build:
        name: statements.Name = children[1]
        return lambda operand: ex.Access(operand, name.text, operand.place)

    def visit_zone(self, node: Node, children: list[Any]) -> Build:
        return lambda operand: ex.Call("AT_TIME_ZONE", (operand, children[3]), self.place(node))

    # Primaries

    def visit_primary(self, _: Node, children: list[Any]) -> Any:
        return children[0]

    def visit_parenthesis(self, _: Node, children: list[Any]) -> Any:
        return children[1]

    def visit_form(self, _: Node, children: list[Any]) -> Any:
        return children[1][0]

    visit_in_words = visit_form

    def visit_case(self, node: Node, children: list[Any]) -> ex.Case:
        _, ((operand, branches),), otherwise, _ = children
        return ex.Case(operand, tuple(branches), first_child(otherwise), self.place(node))

    def visit_conditions(self, _: Node, children: list[Any]) -> Any:
        return None, children

    def visit_comparisons(self, _: Node, children: list[Any]) -> Any:
        return children[0], children[1]

    def visit_when(self, _: Node, children: list[Any]) -> Any:
        return children[1], children[3]

    def visit_else(self, _: Node, children: list[Any]) -> Any:
        return children[1]

    visit_for = visit_else

    def visit_cast(self, node: Node, children: list[Any]) -> ex.Cast:
        _, _, operand, _, kind, _ = children
        return ex.Cast(operand, kind, keyword(node) == "TRY_CAST", self.place(node))

    def visit_extract(self, node: Node, children: list[Any]) -> ex.Call:
        field: statements.Name = children[2]
        return ex.Call("EXTRACT", (ex.String(field.text, field.place), children[4]), self.place(node))

    def visit_substring(self, node: Node, children: list[Any]) -> ex.Call:
        _, _, text, _, start, length, _ = children
        return ex.Call("SUBSTRING", (text, start, *children_of(length)), self.place(node))

    def visit_position(self, node: Node, children: list[Any]) -> ex.Call:
        return ex.Call("POSITION", (children[2], children[4]), self.place(node))

    def visit_trim(self, node: Node, children: list[Any]) -> ex.Call:
        _, _, side, characters, _, text, _ = children
        name = _TRIMS[keyword(node.children[2])] if children_of(side) else "BTRIM"
        return ex.Call(name, (text, *children_of(characters)), self.place(node))

    def visit_overlay(self, node: Node, children: list[Any]) -> ex.Call:
        _, _, text, _, replacement, _, start, length, _ = children
        return ex.Call("OVERLAY", (text, replacement, start, *children_of(length)), self.place(node))

    def visit_json_value(self, node: Node, children: list[Any]) -> ex.Cast:
        call = ex.Call("JSON_VALUE", (children[2], children[4]), self.place(node))
        return ex.Cast(call, children[6], safe=False, place=self.place(node))

    def visit_json_object(self, node: Node, children: list[Any]) -> ex.Call:
        pairs = list_items(children[2], children[3])
        return ex.Call("JSON_OBJECT", tuple(one for pair in pairs for one in pair), self.place(node))

    def visit_json_pair(self, _: Node, children: list[Any]) -> Any:
        return children[1], children[3]

    def visit_array(self, node: Node, children: list[Any]) -> ex.ArrayOf:
        return ex.ArrayOf(tuple(first_child(children[2]) or ()), self.place(node))

    def visit_map(self, node: Node, children: list[Any]) -> ex.MapOf:
        items = first_child(children[2]) or []
        if len(items) % 2:
            raise BadSyntax("MAP[key, value, …] has a value for each key", items[-1].place)
        return ex.MapOf(tuple(zip(items[::2], items[1::2], strict=True)), self.place(node))

    def visit_call(self, node: Node, children: list[Any]) -> ex.Expression:
        name, _, inside, _, where = children
        distinct, given, order = first_child(inside) or (False, (), ())
        if given is None and name != "COUNT":
            raise BadSyntax(f"{name} does not take *; only COUNT(*) does", self.place(node))
        if name == "COUNT" and given == ():
            raise BadSyntax("COUNT needs * or a value: COUNT(*)", self.place(node))
        if name == "ROW" and not (distinct or order or children_of(where)):
            return ex.RowOf(given, self.place(node))
        return ex.Call(name, given or (), self.place(node), distinct, order, first_child(where))

    def visit_call_arguments(self, _: Node, children: list[Any]) -> Any:
        """Whether there is DISTINCT, the arguments (None for a star), and ORDER BY."""
        if not isinstance(children[0], list):
            return False, None, ()
        distinct, arguments, order = children[0]
        return bool(children_of(distinct)), tuple(arguments), tuple(first_child(order) or ())

    def visit_order_by(self, _: Node, children: list[Any]) -> list[ex.SortItem]:
        return list_items(children[2], children[3])

    def visit_order_item(self, node: Node, children: list[Any]) -> ex.SortItem:
        expression, direction, nulls = children
        descending = bool(children_of(direction)) and keyword(node.children[1]) == "DESC"
        return ex.SortItem(expression, descending, first_child(nulls))

    def visit_nulls(self, node: Node, _: list[Any]) -> bool:
        return keyword(node.children[1]) == "FIRST"

    def visit_filter(self, _: Node, children: list[Any]) -> Any:
        return children[3]

    def visit_arguments(self, _: Node, children: list[Any]) -> list[Any]:
        return list_items(children[0], children[1])

    def visit_argument(self, _: Node, children: list[Any]) -> Any:
        return children[0]

    def visit_lambda(self, node: Node, children: list[Any]) -> ex.Lambda:
        (names,), _, body = children
        names = [names] if isinstance(names, statements.Name) else names
        for i, one in enumerate(names):
            if reason := column_refusal(one.text):
                raise NotSupported(reason, one.place)
            if one.text in [earlier.text for earlier in names[:i]]:
                raise BadSyntax(f"two parameters of the lambda are called {one}", one.place)
        return ex.Lambda(tuple(one.text for one in names), body, self.place(node))

    def visit_several_names(self, _: Node, children: list[Any]) -> list[Any]:
        return list_items(children[1], children[2])

    def visit_function(self, node: Node, children: list[Any]) -> str:
        return children[0].text.upper() if isinstance(children[0], statements.Name) else keyword(node)

    def visit_expressions(self, _: Node, children: list[Any]) -> list[Any]:
        return list_items(children[0], children[1])

    def visit_column(self, node: Node, children: list[Any]) -> ex.Column:
        name: statements.Name = children[0]
        return ex.Column(name.text, name.place, node.text.startswith('"'))
