"""A value as an error shows it."""

from typing import Any

import msgspec

LONGEST = 60
"""Characters of a value in an error."""
_WORDS = {None: "NULL", True: "TRUE", False: "FALSE"}


def shown(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return _WORDS[value]
    if isinstance(value, msgspec.Raw):
        said = bytes(value).decode(errors="replace")
    else:
        said = repr(value[: LONGEST + 1]) if isinstance(value, str | bytes) else str(value)
    return said if len(said) <= LONGEST else said[: LONGEST - 1] + "…"
