"""Simplifies AND, OR, CASE, COALESCE and IS NULL with constant operands."""

from collections.abc import Sequence

from jobplane.schemas.types.datatypes import BOOLEAN, Type
from jobplane.sql.types.typed import Choice, Coalesce, Constant, Junction, NullTest, Typed


def junction(operands: Sequence[Typed], *, ends_with: bool) -> Typed:
    """AND ends with FALSE, OR with TRUE; the other of both says nothing."""
    kept: list[Typed] = []
    for one in operands:
        if isinstance(one, Constant) and one.value is ends_with:
            kept.append(one)
            break
        if not (isinstance(one, Constant) and one.value is not None):
            kept.append(one)
    if not kept:
        return Constant(not ends_with, BOOLEAN)
    return kept[0] if len(kept) == 1 else Junction(tuple(kept), ends_with)


def choice(branches: Sequence[tuple[Typed, Typed]], otherwise: Typed, one: Type) -> Typed:
    """Branches whose condition is a constant are taken, or left out."""
    kept: list[tuple[Typed, Typed]] = []
    for when, then in branches:
        if not isinstance(when, Constant):
            kept.append((when, then))
        elif when.value is True:
            otherwise = then
            break
    return Choice(tuple(kept), otherwise, one) if kept else otherwise


def coalesce(operands: Sequence[Typed], one: Type) -> Typed:
    """NULL is left out, and what stands behind a value that is not NULL."""
    kept: list[Typed] = []
    for operand in operands:
        if isinstance(operand, Constant) and operand.value is None:
            continue
        kept.append(operand)
        if isinstance(operand, Constant):
            break
    if not kept:
        return Constant(None, one)
    return kept[0] if len(kept) == 1 else Coalesce(tuple(kept), one)


def null_test(operand: Typed, *, negated: bool) -> Typed:
    if isinstance(operand, Constant):
        return Constant((operand.value is None) is not negated, BOOLEAN)
    return NullTest(operand, negated)
