"""`smallint`, `integer`, `bigint`, `real` and `double`: big-endian, as Kafka's own serializers in Java write them."""

import struct
from collections.abc import Callable
from math import isfinite
from typing import Any

from jobplane.schemas.failures import BadRecord, Unreadable
from jobplane.schemas.formats.fields import Format
from jobplane.schemas.formats.single_value import single_value_format
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type


def _number(name: str, one: Type, code: str) -> Format:
    packed = struct.Struct(f">{code}")
    return single_value_format(name, one, _decoder(name, packed, one), packed.pack)


def _decoder(name: str, packed: struct.Struct, one: Type) -> Callable[[bytes], Any]:
    def decode(data: bytes) -> Any:
        try:
            value = packed.unpack(data)[0]
        except struct.error:
            raise Unreadable(f"{one} has {packed.size} bytes, not {len(data)}", name) from None
        if not isfinite(value):
            raise BadRecord(f"{value} is not a {one}")
        return value

    return decode


FORMATS = (
    _number("smallint", t.SMALLINT, "h"),
    _number("integer", t.INTEGER, "i"),
    _number("bigint", t.BIGINT, "q"),
    _number("real", t.REAL, "f"),
    _number("double", t.DOUBLE, "d"),
)
