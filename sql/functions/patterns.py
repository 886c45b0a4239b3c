"""LIKE and regular expressions, in time linear in the text whatever the pattern: the engine is RE2."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import re2

MAX_MEMORY = 8 << 20
"""Bytes that one compiled pattern may take."""
CACHED = 256
_SIGNS = {"%": "(?s:.*)", "_": "(?s:.)"}


@lru_cache(maxsize=CACHED)
def compiled(pattern: str) -> Any:
    """A regular expression of RE2. Raises ValueError with its reason."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MAX_MEMORY
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
        raise ValueError(f"'{pattern}' is not a regular expression: {reason}") from None


@lru_cache(maxsize=CACHED)
def compiled_like(pattern: str, escape: str | None) -> Callable[[str], bool]:
    """What tells whether a whole text is like a pattern. Raises ValueError for an escape that escapes nothing."""
    parts = _parts(pattern, escape)
    texts = [text for text, is_sign in parts if not is_sign]
    signs = "".join(text if is_sign else "x" for text, is_sign in parts)
    text = "".join(texts)
    simple: dict[str, Callable[[str], bool]] = {
        "": lambda value: not value,
        "%": lambda _: True,
        "x": lambda value: value == text,
        "x%": lambda value: value.startswith(text),
        "%x": lambda value: value.endswith(text),
        "%x%": lambda value: text in value,
    }
    if signs in simple:
        return simple[signs]
    matches = compiled("".join(_SIGNS[text] if is_sign else re2.escape(text) for text, is_sign in parts)).fullmatch
    return lambda value: matches(value) is not None


def _parts(pattern: str, escape: str | None) -> list[tuple[str, bool]]:
    """The signs of a pattern (True) and the texts between them (False)."""
    if escape is not None and len(escape) != 1:
        raise ValueError(f"ESCAPE takes one character, not '{escape}'")
    parts: list[tuple[str, bool]] = []
    characters = iter(pattern)
    for character in characters:
        is_sign = character in _SIGNS
        if character == escape:
            character, is_sign = next(characters, ""), False  # noqa: PLW2901  # the one that is escaped
            if character not in (*_SIGNS, escape):
                raise ValueError(f"in LIKE '{pattern}' the escape '{escape}' stands before neither %, _ nor itself")
        if not is_sign and parts and not parts[-1][1]:
            parts[-1] = (parts[-1][0] + character, False)
        elif not (character == "%" and is_sign and parts and parts[-1] == ("%", True)):
            parts.append((character, is_sign))
    return parts


def like(text: str, pattern: str, escape: str | None = None) -> bool:
    """LIKE with a pattern that only the record tells."""
    return compiled_like(pattern, escape)(text)
