"""A value as an error shows it."""

from typing import Any

LONGEST = 60
"""Characters of a value in an error."""


def shown(value: Any) -> str:
    said = repr(value[: LONGEST + 1]) if isinstance(value, str | bytes) else str(value)
    return said if len(said) <= LONGEST else said[: LONGEST - 1] + "…"
