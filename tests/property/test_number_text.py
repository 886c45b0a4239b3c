"""Numbers as text: what is written reads back as the same, and no text is a number that SQL does not write so."""

import re
import struct
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import datatypes as t
from schemas.datatypes import Type
from schemas.decimals import EXACT, product, remainder, rescaled, truncated
from schemas.failures import BadRecord
from schemas.formats.json_values import decoder, read_as, reader, real, shortest_real, writer
from schemas.json_text import json_text
from schemas.number_text import decimal_of, double_of, whole_of

POWERS_OF_TWO = [2.0**exponent for exponent in range(-149, 128)]
SPELLED = st.from_regex(r"\A[ \t\u00a0]?[+-]?[0-9_\u0660\uff11]*\.?[0-9]*([eE][+-]?[0-9]{1,3})?[ \n]?\Z")
decimals = st.builds(
    lambda n, scale: Decimal(n).scaleb(-scale, EXACT), st.integers(-(10**30), 10**30), st.integers(0, 30)
)


def digits(text: str) -> int:
    return len(text.partition("e")[0].replace(".", "").strip("-0"))


def fewest_digits(value: float) -> int:
    """How many digits the shortest decimal has that reads back as this value of 32 bits."""
    exact = Decimal(value)
    for count in range(1, 9):
        near = (Context(prec=count, rounding=way).plus(exact) for way in (ROUND_FLOOR, ROUND_CEILING))
        if any(is_real(float(one), value) for one in near):
            return count
    return 9


def is_real(number: float, value: float) -> bool:
    try:
        return real(number) == value
    except BadRecord:
        return False


def check_shortest(value: float) -> None:
    found = shortest_real(value)
    assert real(found) == value
    assert digits(repr(found)) <= fewest_digits(value)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_real_is_its_shortest_text(value: float) -> None:
    check_shortest(value)


@pytest.mark.parametrize("value", [*POWERS_OF_TWO, struct.unpack("<f", b"\xff\xff\x7f\x7f")[0]])
def test_a_real_between_unequal_neighbours_is_its_shortest_text(value: float) -> None:
    check_shortest(value)
    check_shortest(-value)


@given(decimals)
def test_a_decimal_is_written_without_an_exponent(value: Decimal) -> None:
    one = t.decimal(38, max(0, -int(value.as_tuple().exponent)))
    write, finish = writer(one), reader(one)
    text = bytes(json_text(write(value) if write else value))
    assert re.fullmatch(rb"-?[0-9]+(\.[0-9]+)?", text)
    assert finish is not None
    assert finish(decoder(read_as(one)).decode(text)) == value


@given(decimals, decimals)
def test_a_decimal_has_no_negative_zero(a: Decimal, b: Decimal) -> None:
    results = [product(a, b), rescaled(a, 3), truncated(a, 3), *([remainder(a, b)] if b else [])]
    assert not any(one.is_zero() and one.is_signed() for one in results)
    assert product(a, b) == EXACT.multiply(a, b)
    assert Fraction(product(a, b)) == Fraction(a) * Fraction(b)


@given(SPELLED | st.text(alphabet="0123456789+-.eE _１٣\u00a0\t", max_size=12))
def test_text_is_a_number_in_ascii_digits_and_spaces_alone(text: str) -> None:
    spelled = re.fullmatch(r" *[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})? *", text)
    assert (decimal_of(text) is not None) is bool(spelled)
    assert (double_of(text) is not None) is bool(spelled)
    assert (whole_of(text) is not None) is bool(re.fullmatch(r" *[+-]?[0-9]{1,40} *", text))
    if spelled:
        assert decimal_of(text) == Decimal(text)
        assert double_of(text) == float(text)


@pytest.mark.parametrize("name", ["DECIMAL", "ARRAY"])
@given(text=SPELLED)
def test_a_decimal_in_json_is_read_from_a_number_or_its_text(name: str, text: str) -> None:
    one = Type("DECIMAL", size=(38, 10)) if name == "DECIMAL" else t.array(t.decimal(38, 10))
    data = msgspec.json.encode(text if name == "DECIMAL" else [text])
    try:
        found = decoder(read_as(one)).decode(data)
    except msgspec.ValidationError:
        found = None
    expected = decimal_of(text)
    assert found == (expected if name == "DECIMAL" or expected is None else [expected])
