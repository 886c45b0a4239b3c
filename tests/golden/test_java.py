"""What Java's serializers and Avro's for Java write is read as the same values, and written as the same bytes."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from jobplane.schemas.formats.avro import types
from jobplane.schemas.formats.fields import WHOLE, FormatLayout, TypedField
from jobplane.schemas.formats.known import FORMATS
from tests.support.format_values import alike, decoded, encoded

FOLDER = Path(__file__).parent / "java"
SINGLE = [line.split(" ") for line in (FOLDER / "single.txt").read_text().splitlines()]
SCHEMA = (FOLDER / "Order.avsc").read_text()
RECORDS = {
    name: bytes.fromhex(data) for name, data in map(str.split, (FOLDER / "records.txt").read_text().splitlines())
}
MADE_BY: dict[str, tuple[str, Callable[[str], Any]]] = {
    "StringSerializer": ("varchar", lambda told: bytes.fromhex(told).decode()),
    "ShortSerializer": ("smallint", int),
    "IntegerSerializer": ("integer", int),
    "LongSerializer": ("bigint", int),
    "FloatSerializer": ("real", float),
    "DoubleSerializer": ("double", float),
    "ByteArraySerializer": ("bytes", bytes.fromhex),
}
"""Java's serializer → the format that is its, and the value as the file tells it."""
NOTHING: dict[str, Any] = {"id": 0, "tags": []}
VALUES: dict[str, dict[str, Any]] = {
    "full": {
        "id": 1234567890123,
        "count": -77,
        "amount": 12.5,
        "rate": 0.10000000149011612,
        "ok": True,
        "name": "Zürich",
        "raw": b"\0\xff",
        "digest": b"\1\2\3\4",
        "colour": "GREEN",
        "key": "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
        "price": Decimal("-12345.67"),
        "day": date(2026, 1, 31),
        "clock_ms": time(8, 30, 0, 123000),
        "clock": time(8, 30, 0, 123456),
        "at_ms": datetime(2026, 1, 31, 8, 30, 0, 123000, UTC),
        "at": datetime(2026, 1, 31, 8, 30, 0, 123456, UTC),
        "local_ms": datetime(2026, 1, 31, 8, 30, 0, 123000),  # noqa: DTZ001  # it has none
        "local": datetime(2026, 1, 31, 8, 30, 0, 123456),  # noqa: DTZ001  # it has none
        "tags": ["a", None, ""],
        "sizes": {"one": 1, "none": None},
        "address": ["Paris", [1, -1, 300]],
    },
    "empty": NOTHING,
    "extreme": NOTHING
    | {
        "id": -(2**63),
        "count": 2**31 - 1,
        "amount": 5e-324,
        "rate": -3.4028234663852886e38,
        "ok": False,
        "name": "",
        "raw": b"",
        "price": Decimal("9999999.99"),
        "day": date(1, 1, 1),
        "clock": time(23, 59, 59, 999999),
        "at": datetime(1, 1, 1, tzinfo=UTC),
        "local": datetime(9999, 12, 31, 23, 59, 59, 999999),  # noqa: DTZ001  # it has none
        "tags": [f"t{i}" for i in range(100)],
    },
}


@pytest.mark.parametrize(("serializer", "told", "data"), SINGLE)
def test_single_values(serializer: str, told: str, data: str) -> None:
    name, value_of = MADE_BY[serializer]
    form = FORMATS[name]
    assert form.whole is not None
    fields, value = [TypedField(WHOLE, form.whole)], value_of(told)
    (read,) = decoded(form, fields, bytes.fromhex(data), FormatLayout())
    assert repr(read) == repr(value)
    assert encoded(form, fields, [value], FormatLayout()).hex() == data


def test_every_serializer_is_there() -> None:
    assert {serializer for serializer, _, _ in SINGLE} == MADE_BY.keys()


@pytest.mark.parametrize("name", RECORDS)
def test_avro_records(name: str) -> None:
    form, fields, layout = FORMATS["avro"], types.columns_of(SCHEMA), FormatLayout(schema=SCHEMA)
    row = decoded(form, fields, RECORDS[name], layout)
    expected = VALUES[name]
    assert dict(zip([field.path[0] for field in fields], map(alike, row), strict=True)) == {
        field.path[0]: expected.get(field.path[0]) for field in fields
    }
    assert encoded(form, fields, row, layout).hex() == RECORDS[name].hex()
