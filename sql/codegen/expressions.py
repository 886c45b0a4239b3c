"""From typed expressions to lines of Python in which no text of the user stands.

Fields are locals f0, f1 …, constants globals k0, k1 …, functions g0, g1 …, results kept are t0, t1 …. A Fragment is
Python evaluated only when none of its `nulls` is None; if one is, its value is NULL. What ends this strictness (AND,
OR, IS NULL, CASE, COALESCE) becomes statements. Blocks nest as deep as those do, at most two for each parenthesis.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, assert_never

from jobplane.schemas.errors import NestedTooDeep
from jobplane.schemas.types.datatypes import MAX_LENGTH
from jobplane.sql.codegen.loops import loop
from jobplane.sql.functions import BUILT_IN, FunctionCatalogue
from jobplane.sql.operations.template import Check, Template
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

MAX_DEPTH = 10
"""Operators in one Python expression; deeper ones go through a temporary."""
MAX_BLOCKS = 90
"""Python takes no more than a hundred levels of indentation."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """`check`: what the value has yet to be looked at for, where it is used."""

    code: str
    nulls: tuple[str, ...] = ()
    check: Check = ""
    depth: int = 0


@dataclass(slots=True)
class Code:
    """Lines being written. `locals` maps a field's key to Python for it; `_present` are locals known not to be None.

    `bound` is what stands under names of the templates themselves.
    `spent`: inside a lambda, the local that counts what lambdas have looked at and made of the record.
    """

    locals: dict[str, str]
    catalogue: FunctionCatalogue = BUILT_IN
    indent: int = 3
    lines: list[str] = field(default_factory=list)
    constants: dict[str, Any] = field(default_factory=dict)
    functions: dict[str, Any] = field(default_factory=dict)
    bound: dict[str, Any] = field(default_factory=dict)
    spent: str = ""
    _present: set[str] = field(default_factory=set)
    _names: dict[tuple[str, int], str] = field(default_factory=dict)
    _temporaries: int = 0

    def line(self, text: str) -> None:
        self.lines.append("    " * self.indent + text)

    @contextmanager
    def block(self, opening: str) -> Iterator[None]:
        """Raises NestedTooDeep."""
        self.line(opening)
        self.indent += 1
        if self.indent > MAX_BLOCKS:
            raise NestedTooDeep("the query's conditions are nested too deep")
        yield
        self.indent -= 1

    def constant(self, value: Any) -> str:
        name = f"k{len(self.constants)}"
        self.constants[name] = value
        return name

    def function(self, name: str, value: Any) -> str:
        """The global for something bound to a template: one for each, however often it is used."""
        made = self._names.setdefault((name, id(value)), f"g{len(self.functions)}")
        self.functions[made] = value
        return made

    def keep_where(self, tree: Typed) -> None:
        """Lines that `continue` with the next row unless the condition is TRUE."""
        if isinstance(tree, Junction) and not tree.ends_with:
            for operand in tree.operands:
                self.keep_where(operand)
        elif isinstance(tree, Junction):
            self._skip_if([f"not {self.truth(tree)}"])
        else:
            condition = self.value(tree)
            self._skip_if([*self._null_tests(condition), f"not {condition.code}"])
            self._present.update(condition.nulls)

    def result(self, tree: Typed) -> str:
        """Python for the value of an expression, None for NULL."""
        if isinstance(tree, Constant) and tree.value is None:
            return "None"
        fragment = self.value(tree)
        if not fragment.check and (fragment.nulls == (fragment.code,) or not self._null_tests(fragment)):
            return fragment.code
        return self._keep(fragment).code

    def value(self, tree: Typed) -> Fragment:
        match tree:
            case Field(key):
                return Fragment(self.locals[key], (self.locals[key],))
            case Constant(value):
                name = self.constant(value)
                return Fragment(name, (name,) if value is None else ())
            case Apply():
                return self._apply(tree)
            case ApplyNullable():
                return self._apply_nullable(tree)
            case NullTest(operand, negated):
                return self._null_test(self.value(operand), negated=negated)
            case Junction(operands, ends_with):
                return self._junction(operands, ends_with=ends_with)
            case Choice():
                return self._choice(tree)
            case Coalesce(operands):
                return self._coalesce(operands)
            case Loop():
                result = loop(self, tree)
                return Fragment(result, (result,))
            case Let(key, value, body):
                self.locals[key] = self.name_for(self.result(value))
                return self.value(body)
        assert_never(tree)

    def _apply(self, tree: Apply) -> Fragment:
        """Chains are as deep as they are long: they are written from their first operand on, one after another."""
        spine = [tree]
        while spine[-1].arguments and isinstance(first := spine[-1].arguments[0], Apply):
            spine.append(first)
        made = self._write_operation(spine.pop(), None)
        while spine:
            made = self._write_operation(spine.pop(), made)
        return made

    def _write_operation(self, tree: Apply, first: Fragment | None) -> Fragment:
        """One operation; `first` is its first operand, where that was written already."""
        rest = tree.arguments if first is None else tree.arguments[1:]
        operands = [*([] if first is None else [first]), *(self.value(one) for one in rest)]
        template = tree.template(self.catalogue)
        operands = [
            operand if template.carries and operand.check == template.check else self._check(operand)
            for operand in operands
        ]
        if any(operand.depth >= MAX_DEPTH for operand in operands):
            operands = [self._keep(operand) if operand.depth else operand for operand in operands]
        nulls = tuple(dict.fromkeys(null for operand in operands for null in operand.nulls))
        depth = 1 + max((operand.depth for operand in operands), default=0)
        made = Fragment(self._fill(template, [operand.code for operand in operands]), nulls, template.check, depth)
        if not template.gives_null:
            return made
        kept = self._keep(made)
        return Fragment(kept.code, (kept.code,))

    def _apply_nullable(self, tree: ApplyNullable) -> Fragment:
        template = tree.template(self.catalogue)
        named = "{0}" in template.code
        codes = [self.name_for(self.result(one)) if named else self.result(one) for one in tree.arguments]
        result = self.name_for(self._fill(template, codes))
        return Fragment(result, (result,))

    def _fill(self, template: Template, codes: list[str]) -> str:
        """The template with its arguments, and our own names for what is bound to it."""
        code = template.code
        for name, value in template.bound.items():
            code = re.sub(rf"\b{name}\b", self.function(name, value), code)
        return code.format(*codes)

    def _null_test(self, operand: Fragment, *, negated: bool) -> Fragment:
        kept = self._keep(operand)
        if kept.nulls:
            return Fragment(f"({kept.code} is {'not ' if negated else ''}None)", depth=1)
        return Fragment(self.constant(negated))

    def _junction(self, operands: tuple[Typed, ...], *, ends_with: bool) -> Fragment:
        """AND ends with the first FALSE, OR with the first TRUE; else one NULL makes it NULL."""
        result = self.temporary()
        self.line(f"{result} = {self.result(operands[0])}")
        for operand in operands[1:]:
            with self.block(f"if {result} is not {ends_with}:"):
                right = self.name_for(self.result(operand))
                with self.block(f"if {right} is {ends_with} or {result} is not None:"):
                    self.line(f"{result} = {right}")
        return Fragment(result, (result,))

    def _choice(self, tree: Choice) -> Fragment:
        """Each branch is looked at where none before it was taken."""
        result, open_ = self.temporary(), self.temporary()
        self.line(f"{open_} = True")
        for when, then in tree.branches:
            with self.block(f"if {open_}:"), self.block(f"if {self.truth(when)}:"):
                self.line(f"{result} = {self.result(then)}")
                self.line(f"{open_} = False")
        with self.block(f"if {open_}:"):
            self.line(f"{result} = {self.result(tree.otherwise)}")
        return Fragment(result, (result,))

    def _coalesce(self, operands: tuple[Typed, ...]) -> Fragment:
        result = self.temporary()
        self.line(f"{result} = {self.result(operands[0])}")
        for operand in operands[1:]:
            with self.block(f"if {result} is None:"):
                self.line(f"{result} = {self.result(operand)}")
        return Fragment(result, (result,))

    def truth(self, tree: Typed) -> str:
        """A local that is true when the condition is TRUE; FALSE and NULL need not be told apart here."""
        result = self.temporary()
        if isinstance(tree, Junction):
            self.line(f"{result} = {self.truth(tree.operands[0])}")
            for operand in tree.operands[1:]:
                with self.block(f"if {'not ' if tree.ends_with else ''}{result}:"):
                    self.line(f"{result} = {self.truth(operand)}")
        else:
            condition = self.value(tree)
            self.line(f"{result} = {' and '.join([*self._not_null_tests(condition), condition.code])}")
        return result

    def _check(self, fragment: Fragment) -> Fragment:
        return self._keep(fragment) if fragment.check else fragment

    def _keep(self, fragment: Fragment) -> Fragment:
        """The fragment's value in a local, evaluated here; what is out of bounds ends as BadRecord."""
        if fragment.depth == 0:
            return fragment
        result = self.temporary()
        absent = self._null_tests(fragment)
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
        if fragment.check == "finite":
            with self.block(f"if {result} - {result}:"):
                self.line("out_of_range()")
        elif fragment.check == "whole":
            with self.block(f"if not -9223372036854775808 <= {result} <= 9223372036854775807:"):
                self.line(f"check_whole({result})")
        elif fragment.check == "bounded":
            with self.block(f"if len({result}) > {MAX_LENGTH}:"):
                self.line(f"too_long({result})")

    def name_for(self, code: str) -> str:
        """A name for what may be an expression."""
        if code.isidentifier():
            return code
        result = self.temporary()
        self.line(f"{result} = {code}")
        return result

    def _skip_if(self, conditions: list[str]) -> None:
        with self.block(f"if {' or '.join(conditions)}:"):
            self.line("continue")

    def _null_tests(self, fragment: Fragment) -> list[str]:
        return [f"{name} is None" for name in fragment.nulls if name not in self._present]

    def _not_null_tests(self, fragment: Fragment) -> list[str]:
        return [f"{name} is not None" for name in fragment.nulls if name not in self._present]

    def temporary(self) -> str:
        self._temporaries += 1
        return f"t{self._temporaries - 1}"
