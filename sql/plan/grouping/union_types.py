"""The types of columns where the rows of several branches of UNION ALL come to one group."""

from collections.abc import Sequence
from itertools import pairwise

from jobplane.schemas.errors import ColumnMismatch, Place, TypeMismatch
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type
from jobplane.sql.plan.selects import Rows
from jobplane.sql.types.coercion import common_type

_UNTYPED = frozenset({t.SCALAR, t.JSON})
"""The types that a value of JSON has as long as nothing needs another."""


def common_types(branches: Sequence[Rows | None], place: Place) -> list[Type]:
    """One for each column; empty where the branches agree.

    Raises ColumnMismatch or TypeMismatch, at `place`, or where the column is that does not go with the others.
    """
    first, *others = [rows for rows in branches if rows is not None]
    for rows in others:
        if len(rows.columns) != len(first.columns) or rows.open != first.open:
            counts = " and ".join("*" if one.open else str(len(one.columns)) for one in (first, rows))
            raise ColumnMismatch(f"the branches of UNION ALL have {counts} columns; they must have as many", place)
    found: list[Type] = []
    for columns in zip(*(rows.columns for rows in (first, *others)), strict=True):
        types = [one.value.type for one in columns]
        typed = [one for one in types if one not in _UNTYPED] or types
        common = common_type(typed)
        if common is None:
            other, column = next((a, b) for a, b in pairwise(columns) if a.value.type != b.value.type)
            pair = f"{other.value.type.words} in one branch of UNION ALL and {column.value.type.words} in another"
            raise TypeMismatch(f"column {column.name} is {pair}; CAST it in one of them", column.place)
        found.append(common)
    alike = all(
        one.value.type == wanted for rows in (first, *others) for one, wanted in zip(rows.columns, found, strict=True)
    )
    return [] if alike else found
