"""What fits a value into the type of a column of the target."""

from collections.abc import Callable
from typing import Any

from jobplane.schemas.failures import BadRecord
from jobplane.schemas.formats.fields import Convert
from jobplane.schemas.formats.json.values import integer_bounds, to_real
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type
from jobplane.schemas.types.decimals import fit_decimal
from jobplane.sql.operations.casts import exactly, explicit, inside


def fitting(column: str, source: Type, target: Type) -> Convert | None:
    """Fits a value, or what lies in the value, into a column's type; None where the value stays as it is.

    Numbers that do not fit are BadRecord, whose message names the column as `column` says it.
    """
    if source == target or t.NULL in (source, target):
        return None
    if t.is_numeric(source) and t.is_numeric(target):
        return _fitting_number(column, source, target)
    if source.name in t.NESTED:
        return inside(source, target, lambda a, b: fitting(column, a, b))
    return explicit(source, target)


def _fitting_number(column: str, source: Type, target: Type) -> Convert:
    fit = _fit(source, target)

    def fits(value: Any) -> Any:
        try:
            return fit(value)
        except (ValueError, ArithmeticError, BadRecord):
            raise BadRecord(f"{value} does not fit into {column}") from None

    return fits


def _fit(source: Type, target: Type) -> Callable[[Any], Any]:
    if target.name == "DECIMAL":
        (precision, scale), exact = target.size, exactly(source)
        return lambda value: fit_decimal(exact(value) if exact else value, precision, scale)
    if target == t.REAL:
        return lambda value: to_real(float(value))
    if not t.is_integer(target):
        return float
    low, high = integer_bounds(target)

    def whole(value: Any) -> int:
        result = int(value)
        if result != value or not low <= result <= high:
            raise ValueError
        return result

    return whole
