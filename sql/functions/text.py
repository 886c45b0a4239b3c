"""Functions of text. Positions count characters, that is code points of Unicode, from 1 on.

A function whose result may be longer than its arguments calls `check_length` first.
"""

import re
import sys
from functools import partial
from typing import Annotated, Any

from jobplane.sql.functions.signature import ConstantCheck, are_constant, sql
from jobplane.sql.runtime.occurrences import find_nth
from jobplane.sql.runtime.plain import check_length, join_texts, plain_text

_WORD = re.compile(r"(?:[^\W_][\u0300-\u036f]*)+")
"""Letters and digits, with the accents that follow them."""


@sql("UCASE")
@sql()
def upper(text: str) -> str:
    """The text in capital letters."""
    return text.upper()


@sql("LCASE")
@sql()
def lower(text: str) -> str:
    """The text in small letters."""
    return text.lower()


@sql()
def initcap(text: str) -> str:
    """The text with the first letter of each word capital, the others small."""
    return _WORD.sub(lambda word: word[0].capitalize(), text)


@sql("CHARACTER_LENGTH")
@sql("CHAR_LENGTH")
@sql("LEN")
@sql()
def length(text: str) -> int:
    """How many characters the text has."""
    return len(text)


@sql("OCTET_LENGTH")
@sql("LEN")
@sql("LENGTH")
def length_of_bytes(octets: bytes) -> int:
    """How many bytes there are."""
    return len(octets)


@sql()
def octet_length(text: str) -> int:
    """How many bytes the text has in UTF-8."""
    return len(text.encode())


def _not_negative(name: str, length: int) -> int:
    if length < 0:
        raise ValueError(f"the length given to {name} is negative: {length}")
    return length


Taken = Annotated[int, ConstantCheck(partial(_not_negative, "SUBSTRING"))]
Replaced = Annotated[int, ConstantCheck(partial(_not_negative, "OVERLAY"))]


@sql("SUBSTR")
@sql()
def substring(text: str, start: int, length: Taken = sys.maxsize) -> str:
    """The characters from position start on; positions before the first count, but hold no characters."""
    end = start - 1 + (length if length >= 0 else _not_negative("SUBSTRING", length))
    return text[start - 1 if start > 0 else 0 : max(0, end)]


@sql()
def left(text: str, count: int) -> str:
    """The first `count` characters; if negative, all but the last ones."""
    return text[:count]


@sql()
def right(text: str, count: int) -> str:
    """The last `count` characters; if negative, all but the first ones."""
    return text[max(len(text) - count, 0) :] if count >= 0 else text[-count:]


def _before_the_text(_text: Any, _replacement: Any, start: Any, _length: Any = 0) -> None:
    if are_constant(start) and start < 1:
        raise ValueError(f"OVERLAY starts before the first character: {start}")


@sql("OVERLAY", refuses=_before_the_text)
def overlay_by_length(text: str, replacement: str, start: int) -> str:
    """The text with as many characters as the replacement has, from start on, replaced by it."""
    return overlay(text, replacement, start, len(replacement))


@sql(refuses=_before_the_text)
def overlay(text: str, replacement: str, start: int, length: Replaced) -> str:
    """The text with `length` characters from start on replaced."""
    _before_the_text(text, replacement, start)
    check_length("OVERLAY", len(text) + len(replacement))
    return text[: start - 1] + replacement + text[start - 1 + _not_negative("OVERLAY", length) :]


@sql()
def position(part: str, text: str) -> int:
    """The position of the first occurrence of the part in the text; 0 if there is none."""
    return text.find(part) + 1


def _start(position: int) -> int:
    if position == 0:
        raise ValueError("INSTR counts positions from 1 on, or from -1 backwards: there is no position 0")
    return position


def _counted(occurrence: int) -> int:
    if occurrence < 1:
        raise ValueError(f"INSTR counts occurrences from 1 on, not {occurrence}")
    return occurrence


@sql()
def instr(
    text: str,
    part: str,
    start: Annotated[int, ConstantCheck(_start)] = 1,
    occurrence: Annotated[int, ConstantCheck(_counted)] = 1,
) -> int:
    """The position of the part in the text, from start on, or backwards if start is negative; 0 if there is none."""
    if _start(start) > 0:
        return find_nth(text, part, start - 1, _counted(occurrence)) + 1
    found = find_nth(text[::-1], part[::-1], max(0, -start - len(part)), _counted(occurrence))
    return 0 if found < 0 else len(text) - found - len(part) + 1


@sql()
def starts_with(text: str, prefix: str) -> bool:
    """Whether the text begins with the prefix."""
    return text.startswith(prefix)


@sql()
def ends_with(text: str, suffix: str) -> bool:
    """Whether the text ends with the suffix."""
    return text.endswith(suffix)


@sql()
def contains(text: str, part: str) -> bool:
    """Whether the part is in the text."""
    return part in text


@sql()
def trim(text: str) -> str:
    """The text without spaces at both ends."""
    return text.strip(" ")


@sql()
def btrim(text: str, characters: str = " ") -> str:
    """The text without any of the characters at both ends."""
    return text.strip(characters)


@sql()
def ltrim(text: str, characters: str = " ") -> str:
    """The text without any of the characters at its beginning."""
    return text.lstrip(characters)


@sql()
def rtrim(text: str, characters: str = " ") -> str:
    """The text without any of the characters at its end."""
    return text.rstrip(characters)


def _filling(fill: str) -> str:
    if not fill:
        raise ValueError("LPAD and RPAD cannot fill up with an empty text")
    return fill


Fill = Annotated[str, ConstantCheck(_filling)]


@sql()
def lpad(text: str, length: int, fill: Fill = " ") -> str:
    """The text filled up at its beginning to a length; a longer text is cut off at its end."""
    return _padding("LPAD", text, length, fill) + text[: max(length, 0)]


@sql()
def rpad(text: str, length: int, fill: Fill = " ") -> str:
    """The text filled up at its end to a length; a longer text is cut off there."""
    return text[: max(length, 0)] + _padding("RPAD", text, length, fill)


def _padding(name: str, text: str, length: int, fill: str) -> str:
    check_length(name, length)
    missing = max(length - len(text), 0)
    return (_filling(fill) * (missing // len(fill) + 1))[:missing]


@sql()
def repeat(text: str, times: int) -> str:
    """The text repeated; empty if the number is negative."""
    check_length("REPEAT", len(text) * times)
    return text * times if text else ""


@sql()
def replace(text: str, part: str, replacement: str) -> str:
    """The text with every occurrence of the part replaced."""
    if not part:
        return text
    if len(replacement) > len(part):
        check_length("REPLACE", len(text) + text.count(part) * (len(replacement) - len(part)))
    return text.replace(part, replacement)


@sql()
def translate(text: str, characters: str, replacements: str) -> str:
    """The text with each of the characters replaced by the one at its place, or removed where there is none."""
    table: dict[int, str] = {}
    for i, character in enumerate(characters):
        table.setdefault(ord(character), replacements[i : i + 1])
    return text.translate(table)


@sql()
def reverse(text: str) -> str:
    """The characters from the last to the first."""
    return text[::-1]


def _not_zero(number: int) -> int:
    if number == 0:
        raise ValueError("SPLIT_PART counts parts from 1 on, or from -1 backwards: there is no part 0")
    return number


@sql()
def split_part(text: str, delimiter: str, number: Annotated[int, ConstantCheck(_not_zero)]) -> str:
    """The part with this number between the delimiters, from the end if negative; empty if there is none."""
    parts = text.split(delimiter) if delimiter else [text]
    index = number - 1 if _not_zero(number) > 0 else len(parts) + number
    return parts[index] if 0 <= index < len(parts) else ""


@sql()
def split(text: str, delimiter: str) -> list[str]:
    """The parts between the delimiters; with an empty delimiter the characters."""
    return text.split(delimiter) if delimiter else list(text) or [text]


@sql()
def concat(*values: object | None) -> str:
    """The texts of all values that are not NULL, one after the other."""
    return join_texts("CONCAT", "", [one if type(one) is str else plain_text(one) for one in values if one is not None])


FEW = 4
"""Up to this number of texts are joined before their length is checked."""


@sql("CONCAT")
def concatenated(*texts: str | None) -> str:
    """The texts that are not NULL, one after the other."""
    if len(texts) > FEW:
        return concat(*texts)
    made = "".join([text for text in texts if text is not None])
    check_length("CONCAT", len(made))
    return made


@sql()
def concat_ws(separator: str, *values: object | None) -> str:
    """The texts of all values that are not NULL, with the separator between them."""
    return join_texts(
        "CONCAT_WS", separator, [one if type(one) is str else plain_text(one) for one in values if one is not None]
    )


@sql()
def ascii_(text: str) -> int:
    """The code point of the first character; 0 for an empty text."""
    return ord(text[0]) if text else 0


@sql("CHR")
def character(code: int) -> str:
    """The character of a code point."""
    if not 0 <= code <= sys.maxunicode or 0xD800 <= code <= 0xDFFF:
        raise ValueError(f"CHR of a number that is not a Unicode code point: {code}")
    return chr(code)
