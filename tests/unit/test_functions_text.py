"""Text: limits, and laws. What each function gives is in tests/golden/functions/text.txt."""

import re
import tracemalloc
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobplane.schemas.failures import BadRecord
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import MAX_LENGTH, Type
from jobplane.sql.functions import masking, urls
from jobplane.sql.functions import text as f
from jobplane.sql.operations.casts import explicit
from jobplane.sql.runtime.plain import plain_text

LONG = "a" * (MAX_LENGTH // 4)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: f.repeat(LONG, 5), "REPEAT"),
        (lambda: f.repeat("😀", MAX_LENGTH + 1), "REPEAT"),
        (lambda: f.lpad("", MAX_LENGTH + 1), "LPAD"),
        (lambda: f.rpad("", MAX_LENGTH + 1), "RPAD"),
        (lambda: f.replace(LONG, "a", "12345"), "REPLACE"),
        (lambda: f.overlay(LONG, "x" * (3 * len(LONG) + 1), 1, 0), "OVERLAY"),
        (lambda: f.concat(LONG, LONG, LONG, LONG, "x"), "CONCAT"),
        (lambda: f.concat_ws(LONG, LONG, LONG, LONG), "CONCAT_WS"),
    ],
)
def test_a_text_that_would_be_too_long_is_refused_before_it_is_made(call: Callable[[], str], name: str) -> None:
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        with pytest.raises(BadRecord, match=f"^{name} would make a text of [0-9]+ characters"):
            call()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < MAX_LENGTH


def test_the_longest_text_is_made() -> None:
    assert len(f.repeat(LONG, 4)) == len(f.lpad("", MAX_LENGTH)) == len(f.replace(LONG, "a", "1234")) == MAX_LENGTH


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("é", t.VARCHAR),
        (False, t.BOOLEAN),
        (-5, t.BIGINT),
        (1e-7, t.DOUBLE),
        (Decimal("0.0000001"), t.decimal(8, 7)),
        (date(2026, 1, 31), t.DATE),
        (time(8, 30), t.TIME),
        (datetime(2026, 1, 31, 8, 30), t.TIMESTAMP),  # noqa: DTZ001
        (datetime(2026, 1, 31, 8, 30, tzinfo=UTC), t.TIMESTAMP_TZ),
        (timedelta(days=-1, microseconds=1), t.DAY_TO_SECOND),
        ([1, None], t.array(t.BIGINT)),
        ({"k": Decimal("1.50")}, t.map_of(t.VARCHAR, t.decimal(3, 2))),
    ],
)
def test_a_value_is_joined_as_it_is_cast(value: Any, kind: Type) -> None:
    cast = explicit(kind, t.VARCHAR)
    assert plain_text(value) == (cast(value) if cast else value)


@given(st.text(), st.integers(1, 20))
def test_parts_make_the_whole(text: str, count: int) -> None:
    assert f.left(text, count) + f.right(text, -count) == text
    assert f.left(text, -count) + f.right(text, count) == text
    assert f.substring(text, 1, count) + f.substring(text, count + 1) == text
    assert f.reverse(f.reverse(text)) == text
    assert f.octet_length(text) == len(text.encode())


@given(st.lists(st.text("ab😀", max_size=3), min_size=1), st.sampled_from([",", ", ", "é"]))
def test_what_was_joined_is_split_again(parts: list[str], separator: str) -> None:
    joined = f.concat_ws(separator, *parts)
    count = len(parts)
    assert [f.split_part(joined, separator, i + 1) for i in range(count)] == parts
    assert [f.split_part(joined, separator, i - count) for i in range(count)] == parts
    assert f.split_part(joined, separator, count + 1) == f.split_part(joined, separator, -count - 1) == ""


@given(st.text("ab"), st.text("ab", max_size=2))
def test_a_part_is_where_its_position_says(text: str, part: str) -> None:
    at = f.position(part, text)
    assert (at > 0) is f.contains(text, part)
    assert at == 0 or f.substring(text, at, len(part)) == part


@given(st.text(max_size=9), st.integers(0, 20), st.text(min_size=1, max_size=3))
def test_a_padded_text_has_its_length(text: str, length: int, fill: str) -> None:
    left, right = f.lpad(text, length, fill), f.rpad(text, length, fill)
    assert len(left) == len(right) == length
    assert left.endswith(text[:length])
    assert right.startswith(text[:length])


PIECES = st.text("ab", max_size=12)


@given(PIECES, st.text("ab", min_size=1, max_size=3), st.integers(-14, 14).filter(bool), st.integers(1, 4))
def test_instr_counts_where_the_part_is(text: str, part: str, start: int, occurrence: int) -> None:
    places = [i for i in range(1, len(text) + 1) if text.startswith(part, i - 1)]
    if start > 0:
        places = [i for i in places if i >= start]
    else:
        places = [i for i in reversed(places) if i <= len(text) + start + 1]
    assert f.instr(text, part, start, occurrence) == (places[occurrence - 1] if occurrence <= len(places) else 0)


def test_instr_takes_a_long_part_that_overlaps_itself() -> None:
    """Compared letter by letter at each place these would be tens of billions of comparisons."""
    assert f.instr("a" * 400_000, "a" * 200_000, 1, 200_001) == 200_001
    assert f.instr("a" * 400_000, "b" + "a" * 200_000, -1, 2) == 0


@given(st.text(max_size=12), st.text(min_size=1, max_size=2))
def test_what_is_split_is_joined_again(text: str, delimiter: str) -> None:
    assert delimiter.join(f.split(text, delimiter)) == text
    assert "".join(f.split(text, "")) == text


@given(st.text(max_size=12), st.integers(0, 14))
def test_masks_of_both_sides_make_the_mask_of_the_whole(text: str, count: int) -> None:
    left, right = masking.mask_left(text, count), masking.mask_keep_left(text, count)
    assert left[:count] + right[count:] == masking.mask(text)
    assert left[count:] + right[:count] == text[count:] + text[:count]
    assert masking.mask_right(text, count) == masking.mask_keep_left(text, max(0, len(text) - count))
    assert masking.mask_keep_right(text, count) == masking.mask_left(text, max(0, len(text) - count))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_encoded_for_a_url_is_decoded_again(text: str) -> None:
    encoded = urls.url_encode(text)
    assert re.fullmatch(r"[A-Za-z0-9.*_+%-]*", encoded)
    assert urls.url_decode(encoded) == text
    assert urls.url_extract_parameter(f"http://host/?{encoded or 'x'}={encoded}", text or "x") == text


@given(st.text(":/?#@[]%a1é \n", max_size=20))
def test_the_parts_of_a_url_make_it_again(text: str) -> None:
    """By the rules of RFC 3986, 5.3."""
    if "%" in text or "\n" in text or " " in text:
        assert urls.url_extract_path(text) is None or re.search("%[a1]{2}", text)
        return
    protocol, path = urls.url_extract_protocol(text), urls.url_extract_path(text)
    made = text if protocol is None else text.removeprefix(f"{protocol}:")
    query, fragment = urls.url_extract_query(text), urls.url_extract_fragment(text)
    end = f"{path}{'' if query is None else f'?{query}'}{'' if fragment is None else f'#{fragment}'}"
    assert made.endswith(end)
    assert made == end or made.startswith("//")


def test_a_text_that_would_be_too_long_for_a_url_is_refused() -> None:
    with pytest.raises(BadRecord, match=r"^URL_ENCODE would make a text of [0-9]+ characters"):
        urls.url_encode("é" * (MAX_LENGTH // 4))
