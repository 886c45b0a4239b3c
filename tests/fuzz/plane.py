"""A control plane without Kafka whose state stays as it is: each command is judged, folded and written alone."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, partial

from jobplane.controlplane.core.decide import decide, needed_topics
from jobplane.controlplane.core.evolve import evolve, job_name
from jobplane.controlplane.core.facts import Facts, TopicFacts
from jobplane.controlplane.core.outcome import answer_of
from jobplane.controlplane.core.reconcile import tasks_of
from jobplane.controlplane.core.request import Request, parse_request
from jobplane.controlplane.core.state import State
from jobplane.controlplane.fetch.schemas import RegistryLookup
from jobplane.controlplane.topics import COMMANDS
from jobplane.processors.kafka.cluster import Doubt
from jobplane.processors.pipeline import Pipeline, pipeline
from jobplane.schemas.errors import JobplaneError, Refused, SchemaIncompatible
from jobplane.schemas.failures import BadRecord, GroupFailed, RecordFailure
from jobplane.schemas.formats.avro.known_schemas import UnknownSchema
from jobplane.schemas.records.events import Body, Cause, CommandRefused, Event, JobCreated, Outcome
from jobplane.schemas.records.mappings import AvroSchema
from jobplane.schemas.records.state import Job
from jobplane.schemas.wire.codec import decode, encode
from jobplane.schemas.wire.command_record import Headers, read_command
from jobplane.sql.codegen.compile import Step
from jobplane.sql.codegen.groups import CompiledGroups
from jobplane.sql.plan.recording import read, record
from jobplane.sql.plan.stateful import grouped_branches
from jobplane.sql.runtime.groups import GroupState
from tests.fuzz.trying import FOREIGN
from tests.fuzz.world import RECORDS, SOURCES, STATEMENTS, TOPICS, mappings, records, statement_of
from tests.support.plane import Plane, topic

PREFIX = "jobplane."
OFFSET = 1_000
TIME_MS = 1_700_000_000_000
JOBS = ("runs", "rests", "mapped")
SNAPSHOTS = ("kept",)


@dataclass(slots=True)
class Registry:
    """A schema registry that takes every schema. `newest` is that of all subjects, `numbered` are those by number."""

    newest: str | None = None
    numbered: dict[int, str] = field(default_factory=dict)

    def schema(self, number: int) -> str:
        if number == 13:
            raise Doubt("the schema registry http://registry does not answer: connection refused")
        if number not in self.numbered:
            raise BadRecord(f"the schema registry has no schema {number}")
        return self.numbered[number]

    def latest(self, subject: str) -> AvroSchema | None:
        if subject.startswith("silent"):
            raise Doubt("the schema registry http://registry does not answer: connection refused")
        return None if self.newest is None else AvroSchema(self.newest, 1)

    def register(self, subject: str, text: str) -> AvroSchema:
        if subject.startswith("strict"):
            raise SchemaIncompatible(f"the registry does not take the schema for '{subject}'")
        return AvroSchema(text, 2)


@cache
def state() -> State:
    """Jobs, mappings and a snapshot that statements may name."""
    plane = Plane(dict(_topics()))
    for name in STATEMENTS:
        plane.command(statement_of(name))
    for name in JOBS:
        source = "json" if name == "mapped" else "s"
        plane.command(f"CREATE JOB {name} AS INSERT INTO out SELECT * FROM {source}")
    plane.command("ALTER JOB rests SUSPEND")
    plane.command("CREATE SNAPSHOT kept FOR JOB runs")
    assert set(plane.statuses()) == set(JOBS)
    return plane.state


def _topics() -> Iterator[tuple[str, TopicFacts]]:
    for i, name in enumerate((*TOPICS, "t", "letters")):
        yield name, topic(1 + i % 4, topic_id=f"id-{name}")


@cache
def facts() -> Facts:
    topics = dict(_topics())
    return Facts("0a1b2c3d", topics, tuple(topics), instants=_Instants(topics))


class _Instants(dict[tuple[str, int], tuple[int, ...]]):
    """Every instant is at the oldest records."""

    def __init__(self, topics: dict[str, TopicFacts]) -> None:
        super().__init__()
        self._topics = topics

    def __missing__(self, key: tuple[str, int]) -> tuple[int, ...]:
        return self._topics[key[0]].earliest


def judged(value: bytes | None, headers: Headers | None = None, registry: Registry | None = None) -> Sequence[Body]:
    """What a record of the command log gives; its events can be folded, written and read."""
    asking = RegistryLookup(registry, {})
    command = asking.read_with(partial(read_command, OFFSET, TIME_MS, value, headers, PREFIX))
    request = parse_request(command)
    try:
        needed_topics(state(), request, PREFIX, {})
    except Refused as refused:
        request = Request(command, error=refused)
    bodies, _ = asking.judge_with(facts(), lambda known: decide(state(), request, known, PREFIX))
    assert isinstance(bodies[0], Outcome), "a command has an outcome"
    cause = Cause(COMMANDS, OFFSET, OFFSET + 1, command.given_id, command.digest, command.issued_by)
    for body in bodies:
        event = Event(OFFSET, TIME_MS, cause, body)
        for made in evolve(state(), event).values():
            if made is not None:
                encode(made)
            if isinstance(made, Job):
                for task in tasks_of(made).values():
                    encode(task)
        answer_of(event, job_name(state(), event))
        assert decode(encode(event), Event) == event, "an event is what was written"
    return bodies


def refusal(bodies: Sequence[Body]) -> JobplaneError | None:
    """What refused a command; None where it was taken."""
    body = bodies[0]
    if not isinstance(body, CommandRefused):
        return None
    error = Refused(body.message)
    error.code = body.code  # type: ignore[misc]  # the class of it does not matter here
    return error


def runs(bodies: Sequence[Body]) -> None:
    """What a host does with a job that was created: records of its sources go through its step."""
    for body in bodies:
        if isinstance(body, JobCreated):
            if (groups := groups_of(body)) is not None:
                absorbed(groups, [one.name for one in body.sources], range(0, RECORDS, 5))
                continue
            step = step_of(body)
            for source in body.sources:
                evaluated(step, source.name, range(0, RECORDS, 13))


def step_of(created: JobCreated) -> Step:
    """What a host compiles: the recorded plan."""
    return _pipeline_of(created).step


def groups_of(created: JobCreated) -> CompiledGroups | None:
    """As `step_of`, of a plan with groups."""
    made = _pipeline_of(created)
    return made.compiled_groups() if grouped_branches(made.read_plan()) else None


def _pipeline_of(created: JobCreated) -> Pipeline:
    recorded = created.plan
    assert recorded is not None
    assert record(read(recorded)) == recorded, "a plan is what was recorded"
    return pipeline(lambda: recorded, created.options, created.sources, (created.sink, *created.more_sinks))


def absorbed(compiled: CompiledGroups, sources: Iterable[str], which: Sequence[int]) -> None:
    """Records of sources become groups, and those records, or are refused. Groups kept as chunks are the same."""
    known = [source for source in sources if source in SOURCES]
    state, again = (compiled.state((source, 0) for source in known) for _ in range(2))
    for source in known:
        for i in which:
            with suppress(RecordFailure, UnknownSchema):
                state.absorb(iter([records(source)[i]]), _nowhere, _nowhere)
    if isinstance(emitted(state), str):
        return
    for chunk in state.young_chunks():
        again.load(chunk)
    again.set_marks(state.marks())
    assert again.groups == state.groups, "chunks have all groups"
    ends = []
    for one in (state, again):
        one.close_all()
        ends.append(emitted(one))
    assert ends[0] == ends[1] or any(one.changes for one in compiled.shapes), "groups are what they were"


def emitted(state: GroupState) -> list[str] | str:
    """The records of groups in no order, or why there are none."""
    found: list[str] = []
    try:
        state.emit(lambda *record: found.append(repr(record)), _nowhere)
    except GroupFailed as failed:
        reason = failed.message
    else:
        return sorted(found)
    assert not FOREIGN.search(reason), reason
    return reason


def evaluated(step: Step, source: str, which: Sequence[int]) -> None:
    """Records of a source give values, or are refused as bad."""
    if source not in SOURCES:
        return
    for i in which:
        with suppress(BadRecord, UnknownSchema):
            step(iter([records(source)[i]]), _nowhere, _nowhere)


def _nowhere(*_: object) -> None:
    """Where records go."""


assert set(mappings()) == set(STATEMENTS)
