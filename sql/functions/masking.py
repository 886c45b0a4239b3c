"""Functions that hide a text and show its form: each character becomes the mask of its kind.

Kinds are capital letters, small letters, digits of any script and all others. A mask that is NULL leaves its kind
unchanged.
"""

from functools import partial
from typing import Annotated

from jobplane.sql.functions.signature import ConstantCheck, sql


def _single(mask: str) -> str:
    if len(mask) != 1:
        raise ValueError(f"a mask is one character, not {len(mask)}")
    return mask


def _not_negative(name: str, count: int) -> int:
    if count < 0:
        raise ValueError(f"the number of characters given to {name} is negative: {count}")
    return count


Mask = Annotated[str, ConstantCheck(_single)]
CAPITAL, SMALL, DIGIT, OTHER = "X", "x", "n", "-"


@sql()
def mask(
    text: str,
    capital: Mask | None = CAPITAL,
    small: Mask | None = SMALL,
    digit: Mask | None = DIGIT,
    other: Mask | None = OTHER,
) -> str:
    """The text with X for capital letters, x for small ones, n for digits and - for all else; a mask may be NULL."""
    masks = [one if one is None else _single(one) for one in (capital, small, digit, other)]

    def masked(character: str) -> str:
        return masks[_kind(character)] or character

    return "".join(map(masked, text))


def _kind(character: str) -> int:
    if character.isupper():
        return 0
    if character.islower():
        return 1
    return 2 if character.isdecimal() else 3


@sql()
def mask_left(
    text: str,
    count: Annotated[int, ConstantCheck(partial(_not_negative, "MASK_LEFT"))],
    capital: Mask | None = CAPITAL,
    small: Mask | None = SMALL,
    digit: Mask | None = DIGIT,
    other: Mask | None = OTHER,
) -> str:
    """The text with its first `count` characters masked as by MASK."""
    at = _not_negative("MASK_LEFT", count)
    return mask(text[:at], capital, small, digit, other) + text[at:]


@sql()
def mask_right(
    text: str,
    count: Annotated[int, ConstantCheck(partial(_not_negative, "MASK_RIGHT"))],
    capital: Mask | None = CAPITAL,
    small: Mask | None = SMALL,
    digit: Mask | None = DIGIT,
    other: Mask | None = OTHER,
) -> str:
    """The text with its last `count` characters masked as by MASK."""
    at = max(0, len(text) - _not_negative("MASK_RIGHT", count))
    return text[:at] + mask(text[at:], capital, small, digit, other)


@sql()
def mask_keep_left(
    text: str,
    count: Annotated[int, ConstantCheck(partial(_not_negative, "MASK_KEEP_LEFT"))],
    capital: Mask | None = CAPITAL,
    small: Mask | None = SMALL,
    digit: Mask | None = DIGIT,
    other: Mask | None = OTHER,
) -> str:
    """The text masked as by MASK, except its first `count` characters."""
    at = _not_negative("MASK_KEEP_LEFT", count)
    return text[:at] + mask(text[at:], capital, small, digit, other)


@sql()
def mask_keep_right(
    text: str,
    count: Annotated[int, ConstantCheck(partial(_not_negative, "MASK_KEEP_RIGHT"))],
    capital: Mask | None = CAPITAL,
    small: Mask | None = SMALL,
    digit: Mask | None = DIGIT,
    other: Mask | None = OTHER,
) -> str:
    """The text masked as by MASK, except its last `count` characters."""
    at = max(0, len(text) - _not_negative("MASK_KEEP_RIGHT", count))
    return mask(text[:at], capital, small, digit, other) + text[at:]
