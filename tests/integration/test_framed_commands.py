"""Commands that a schema registry's client wrote, on a real broker and with a real registry."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from jobplane.controlplane.client.client import Client
from jobplane.controlplane.settings import Settings
from jobplane.schemas.records.commands import COMMAND_ID
from jobplane.schemas.records.events import CommandRefused, CommandRepeated, CommandUnchanged, Event
from jobplane.schemas.wire.codec import schema
from tests.support.broker import KafkaBroker
from tests.support.registry import SchemaRegistry
from tests.support.system import System, system, until

COMMAND = json.dumps(schema("Command"))
OTHER = '{"type": "record", "name": "Other", "fields": [{"name": "id", "type": "long"}]}'


@pytest.fixture
def client(registry: SchemaRegistry) -> Iterator[SchemaRegistryClient]:
    made = SchemaRegistryClient({"url": registry.url})
    yield made
    made.close()


@pytest.fixture(scope="module")
def plane(broker: KafkaBroker, registry: SchemaRegistry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    environment = {"JOBPLANE_REGISTRY_URL": registry.url}
    with system(broker.bootstrap, "framed.", tmp_path_factory.mktemp("framed"), environment=environment) as made:
        made.worker()
        yield made


def send(plane: System, value: bytes | None, command_id: str = "") -> int:
    """A record on the command log; its offset."""
    producer, offsets = Producer({"bootstrap.servers": plane.bootstrap}), list[int]()
    producer.produce(
        f"{plane.prefix}commands",
        value,
        headers={COMMAND_ID: command_id} if command_id else None,
        on_delivery=lambda _, message: offsets.append(message.offset() or 0),
    )
    producer.flush(10)
    return offsets[0]


def outcome(plane: System, offset: int) -> Event:
    """The first event that the command at an offset caused."""

    def found() -> Event | None:
        return next(
            (one for one in plane.events() if (one.cause.topic, one.cause.offset) == ("commands", offset)), None
        )

    return until(found, 30, f"the outcome of the command at {offset}")


def refusal(event: Event) -> CommandRefused:
    assert isinstance(event.body, CommandRefused), event
    return event.body


def framed(plane: System, client: SchemaRegistryClient, text: str, **fields: Any) -> bytes:
    context = SerializationContext(f"{plane.prefix}commands", MessageField.VALUE)
    return AvroSerializer(client, text)(fields, context) or b""


def test_a_command_that_a_registrys_client_wrote_is_carried_out(
    plane: System, registry: SchemaRegistry, client: SchemaRegistryClient
) -> None:
    source, sink = plane.topic("in"), plane.topic("out")
    sql = f'CREATE JOB framed AS INSERT INTO "{sink}" SELECT * FROM "{source}"'
    offset = send(plane, framed(plane, client, COMMAND, sql=sql, command_id="framed-1"))
    knowing = Settings(bootstrap=plane.bootstrap, prefix=plane.prefix, registry={"url": registry.url})
    with Client(knowing) as one:
        result = one.wait(offset, 60)
    assert result.reply is not None
    assert (result.reply.verdict, result.status, result.failure) == ("accepted", "RUNNING", "")
    assert result.text == sql
    event = outcome(plane, offset)
    assert event.cause.command_id == "framed-1"
    unknowing = Client(plane.settings).wait("framed-1", 60)
    assert unknowing.reply is not None
    assert unknowing.reply.verdict == "accepted"

    again = send(plane, sql.encode(), "framed-1")
    assert isinstance(outcome(plane, again).body, CommandRepeated)


def test_what_cannot_be_read_is_refused_and_the_log_goes_on(plane: System, client: SchemaRegistryClient) -> None:
    other = framed(plane, client, OTHER, id=7)
    ours = framed(plane, client, COMMAND, sql="DROP JOB IF EXISTS none")
    refusals = {}
    for name, value in {"unknown": b"\0\0\1\1\1\2x", "other": other, "short": b"\0\0"}.items():
        refused = refusal(outcome(plane, send(plane, value)))
        refusals[name] = (refused.code, refused.message)
    assert refusals["unknown"][0] == "bad-envelope"
    assert "no schema 65793" in refusals["unknown"][1]
    assert refusals["other"][0] == "bad-envelope"
    assert "write it with the schema jobplane.Command" in refusals["other"][1]
    assert refusals["short"][0] == "bad-envelope"
    assert isinstance(outcome(plane, send(plane, ours)).body, CommandUnchanged)


def test_while_the_registry_is_away_a_command_of_a_new_schema_is_refused_and_others_are_not(
    plane: System, registry: SchemaRegistry, client: SchemaRegistryClient
) -> None:
    value = b"\0\0\0\7\7" + framed(plane, client, OTHER, id=7)[5:]
    registry.kill()
    try:
        refused = refusal(outcome(plane, send(plane, value)))
        assert refused.code == "facts-unavailable"
        assert "does not answer" in refused.message
        assert plane.sql("DROP JOB IF EXISTS none").reply is not None
    finally:
        registry.start()
