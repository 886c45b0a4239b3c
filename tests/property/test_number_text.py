"""Numbers as text: what is written reads back as the same, and no text is a number that SQL does not write so."""

import json
import re
import struct
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from functools import cache

import msgspec
import pytest
from confluent_kafka import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from jobplane.schemas.failures import BadRecord
from jobplane.schemas.formats.json.values import (
    decoder,
    msgspec_type,
    read_conversion,
    shortest_real,
    to_real,
    write_conversion,
)
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type
from jobplane.schemas.types.decimals import EXACT, product, remainder, rescale, truncate
from jobplane.schemas.types.json_text import json_text
from jobplane.schemas.types.number_text import decimal_of, double_of, whole_of
from jobplane.sql.codegen.compile import CompiledStep
from tests.support import rows

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
        return to_real(number) == value
    except BadRecord:
        return False


def check_shortest(value: float) -> None:
    found = shortest_real(value)
    assert to_real(found) == value
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
    write, finish = write_conversion(one), read_conversion(one)
    text = bytes(json_text(write(value) if write else value))
    assert re.fullmatch(rb"-?[0-9]+(\.[0-9]+)?", text)
    assert finish is not None
    assert finish(decoder(msgspec_type(one)).decode(text)) == value


@given(decimals, decimals)
def test_a_decimal_has_no_negative_zero(a: Decimal, b: Decimal) -> None:
    results = [product(a, b), rescale(a, 3), truncate(a, 3), *([remainder(a, b)] if b else [])]
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
        found = decoder(msgspec_type(one)).decode(data)
    except msgspec.ValidationError:
        found = None
    expected = decimal_of(text)
    assert found == (expected if name == "DECIMAL" or expected is None else [expected])


SIZES = [(38, 18), (38, 0), (38, 38), (20, 2), (38, 30)]


def column(name: str, size: tuple[int, int]) -> str:
    return f"{name} DECIMAL({size[0]}, {size[1]})"


@cache
def both_sides(a: tuple[int, int], b: tuple[int, int]) -> CompiledStep:
    mapping = f"@ CREATE MAPPING s ({column('a', a)}, {column('b', b)}) TYPE Kafka"
    return rows.block_of(f"{mapping}\nSELECT a + b AS sum, a - b AS difference FROM s").compiled()


@pytest.mark.parametrize("a", SIZES)
@pytest.mark.parametrize("b", SIZES)
@given(data=st.data())
@settings(max_examples=20)
def test_no_digit_of_a_sum_is_lost(a: tuple[int, int], b: tuple[int, int], data: st.DataObject) -> None:
    digits_of = (data.draw(st.integers(0, size[0])) for size in (a, b))
    x, y = (
        Decimal(data.draw(st.integers(-(10**digits) + 1, 10**digits - 1))).scaleb(-size[1], EXACT)
        for digits, size in zip(digits_of, (a, b), strict=True)
    )
    exact = EXACT.add(x, y), EXACT.subtract(x, y)
    message, written = Message("s", 0, 0, b"k", f'{{"a": {x:f}, "b": {y:f}}}'.encode(), None, None, (1, 5)), []
    fits = all(one.copy_abs().scaleb(max(a[1], b[1]), EXACT) < 10**38 for one in exact)
    try:
        both_sides(a, b).step(iter([message]), lambda *one: written.append(one), lambda *_: None)
    except BadRecord:
        assert not fits
        return
    found = json.loads(written[0][1], parse_float=Decimal)
    assert (found["sum"], found["difference"]) == exact
    assert fits
