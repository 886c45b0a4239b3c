"""An expression of a plan in a few words, for people: plans have no text of what was written."""

from collections.abc import Iterable

from jobplane.schemas.names import quote_name
from jobplane.sql.analysis.record import KEY_FIELDS, KEY_WHOLE, RAW_HEADERS, VALUE_WHOLE
from jobplane.sql.operations.operation import CallOperation, CastOperation, Convert, Fit, View, Widen
from jobplane.sql.types.typed import (
    Apply,
    ApplyNullable,
    Choice,
    Coalesce,
    Constant,
    Field,
    Junction,
    Loop,
    NullTest,
    Typed,
)

LONGEST = 60
PART, VALUE_FIELD, KEY_FIELD, MADE = "part", "value", "key", "made"
SEPARATOR = "\0"
"""What the key of a field begins with: a part of the record, a field of its value or key, or what a step has made."""
_NAMES = {KEY_FIELDS: "__key", KEY_WHOLE: "__key", VALUE_WHOLE: "this", RAW_HEADERS: "__headers"}
_SIGNS = {
    "add": "+",
    "subtract": "-",
    "multiply": "*",
    "divide": "/",
    "equal": "=",
    "unequal": "<>",
    "less": "<",
    "less-or-equal": "<=",
    "greater": ">",
    "greater-or-equal": ">=",
}
_UNSEEN = (Convert, Fit, View, Widen)
"""Operations that nobody has written."""


def expression_words(value: Typed) -> str:
    """Not exact: expressions that differ may have the same words."""
    text = _words(value, 4)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def call_words(name: str, arguments: Iterable[Typed], *, distinct: bool = False) -> str:
    given = ", ".join(_words(one, 3) for one in arguments) or "*"
    return f"{name}({'DISTINCT ' if distinct else ''}{given})"


def _words(value: Typed, depth: int) -> str:
    match value:
        case Field(key):
            return _name(*key.split(SEPARATOR))
        case Constant(constant):
            return f"'{constant}'" if isinstance(constant, str) else str(constant)
        case Apply(operation, arguments) | ApplyNullable(operation, arguments) if depth:
            parts = [_words(one, depth - 1) for one in arguments]
            if isinstance(operation, _UNSEEN) and len(parts) == 1:
                return parts[0]
            if isinstance(operation, CallOperation):
                return f"{operation.name}({', '.join(parts)})"
            if isinstance(operation, str):
                sign = _SIGNS.get(operation) or _SIGNS.get(operation.partition("-")[0])
                return f" {sign} ".join(parts) if sign and len(parts) == 2 else f"{operation}({', '.join(parts)})"
            if isinstance(operation, CastOperation):
                return f"CAST({parts[0]} AS {operation.target})"
        case Coalesce(operands) if depth:
            return f"COALESCE({', '.join(_words(one, depth - 1) for one in operands)})"
        case Junction(operands, ends_with) if depth:
            return (" OR " if ends_with else " AND ").join(_words(one, depth - 1) for one in operands)
        case NullTest(operand, negated) if depth:
            return f"{_words(operand, depth - 1)} IS {'NOT ' if negated else ''}NULL"
        case Choice() if depth:
            return "CASE …"
        case Loop(name, over) if depth:
            return f"{name}({_words(over, depth - 1)}, …)"
        case _:
            pass
    return "…"


def _name(kind: str, *path: str) -> str:
    match kind:
        case "value":
            return ".".join(map(quote_name, path)) or "this"
        case "key":
            return ".".join(("__key", *map(quote_name, path)))
        case _:
            return _NAMES.get(path[0], path[0])
