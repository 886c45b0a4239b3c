"""Compiled groups of a query, and records for them."""

from typing import Any

import msgspec
from confluent_kafka import Message

from jobplane.schemas.records.mappings import TopicMapping
from jobplane.sql.codegen.compile import Wiring
from jobplane.sql.codegen.groups import CompiledGroups, compile_groups
from jobplane.sql.mapping import build_mapping
from jobplane.sql.plan.graph import Plan
from jobplane.sql.plan.plan import plan
from jobplane.sql.runtime.groups import GroupState
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parser import parse

MAPPING = """
    CREATE MAPPING s (u VARCHAR, x BIGINT, ts TIMESTAMP WITH TIME ZONE, k VARCHAR EXTERNAL NAME "__key",
        WATERMARK FOR ts AS ts - INTERVAL '5' SECOND) TYPE Kafka OPTIONS (keyFormat 'varchar')
"""
JSON_KEYS = "CREATE MAPPING out TYPE Kafka OPTIONS (keyFormat 'json')"
"""A target in which NULL is a key as well."""
WIRING = Wiring("out", 4, {"s": "s"}, {"s": 0})


def mapped(columns: str) -> TopicMapping:
    """A mapping of JSON with these columns."""
    return mapping_of(f"CREATE MAPPING s ({columns}) TYPE Kafka")


def mapping_of(text: str) -> TopicMapping:
    """That of a CREATE MAPPING."""
    statement = parse(text)
    assert isinstance(statement, statements.CreateMapping)
    return build_mapping(statement)


def planned(query: str, mapping: str = MAPPING, target: str = "") -> Plan:
    """`target` is the mapping of the target, if it has one."""
    statement = parse(f"CREATE JOB j AS INSERT INTO out {query}")
    assert isinstance(statement, statements.CreateJob)
    return plan(statement.inserts[0], {"s": mapping_of(mapping)}, mapping_of(target) if target else None)


def compiled(query: str, mapping: str = MAPPING, *, skip_late: bool = False) -> CompiledGroups:
    return compile_groups(planned(query, mapping), WIRING, skip_late=skip_late)


def message(
    second: int, p: int = 0, o: int = 0, *, u: str | None = "a", x: Any = 1, **more: Any
) -> "Message[bytes, bytes]":
    """A record with that event time in 2026, whose timestamp is its offset in milliseconds."""
    time = f"2026-01-01T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"
    value = msgspec.json.encode({"u": u, "x": x, "ts": time, **more})
    return Message("s", p, o, b"k", value, None, None, (1, o))


def absorb(state: GroupState, *messages: "Message[bytes, bytes]") -> tuple[int, int]:
    return state.absorb(iter(messages), never, never)


def emit(state: GroupState) -> list[tuple[Any, ...]]:
    """What is produced: (value, key, timestamp) of each record."""
    out: list[tuple[Any, ...]] = []
    written = state.emit(lambda *record: out.append((record[1], record[2], record[6])), never)
    assert written == len(out)
    return out


def values(state: GroupState) -> list[Any]:
    """The values produced."""
    return [None if value is None else msgspec.json.decode(value) for value, _, _ in emit(state)]


def never(*_: Any) -> None:
    raise AssertionError("nothing is produced here")
