"""What a format writes it reads as the same values; of other bytes it only ever says that they are none of its own."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobplane.schemas.failures import BadRecord
from jobplane.schemas.formats.avro import types
from jobplane.schemas.formats.avro.known_schemas import KnownSchemas, UnknownSchema, UnknownWriter
from jobplane.schemas.formats.fields import WHOLE, FormatLayout, TypedField
from jobplane.schemas.formats.known import FORMATS
from jobplane.schemas.types.datatypes import Type
from tests.support.format_values import SIMPLE, alike, decoded, encoded, layout_of, records, values

WHOLES = [name for name, one in FORMATS.items() if one.whole is not None]
FIELDS = {"json-flat": True, "avro": True, "csv": False}
"""Formats with fields, and whether these may be nested."""
_TEXTS = ("JSON", "INTERVAL DAY TO SECOND", "INTERVAL YEAR TO MONTH")
"""Avro has no such types: they are written as strings, and a string is what is read."""
FAULTS = (BadRecord, ValueError, ArithmeticError, RecursionError, UnknownSchema)
"""What a step turns into a BadRecord, and what it asks the registry for."""


def leaves(name: str) -> list[str]:
    return [one for one in (*SIMPLE, "DECIMAL") if name != "avro" or one not in _TEXTS]


@pytest.mark.parametrize("name", WHOLES)
@given(data=st.data())
def test_a_single_value_survives(name: str, data: st.DataObject) -> None:
    form = FORMATS[name]
    assert form.whole is not None
    value = data.draw(values(form.whole))
    fields = [TypedField(WHOLE, form.whole)]
    read = decoded(form, fields, encoded(form, fields, [value], FormatLayout()), FormatLayout())
    assert alike(read) == alike([value])


@pytest.mark.parametrize("name", FIELDS)
@given(data=st.data())
def test_a_record_survives(name: str, data: st.DataObject) -> None:
    form = FORMATS[name]
    fields, row = data.draw(records(leaves(name), nested=FIELDS[name]))
    layout = layout_of(name, fields)
    assert alike(decoded(form, fields, encoded(form, fields, row, layout), layout)) == alike(row)


@pytest.mark.parametrize("name", FIELDS)
@given(data=st.data())
def test_damage_is_a_bad_record_at_most(name: str, data: st.DataObject) -> None:
    form = FORMATS[name]
    fields, row = data.draw(records(leaves(name), nested=FIELDS[name]))
    layout = layout_of(name, fields)
    whole = encoded(form, fields, row, layout)
    damaged = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for _ in range(data.draw(st.integers(0, 3))):
        if damaged:
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with suppress(*FAULTS):
        decoded(form, fields, bytes(damaged), layout)


@pytest.mark.parametrize("name", FORMATS)
@given(data=st.binary(max_size=100))
def test_any_bytes_are_a_bad_record_at_most(name: str, data: bytes) -> None:
    form = FORMATS[name]
    fields = [TypedField(WHOLE, form.whole)] if form.whole else [TypedField(("a",), Type("BIGINT"))]
    layout = layout_of(name, fields)
    with suppress(*FAULTS):
        decoded(form, fields, data, layout)


WRITTEN = '{"type": "record", "name": "R", "fields": [%s]}'
ID = '{"name": "id", "type": "int"}'
EVOLUTIONS: dict[str, tuple[str, str, list[Any]]] = {
    "a field more": (f'{ID}, {{"name": "more", "type": "string"}}', ID, [7]),
    "a field with a default": (ID, f'{ID}, {{"name": "more", "type": "string", "default": "none"}}', [7, "none"]),
    "a wider type": (ID, '{"name": "id", "type": "long"}', [7]),
    "another name": (ID, '{"name": "ident", "type": "int", "aliases": ["id"]}', [7]),
}


@pytest.mark.parametrize(("written", "read", "expected"), EVOLUTIONS.values(), ids=EVOLUTIONS)
def test_what_another_schema_wrote_is_read_by_the_readers(written: str, read: str, expected: list[Any]) -> None:
    form, number = FORMATS["avro"], 100_000 + len(written)
    fields = list(types.columns_of(WRITTEN % written))
    row = [7, "x"][: len(fields)]
    data = encoded(form, fields, row, FormatLayout(schema=WRITTEN % written, schema_id=number))
    wanted = types.columns_of(WRITTEN % read)
    layout = FormatLayout(schema=WRITTEN % read, schema_id=1)
    schemas = KnownSchemas()
    with pytest.raises(UnknownWriter) as unknown:
        decoded(form, wanted, data, layout, schemas)
    assert unknown.value.id == number
    unknown.value.schemas.learn(number, WRITTEN % written)
    assert schemas.is_known(number)
    assert decoded(form, wanted, data, layout, schemas) == expected


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ('{"name": "a", "type": {"type": "array", "items": "null"}}', "take no bytes"),
        ('{"name": "next", "type": ["null", "R"]}', "contains itself"),
        ('{"name": "a", "type": "strong"}', "not an Avro schema"),
    ],
)
def test_schemas_without_a_bound_are_refused(fields: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        types.columns_of(WRITTEN % fields)


@given(
    text=st.text(alphabet="0123456789+-.eE_ \tnulatrfseiyINF", min_size=1, max_size=6),
    name=st.sampled_from(sorted(SIMPLE)),
)
def test_a_field_of_a_line_is_read_alike_whatever_else_is_in_it(text: str, name: str) -> None:
    """Lines that are plain, with an empty field, and in quotes go different ways."""
    fields = [TypedField(("a",), Type(name)), TypedField(("b",), Type("VARCHAR"))]
    layout = layout_of("csv", fields)

    def outcome(rest: str) -> object:
        try:
            return decoded(FORMATS["csv"], fields, f"{text},{rest}".encode(), layout)[0]
        except FAULTS as fault:
            return str(fault)

    plain = outcome("x")
    assert alike([outcome("")]) == alike([plain])
    assert alike([outcome('"x"')]) == alike([plain])
