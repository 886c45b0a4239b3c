"""What kind of value each column must hold: as its mapping declares it, else found from how the query uses it.

A column compared with another column is of the same kind. Two demands that no record could satisfy are TypeMismatch.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import assert_never

from schemas.errors import Place, TypeMismatch, UnknownColumn, did_you_mean
from sql import nodes


class Type(StrEnum):
    """The value is what a person calls it. NULL may stand for a value of any kind."""

    NUMBER = "a number"
    STRING = "a string"
    BOOLEAN = "true or false"
    NULL = "NULL"
    SCALAR = "a number, a string, true or false"
    ANY = "any JSON value"


@dataclass(slots=True)
class Columns:
    """Columns in groups of one kind each. What was learned stays with the group's root.

    `declared` are all there are, with their kinds, where the source is mapped.
    """

    declared: Mapping[str, Type] | None = None
    _parents: dict[str, str] = field(default_factory=dict)
    _demands: dict[str, tuple[Type, Place]] = field(default_factory=dict)
    _compared: set[str] = field(default_factory=set)

    def add(self, column: nodes.Column) -> Type:
        """The kind of a column as far as it is declared. Raises UnknownColumn where it is not among those that are."""
        self._parents.setdefault(column.name, column.name)
        if self.declared is None:
            return Type.ANY
        if column.name not in self.declared:
            hint = did_you_mean(column.name, self.declared) or f"; columns are {', '.join(self.declared)}"
            raise UnknownColumn(f"no column is called '{column.name}'{hint}", column.place)
        return self.declared[column.name]

    def demand(self, column: nodes.Column, kind: Type) -> None:
        """Raises TypeMismatch when the column was already used as another kind."""
        root = self._root(column.name)
        known, place = self._demands.setdefault(root, (kind, column.place))
        if known is not kind:
            message = f"column {column.name} is used as {kind} here and as {known} at {place}"
            raise TypeMismatch(message, column.place)

    def join(self, left: nodes.Column, right: nodes.Column) -> None:
        """Both are of one kind from now on."""
        a, b = self._root(left.name), self._root(right.name)
        self._compared |= {a, b}
        if a in self._demands:
            self.demand(right, self._demands[a][0])
        elif b in self._demands:
            self.demand(left, self._demands[b][0])
        if a != b:
            self._parents[a] = b
            self._demands.pop(a, None)

    def types(self) -> dict[str, Type]:
        """Every column, in the order first met. Without a demand, one that is compared is a SCALAR, another ANY."""
        if self.declared is not None:
            return {name: self.declared[name] for name in self._parents}
        found = {}
        for name in self._parents:
            root = self._root(name)
            undemanded = Type.SCALAR if root in self._compared else Type.ANY
            found[name] = self._demands[root][0] if root in self._demands else undemanded
        return found

    def _root(self, name: str) -> str:
        while (parent := self._parents[name]) != name:
            self._parents[name] = self._parents[parent]
            name = parent
        return name


Value = tuple[nodes.Expression, Type, str]
"""An expression to be written, the kind its target takes (ANY: all), and what to call that target in an error."""


def column_types(
    where: nodes.Expression | None, values: Iterable[Value], declared: Mapping[str, Type] | None = None
) -> dict[str, Type]:
    """The columns of a query with their types. Raises TypeMismatch or UnknownColumn with its place."""
    columns = Columns(declared)
    if where is not None:
        _demand(where, Type.BOOLEAN, "WHERE", columns)
    for value, kind, target in values:
        if kind is Type.ANY:
            _type(value, columns)
        else:
            _demand(value, kind, target, columns)
    return columns.types()


def _demand(tree: nodes.Expression, kind: Type, by: str, columns: Columns) -> None:
    found = _type(tree, columns)
    if columns.declared is None and isinstance(tree, nodes.Column):
        columns.demand(tree, kind)
    elif found not in (kind, Type.NULL):
        raise TypeMismatch(f"{by} needs {kind}; this is {found}", tree.place)


def _type(tree: nodes.Expression, columns: Columns) -> Type:
    match tree:
        case nodes.Column():
            return columns.add(tree)
        case nodes.Number():
            return Type.NUMBER
        case nodes.String():
            return Type.STRING
        case nodes.Boolean():
            return Type.BOOLEAN
        case nodes.Null():
            return Type.NULL
        case nodes.Sign(sign, operand):
            _demand(operand, Type.NUMBER, f"the sign {sign}", columns)
            return Type.NUMBER
        case nodes.Arithmetic(first, rest):
            _demand(first, Type.NUMBER, rest[0][0], columns)
            for operator, operand in rest:
                _demand(operand, Type.NUMBER, operator, columns)
            return Type.NUMBER
        case nodes.Comparison():
            _compare(tree, columns)
            return Type.BOOLEAN
        case nodes.IsNull(operand):
            _type(operand, columns)
            return Type.BOOLEAN
        case nodes.Not(operand):
            _demand(operand, Type.BOOLEAN, "NOT", columns)
            return Type.BOOLEAN
        case nodes.And(operands) | nodes.Or(operands):
            for operand in operands:
                _demand(operand, Type.BOOLEAN, "AND" if isinstance(tree, nodes.And) else "OR", columns)
            return Type.BOOLEAN
    assert_never(tree)


def _compare(tree: nodes.Comparison, columns: Columns) -> None:
    left, right = _type(tree.left, columns), _type(tree.right, columns)
    if Type.NULL in (left, right):
        return
    if columns.declared is None and isinstance(tree.left, nodes.Column):
        if isinstance(tree.right, nodes.Column):
            columns.join(tree.left, tree.right)
        else:
            columns.demand(tree.left, right)
    elif columns.declared is None and isinstance(tree.right, nodes.Column):
        columns.demand(tree.right, left)
    elif Type.ANY in (left, right):
        raise TypeMismatch(f"a JSON value is not compared with {tree.operator}; IS NULL is all", tree.left.place)
    elif left is not right:
        raise TypeMismatch(f"{tree.operator} compares {left} with {right}", tree.left.place)
