"""Finds the types of columns from JSON values.

Types are tried from narrow to wide; a column with a value that its type cannot read is JSON, which reads any value. A
null says nothing about the type.
"""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from jobplane.schemas.failures import BadRecord
from jobplane.schemas.formats.json.values import decoder, msgspec_type, read_conversion
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type

EXACT_DIGITS = 15
"""A DOUBLE keeps so many digits of any number."""
MOST_FIELDS, DEEPEST = 32, 4
"""An object with more fields, or nested deeper, is JSON."""
_TEXTS = (t.DATE, t.TIMESTAMP, t.TIMESTAMP_TZ)


class _Unreadable:
    """A value that json.loads cannot read, and a reader of JSON may."""


def infer_type(raws: Sequence[bytes]) -> Type:
    """The type of a column with these values, each as JSON text."""
    found = infer_common_type([decode_value(raw) for raw in raws])
    return found if can_read(found, raws) else t.JSON


def decode_value(raw: bytes) -> Any:
    """Numbers with a point are Decimals."""
    try:
        return json.loads(raw, parse_float=Decimal, parse_constant=lambda _: _Unreadable())
    except (ValueError, ArithmeticError, RecursionError):
        return _Unreadable()


def infer_common_type(values: Sequence[Any], depth: int = 0) -> Type:
    there = [value for value in values if value is not None]
    kinds = {type(value) for value in there}
    if kinds == {bool}:
        return t.BOOLEAN
    if kinds and kinds <= {int, Decimal}:
        return _number(there)
    if kinds == {str}:
        raws = [msgspec.json.encode(value) for value in there if _is_text(value)]
        narrow = (one for one in _TEXTS if can_read(one, raws))
        return next(narrow, t.VARCHAR) if len(raws) == len(there) else t.JSON
    if kinds == {list} and depth < DEEPEST:
        return t.array(infer_common_type([item for value in there for item in value], depth + 1))
    if kinds == {dict} and depth < DEEPEST:
        return _row(there, depth)
    return t.JSON


def can_read(one: Type, raws: Sequence[bytes]) -> bool:
    """Whether the format json-flat reads all of them as values of the type."""
    wanted, convert = msgspec_type(one), read_conversion(one)
    decode = decoder(wanted if wanted is msgspec.Raw else wanted | None).decode
    try:
        for raw in raws:
            value = decode(raw)
            if convert is not None and value is not None:
                convert(value)
    except (ValueError, ArithmeticError, RecursionError, BadRecord):
        return False
    return True


def _is_text(value: str) -> bool:
    """Half a surrogate pair is text to json.loads alone."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _number(values: Sequence[int | Decimal]) -> Type:
    sizes = [_size(value) for value in values]
    digits = max(digits for digits, _, _ in sizes)
    before, after = max(before for _, before, _ in sizes), max(after for _, _, after in sizes)
    if all(isinstance(value, int) for value in values):
        if all(-(2**63) <= value < 2**63 for value in values):
            return t.BIGINT
    elif digits <= EXACT_DIGITS:
        return t.DOUBLE
    return t.decimal(t.MAX_PRECISION, after) if before + after <= t.MAX_PRECISION else t.DOUBLE


def _size(value: int | Decimal) -> tuple[int, int, int]:
    """Digits from the first to the last that is not 0; those before the point; those after it."""
    _, digits, exponent = Decimal(value).as_tuple()
    text = "".join(map(str, digits)).lstrip("0")
    kept = text.rstrip("0")
    exponent = int(exponent) + len(text) - len(kept)
    return len(kept), max(0, len(kept) + exponent), max(0, -exponent) if kept else 0


def _row(objects: Sequence[dict[str, Any]], depth: int) -> Type:
    """A ROW if the objects have mostly the same fields; otherwise JSON, as they are probably maps."""
    names = tuple(dict.fromkeys(name for one in objects for name in one))
    stable = 2 * sum(map(len, objects)) >= len(objects) * len(names)
    nameable = all(name and _is_text(name) for name in names)
    if not 0 < len(names) <= MOST_FIELDS or not stable or not nameable:
        return t.JSON
    return t.row(names, tuple(infer_common_type([one.get(name) for one in objects], depth + 1) for name in names))
