"""Numbers as text: ASCII digits with a sign, a point and an exponent. Spaces around a text do not count.

Python's own `int`, `float` and `Decimal` also take underscores, other white space and the digits of every script.
"""

import re
from decimal import Decimal

BLANK = " "
_WHOLE = re.compile(r"[+-]?[0-9]{1,40}")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")


def whole_of(text: str) -> int | None:
    """Of digits alone; None for another text."""
    stripped = text.strip(BLANK)
    return int(stripped) if _WHOLE.fullmatch(stripped) else None


def decimal_of(text: str) -> Decimal | None:
    """None for a text that is not a number."""
    stripped = text.strip(BLANK)
    return Decimal(stripped) if _NUMBER.fullmatch(stripped) else None


def double_of(text: str) -> float | None:
    """None for a text that is not a number; infinity for a number that is too large."""
    stripped = text.strip(BLANK)
    return float(stripped) if _NUMBER.fullmatch(stripped) else None
