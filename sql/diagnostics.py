"""Why a text is not a statement, in words: what was found, what was expected, and the place of it.

The parser's memory of what it tried is asked: the furthest place where a known rule failed is the place of the error.
"""

import re
from collections.abc import Mapping

from schemas.errors import BadSyntax, Place, Refused
from schemas.names import RESERVED
from schemas.suggestions import nearest, proposed
from sql.grammar import COVERS, EXPECTED, GRAMMAR
from sql.scan import place_of
from sql.unsupported import ROWS

WIDTH = 100
_TAB = "    "
_BLANK = re.compile(r"(?:\s+|--[^\n]*|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_FOUND = re.compile(r"""[\w.]+|'[^']*'?|"[^"]*"?|<=|>=|<>|!=|.""", re.DOTALL)
_WORD = re.compile(r"\w+", re.ASCII)


def syntax_error(text: str, tried: Mapping[int, Mapping[int, object]]) -> Refused:
    """The error for a text that did not parse. `tried[id(rule)][offset]` is None where that rule failed."""
    failures = {
        rule: [at for at, node in tried.get(id(GRAMMAR[rule]), {}).items() if node is None] for rule in EXPECTED
    }
    offset = max((at for places in failures.values() for at in places), default=0)
    rules = {rule for rule, places in failures.items() if offset in places}
    rules -= {covered for rule in rules for covered in COVERS.get(rule, ())}
    return _known(text, offset) or _unexpected(text, offset, rules)


def _known(text: str, offset: int) -> Refused | None:
    before, found = text[_start(text) : offset], text[offset:]
    for row in ROWS:
        if message := row.answer(before, found):
            return row.error(message, place_of(text, offset))
    return None


def _start(text: str) -> int:
    blank = _BLANK.match(text)
    return blank.end() if blank else 0


def _unexpected(text: str, offset: int, rules: set[str]) -> BadSyntax:
    match = _FOUND.match(text, offset)
    found = match.group() if match else ""
    expected = list(dict.fromkeys(EXPECTED[rule] for rule in EXPECTED if rule in rules))
    listed = " or ".join([", ".join(expected[:-1]), expected[-1]] if len(expected) > 1 else expected)
    hint = _hint(text, offset, found, rules)
    return BadSyntax(f"expected {listed}, found {_shown(found)}{hint}", place_of(text, offset))


def _shown(found: str) -> str:
    if not found:
        return "the end of the statement"
    clipped = found if len(found) <= 30 else found[:29] + "…"
    return clipped if clipped[0] in "'\"" else f"'{clipped}'"


def _hint(text: str, offset: int, found: str, rules: set[str]) -> str:
    if found.startswith('""') and "name" in rules:
        return "; a name may not be empty"
    takes_name = not rules.isdisjoint({"name", "operand", "primary"})
    if takes_name and found.upper() in RESERVED - EXPECTED.keys():
        return f'; as a name, write it in double quotes: "{found}"'
    if "string" in rules and re.fullmatch(r"[\w.]+", found):
        return f"; write '{found}'"
    quoted = _needs_quotes(text, offset) if takes_name or found[:1] in (".", "-") else ""
    if quoted and "operator" not in rules:
        return f'; a name with other signs than letters, digits and _ needs double quotes: "{quoted}"'
    words = [rule for rule in EXPECTED if rule in rules and rule.isupper()]
    return proposed(nearest(found.upper(), words)) if _WORD.fullmatch(found) else ""


def _needs_quotes(text: str, offset: int) -> str:
    """The whole name round a place, when it is one that only quotes make legal."""
    for match in re.finditer(r"[\w.\-]+", text):
        if match.start() <= offset < match.end():
            name = match.group()
            return "" if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*|-.*", name) else name
    return ""


def caret(text: str, place: Place, message: str) -> str:
    """Three lines: place and message, the line of the text (clipped to WIDTH round the place), a `^` under it."""
    lines = text.split("\n")
    line = lines[place.line - 1] if place.line <= len(lines) else ""
    at = min(place.column - 1, len(line))
    before, after = _visible(line[:at]), _visible(line[at:])
    if len(before) + len(after) > WIDTH:
        room = max(WIDTH // 2, WIDTH - len(after))
        if len(before) > room:
            before = "…" + before[len(before) - room + 1 :]
        room = WIDTH - len(before)
        if len(after) > room:
            after = after[: room - 1] + "…"
    shown = (before + after).rstrip()
    return f"{place} {message}\n{shown}\n{' ' * len(before)}^"


def _visible(text: str) -> str:
    return "".join(c if c.isprintable() else "·" for c in text.replace("\t", _TAB).rstrip("\r"))
