"""What statements of chance are about: topics, mappings, columns of every type, and records to read."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from random import Random
from typing import Any

import msgspec
from confluent_kafka import Message

from jobplane.controlplane.core.decide.formats import add_inline_schemas
from jobplane.schemas.errors import STATEMENT_START
from jobplane.schemas.formats.avro import types as avro_types
from jobplane.schemas.formats.fields import FormatLayout, TypedField
from jobplane.schemas.formats.json.values import integer_bounds, row_class, to_real
from jobplane.schemas.formats.known import FORMATS
from jobplane.schemas.records.mappings import TopicMapping
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type
from jobplane.sql.mapping import build_mapping
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parser import parse
from tests.fuzz.literals import NESTED, SCALARS, TEXTS
from tests.support.format_values import encoded

RECORDS = 40
Columns = Mapping[Type, tuple[str, ...]]


def _columns(types: tuple[Type, ...], each: int) -> dict[Type, tuple[str, ...]]:
    return {one: tuple(f"c{i}_{n}" for n in range(each)) for i, one in enumerate(dict.fromkeys(types))}


UNTYPED = _columns((*SCALARS, *NESTED), 4)
"""Fields of the topic without a mapping: their types are what their use asks for."""
TYPED = _columns((*SCALARS, *NESTED), 1)
FLAT = _columns(SCALARS, 1)
NAMED = {one: names for one, names in TYPED.items() if "BIGINT, ARRAY" not in str(one) and " c" not in str(one)}
"""Those that Avro has: keys of maps are text there, and names have no blanks."""
SOURCES: dict[str, Columns] = {"s": UNTYPED, "json": TYPED, "avro": NAMED, "csv": FLAT, "keyed": TYPED}
TARGETS: dict[str, Columns] = {
    "out": {},
    "to_json": TYPED,
    "to_avro": NAMED,
    "to_csv": FLAT,
    "to_key": {t.BIGINT: ("__key",), t.VARCHAR: ("a",), t.JSON: ("b",)},
}
TOPICS = (*SOURCES, *TARGETS)


def _listed(columns: Columns) -> str:
    return ", ".join(f"{name} {one}" for one, names in columns.items() for name in names)


def _fields(columns: Columns) -> list[TypedField]:
    return [TypedField((name,), one) for one, names in columns.items() for name in names]


WATERMARKS = {"keyed": TYPED[t.TIMESTAMP_TZ][0], "csv": FLAT[t.TIMESTAMP][0]}
"""The columns that the watermarks of mappings are of."""
STATEMENTS = {
    "json": f"CREATE MAPPING json ({_listed(TYPED)}) TYPE Kafka",
    "avro": "CREATE MAPPING avro TYPE Kafka OPTIONS (valueFormat 'avro', valueAvroSchema '{schema}')",
    "csv": f"CREATE MAPPING csv ({_listed(FLAT)}, WATERMARK FOR {WATERMARKS['csv']} AS {WATERMARKS['csv']}) TYPE Kafka "
    "OPTIONS (valueFormat 'csv', csvDelimiter ';')",
    "keyed": f'CREATE MAPPING keyed ({_listed(TYPED)}, k BIGINT EXTERNAL NAME "__key.k", '
    f"WATERMARK FOR {WATERMARKS['keyed']} AS LEAST({WATERMARKS['keyed']}, __timestamp) - INTERVAL '5' SECOND "
    "IDLE AFTER INTERVAL '1' MINUTE) "
    "TYPE Kafka OPTIONS (keyFormat 'json-flat')",
    "to_json": f"CREATE MAPPING to_json ({_listed(TYPED)}) TYPE Kafka",
    "to_avro": "CREATE MAPPING to_avro TYPE Kafka OPTIONS (valueFormat 'avro', valueAvroSchema '{schema}')",
    "to_csv": f"CREATE MAPPING to_csv ({_listed(FLAT)}) TYPE Kafka OPTIONS (valueFormat 'csv')",
    "to_key": "CREATE MAPPING to_key (__key BIGINT, a VARCHAR, b JSON) TYPE Kafka OPTIONS (keyFormat 'bigint')",
}


def statement_of(name: str) -> str:
    """The CREATE MAPPING of a source or target."""
    return STATEMENTS[name].replace("{schema}", avro_types.build_schema(_fields(NAMED), "R"))


@cache
def mappings() -> dict[str, TopicMapping]:
    made = {}
    for name in STATEMENTS:
        statement = parse(statement_of(name))
        assert isinstance(statement, statements.CreateMapping)
        found = add_inline_schemas(build_mapping(statement), STATEMENT_START)
        assert found is not None
        made[name] = replace(found, columns=found.columns)
    return made


@cache
def records(source: str) -> tuple[Message, ...]:
    """Sound ones by and large, always the same. Empty for a topic that is no source."""
    chance, made = Random(source), []
    columns = SOURCES[source]
    for i in range(RECORDS):
        name = "json-flat" if source in ("s", "json", "keyed") else source
        fields = _fields(columns)
        row = [_drawn(field.type, chance) for field in fields]
        layout = FormatLayout(tuple(fields), ";", avro_types.build_schema(fields, "R") if name == "avro" else "")
        value: bytes | None = encoded(FORMATS[name], fields, row, layout)
        if source == "s" and i % 4 == 0:
            value = msgspec.json.encode({field.path[0]: _anything(chance) for field in fields})
        if i % 13 == 0:
            value = None if i % 2 else b'{"c0_0": '
        key = None if i % 7 == 0 else b'{"k": 5}' if i % 2 else b"k"
        headers: Any = [("a", b"1"), ("b", None), ("a", b"\xff")][: i % 4] or None
        made.append(Message(source, 0, i, key, value, headers, None, (i % 3 and 1, 1_700_000_000_000 + i)))
    return tuple(made)


def _drawn(one: Type, chance: Random) -> Any:
    """A value of the type, or None."""
    if chance.random() < 0.1:
        return None
    if one.name in _VALUES:
        return _VALUES[one.name](chance)
    if t.is_integer(one):
        return chance.choice((0, 1, 2, -1, *integer_bounds(one)))
    match one.name:
        case "DECIMAL":
            return chance.choice((Decimal(0), Decimal("1.5"), Decimal(10 ** (one.size[0] - one.size[1]) - 1)))
        case "ARRAY":
            return [_drawn(one.arguments[0], chance) for _ in range(chance.randrange(3))]
        case "MAP":
            return {
                _key(one.arguments[0], chance): _drawn(one.arguments[1], chance) for _ in range(chance.randrange(3))
            }
    return row_class(one)(*(_drawn(each, chance) for each in one.arguments))


def _key(one: Type, chance: Random) -> Any:
    value = _drawn(one, chance)
    return _key(one, chance) if value is None else value


def _anything(chance: Random, depth: int = 2) -> Any:
    """What JSON may hold."""
    draw = chance.randrange(9 if depth else 6)
    if draw == 6:
        return [_anything(chance, depth - 1) for _ in range(chance.randrange(3))]
    if draw > 6:
        return {name: _anything(chance, depth - 1) for name in chance.sample(("x", "y", "a", "k"), 2)}
    return (None, True, chance.randrange(-5, 2**40), 1.5, chance.choice(TEXTS), "2024-02-29")[draw]


_DAY = datetime(2024, 2, 29, 12, 30, 1, 5)  # noqa: DTZ001
_FIRST, _LAST = datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999)  # noqa: DTZ001
_VALUES: dict[str, Callable[[Random], Any]] = {
    "BOOLEAN": lambda chance: chance.random() < 0.5,
    "REAL": lambda chance: to_real(chance.choice((0.0, -1.5, 0.1, 3e38))),
    "DOUBLE": lambda chance: chance.choice((0.0, -0.0, 0.1, 2.5, 1e308, -5e-324)),
    "VARCHAR": lambda chance: chance.choice(TEXTS),
    "VARBINARY": lambda chance: chance.randbytes(chance.randrange(5)),
    "DATE": lambda chance: chance.choice((date(2024, 2, 29), date.min, date.max)),
    "TIME": lambda chance: chance.choice((time(0), time(23, 59, 59, 999999), time(12, 30))),
    "TIMESTAMP": lambda chance: chance.choice((_DAY, _FIRST, _LAST)),
    "TIMESTAMP WITH TIME ZONE": lambda chance: chance.choice((_DAY, _FIRST, _LAST)).replace(tzinfo=UTC),
    "INTERVAL DAY TO SECOND": lambda chance: chance.choice((timedelta(1), timedelta(0, 5, 1), timedelta(-99999))),
    "INTERVAL YEAR TO MONTH": lambda chance: chance.choice((0, 1, -18, 12 * 9999)),
    "JSON": lambda chance: msgspec.Raw(msgspec.json.encode(_anything(chance) or 1)),
}
