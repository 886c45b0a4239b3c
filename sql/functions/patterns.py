"""LIKE and regular expressions. The engine is RE2: a search takes time linear in the text, whatever the pattern.

A regular expression is looked for anywhere in the text. REGEXP_REPLACE searches once for each match, each time perhaps
to the end, so the product of both has a bound. Each pattern is compiled once.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, Any

import re2

from jobplane.schemas.failures import BadRecord
from jobplane.schemas.shown import LONGEST
from jobplane.sql.functions.signature import ConstantCheck, are_constant, sql
from jobplane.sql.runtime.plain import check_length

MAX_MEMORY = 2 << 20
"""Bytes that one compiled pattern may take."""
CACHED = 128
MAX_WORK = 4_000_000_000
"""Matches times characters: what RE2 looks through in some seconds."""
FLAGS = "ims"
_SIGNS = {"%": "(?s:.*)", "_": "(?s:.)"}
_GROUP = re.compile(r"\\(.?)", re.DOTALL)


def check_flags(flags: str) -> None:
    """Raises ValueError."""
    if unknown := set(flags) - set(FLAGS):
        raise ValueError(
            f"there is no flag '{min(unknown)}': i ignores case, m has ^ and $ at lines, s has . match a line's end"
        )


def _quote(pattern: str) -> str:
    """As a query has it: each backslash once."""
    return f"'{pattern if len(pattern) <= LONGEST else pattern[: LONGEST - 1] + '…'}'"


@lru_cache(maxsize=CACHED)
def compile_pattern(pattern: str, flags: str = "") -> Any:
    """A regular expression of RE2. Raises ValueError with its reason."""
    check_flags(flags)
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MAX_MEMORY
    try:
        return re2.compile(f"(?{flags}){pattern}" if flags else pattern, options)
    except re2.error as error:
        said = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
        raise ValueError(f"{_quote(pattern)} is not a regular expression: {_reason(said)}") from None


_REASONS = {
    "bad repetition operator": "a repetition of a repetition",
    "invalid UTF-8": "it is not UTF-8",
    "invalid character class": "[ ] has a class that is not known",
    "invalid character class range": "[ ] has a range that ends before it begins, or a class that is not known",
    "invalid escape sequence": "the escape is not known; references to groups are not supported",
    "invalid named capture group": "the name of a group is not valid",
    "invalid perl operator": "this kind of group is not supported, nor is look-around",
    "invalid repetition size": "there are too many repetitions",
    "missing )": "a ) is missing",
    "missing ]": "a ] is missing",
    "nested too deep": "it is nested too deep",
    "no argument for repetition operator": "nothing stands before a repetition",
    "pattern too large": "it is too large",
    "trailing \\": "it ends with a \\",
    "unexpected )": "a ) has no (",
}


def _reason(said: str) -> str:
    """An error of the library in our words, and the part of the pattern that it names."""
    what, _, part = said.partition(": ")
    known = _REASONS.get(what) or next((words for name, words in _REASONS.items() if what.startswith(name)), "")
    return f"{known or 'it cannot be compiled'}{f': {part[:LONGEST]}' if part else ''}"


@lru_cache(maxsize=CACHED)
def compile_like(pattern: str, escape: str | None) -> Callable[[str], bool]:
    """A test whether an entire text matches a pattern. Raises ValueError for an escape that escapes nothing."""
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
    try:
        matches = compile_pattern(
            "".join(_SIGNS[text] if is_sign else re2.escape(text) for text, is_sign in parts)
        ).fullmatch
    except ValueError:
        raise ValueError(f"the pattern of LIKE is too long: {len(pattern):,} characters") from None
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
                raise ValueError(
                    f"in LIKE {_quote(pattern)} the escape '{escape}' stands before neither %, _ nor itself"
                )
        if not is_sign and parts and not parts[-1][1]:
            parts[-1] = (parts[-1][0] + character, False)
        elif not (character == "%" and is_sign and parts and parts[-1] == ("%", True)):
            parts.append((character, is_sign))
    return parts


def like(text: str, pattern: str, escape: str | None = None) -> bool:
    """LIKE with a pattern that is not a constant."""
    return compile_like(pattern, escape)(text)


@lru_cache(maxsize=CACHED)
def parse_replacement(replacement: str) -> tuple[str | int, ...]:
    """Texts and, between them, numbers of groups. Raises ValueError."""
    parts: list[str | int] = []
    for i, part in enumerate(_GROUP.split(replacement)):
        if i % 2 and part.isdecimal() and part.isascii():
            parts.append(int(part))
        elif i % 2 and part != "\\":
            raise ValueError(f"in the replacement {_quote(replacement)} a \\ stands before neither a digit nor itself")
        elif part:
            parts.append(part)
    return tuple(parts)


Pattern = Annotated[str, ConstantCheck(compile_pattern)]
Flags = Annotated[str, ConstantCheck(check_flags)]


@sql()
def regexp_like(text: str, pattern: Pattern, flags: Flags = "") -> bool:
    """Whether the pattern is found in the text."""
    return compile_pattern(pattern, flags).search(text) is not None


def _check_group(regexp: Any, pattern: str, group: int) -> None:
    if not 0 <= group <= regexp.groups:
        raise ValueError(f"{_quote(pattern)} has no group {group}; it has {regexp.groups}")


def _no_such_group(_text: Any, pattern: Any, group: Any = 0) -> None:
    if are_constant(pattern, group):
        _check_group(compile_pattern(pattern), pattern, group)


@sql(refuses=_no_such_group)
def regexp_extract(text: str, pattern: Pattern, group: int = 0) -> str | None:
    """The first match of the pattern, or of a group of it; NULL if there is none."""
    regexp = compile_pattern(pattern)
    _check_group(regexp, pattern, group)
    match = regexp.search(text)
    return match[group] if match else None


def _no_such_groups(_text: Any, pattern: Any, replacement: Any, flags: Any = "") -> None:
    if are_constant(pattern, replacement, flags):
        _check_group(compile_pattern(pattern, flags), pattern, _last_group(parse_replacement(replacement)))


def _last_group(parts: tuple[str | int, ...]) -> int:
    return max((part for part in parts if isinstance(part, int)), default=0)


@sql(refuses=_no_such_groups)
def regexp_replace(
    text: str, pattern: Pattern, replacement: Annotated[str, ConstantCheck(parse_replacement)], flags: Flags = ""
) -> str:
    """The text with all matches of the pattern replaced; \\1 to \\9 stand for its groups, \\0 for the entire match."""
    regexp, parts = compile_pattern(pattern, flags), parse_replacement(replacement)
    _check_group(regexp, pattern, _last_group(parts))
    pieces: list[str] = []
    length, end, last = 0, 0, -1
    for count, match in enumerate(regexp.finditer(text)):
        if count * len(text) > MAX_WORK:
            raise BadRecord(f"REGEXP_REPLACE: {len(text):,} characters hold more than {count - 1:,} matches")
        start, stop = match.span()
        if start == stop == last:  # nothing, right after what was replaced
            continue
        made = "".join(part if isinstance(part, str) else match[part] or "" for part in parts)
        pieces += (text[end:start], made)
        length += start - end + len(made)
        check_length("REGEXP_REPLACE", length)
        end = last = stop
    check_length("REGEXP_REPLACE", length + len(text) - end)
    return "".join([*pieces, text[end:]])
