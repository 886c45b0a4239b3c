"""Reads the text of a grammar into the same expressions as parsimonious's Grammar, in a tenth of the time.

Every process that parses a statement builds the grammar first. parsimonious reads its text with a grammar of its own; a
test shows that both give equal expressions. Braces as quantifiers are not read.
"""

import re
from ast import literal_eval
from collections.abc import Iterator
from typing import Any

from parsimonious.expressions import (
    Expression,
    Literal,
    Lookahead,
    OneOf,
    OneOrMore,
    Optional,
    Regex,
    Sequence,
    ZeroOrMore,
)
from parsimonious.grammar import LazyReference

_TOKEN = re.compile(
    r"""\s*(?:(?P<rule>\w+)\s*=|(?P<name>\w+)(?!\s*=)|~(?P<regex>r?(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'))(?P<flags>\w*)
    |(?P<literal>"(?:[^"\\]|\\.)*")|(?P<sign>[/()&!?*+]))""",
    re.VERBOSE,
)
_QUANTIFIERS = {"?": Optional, "*": ZeroOrMore, "+": OneOrMore}
_FLAGS = {"i": "ignore_case", "s": "dot_all", "a": "ascii"}


def read_rules(text: str) -> dict[str, Expression]:
    """The expressions of a grammar by the names of their rules. Raises ValueError where the text is not a grammar."""
    reader = _GrammarReader(_tokens(text))
    rules: dict[str, Expression] = {}
    while reader.kind == "rule":
        name = reader.taken()
        rules[name] = reader.choice()
        rules[name].name = name
    if reader.kind:
        raise ValueError(f"no rule begins with {reader.text!r}")
    for name, rule in rules.items():
        rules[name] = rule.resolve_refs(rules)
    return rules


def _tokens(text: str) -> Iterator[re.Match[str]]:
    at, end = 0, len(text.rstrip())
    while at < end:
        token = _TOKEN.match(text, at)
        if token is None:
            raise ValueError(f"not the text of a grammar: {text[at : at + 40]!r}")
        yield token
        at = token.end()


class _Regex(Regex):  # type: ignore[misc]  # parsimonious publishes no types
    """Compiled when it is first tried: a statement has few of the language's words."""

    def __init__(self, pattern: str, flags: str) -> None:
        Expression.__init__(self)
        self._source: tuple[str, str] | None = (pattern, flags)

    def compiled(self) -> Regex:
        """Itself, as it is once it was tried."""
        if source := self._source:
            pattern, flags = source
            Regex.__init__(self, pattern, self.name, **{_FLAGS[flag]: True for flag in flags})
            self._source = None  # not before: other threads may be here too
        return self

    def _uncached_match(self, text: str, pos: int, cache: Any, error: Any) -> Any:
        return Regex._uncached_match(self.compiled(), text, pos, cache, error)


class _GrammarReader:
    """A token ahead of what was read; `kind` is empty at the end."""

    def __init__(self, tokens: Iterator[re.Match[str]]) -> None:
        self._tokens = tokens
        self.taken()

    def taken(self) -> str:
        """The token, once the next one is there."""
        text = getattr(self, "text", "")
        self._token = next(self._tokens, None)
        self.kind = (self._token and self._token.lastgroup) or ""
        self.kind = "regex" if self.kind == "flags" else self.kind
        self.text = self._token[self.kind] if self._token else ""
        return text

    def choice(self) -> Expression:
        members = [self._sequence()]
        while self.text == "/" and self.kind == "sign":
            self.taken()
            members.append(self._sequence())
        return members[0] if len(members) == 1 else OneOf(*members)

    def _sequence(self) -> Expression:
        members = [self._term()]
        while self.kind not in ("", "rule") and not (self.kind == "sign" and self.text in "/)"):
            members.append(self._term())
        return members[0] if len(members) == 1 else Sequence(*members)

    def _term(self) -> Expression:
        if self.kind == "sign" and self.text in "&!":
            negative = self.taken() == "!"
            return Lookahead(self._term(), negative=negative)
        atom = self._atom()
        if self.kind == "sign" and self.text in _QUANTIFIERS:
            return _QUANTIFIERS[self.taken()](atom)
        return atom

    def _atom(self) -> Expression:
        token, kind, text = self._token, self.kind, self.taken()
        match kind:
            case "name":
                return LazyReference(text)
            case "literal":
                return Literal(literal_eval(text))
            case "regex" if token is not None:
                return _Regex(literal_eval(text), token["flags"])
            case "sign" if text == "(":
                inner = self.choice()
                if self.taken() != ")":
                    raise ValueError("a parenthesis is open")
                return inner
        raise ValueError(f"no expression begins with {text!r}")
