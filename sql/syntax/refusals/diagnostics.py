"""Explains why a text is not a statement: what was found, what was expected, and where.

It searches the parser's memory: the error is at the furthest place where a known rule failed.
"""

import re
from collections.abc import Mapping
from functools import cache

from jobplane.schemas.errors import BadSyntax, Place, Refused
from jobplane.schemas.names import RESERVED, quote_name
from jobplane.schemas.shown import to_one_line
from jobplane.schemas.suggestions import nearest_names, proposal
from jobplane.sql.syntax.grammar import COVERS, EXPECTED, GRAMMAR
from jobplane.sql.syntax.refusals.unsupported import UNSUPPORTED, RefusalRow
from jobplane.sql.syntax.scan import open_brackets, place_of

WIDTH = 100
WINDOW = 2_000
"""Characters before and after the place that rows look at: their time grows with the square of this number."""
_TAB = "    "
_BLANK = re.compile(r"(?:\s+|--[^\n]*|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_FOUND = re.compile(r"""[\w.]+|'[^']*'?|"[^"]*"?|<=|>=|<>|!=|.""", re.DOTALL)
_WORD = re.compile(r"\w+", re.ASCII)
_LAST_WORD = re.compile(r"\b[A-Za-z]+\b(?=\s+\Z)")
_UNQUOTED = re.compile(r"""[^\s,()'";]+""")
_AFTER_NAME = re.compile(r"\s*(?:\Z|;|[,(]|(?:AS|OPTIONS|SUSPEND|RESUME|RESTART|FOR|TYPE)\b)", re.IGNORECASE)
_NAMES = frozenset({"name", "operand", "primary"})
_CLAUSES = frozenset({"GROUP", "HAVING", "ORDER"})
"""Keywords that where a name is expected are most likely meant as one."""


def syntax_error(text: str, tried: Mapping[int, Mapping[int, object]]) -> Refused:
    """The error for a text that did not parse. `tried[id(rule)][offset]` is None where that rule failed."""
    failures = {
        rule: [at for at, node in tried.get(id(GRAMMAR[rule]), {}).items() if node is None] for rule in EXPECTED
    }
    offset = max((at for places in failures.values() for at in places), default=0)
    rules = {rule for rule, places in failures.items() if offset in places}
    return _answer_of_rows(text, offset, rules) or _unexpected(text, offset, rules)


def _answer_of_rows(text: str, offset: int, rules: set[str]) -> Refused | None:
    """The answer of the first row that matches."""
    before, found = text[_start(text) : offset], text[offset : offset + WINDOW]
    if len(before) > WINDOW:
        before = f"…{before[-WINDOW:]}"
    for row in _rows():
        if answer := row.answer(before, found, rules):
            message, at = answer
            return row.error(message, place_of(text, offset + at))
    return None


@cache
def _rows() -> tuple[RefusalRow, ...]:
    """The rows of all tables; they are loaded only when a text does not parse."""
    from jobplane.sql.syntax.refusals.peers import PEERS
    from jobplane.sql.syntax.refusals.sets import SETS
    from jobplane.sql.syntax.refusals.slips import SLIPS

    return (*SETS, *PEERS, *SLIPS, *UNSUPPORTED)


def _start(text: str) -> int:
    blank = _BLANK.match(text)
    return blank.end() if blank else 0


def _unexpected(text: str, offset: int, rules: set[str]) -> BadSyntax:
    match = _FOUND.match(text, offset)
    found = match.group() if match else ""
    if found == ")" and not open_brackets(text[:offset]):
        return BadSyntax("this ) closes nothing; remove it, or open it with (", place_of(text, offset))
    if swallowed := _swallowed_keyword(text[:offset], rules):
        word, meant = swallowed
        message = f"expected {meant}, found '{word.group()}'; did you mean {meant}?"
        return BadSyntax(message, place_of(text, word.start()))
    rules = rules - {covered for rule in rules for covered in COVERS.get(rule, ())}
    expected = list(dict.fromkeys(EXPECTED[rule] for rule in EXPECTED if rule in rules))
    listed = " or ".join([", ".join(expected[:-1]), expected[-1]] if len(expected) > 1 else expected)
    hint = _hint(text, offset, found, rules)
    return BadSyntax(f"expected {listed}, found {_show_found(found)}{hint}", place_of(text, offset))


def _swallowed_keyword(before: str, rules: set[str]) -> tuple[re.Match[str], str] | None:
    """A misspelled keyword that was taken for a name, just before the place, and what it was meant to be."""
    word = _LAST_WORD.search(before)
    if word is None or word.group().upper() in EXPECTED:
        return None
    meant = nearest_names(
        word.group().upper(), [rule for rule in ("FROM", "WHERE", "GROUP", "HAVING", "UNION") if rule in rules]
    )
    return (word, meant[0]) if meant else None


def _show_found(found: str) -> str:
    if not found:
        return "the end of the statement"
    clipped = found if len(found) <= 30 else found[:29] + "…"
    return clipped if clipped[0] in "'\"" else f"'{clipped}'"


def _hint(text: str, offset: int, found: str, rules: set[str]) -> str:
    if found == ";":
        return "; a ; ends the statement"
    hints = (_name_hint(text, offset, found, rules), _value_hint(text, offset, found, rules))
    near = proposal(nearest_names(found.upper(), [rule for rule in EXPECTED if rule in rules and rule.isupper()]))
    hint = next(filter(None, hints), near if _WORD.fullmatch(found) else "")
    return hint or _open_hint(text, offset, rules)


def _name_hint(text: str, offset: int, found: str, rules: set[str]) -> str:
    """What to do about a name that must be written otherwise."""
    if found.startswith('""') and "name" in rules:
        return "; a name may not be empty"
    takes_name = not rules.isdisjoint(_NAMES)
    is_keyword = (
        found.upper() in EXPECTED
        and found.upper() not in _CLAUSES
        and (rules != {"name"} or not _ends_name(text, offset, found))
    )
    if takes_name and found.upper() in RESERVED and not is_keyword:
        return f'; as a name, write it in double quotes: "{found}"'
    if found.startswith("'") and len(found) > 2 and "name" in rules and "string" not in rules:
        return f"; single quotes make a text; as a name, write {quote_name(found[1:-1])}"
    quoted = _needs_quotes(text, offset) if takes_name or found[:1] in (".", "-") else ""
    if quoted and "operator" not in rules:
        return f'; a name with other signs than letters, digits and _ needs double quotes: "{quoted}"'
    return ""


def _ends_name(text: str, offset: int, found: str) -> bool:
    """Whether what follows a keyword makes it a name: `CREATE JOB select AS`."""
    return _AFTER_NAME.match(text, offset + len(found)) is not None


def _value_hint(text: str, offset: int, found: str, rules: set[str]) -> str:
    """How to write a value that has no single quotes."""
    if "string" not in rules:
        return ""
    if found.startswith('"') and len(found) > 2:
        return f"; write '{found[1:-1]}'"
    value = _UNQUOTED.match(text, offset)
    return f"; write '{value.group()}'" if value and found[0] not in "=:" else ""


def _open_hint(text: str, offset: int, rules: set[str]) -> str:
    """Where the parenthesis was opened that should be closed here, when it is closed nowhere."""
    waiting = open_brackets(text[:offset])
    if not waiting or rules.isdisjoint({"close", "close_bracket"}) or not open_brackets(text):
        return ""
    return f"; the {text[waiting[-1]]} at {place_of(text, waiting[-1])} is not closed"


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
    return f"{place} {to_one_line(message)}\n{shown}\n{' ' * len(before)}^"


def _visible(text: str) -> str:
    return "".join(c if c.isprintable() else "·" for c in text.replace("\t", _TAB).rstrip("\r"))
