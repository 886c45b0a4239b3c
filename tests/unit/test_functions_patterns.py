"""Regular expressions and LIKE: limits, and laws. What functions give is in tests/golden/functions/patterns.txt."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobplane.schemas.failures import BadRecord
from jobplane.schemas.types.datatypes import MAX_LENGTH
from jobplane.sql.functions import patterns as f

MANY = "a" * 100_000


@pytest.mark.parametrize("pattern", ["(a*)*b", "(a|aa)+$b", "^(a+)+b$", "(.*)(.*)(.*)(.*)(.*)b", "(a|a)*c"])
def test_no_pattern_takes_more_than_linear_time(pattern: str) -> None:
    """Any engine that tries one way after another would not come back."""
    assert not f.regexp_like(MANY, pattern)
    assert f.regexp_extract(MANY, pattern) is None
    assert f.regexp_replace(MANY, pattern, "") == MANY


def test_nor_does_like() -> None:
    assert not f.like(MANY, "%a" * 50 + "%b")
    assert f.like(MANY, "%a_" * 50 + "%")


@pytest.mark.parametrize("pattern", [r"((a{100}){100}){100}", r"\p{L}{1000}"])
def test_a_pattern_that_takes_too_much_memory_is_refused(pattern: str) -> None:
    with pytest.raises(
        ValueError, match=r"is not a regular expression: (it is too large|there are too many repetitions)"
    ):
        f.compile_pattern(pattern)


def test_a_long_pattern_is_not_shown_whole() -> None:
    with pytest.raises(ValueError, match=r"is not a regular expression: a \) has no \(: a") as caught:
        f.compile_pattern("a" * 10_000 + ")(")
    assert len(str(caught.value)) < 200


def test_what_is_refused_is_not_logged(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="missing"):
        f.compile_pattern("(x")
    assert capfd.readouterr() == ("", "")


def test_a_pattern_is_compiled_once() -> None:
    assert f.compile_pattern("a+", "i") is f.compile_pattern("a+", "i")
    assert f.compile_like("a_%", None) is f.compile_like("a_%", None)


def test_a_text_that_would_be_too_long_is_refused() -> None:
    message = f"^REGEXP_REPLACE would make a text of [0-9]+ characters; at most {MAX_LENGTH} are allowed$"
    with pytest.raises(BadRecord, match=message):
        f.regexp_replace("aa" + "b" * (MAX_LENGTH // 2), "a", "x" * (MAX_LENGTH // 3))


@given(st.text("ab,\n"), st.sampled_from(["a", "a*", "(a)|(b)", "", "^", "$", r"\b", "a?b", ",(a?)"]))
def test_what_is_replaced_by_itself_stays(text: str, pattern: str) -> None:
    assert f.regexp_replace(text, pattern, r"\0") == text


@given(st.text("ab!%_\n", max_size=8), st.text("ab!%_", max_size=6), st.sampled_from([None, "!", "%", "a"]))
def test_like_is_what_the_standard_says(text: str, pattern: str, escape: str | None) -> None:
    tokens = read(pattern, escape)
    if tokens is None:
        with pytest.raises(ValueError, match="stands before neither"):
            f.compile_like(pattern, escape)
    else:
        assert f.compile_like(pattern, escape)(text) is matches(text, tokens)


def read(pattern: str, escape: str | None) -> list[tuple[str, bool]] | None:
    """Characters, and whether each is a sign; None where the escape is wrong."""
    tokens: list[tuple[str, bool]] = []
    rest = pattern
    while rest:
        if rest[0] == escape:
            if rest[1:2] not in ("%", "_", escape):
                return None
            tokens.append((rest[1], False))
            rest = rest[2:]
        else:
            tokens.append((rest[0], rest[0] in "%_"))
            rest = rest[1:]
    return tokens


def matches(text: str, tokens: list[tuple[str, bool]]) -> bool:
    if not tokens:
        return not text
    (character, is_sign), *others = tokens
    if is_sign and character == "%":
        return any(matches(text[i:], others) for i in range(len(text) + 1))
    return bool(text) and (is_sign or text[0] == character) and matches(text[1:], others)


@given(st.lists(st.text("abé", min_size=1, max_size=3), min_size=2))
def test_groups_are_those_of_the_match(words: list[str]) -> None:
    text = " ".join(words)
    assert f.regexp_replace(text, r"(\S+) (\S+)", r"\2 \1") == re.sub(r"(\S+) (\S+)", r"\2 \1", text)
    assert f.regexp_extract(text, r"(\S+) (\S+)", 2) == words[1]
