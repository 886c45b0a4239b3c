"""The grammar's text as this project reads it, held against parsimonious's own reading of it."""

from typing import Any

import pytest
from parsimonious.expressions import Regex
from parsimonious.grammar import Grammar

from jobplane.sql.syntax.grammar import GRAMMAR, TEXT
from jobplane.sql.syntax.rules import read_rules


def shape(rules: Any) -> list[Any]:
    """All that an expression is, for every rule; one met before is its number."""
    seen: dict[int, int] = {}

    def told(one: Any) -> Any:
        if id(one) in seen:
            return seen[id(one)]
        seen[id(one)] = len(seen)
        if isinstance(one, Regex):
            compiled = getattr(one, "compiled", lambda: one)()
            return "Regex", one.name, compiled.re.pattern, compiled.re.flags
        details = [getattr(one, name, None) for name in ("min", "max", "negativity", "literal")]
        return type(one).__name__, one.name, *details, [told(member) for member in getattr(one, "members", ())]

    return [(name, told(rules[name])) for name in rules]


def test_the_grammar_is_what_parsimonious_reads() -> None:
    assert len(GRAMMAR) > 200
    assert shape(read_rules(TEXT)) == shape(Grammar(TEXT))


@pytest.mark.parametrize(
    "text",
    [
        'a = "x"',
        'a = b / (c d)+ / !b &c "y"?\nb = ~r"[a-z]+"ia\nc = ~\'"(?:[^"]|"")*"\'s\nd = ("a" / "b")* c',
        'a = "\\n" ~r"\\n"\n  / "\\"" a?',
    ],
)
def test_every_notation_is_read_as_by_parsimonious(text: str) -> None:
    assert shape(read_rules(text)) == shape(Grammar(text))


@pytest.mark.parametrize("text", ["a = (b", "a = ", "a = b{2}", "/ a", "a = * b", "a = ~b", "a = 'x"])
def test_what_is_no_grammar_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"grammar|parenthesis|begins with"):
        read_rules(text)
