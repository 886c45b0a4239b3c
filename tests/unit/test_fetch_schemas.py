"""Verdicts and commands that need the schema registry: it is asked for what is needed, once, and never for ever."""

import io
import json
from collections.abc import Callable
from functools import partial

import fastavro
import pytest

from jobplane.controlplane.core.facts import Facts
from jobplane.controlplane.fetch import schemas as module
from jobplane.controlplane.fetch.schemas import RegistryLookup
from jobplane.schemas.errors import STATEMENT_START, FactsUnavailable, NoRegistry, RegistryRefused, SchemaIncompatible
from jobplane.schemas.records.events import CommandRefused, Event, JobCreated, MappingCreated
from jobplane.schemas.records.mappings import AvroSchema
from jobplane.schemas.wire.codec import schema
from jobplane.schemas.wire.command_record import ReceivedCommand, read_command
from jobplane.schemas.wire.framed import RegistrySchemas
from tests.support.plane import Plane, topic
from tests.support.subjects import Subjects

LONG = '{"type": "record", "name": "A", "fields": [{"name": "id", "type": "long"}]}'
TEXT = '{"type": "record", "name": "A", "fields": [{"name": "id", "type": "string"}]}'
FACTS = Facts("0a1b2c3d")
COMMAND = json.dumps(schema("Command"))


def latest(subject: str) -> Callable[[Facts], AvroSchema | None]:
    return lambda facts: facts.latest_schema(subject, STATEMENT_START)


def registered(subject: str, text: str) -> Callable[[Facts], AvroSchema]:
    return lambda facts: facts.registered_schema(subject, text, STATEMENT_START)


def framed(sql: str, number: int) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(COMMAND)), {"sql": sql})
    return b"\0" + number.to_bytes(4, "big") + out.getvalue()


def reading(data: bytes) -> Callable[[RegistrySchemas | None], ReceivedCommand]:
    return partial(read_command, 0, 0, data, [], "jobplane.")


def test_what_one_verdict_asked_for_the_next_knows() -> None:
    registry = Subjects()
    registry.register("s", LONG)
    asking, before = RegistryLookup(registry, {}), registry.asked
    facts, found = FACTS, []
    for judge in (latest("s"), latest("none"), latest("s"), latest("none")):
        answer, facts = asking.judge_with(facts, judge)
        found.append(answer)
    assert found == [AvroSchema(LONG, 1), None] * 2
    assert registry.asked - before == 2


def test_a_verdict_that_needs_several_answers_is_judged_until_it_has_them() -> None:
    def judge(facts: Facts) -> tuple[AvroSchema | None, AvroSchema]:
        return facts.latest_schema("s", STATEMENT_START), facts.registered_schema("t", LONG, STATEMENT_START)

    verdict, facts = RegistryLookup(Subjects(), {}).judge_with(FACTS, judge)
    assert verdict == (None, AvroSchema(LONG, 1))
    assert judge(facts) == verdict


def test_what_the_registry_does_not_take_is_refused() -> None:
    registry = Subjects()
    registry.register("s", LONG)
    with pytest.raises(SchemaIncompatible, match="'s'"):
        RegistryLookup(registry, {}).judge_with(FACTS, registered("s", TEXT))


def test_a_silent_registry_is_asked_once_a_batch() -> None:
    registry = Subjects(silent=True)
    asking = RegistryLookup(registry, {})
    for judge in (latest("s"), latest("t"), registered("s", LONG)):
        with pytest.raises(FactsUnavailable, match="connection refused; send the command again"):
            asking.judge_with(FACTS, judge)
    command = asking.read_with(reading(framed("DROP JOB a", 1)))
    assert isinstance(command.error, FactsUnavailable)
    assert registry.asked == 1


def test_what_is_denied_of_one_subject_is_not_denied_of_the_next() -> None:
    registry = Subjects(denied=("t",))
    registry.register("s", LONG)
    asking = RegistryLookup(registry, {})
    with pytest.raises(RegistryRefused, match="no place for subject 't'"):
        asking.judge_with(FACTS, latest("t"))
    assert asking.judge_with(FACTS, latest("s"))[0] == AvroSchema(LONG, 1)


def test_a_slow_registry_is_not_asked_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWERS_S", 0.0)
    registry = Subjects()
    asking = RegistryLookup(registry, {})
    assert asking.judge_with(FACTS, latest("s"))[0] is None
    with pytest.raises(FactsUnavailable, match="took more than 0 s"):
        asking.judge_with(FACTS, latest("t"))
    assert registry.asked == 1


def test_without_a_registry_nothing_is_asked() -> None:
    with pytest.raises(NoRegistry, match=r"valueAvroSchema.*JOBPLANE_REGISTRY_URL"):
        RegistryLookup(None, {}).judge_with(FACTS, latest("s"))
    assert isinstance(RegistryLookup(None, {}).read_with(reading(framed("DROP JOB a", 1))).error, NoRegistry)


def test_a_framed_command_is_read_by_its_schema_which_is_then_known() -> None:
    registry, known = Subjects(), dict[int, str]()
    number = registry.register("jobplane.commands-value", COMMAND).id
    before = registry.asked
    for _ in range(2):  # two batches
        command = RegistryLookup(registry, known).read_with(reading(framed("DROP JOB a", number)))
        assert (command.text, command.error) == ("DROP JOB a", None)
    assert registry.asked - before == 1


def test_a_number_that_the_registry_has_not_is_asked_once_a_batch_and_again_in_the_next() -> None:
    registry, known = Subjects(), dict[int, str]()
    asking = RegistryLookup(registry, known)
    for _ in range(2):
        error = asking.read_with(reading(framed("DROP JOB a", 1))).error
        assert error is not None
        assert (error.code, "no schema 1" in error.message) == ("bad-envelope", True)
    assert registry.asked == 1
    registry.register("s", COMMAND)
    assert RegistryLookup(registry, known).read_with(reading(framed("DROP JOB a", 1))).error is None


def test_what_a_verdict_needed_lands_in_its_event() -> None:
    registry = Subjects()
    registry.register("src-value", LONG)
    plane = Plane({name: topic(2, topic_id=f"id-{name}") for name in ("src", "out")}, registry=registry)
    (mapped,) = plane.command("CREATE MAPPING m EXTERNAL NAME src TYPE Kafka OPTIONS (valueFormat 'avro')")
    assert isinstance(mapped.body, MappingCreated)
    assert [(column.name, column.type) for column in mapped.body.mapping.columns] == [("id", "BIGINT")]
    created = job(plane.command("CREATE JOB a OPTIONS (valueFormat 'avro') AS INSERT INTO out SELECT id FROM m"))
    source, sink = created.sources[0].mapping, created.sink.mapping
    assert source is not None
    assert sink is not None
    assert source.value_schema == AvroSchema(LONG, 1)
    assert sink.value_schema == registry.latest("out-value")


def job(events: list[Event]) -> JobCreated:
    body = events[0].body
    assert not isinstance(body, CommandRefused), body.message
    assert isinstance(body, JobCreated)
    return body
