"""From an expression to lines of Python in which no text of the user stands.

Columns are locals f0, f1 …, constants globals k0, k1 …, results kept are t0, t1 …. A Fragment is Python evaluated
only when none of its `nulls` is None; if one is, its value is NULL. AND, OR and IS NULL end this strictness: they
become statements. Blocks nest as deep as AND and OR do, at most two for each parenthesis.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, assert_never

from sql import nodes
from sql.types import Type

MAX_DEPTH = 10
"""Operators in one Python expression; deeper ones go through a temporary."""

_COMPARISONS = {"=": "==", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_FUNCTIONS = {"/": "divide", "%": "remainder"}


@dataclass(frozen=True, slots=True)
class Fragment:
    """`bounded`: cannot be infinite. A sum or product may be, and is looked at where it is used."""

    code: str
    nulls: tuple[str, ...] = ()
    bounded: bool = True
    depth: int = 0


@dataclass(slots=True)
class Code:
    """Lines being written. `columns` maps a column to its local; `_present` are locals known not to be None."""

    columns: Mapping[str, str]
    types: Mapping[str, Type]
    indent: int = 3
    lines: list[str] = field(default_factory=list)
    constants: dict[str, Any] = field(default_factory=dict)
    _present: set[str] = field(default_factory=set)
    _temporaries: int = 0

    def line(self, text: str) -> None:
        self.lines.append("    " * self.indent + text)

    @contextmanager
    def block(self, opening: str) -> Iterator[None]:
        self.line(opening)
        self.indent += 1
        yield
        self.indent -= 1

    def constant(self, value: Any) -> str:
        name = f"k{len(self.constants)}"
        self.constants[name] = value
        return name

    def keep_where(self, tree: nodes.Expression) -> None:
        """Lines that `continue` with the next record unless the condition is TRUE."""
        if isinstance(tree, nodes.And):
            for operand in tree.operands:
                self.keep_where(operand)
        elif isinstance(tree, nodes.Or):
            self._skip_if([f"not {self._truth(tree)}"])
        else:
            condition = self.value(tree)
            absent = self._absent(condition)
            self._skip_if([*absent, f"not {condition.code}"])
            self._present.update(condition.nulls)

    def result(self, tree: nodes.Expression) -> str:
        """Python for the value of an expression, None for NULL."""
        if isinstance(tree, nodes.Null):
            return "None"
        fragment = self.value(tree)
        if fragment.bounded and (fragment.nulls == (fragment.code,) or not self._absent(fragment)):
            return fragment.code
        return self._kept(fragment).code

    def value(self, tree: nodes.Expression) -> Fragment:
        match tree:
            case nodes.Column(name):
                return Fragment(self.columns[name], (self.columns[name],))
            case nodes.Number(value) | nodes.String(value) | nodes.Boolean(value):
                return Fragment(self.constant(value))
            case nodes.Null():
                name = self.constant(None)
                return Fragment(name, (name,))
            case nodes.Sign(sign, operand):
                return self._strict(f"({sign}{{}})", self.value(operand))
            case nodes.Arithmetic():
                return self._arithmetic(tree)
            case nodes.Comparison():
                return self._comparison(tree)
            case nodes.IsNull(operand, negated):
                return self._null_test(self.value(operand), negated=negated)
            case nodes.Not(operand):
                return self._strict("(not {})", self.value(operand))
            case nodes.And(operands):
                return self._junction(operands, ends_with=False)
            case nodes.Or(operands):
                return self._junction(operands, ends_with=True)
        assert_never(tree)

    def _arithmetic(self, tree: nodes.Arithmetic) -> Fragment:
        total = self.value(tree.first)
        for operator, operand in tree.rest:
            right = self.value(operand)
            if operator in _FUNCTIONS:
                total, right = self._bounded(total), self._bounded(right)
                total = self._strict(f"{_FUNCTIONS[operator]}({{}}, {{}})", total, right, bounded=operator == "%")
            else:
                total = self._strict(f"({{}} {operator} {{}})", total, right, bounded=False)
        return total

    def _comparison(self, tree: nodes.Comparison) -> Fragment:
        left, right = self._bounded(self.value(tree.left)), self._bounded(self.value(tree.right))
        test = f"{{}} {_COMPARISONS[tree.operator]} {{}}"
        if self._is_scalar(tree.left) and self._is_scalar(tree.right):
            return self._strict(f"(alike({left.code}, {right.code}) and {test})", left, right)
        return self._strict(f"({test})", left, right)

    def _is_scalar(self, tree: nodes.Expression) -> bool:
        return isinstance(tree, nodes.Column) and self.types[tree.name] is Type.SCALAR

    def _null_test(self, operand: Fragment, *, negated: bool) -> Fragment:
        kept = self._kept(operand)
        if kept.nulls:
            return Fragment(f"({kept.code} is {'not ' if negated else ''}None)")
        return Fragment(self.constant(negated))

    def _junction(self, operands: tuple[nodes.Expression, ...], *, ends_with: bool) -> Fragment:
        """AND ends with the first FALSE, OR with the first TRUE; else one NULL makes it NULL."""
        result = self._temporary()
        self.line(f"{result} = {self.result(operands[0])}")
        for operand in operands[1:]:
            with self.block(f"if {result} is not {ends_with}:"):
                right = self.result(operand)
                if not right.isidentifier():
                    right, code = self._temporary(), right
                    self.line(f"{right} = {code}")
                with self.block(f"if {right} is {ends_with} or {result} is not None:"):
                    self.line(f"{result} = {right}")
        return Fragment(result, (result,))

    def _truth(self, tree: nodes.Expression) -> str:
        """A local that is true when the condition is TRUE; FALSE and NULL need not be told apart here."""
        result = self._temporary()
        if isinstance(tree, nodes.And | nodes.Or):
            self.line(f"{result} = {self._truth(tree.operands[0])}")
            for operand in tree.operands[1:]:
                with self.block(f"if {'not ' if isinstance(tree, nodes.Or) else ''}{result}:"):
                    self.line(f"{result} = {self._truth(operand)}")
        else:
            condition = self.value(tree)
            self.line(f"{result} = {' and '.join([*self._there(condition), condition.code])}")
        return result

    def _strict(self, template: str, *operands: Fragment, bounded: bool | None = None) -> Fragment:
        if max(operand.depth for operand in operands) >= MAX_DEPTH:
            operands = tuple(self._kept(operand) if operand.depth else operand for operand in operands)
        nulls = tuple(dict.fromkeys(null for operand in operands for null in operand.nulls))
        depth = 1 + max(operand.depth for operand in operands)
        all_bounded = all(operand.bounded for operand in operands)
        code = template.format(*(operand.code for operand in operands))
        return Fragment(code, nulls, all_bounded if bounded is None else bounded, depth)

    def _bounded(self, fragment: Fragment) -> Fragment:
        return fragment if fragment.bounded else self._kept(fragment)

    def _kept(self, fragment: Fragment) -> Fragment:
        """The fragment's value in a local, evaluated here; infinities end as BadRecord."""
        if fragment.depth == 0:
            return fragment
        result = self._temporary()
        absent = self._absent(fragment)
        if absent:
            with self.block(f"if {' or '.join(absent)}:"):
                self.line(f"{result} = None")
            with self.block("else:"):
                self._assign(result, fragment)
        else:
            self._assign(result, fragment)
        return Fragment(result, (result,) if absent else ())

    def _assign(self, result: str, fragment: Fragment) -> None:
        self.line(f"{result} = {fragment.code}")
        if not fragment.bounded:
            with self.block(f"if {result} - {result}:"):
                self.line("out_of_range()")

    def _skip_if(self, conditions: list[str]) -> None:
        with self.block(f"if {' or '.join(conditions)}:"):
            self.line("continue")

    def _absent(self, fragment: Fragment) -> list[str]:
        return [f"{name} is None" for name in fragment.nulls if name not in self._present]

    def _there(self, fragment: Fragment) -> list[str]:
        return [f"{name} is not None" for name in fragment.nulls if name not in self._present]

    def _temporary(self) -> str:
        self._temporaries += 1
        return f"t{self._temporaries - 1}"
