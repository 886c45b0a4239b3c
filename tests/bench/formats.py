"""What a million records cost that are read in one format and written in another.

Six fields: a long, two strings, a double, a boolean and a long; about 200 bytes in JSON. Avro's schema stands in the
mapping, so no registry takes part: its five bytes before a record cost nothing.
"""

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import fastavro

from tests.bench import records
from tests.bench.bench import Bench, progress
from tests.bench.report import Row
from tests.bench.throughput import PARTITIONS, Work, measured, rows

COLUMNS = "id BIGINT, user VARCHAR, amount DOUBLE, active BOOLEAN, count BIGINT, pad VARCHAR"
FIELDS = {"id": "long", "user": "string", "amount": "double", "active": "boolean", "count": "long", "pad": "string"}
SCHEMA = {"type": "record", "name": "Order", "fields": [{"name": name, "type": one} for name, one in FIELDS.items()]}
TEXT = json.dumps(SCHEMA)
PARSED = fastavro.parse_schema(SCHEMA)
MAP = 'CREATE OR REPLACE MAPPING {name} EXTERNAL NAME "{topic}" {columns} TYPE Kafka OPTIONS (valueFormat {options})'
PAD = "x" * 110


@dataclass(frozen=True, slots=True)
class Carrier:
    """How records are made in a format, its options, and how the id is read from one."""

    made: Callable[[dict[str, object]], bytes]
    options: str
    columns: str
    id_of: Callable[[bytes], int]


def _in_avro(row: dict[str, object]) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, PARSED, row)
    return out.getvalue()


def _avro_id(value: bytes) -> int:
    read = fastavro.schemaless_reader(io.BytesIO(value), PARSED, None)
    return int(read["id"])  # type: ignore[index, call-overload]


def _in_csv(row: dict[str, object]) -> bytes:
    return ",".join(str(value).lower() if isinstance(value, bool) else str(value) for value in row.values()).encode()


CARRIERS = {
    "JSON": Carrier(lambda row: json.dumps(row).encode(), "'json-flat'", f"({COLUMNS})", records.id_of),
    "Avro": Carrier(_in_avro, f"'avro', valueAvroSchema '{TEXT}'", "", _avro_id),
    "CSV": Carrier(_in_csv, "'csv'", f"({COLUMNS})", lambda value: int(value.partition(b",")[0])),
}
PAIRS = (("Avro", "JSON", 9.0), ("JSON", "Avro", 8.0), ("CSV", "JSON", 4.0))


def formats(bench: Bench) -> Iterator[Row]:
    with bench.plane() as plane:
        for read, written, target in PAIRS:
            source, carrier, into = plane.topic(f"in-{read}", PARTITIONS), CARRIERS[read], CARRIERS[written]
            progress(f"filling {source} with {bench.records:,} records in {read}")
            records.fill(plane, source, PARTITIONS, bench.records, _records(carrier, bench.records))
            worker = plane.worker()
            statement = MAP.format(name=f"from_{read}", topic=source, columns=carrier.columns, options=carrier.options)
            plane.done(statement)
            worker.stop()
            work = Work(
                f"{read} to {written}",
                f"SELECT id, user, amount, active, count, pad FROM from_{read}",
                target,
                f", valueFormat {into.options}",
            )
            expected = records.everything(bench.records)
            runs = [measured(bench, plane, source, work, expected, into.id_of) for _ in range(bench.repeat)]
            yield from rows(f"formats {work.name}", runs, bench.records, target)
            plane.delete_topic(source)


def _records(carrier: Carrier, count: int) -> Iterator[tuple[bytes, bytes]]:
    for i in range(count):
        user = f"u{i % 9973:04}"
        row = {"id": i, "user": user, "amount": i % 1000 / 8, "active": i % 2 == 0, "count": i % 77, "pad": PAD}
        yield user.encode(), carrier.made(row)
