"""Hostile bytes through every format: sound records that were cut, changed and stretched, and bytes of chance."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from random import Random

import msgspec

from jobplane.schemas.errors import JobplaneError
from jobplane.schemas.failures import BadRecord
from jobplane.schemas.formats.avro.known_schemas import KnownSchemas, UnknownSchema
from jobplane.schemas.formats.fields import WHOLE, FormatLayout, TypedField
from jobplane.schemas.formats.known import FORMATS
from jobplane.schemas.types import datatypes as t
from tests.support.format_values import decoded, encoded, layout_of

REFUSALS = (BadRecord, ValueError, ArithmeticError, RecursionError, UnknownSchema)
"""What a step makes a BadRecord of, or asks a registry for."""
FIELDS = (
    (TypedField(("id",), t.BIGINT), 7),
    (TypedField(("name",), t.VARCHAR), 'a "b", c'),
    (TypedField(("price",), t.decimal(9, 2)), None),
    (TypedField(("ok",), t.BOOLEAN), True),
)
NESTED = (
    (TypedField(("tags",), t.array(t.VARCHAR)), ["x", None]),
    (TypedField(("more",), t.map_of(t.VARCHAR, t.BIGINT)), {"a": 1}),
)
_SCHEMA = 1_000_001


@dataclass(frozen=True, slots=True)
class Target:
    read: Callable[[bytes], object]
    sound: bytes


class Unread(JobplaneError):
    """A record that its format refuses."""

    code = "unread"


@cache
def targets() -> dict[str, Target]:
    made: dict[str, Target] = {}
    schemas = KnownSchemas()
    for name, form in FORMATS.items():
        if form.whole is not None:
            value = msgspec.Raw(b'{"a": [1, 2.5, "x"]}') if name == "json" else _sample(form.whole.name)
            pairs: tuple[tuple[TypedField, object], ...] = ((TypedField(WHOLE, form.whole), value),)
        else:
            pairs = FIELDS if name == "csv" else (*FIELDS, *NESTED)
        fields, row = [field for field, _ in pairs], [value for _, value in pairs]
        layouts = {name: FormatLayout() if form.whole else layout_of(name, fields)}
        if name == "avro":
            schemas.learn(_SCHEMA, layouts[name].schema)
            layouts["avro of a registry"] = FormatLayout(schema=layouts[name].schema, schema_id=_SCHEMA)
        for called, layout in layouts.items():
            sound = encoded(form, fields, row, layout)
            made[called] = Target(lambda data, f=form, w=fields, o=layout: decoded(f, w, data, o, schemas), sound)  # type: ignore[misc]
    return made


def _sample(kind: str) -> object:
    return {"VARCHAR": "text", "VARBINARY": b"\0\1", "REAL": 1.5, "DOUBLE": 1.5}.get(kind, 7)


@dataclass(frozen=True, slots=True)
class Record:
    """Bytes in a format."""

    form: str
    data: bytes

    @property
    def text(self) -> str:
        return f"{self.form} {self.data.hex()}"

    def run(self) -> JobplaneError | None:
        try:
            targets()[self.form].read(self.data)
        except REFUSALS:
            return Unread("")
        return None

    def smaller(self) -> Iterator["Record"]:
        for size in (len(self.data) // 2, len(self.data) // 8, 1):
            for at in range(0, len(self.data), max(1, size)):
                yield replace(self, data=self.data[:at] + self.data[at + size :])


def record(chance: Random) -> Record:
    """One of several ways to spoil a record."""
    form = chance.choice(list(targets()))
    return Record(form, _hostile(targets()[form].sound, chance))


def _hostile(sound: bytes, chance: Random) -> bytes:
    data = bytearray(sound)
    match chance.randrange(6):
        case 0:
            return bytes(data[: chance.randrange(len(data) + 1)])
        case 1:
            return chance.randbytes(chance.randrange(64))
        case 2:
            return bytes(data) + chance.randbytes(chance.randrange(1, 9))
        case 3:
            at = chance.randrange(len(data))
            return bytes(data[:at]) + b"\xff" * chance.randrange(1, 12) + bytes(data[at:])
        case 4:
            return bytes(data) * chance.randrange(2, 50)
    for _ in range(chance.randrange(1, 5)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data)
