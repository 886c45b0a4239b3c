"""Bounded jobs with groups, all at once, give what DuckDB gives over all records of their topics."""

import json
import math
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import zip_longest
from pathlib import Path
from typing import Any

from confluent_kafka import Producer

from jobplane.sql.functions.aggregates import AGGREGATES
from tests.support.broker import KafkaBroker
from tests.support.grouped_events import AVRO_SCHEMA, COLUMNS, LAG, PARTITIONS, events
from tests.support.grouped_queries import QUERIES, Grouped, Referee
from tests.support.system import System, system, until

KEPT = {"retention_ms": "-1"}
"""The records are old."""


def send(plane: System, values: str) -> str:
    """A topic with all records, and its mapping of the same name as the format."""
    topic = plane.topic(f"events-{values}", PARTITIONS, **KEPT)
    declared = ", ".join(f"{name} {one}" for name, one in COLUMNS.items())
    schema = f", valueAvroSchema '{json.dumps(AVRO_SCHEMA)}'" if values == "avro" else ""
    plane.done(
        f"""CREATE MAPPING {values} EXTERNAL NAME "{topic}" (k VARCHAR EXTERNAL NAME "__key", {declared},
            WATERMARK FOR ts AS ts - INTERVAL '{LAG}' SECOND) TYPE Kafka
            OPTIONS (keyFormat 'varchar', valueFormat '{"avro" if values == "avro" else "json-flat"}'{schema})"""
    )
    producer = Producer({"bootstrap.servers": plane.bootstrap, "enable.idempotence": True, "linger.ms": 5})
    for one in events():
        value = one.avro if values == "avro" else one.json
        producer.produce(topic, value, one.key.encode(), one.partition, timestamp=one.timestamp)
    assert producer.flush(30) == 0
    return topic


def test_bounded_jobs_with_groups(broker: KafkaBroker, prefix: str, tmp_path: Path) -> None:
    with system(broker.bootstrap, prefix, tmp_path) as plane:
        plane.worker()
        topics = {values: send(plane, values) for values in ("json", "avro")}
        letters = plane.topic("letters", 1, **KEPT)
        sinks = {name: plane.topic(f"out-{i}", 1, **KEPT) for i, name in enumerate(QUERIES)}
        producer = Producer({"bootstrap.servers": plane.bootstrap})
        for name, query in QUERIES.items():
            statement = f"""CREATE JOB "{name}" OPTIONS (stopAt 'latest', onError 'deadLetter', onLate 'deadLetter',
                deadLetterTopic '{letters}') AS INSERT INTO "{sinks[name]}" {query.ours}"""
            producer.produce(f"{plane.prefix}commands", statement.encode())
        assert producer.flush(30) == 0
        until(
            lambda: {one: job["status"] for one, job in plane.jobs().items()} == dict.fromkeys(QUERIES, "COMPLETED"),
            120,
            "all jobs have ended",
        )
        found = defaultdict[tuple[str, str], list[str]](list)
        for letter in plane.read(letters):
            held: Any = letter.headers() or ()
            headers = {name: value.decode() for name, value in held}
            found[headers["jobplane-job"], headers["jobplane-code"]].append(headers["jobplane-source"])
        referee = Referee()
        for name, query in QUERIES.items():
            for code, places in (("LATE", referee.late(query)), ("BAD_RECORD", referee.bad(query))):
                expected = [f"{topics[source]}-{p}@{o}" for source in query.sources for p, o in places]
                assert sorted(found[name, code]) == sorted(expected), (name, code)
            ours, theirs = ordered(rows_in(plane, sinks[name], query)), ordered(referee.rows(query))
            assert theirs, f"{name} has rows"
            different = [(mine, other) for mine, other in zip_longest(ours, theirs) if not same(mine, other)]
            assert not different, (name, different[:3])
        assert any(code == "LATE" for _, code in found)


def test_every_aggregate_is_asked_for() -> None:
    texts = " ".join(query.text for query in QUERIES.values())
    assert {name for name in AGGREGATES if f"{name}(" not in texts} == set()


def rows_in(plane: System, sink: str, query: Grouped) -> list[dict[str, Any]]:
    """All rows; of those that replace others the last of each key, unless that took it back."""
    found = [(one.key(), one.value()) for one in plane.read(sink)]
    last = list(dict(found).values()) if query.changes else [value for _, value in found]
    return [json.loads(value, parse_float=Decimal) for value in last if value is not None]


def ordered(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Values as JSON has them, sorted without the last digits of numbers."""
    plain = [{name: _plain(value) for name, value in row.items()} for row in rows]
    return sorted(plain, key=lambda row: [f"{one:.6g}" if isinstance(one, float) else str(one) for one in row.values()])


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z").replace(".000000", "")
        case date():
            return value.isoformat()
        case Decimal() | float() | int() if not isinstance(value, bool):
            return None if math.isnan(value) else float(value)
        case list():
            return [_plain(one) for one in value]
        case dict():
            return {str(key): _plain(one) for key, one in value.items()}
    return value


def same(mine: dict[str, Any] | None, other: dict[str, Any] | None) -> bool:
    if mine is None or other is None:
        return False
    return mine.keys() == other.keys() and all(_alike(mine[name], other[name]) for name in mine)


def _alike(mine: Any, other: Any) -> bool:
    if isinstance(mine, float) or isinstance(other, float):
        return mine is not None and other is not None and math.isclose(mine, other, rel_tol=1e-9, abs_tol=1e-9)
    if isinstance(mine, dict) and isinstance(other, list):  # pairs, of which the last of a key counts
        return bool(mine == {key: int(value) for key, value in other})
    return bool(mine == other)
