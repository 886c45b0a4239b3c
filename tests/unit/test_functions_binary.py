"""Digests, and bytes as text."""

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobplane.sql.functions import binary as f
from jobplane.sql.functions.signature import Json


@pytest.mark.parametrize(
    ("call", "value"),
    [
        (lambda: f.md5_of_text(""), "d41d8cd98f00b204e9800998ecf8427e"),
        (lambda: f.md5_of_text("abc"), "900150983cd24fb0d6963f7d28e17f72"),
        (lambda: f.sha1_of_text("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (lambda: f.sha256_of_text("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (lambda: f.sha512_of_text("abc")[:32], "ddaf35a193617abacc417349ae204131"),
        (lambda: f.md5_of_text("é"), f.md5(b"\xc3\xa9")),
        (lambda: f.sha1_of_text("é"), f.sha1(b"\xc3\xa9")),
        (lambda: f.sha256_of_text("é"), f.sha256(b"\xc3\xa9")),
        (lambda: f.sha512_of_text("é"), f.sha512(b"\xc3\xa9")),
        (lambda: f.crc32_of_text("123456789"), 0xCBF43926),
        (lambda: f.crc32(b""), 0),
        (lambda: f.to_base64(b"hello"), "aGVsbG8="),
        (lambda: f.from_base64(""), b""),
        (lambda: f.to_hex(b"\x00\xff"), "00ff"),
        (lambda: f.from_hex("00Ff"), b"\x00\xff"),
        (lambda: f.from_hex(""), b""),
        (lambda: f.to_utf8("é😀"), b"\xc3\xa9\xf0\x9f\x98\x80"),
        (lambda: f.from_utf8(b""), ""),
    ],
)
def test_values(call: Callable[[], Any], value: Any) -> None:
    assert call() == value


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: f.from_base64("aGVsbG8"), "'aGVsbG8' is not Base64, which is written like 'aGVsbG8='"),
        (lambda: f.from_base64("aGVs\nbG8="), r"'aGVs\nbG8=' is not Base64"),
        (lambda: f.from_base64("-_-_"), "'-_-_' is not Base64"),
        (lambda: f.from_base64("é" * 60), f"'{'é' * 58}… is not Base64"),
        (lambda: f.from_hex("0"), "'0' is not hexadecimal, which is written like '00ff'"),
        (lambda: f.from_hex("0 0f"), "'0 0f' is not hexadecimal"),
        (lambda: f.from_utf8(b"a\xff"), r"b'a\xff' is not UTF-8: byte 1 does not fit"),
    ],
)
def test_refused(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


def test_a_uuid_stays_the_same() -> None:
    assert f.uuid_from("orders", 3, 1_000_000) == "a0595ccf-58f2-83f6-a606-07fc2baefea7"
    assert f.uuid_from(None) == "1d8fc6ce-b1f9-8c63-a6d6-d5483d258fcb"


def test_other_values_are_another_uuid() -> None:
    values = [("a", 1), ("a", "1"), ("a1",), (None,), ("null",), (Decimal("1.0"),), (1,), (date(2026, 1, 31),), (True,)]
    others = [*values, (Json(b'{"a": 1}'),), (["a", 1],)]
    assert len({f.uuid_from(*one) for one in others}) == len(others)


@given(st.lists(st.text(st.characters(codec="utf-8")), min_size=1))
def test_a_uuid_has_its_form(values: list[str]) -> None:
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", f.uuid_from(*values))


@given(st.binary())
def test_bytes_come_back(data: bytes) -> None:
    assert f.from_hex(f.to_hex(data)) == f.from_hex(f.to_hex(data).upper()) == data
    assert f.from_base64(f.to_base64(data)) == data


@given(st.text(st.characters(codec="utf-8")))
def test_text_comes_back(text: str) -> None:
    assert f.from_utf8(f.to_utf8(text)) == text


@given(st.integers(-(10**38) + 1, 10**38 - 1), st.integers(0, 38), st.integers(0, 3))
def test_a_decimal_is_read_from_its_digits_in_bytes(unscaled: int, scale: int, padding: int) -> None:
    data = unscaled.to_bytes(17 + padding, "big", signed=True)
    found = f.decimal_from_bytes(data, scale)
    assert found.as_tuple() == Decimal(unscaled).as_tuple()._replace(exponent=-scale)
    assert f.decimal_from_base64(f.to_base64(data), scale) == found


@given(st.binary(max_size=20))
def test_bytes_are_a_decimal_or_refused(data: bytes) -> None:
    try:
        found = f.decimal_from_bytes(data, 0)
    except ValueError as error:
        assert str(error).startswith("DECIMAL_FROM_BYTES of ")  # noqa: PT017
    else:
        assert int.from_bytes(data, "big", signed=True) == found
