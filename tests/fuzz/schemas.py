"""Avro schemas of chance: logical types with odd attributes, odd names, recursion, unions, wrong JSON anywhere.

A schema comes as an option of a mapping or a job, as the newest of a subject, as that of a record's writer, and as that
of a command's.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from confluent_kafka import Message

from jobplane.controlplane.core.decide.formats import source_mapping
from jobplane.schemas.errors import STATEMENT_START, BadMapping, JobplaneError, Refused
from jobplane.schemas.failures import BadRecord
from jobplane.schemas.formats.avro.known_schemas import KnownSchemas, UnknownSchema
from jobplane.schemas.records.events import JobCreated, MappingCreated
from jobplane.schemas.records.mappings import TopicMapping
from jobplane.sql.codegen.compile import Step, Wiring, compile_step
from jobplane.sql.plan.plan import plan
from jobplane.sql.syntax import expressions as ex
from jobplane.sql.syntax import statements
from tests.fuzz.plane import Registry, facts, judged, refusal, step_of
from tests.fuzz.world import records

_PRIMITIVES = ("null", "boolean", "int", "long", "float", "double", "string", "bytes")
_LOGICAL = (
    *(("int", "date"), ("int", "time-millis"), ("long", "time-micros"), ("long", "timestamp-millis")),
    *(("long", "timestamp-micros"), ("long", "local-timestamp-millis"), ("long", "local-timestamp-micros")),
    *(("string", "uuid"), ("bytes", "decimal"), ("bytes", "decimal"), ("bytes", "big-decimal"), ("fixed", "duration")),
    *(("long", "timestamp-nanos"), ("fixed", "decimal"), ("bytes", "duration"), ("int", "no-such")),
)
_NAMES = ("a", "b", "id", "name", "price", "R", "Inner", "x1", "_u")
_ODD_NAMES: tuple[Any, ...] = (
    *("", "1a", "a b", "a.b", ".a", "a.", "ä", "order", "__key", "this", 'q"q', "\\u0000", "int", "record", "x" * 300),
    *(None, 7, True, [], {}, ["a"], "a-b", "\ud800"),
)
_ODD: tuple[Any, ...] = (
    *(
        None,
        True,
        0,
        -1,
        1,
        38,
        39,
        1e300,
        1.5,
        2**70,
        "",
        "a",
        "int",
        "3",
        [],
        {},
        [None],
        {"type": "int"},
        ["null", "int"],
    ),
    *([[]], [{}], {"type": None}, "R", "Inner", {"a": 1}, "null"),
)
_KEYS = (
    *("type", "name", "fields", "items", "values", "symbols", "size", "logicalType", "precision", "scale", "default"),
    *("aliases", "namespace", "doc", "order", "unknown"),
)
_BYTES = (
    *(b"", b"\x00", b"\x00" * 30, b"\x02" * 30, b"\x02\x00" * 30, b"\x00\x02" * 30, b"\xff" * 12, b"\x04ab\x00" * 8),
    b"\x02\x06abc\x00\x00\x02" * 5,
)
_TARGET_OPTIONS = ("value", "value", "value", "key")


def schema_text(chance: Random) -> str:
    """JSON of a record's schema, sound or spoiled."""
    made: Any = _Schemas(chance).record(chance.choice((1, 2, 2, 3)))
    draw = chance.random()
    if draw < 0.06:
        made = chance.choice((*_ODD, "string", {"type": "array", "items": "int"}, ["null", made], {"type": made}))
    if 0.06 <= draw < 0.08:
        made = _deep(chance, made)
    text = json.dumps(made)
    if draw > 0.97:
        at = chance.randrange(len(text) + 1)
        text = chance.choice(
            (text[:at], text[:at] + chance.choice("{}[],:\"'0 \u0000") + text[at:], text + "}", "[" * 3_000)
        )
    return text


def _deep(chance: Random, inner: Any) -> Any:
    for i in range(chance.choice((5, 30, 300))):
        inner = chance.choice((
            {"type": "array", "items": inner},
            {"type": "map", "values": inner},
            {"type": "record", "name": f"D{i}", "fields": [{"name": "d", "type": inner}]},
        ))  # fmt: skip
    return {"type": "record", "name": "Deep", "fields": [{"name": "d", "type": inner}]}


class _Schemas:
    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._odd = chance.choice((0.0, 0.0, 0.02, 0.08))
        """How often something is as it should not be."""
        self._named: list[str] = []

    def record(self, depth: int) -> dict[str, Any]:
        chance = self._chance
        made = self._name({"type": "record"})
        names = chance.sample(_NAMES, chance.randint(0 if chance.random() < 0.1 else 1, 4))
        made["fields"] = [self._field(name, depth) for name in names]
        if chance.random() < self._odd:
            made["fields"] += chance.choice(([made["fields"][0]] if names else [], [chance.choice(_ODD)]))
        return self._spoiled(made)

    def _field(self, name: str, depth: int) -> Any:
        chance = self._chance
        made: dict[str, Any] = {"name": chance.choice(_ODD_NAMES) if chance.random() < self._odd else name}
        made["type"] = self.any(depth - 1)
        if chance.random() < 0.15:
            made["default"] = chance.choice((None, 0, "a", "\u00ff", [], {}, 1.5, True, *_ODD))
        return self._spoiled(made)

    def any(self, depth: int) -> Any:
        chance = self._chance
        draw = chance.random()
        if draw < 0.3 or depth <= 0:
            return chance.choice(_PRIMITIVES)
        if draw < 0.5:
            return self._logical()
        if draw < 0.7:
            return self._union(depth)
        if draw < 0.8 and self._named:
            return chance.choice(self._named)
        made: Any = chance.choice((
            *(self._array, self._map, self._enum, self._fixed, self.record, self._wrapped),
        ))  # fmt: skip
        return made(depth - 1)

    def _union(self, depth: int) -> Any:
        chance = self._chance
        if chance.random() < 0.7:
            return ["null", self.any(depth - 1)]
        return [self.any(depth - 1) for _ in range(chance.randrange(4))]

    def _array(self, depth: int) -> Any:
        return self._spoiled({"type": "array", "items": self.any(depth)})

    def _map(self, depth: int) -> Any:
        return self._spoiled({"type": "map", "values": self.any(depth)})

    def _wrapped(self, depth: int) -> Any:
        return self._spoiled({"type": self.any(depth)})

    def _enum(self, _: int) -> Any:
        symbols = (
            ["A", "B"] if self._chance.random() < 0.9 else self._chance.choice(([], ["A", "A"], ["1"], "AB", [1], None))
        )
        return self._spoiled(self._name({"type": "enum", "symbols": symbols}))

    def _fixed(self, _: int) -> Any:
        size = (
            self._chance.choice((1, 4, 12, 16))
            if self._chance.random() < 0.9
            else self._chance.choice((0, -1, 2**40, "4", None))
        )
        return self._spoiled(self._name({"type": "fixed", "size": size}))

    def _logical(self) -> Any:
        chance = self._chance
        kind, logical = chance.choice(_LOGICAL)
        made = self._fixed(0) if kind == "fixed" else {"type": kind}
        if not isinstance(made, dict):
            return made
        made["logicalType"] = logical if chance.random() > self._odd else chance.choice(_ODD)
        if logical == "decimal":
            made["precision"] = chance.choice((9, 18, 38)) if chance.random() > self._odd else chance.choice(_ODD)
            if chance.random() < 0.8:
                made["scale"] = chance.choice((0, 2, 9)) if chance.random() > self._odd else chance.choice(_ODD)
        return self._spoiled(made)

    def _name(self, made: dict[str, Any]) -> dict[str, Any]:
        chance = self._chance
        name: Any = f"N{len(self._named)}"
        if chance.random() < self._odd:
            name = chance.choice((*_ODD_NAMES, *self._named))
        elif isinstance(name, str):
            self._named.append(name)
        made["name"] = name
        if chance.random() < 0.1:
            made["namespace"] = (
                chance.choice(("", "a.b", "jobplane")) if chance.random() > self._odd else chance.choice(_ODD_NAMES)
            )
        return made

    def _spoiled(self, made: dict[str, Any]) -> dict[str, Any]:
        """With an attribute less, or of another kind."""
        chance = self._chance
        if chance.random() < self._odd:
            key = chance.choice((*made, *_KEYS))
            if chance.random() < 0.3:
                made.pop(key, None)
            else:
                made[key] = chance.choice(_ODD)
        return made


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema and the way it comes by."""

    schema: str
    way: str
    role: str
    data: bytes

    @property
    def text(self) -> str:
        return f"{self.way} of the {self.role}, with {self.data!r}: {self.schema}"

    def run(self) -> JobplaneError | None:
        return _WAYS[self.way](self)

    def smaller(self) -> Iterator["Schema"]:
        """With less of the JSON."""
        try:
            whole = json.loads(self.schema)
        except (ValueError, RecursionError):
            return
        for less in _less(whole):
            yield replace(self, schema=json.dumps(less))


def _less(one: Any) -> Iterator[Any]:
    """The same JSON without one of its members, at any depth."""
    if isinstance(one, dict):
        for key, value in one.items():
            yield {k: v for k, v in one.items() if k != key}
            for less in _less(value):
                yield {**one, key: less}
    elif isinstance(one, list):
        for i, value in enumerate(one):
            yield [*one[:i], *one[i + 1 :]]
            for less in _less(value):
                yield [*one[:i], less, *one[i + 1 :]]


def schema(chance: Random) -> Schema:
    way = chance.choice(list(_WAYS))
    data = chance.choice(_BYTES) if chance.random() < 0.7 else chance.randbytes(chance.randrange(40))
    return Schema(schema_text(chance), way, chance.choice(_TARGET_OPTIONS), data)


def _quoted(text: str) -> str:
    return text.replace("'", "''")


def _options(one: Schema, *, inline: bool) -> str:
    given = f", {one.role}AvroSchema '{_quoted(one.schema)}'" if inline else ""
    return f"OPTIONS ({one.role}Format 'avro'{given})"


def _as_mapping(one: Schema, *, inline: bool) -> JobplaneError | None:
    registry = Registry(None if inline else one.schema)
    text = f"CREATE MAPPING m EXTERNAL NAME t TYPE Kafka {_options(one, inline=inline)}"
    bodies = judged(text.encode(), None, registry)
    for body in bodies:
        if isinstance(body, MappingCreated):
            return _used(body.mapping, one, registry)
    return refusal(bodies)


def _used(mapping: TopicMapping, one: Schema, registry: Registry) -> JobplaneError | None:
    """A mapping as a source and as a target. A schema that tells no column is of no use to a job: that is refused."""
    known = replace(facts(), subjects=_Newest(registry), registered=_Numbered(registry))
    try:
        read = source_mapping(mapping, known, STATEMENT_START)
        assert read is not None
        _read(read, one.data)
        _written(read)
    except Refused as refused:
        return refused
    return None


class _Newest(dict[str, Any]):
    def __init__(self, registry: Registry) -> None:
        super().__init__()
        self._registry = registry

    def __contains__(self, _: object) -> bool:
        return True

    def __missing__(self, subject: str) -> Any:
        return self._registry.latest(subject)


class _Numbered(dict[tuple[str, str], Any]):
    def __init__(self, registry: Registry) -> None:
        super().__init__()
        self._registry = registry

    def get(self, key: tuple[str, str], _: Any = None) -> Any:
        return self._registry.register(*key)


def _read(mapping: TopicMapping, data: bytes, schemas: KnownSchemas | None = None) -> None:
    """Records go from a topic that is so mapped into one without a mapping."""
    names = [column.name for column in mapping.columns]
    named = tuple(statements.Item(ex.Column(name), None) for name in names)
    items = named if named and len(data) % 2 else (statements.Star(),)
    query = statements.Query((), (statements.Select(items, statements.Table(statements.Name("m")), (), None),))
    insert = statements.Insert(statements.Keyword.INSERT, statements.Name("out"), (), query)
    wiring = Wiring("out", 1, {"m": "t"}, {"m": 0}, schemas=schemas or KnownSchemas())
    step = compile_step(plan(insert, {"m": mapping}, None), wiring).step
    for framed in (data, b"\x00\x00\x00\x00\x01" + data):
        _through(step, framed)


def _written(mapping: TopicMapping) -> None:
    """Records go into a topic that is so mapped."""
    columns = [column.name for column in mapping.columns]
    if not columns:
        return
    items = tuple(statements.Item(ex.Column(f"f{i}"), None) for i in range(len(columns)))
    query = statements.Query((), (statements.Select(items, statements.Table(statements.Name("s")), (), None),))
    names = tuple(statements.Name(name) for name in columns)
    insert = statements.Insert(statements.Keyword.INSERT, statements.Name("m"), names, query)
    step = compile_step(plan(insert, {}, mapping), Wiring("t", 1, {"s": "s"}, {"s": 0})).step
    for message in records("s")[:3]:
        with suppress(BadRecord):
            step(iter([message]), _nowhere, _nowhere)


def _through(step: Step, data: bytes) -> None:
    with suppress(BadRecord, UnknownSchema):
        step(iter([Message("t", 0, 0, data, data, None, None, (1, 5))]), _nowhere, _nowhere)


def _nowhere(*_: object) -> None:
    """Where records go."""


def _as_job(one: Schema) -> JobplaneError | None:
    """As an option of a job, for its sources and its sink, none of which has a mapping."""
    text = f"CREATE JOB new {_options(one, inline=True)} AS INSERT INTO out SELECT * FROM t"
    bodies = judged(text.encode(), None, Registry())
    for body in bodies:
        if isinstance(body, JobCreated):
            _through(step_of(body), one.data)
    return refusal(bodies)


def _as_writer(one: Schema) -> JobplaneError | None:
    """The schema of a record read, resolved to another one that a mapping has."""
    schemas = KnownSchemas()
    try:
        schemas.learn(1, one.schema)
    except ValueError as refused:
        return BadMapping(str(refused))
    _read(_reader(), one.data, schemas)
    return None


def _reader() -> TopicMapping:
    text = json.dumps({"type": "record", "name": "N0", "fields": _FIELDS})
    found = source_mapping(
        TopicMapping("m", "t", (), {"valueFormat": "avro"}, ""),
        replace(facts(), subjects={"t-value": _newest(text)}),
        STATEMENT_START,
    )
    assert found is not None
    return found


def _newest(text: str) -> Any:
    return Registry(text).latest("t-value")


_FIELDS = [
    {"name": "a", "type": ["null", "string"], "default": None},
    {
        "name": "b",
        "type": ["null", "double", {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}],
        "default": None,
    },
    {"name": "id", "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}], "default": None},
    {
        "name": "price",
        "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2},
        "default": "\u00ff",
    },
    {"name": "name", "type": {"type": "array", "items": ["null", "string"]}, "default": []},
]


def _as_command(one: Schema) -> JobplaneError | None:
    """The schema of a command that a registry's client framed."""
    return refusal(judged(b"\x00\x00\x00\x00\x01" + one.data, None, Registry(None, {1: one.schema})))


_WAYS = {
    "option of a mapping": lambda one: _as_mapping(one, inline=True),
    "newest of a subject": lambda one: _as_mapping(one, inline=False),
    "option of a job": _as_job,
    "writer's schema": _as_writer,
    "schema of a command": _as_command,
}
