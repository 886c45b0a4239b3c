"""The second look at JSON: halves of surrogate pairs matter in what is read, and nowhere else."""

import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobplane.schemas.failures import BadRecord
from jobplane.schemas.formats.fields import TypedField
from jobplane.schemas.formats.json import flat
from jobplane.schemas.formats.json.second_look import BOM, all_fields, with_second_look
from jobplane.schemas.formats.json.values import decoder, msgspec_type
from jobplane.schemas.msgspec_types import json_decoder
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type

MARKS = st.sampled_from([b"", BOM])
HALVES = st.characters(categories=["Cs"])
SIGNS = st.sampled_from(["\\", "\\u", '"', "\ue000", "\ue001", "ud83d", "a"])
TEXTS = st.lists(HALVES | SIGNS | st.characters(), max_size=4).map("".join)
WHOLE_TEXTS = st.text(max_size=4)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def is_unicode(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


@given(st.dictionaries(WHOLE_TEXTS, VALUES, max_size=4), MARKS)
def test_all_fields_stand_as_they_stood(fields: dict[str, Any], mark: bytes) -> None:
    data = json.dumps(fields).encode()
    found = all_fields(mark + data)
    assert {name: json.loads(bytes(value)) for name, value in found.items()} == json.loads(data)


@given(st.dictionaries(TEXTS, VALUES, max_size=3), st.integers(-(2**63), 2**63 - 1), MARKS)
def test_what_is_not_read_is_no_matter(others: dict[str, Any], number: int, mark: bytes) -> None:
    others = {name: value for name, value in others.items() if name != "id"}
    reading = flat.field_decoder([TypedField(("id",), t.BIGINT)])
    for fields in ({"id": number} | others, others | {"id": number}):
        data = mark + json.dumps(fields).encode()
        assert with_second_look(reading.decode)(data).f0 == number


@pytest.mark.parametrize("one", [t.JSON, t.array(t.VARCHAR), t.map_of(t.VARCHAR, t.JSON), t.VARCHAR], ids=str)
@given(value=VALUES)
def test_what_is_read_is_text_of_unicode(one: Type, value: Any) -> None:
    kind = msgspec_type(one)
    data = json.dumps(value).encode()
    try:
        found = with_second_look(decoder(kind if one == t.JSON else kind | None).decode)(data)
    except msgspec.ValidationError:
        return
    except BadRecord:
        assert not is_unicode(json.loads(data))
        return
    assert is_unicode(json.loads(data))
    assert json.loads(msgspec.json.encode(found)) == json.loads(data)


@given(st.binary(max_size=20) | TEXTS.map(lambda text: json.dumps(text).encode()[:-2]))
def test_other_damage_stays_damage(data: bytes) -> None:
    decode = json_decoder(msgspec.Raw).decode
    with suppress(msgspec.DecodeError, BadRecord):
        found = with_second_look(decode)(data)
        assert bytes(found) in data.removeprefix(BOM)
