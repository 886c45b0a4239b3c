"""Formats on a real broker and with a real schema registry: what is written in one is read in another."""

import io
import json
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import fastavro
import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from tests.support.broker import KafkaBroker
from tests.support.registry import SchemaRegistry
from tests.support.system import System, system, until

Row = dict[str, Any]


@pytest.fixture(scope="module")
def plane(broker: KafkaBroker, registry: SchemaRegistry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    environment = {"JOBPLANE_REGISTRY_URL": registry.url}
    folder = tmp_path_factory.mktemp("formats")
    with system(broker.bootstrap, "formats.", folder, environment=environment) as made:
        made.worker()
        yield made


@pytest.fixture
def client(registry: SchemaRegistry) -> Iterator[SchemaRegistryClient]:
    made = SchemaRegistryClient({"url": registry.url})
    yield made
    made.close()


def record(*fields: tuple[str, Any], name: str = "Order") -> str:
    made = [{"name": field, "type": kind} | ({"default": None} if "null" in kind else {}) for field, kind in fields]
    return json.dumps({"type": "record", "name": name, "fields": made})


def writer(client: SchemaRegistryClient, topic: str, schema: str) -> Callable[[Row], bytes]:
    """As any producer with Confluent's serializer writes."""
    serialize = AvroSerializer(client, schema)
    context = SerializationContext(topic, MessageField.VALUE)
    return lambda row: serialize(row, context) or b""


def reader(client: SchemaRegistryClient, topic: str) -> Callable[[bytes | None], Row]:
    read = AvroDeserializer(client)
    context = SerializationContext(topic, MessageField.VALUE)
    return lambda value: read(value, context)


def test_avro_is_read_and_written_as_its_own_clients_do(plane: System, client: SchemaRegistryClient) -> None:
    source, sink = plane.topic("avro-in"), plane.topic("avro-out")
    write = writer(client, source, record(("id", "long"), ("name", ["null", "string"])))
    plane.produce(source, [(b"k", write({"id": i, "name": f"n{i}" if i % 2 else None})) for i in range(100)])
    plane.done(f'CREATE MAPPING "from" EXTERNAL NAME "{source}" TYPE Kafka OPTIONS (valueFormat \'avro\')')
    assert [(row["column"], row["type"]) for row in plane.rows('DESCRIBE MAPPING "from"')] == [
        ("id", "BIGINT"),
        ("name", "VARCHAR"),
    ]
    plane.done(
        f"CREATE JOB both OPTIONS (valueFormat 'avro') AS "
        f'INSERT INTO "{sink}" SELECT id * 2 AS twice, UPPER(name) AS loud FROM "from"'
    )
    read = reader(client, sink)
    rows = sorted((read(value) for value in plane.await_values(sink, 100)), key=lambda row: row["twice"])
    assert rows == [{"twice": i * 2, "loud": f"N{i}" if i % 2 else None} for i in range(100)]


def more_than(sent: list[int], count: int) -> bool:
    return sent[0] > count


def test_a_schema_that_changes_under_load_loses_nothing(plane: System, client: SchemaRegistryClient) -> None:
    """Twice: a field more, then a field less. Old and new records come together for a while."""
    source, sink = plane.topic("evolving", 4), plane.topic("evolved", 4)
    versions = [
        record(("id", "long"), ("name", ["null", "string"])),
        record(("id", "long"), ("name", ["null", "string"]), ("extra", ["null", "double"])),
        record(("id", "long"), ("extra", ["null", "double"])),
    ]
    writers = [writer(client, source, versions[0])]
    plane.produce(source, [(b"%d" % i, writers[0]({"id": i, "name": "old"})) for i in range(500)])
    plane.done(f"CREATE MAPPING evolving EXTERNAL NAME \"{source}\" TYPE Kafka OPTIONS (valueFormat 'avro')")
    plane.done(f'CREATE JOB evolves AS INSERT INTO "{sink}" SELECT id, name FROM evolving')
    stop, sent = threading.Event(), [500]

    def feed() -> None:
        while not stop.wait(0.01):
            write, first = writers[-1], sent[0]
            row = {"name": "old", "extra": 1.5}
            plane.produce(source, [(b"%d" % i, write({"id": i, **row})) for i in range(first, first + 20)])
            sent[0] = first + 20

    thread = threading.Thread(target=feed)
    thread.start()
    try:
        for schema in versions[1:]:
            before = sent[0]
            writers.append(writer(client, source, schema))
            until(partial(more_than, sent, before + 400), 30, "records of the new schema")
    finally:
        stop.set()
        thread.join()
    rows = [json.loads(value or b"") for value in plane.await_values(sink, sent[0])]
    assert sorted(row["id"] for row in rows) == list(range(sent[0]))
    assert {row["name"] for row in rows} == {"old", None}


def test_a_schema_that_the_registry_does_not_take_is_refused_at_create(
    plane: System, client: SchemaRegistryClient
) -> None:
    source, sink = plane.topic("compatible-in"), plane.topic("compatible-out")
    subject = f"{sink}-value"
    client.register_schema(subject, Schema(record(("id", "string")), "AVRO"))
    client.set_compatibility(subject, "BACKWARD")
    plane.done(f'CREATE MAPPING plain EXTERNAL NAME "{source}" (id BIGINT) TYPE Kafka')
    result = plane.sql(f"CREATE JOB wrong OPTIONS (valueFormat 'avro') AS INSERT INTO \"{sink}\" SELECT id FROM plain")
    assert result.reply is not None
    assert (result.reply.verdict, result.reply.code) == ("refused", "schema-incompatible")
    assert subject in result.reply.message
    assert "wrong" not in plane.jobs()


def test_a_subject_with_the_same_columns_is_used_as_it_is(plane: System, client: SchemaRegistryClient) -> None:
    source, sink = plane.topic("same-in"), plane.topic("same-out")
    schema = record(("id", "long"), name="Own")
    number = client.register_schema(f"{sink}-value", Schema(schema, "AVRO"))
    plane.produce(source, [(None, b'{"id": 7}')])
    plane.done(f'CREATE MAPPING same EXTERNAL NAME "{source}" (id BIGINT) TYPE Kafka')
    plane.done(f"CREATE JOB same OPTIONS (valueFormat 'avro') AS INSERT INTO \"{sink}\" SELECT id FROM same")
    (value,) = plane.await_values(sink, 1)
    assert value is not None
    assert value[:5] == b"\0" + number.to_bytes(4, "big")
    parsed = fastavro.parse_schema(json.loads(schema))
    assert fastavro.schemaless_reader(io.BytesIO(value[5:]), parsed, None) == {"id": 7}


def test_while_the_registry_is_away_a_task_waits_and_says_why(
    plane: System, registry: SchemaRegistry, client: SchemaRegistryClient
) -> None:
    source, sink = plane.topic("away-in"), plane.topic("away-out")
    first, second = record(("id", "long")), record(("id", "long"), ("more", ["null", "string"]))
    write = writer(client, source, first)
    plane.produce(source, [(b"k", write({"id": 1}))])
    plane.done(f"CREATE MAPPING away EXTERNAL NAME \"{source}\" TYPE Kafka OPTIONS (valueFormat 'avro')")
    plane.done(f'CREATE JOB away AS INSERT INTO "{sink}" SELECT id FROM away')
    plane.await_values(sink, 1)
    unseen = writer(client, source, second)({"id": 2, "more": "x"})
    registry.kill()
    try:
        plane.produce(source, [(b"k", unseen)])
        trouble = until(
            lambda: next((row["trouble"] for row in plane.rows("DESCRIBE JOB away") if row["trouble"]), None),
            60,
            "the job says that the registry is away",
        )
        assert "schema registry" in trouble
        assert plane.jobs()["away"]["status"] == "RUNNING"
        refused = plane.sql('CREATE JOB x AS INSERT INTO "away-x" SELECT * FROM away')
        assert refused.reply is not None
        assert refused.reply.code == "facts-unavailable"
    finally:
        registry.start()
        again = SchemaRegistryClient({"url": registry.url})
        again.register_schema(f"{source}-value", Schema(first, "AVRO"))
        number = again.register_schema(f"{source}-value", Schema(second, "AVRO"))
        again.close()
    if number != int.from_bytes(unseen[1:5], "big"):  # it came back empty, and counts anew
        failed = until(lambda: plane.jobs()["away"]["failure"], 60, "the record cannot be read")
        assert "BAD_RECORD" in failed
    else:
        assert [json.loads(value or b"") for value in plane.await_values(sink, 2)] == [{"id": 1}, {"id": 2}]


def test_lines_and_numbers_go_through_keys_and_values(plane: System) -> None:
    source, sink = plane.topic("lines"), plane.topic("keyed")
    plane.produce(source, [(i.to_bytes(4, "big"), f'{i},"a, {i}",{i}.50'.encode()) for i in range(50)])
    plane.done(
        f'CREATE MAPPING lines EXTERNAL NAME "{source}" (k INT EXTERNAL NAME "__key", id BIGINT, name VARCHAR, '
        f"price DECIMAL(9, 2)) TYPE Kafka OPTIONS (keyFormat 'integer', valueFormat 'csv')"
    )
    plane.done(
        f"CREATE JOB lines OPTIONS (keyFormat 'bigint', valueFormat 'varchar') AS "
        f"INSERT INTO \"{sink}\" SELECT CONCAT(name, '=', CAST(price AS VARCHAR)) FROM lines"
    )
    plane.await_values(sink, 50)
    found = {int.from_bytes(one.key() or b"", "big"): one.value() for one in plane.read(sink)}
    assert found == {i: f"a, {i}={i}.50".encode() for i in range(50)}
    assert {len(one.key() or b"") for one in plane.read(sink)} == {8}
