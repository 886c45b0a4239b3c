"""Records that queries with groups are asked about: each in JSON and in Avro."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from random import Random
from typing import Any

import fastavro

PARTITIONS, RECORDS, LAG = 3, 900, 20
BEGIN = datetime(2025, 10, 20, tzinfo=UTC)
"""A Monday; clocks in Berlin go back six days later."""
COLUMNS = {
    "u": "VARCHAR",
    "n": "BIGINT",
    "x": "BIGINT",
    "d": "DECIMAL(12, 2)",
    "f": "DOUBLE",
    "b": "BOOLEAN",
    "day": "DATE",
    "tags": "ARRAY<VARCHAR>",
    "ts": "TIMESTAMP WITH TIME ZONE",
}
AVRO = {
    "u": "string",
    "n": "long",
    "x": "long",
    "d": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2},
    "f": "double",
    "b": "boolean",
    "day": {"type": "int", "logicalType": "date"},
    "tags": {"type": "array", "items": "string"},
    "ts": {"type": "long", "logicalType": "timestamp-micros"},
}
AVRO_SCHEMA = {
    "type": "record",
    "name": "event",
    "fields": [{"name": name, "type": ["null", one]} for name, one in AVRO.items()],
}


@dataclass(frozen=True, slots=True)
class Event:
    """A record of the source; `columns` is None if no query can read it."""

    partition: int
    offset: int
    key: str
    timestamp: int
    columns: dict[str, Any] | None

    @property
    def json(self) -> bytes:
        if self.columns is None:
            return b'{"u": "ann'
        fields = ", ".join(f'"{name}": {_json_of(value)}' for name, value in self.columns.items())
        return f"{{{fields}}}".encode()

    @property
    def avro(self) -> bytes:
        if self.columns is None:
            return b"\x09"
        out = BytesIO()
        fastavro.schemaless_writer(out, AVRO_SCHEMA, self.columns)
        return out.getvalue()


def _json_of(value: Any) -> str:
    if isinstance(value, Decimal):
        return str(value)
    return json.dumps(value.isoformat() if isinstance(value, date) else value)


def events() -> Iterator[Event]:
    """Time goes on by seconds, and now and then by a day; some records are late, some have no time or are not readable.

    All records of a key are in one partition.
    """
    chance = Random(3)
    clocks, offsets = [BEGIN + timedelta(hours=7 * p) for p in range(PARTITIONS)], [0] * PARTITIONS
    for i in range(RECORDS):
        p = chance.randrange(PARTITIONS)
        clocks[p] += timedelta(milliseconds=chance.randrange(6_000))
        if chance.random() < 0.04:
            clocks[p] += timedelta(hours=chance.randrange(8, 40))
        time = clocks[p] - timedelta(seconds=chance.choice((0, 0, 0, 1, 4, 15, 19, 45, 100)))
        columns = {
            "u": chance.choice(("ann", "ben", "cat", "Ann", None)),
            "n": chance.randrange(200),
            "x": chance.choice((None, *range(-9, 10))),
            "d": chance.choice((None, Decimal(chance.randrange(-500, 5_000)).scaleb(-2))),
            "f": chance.choice((None, chance.randrange(-80, 80) / 8)),
            "b": chance.choice((None, True, False)),
            "day": chance.choice((None, date(2025, 10, chance.randrange(1, 29)))),
            "tags": chance.choice((None, [], ["red"], ["red", "blue"], ["blue", "blue"])),
            "ts": None if chance.random() < 0.02 else time,
        }
        readable = chance.random() > 0.02
        timestamp = int(BEGIN.timestamp() * 1000) + 1_000 * i
        yield Event(p, offsets[p], f"{p}-{chance.randrange(3)}", timestamp, columns if readable else None)
        offsets[p] += 1
