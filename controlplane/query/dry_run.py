"""Dry runs: evaluate a query on the newest records of its sources, in this process. Write nothing, ask no worker.

A dry run refuses what CREATE JOB refuses, except the name: a query may be tried while a job of that name runs. Only the
dry run knows the mappings created in it. It reads schemas from a schema registry, but registers none.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar, assert_never

from jobplane.controlplane.core.decide import decide_statement, needed_topics
from jobplane.controlplane.core.decide.create_job import ResolvedJob, resolve_job
from jobplane.controlplane.core.facts import Facts
from jobplane.controlplane.core.request import Request, options_of
from jobplane.controlplane.core.state import State
from jobplane.controlplane.core.step import StepInput, effects, encode_events
from jobplane.controlplane.fetch.schemas import RegistryLookup
from jobplane.controlplane.fetch.topics import fetch_facts, max_transaction_ms
from jobplane.controlplane.listings.rows import Listing
from jobplane.controlplane.log import state_topic
from jobplane.controlplane.query.dry_run_listing import group_listing, how_groups_are_shown, listing
from jobplane.controlplane.query.newest_records import LAST, read_newest
from jobplane.controlplane.query.notices import TopicSamples, find_notices
from jobplane.controlplane.query.sink_values import value_reader
from jobplane.controlplane.topics import COMMANDS
from jobplane.processors import user_functions
from jobplane.processors.dry_run import tried, tried_in_groups
from jobplane.processors.evaluation.dead_letters import letters_of
from jobplane.processors.kafka.cluster import Doubt, Kafka
from jobplane.processors.kafka.judging import jobplane_errors
from jobplane.processors.pipeline import pipeline
from jobplane.processors.registry.client import Registry
from jobplane.schemas.errors import InsertNeedsJob, JobNotFound, JobplaneError, MappingNotFound, SnapshotNotFound
from jobplane.schemas.failures import JobFailure
from jobplane.schemas.formats.avro.known_schemas import KnownSchemas
from jobplane.schemas.options import JobOptions, sql_name
from jobplane.schemas.records.events import Cause, CommandUnchanged, MappingCreated, MappingDropped
from jobplane.schemas.records.mappings import AvroSchema
from jobplane.schemas.records.sources import sources_by_topic
from jobplane.schemas.wire.command_record import read_command
from jobplane.sql.plan.recording import read
from jobplane.sql.plan.stateful import grouped_branches, idle_rules
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parser import parse, parse_insert
from jobplane.sql.syntax.render.statements import render

T = TypeVar("T")
Tryable = statements.CreateJob | statements.Insert | statements.CreateMapping | statements.DropMapping


class NotTried(JobplaneError):
    """The reason why a dry run leaves a statement out."""

    code = "left-out"


class ReadOnlyRegistry(Registry):
    """A registry that is only read: a schema that a job would register gets no id, and its records no frame."""

    def register(self, subject: str, text: str) -> AvroSchema:
        known = self.latest(subject)
        return known if known is not None and known.text == text else AvroSchema(text)


class DryRun:
    """One dry run: the state at its first statement, changed by the mappings of the dry run."""

    def __init__(self, kafka: Kafka, prefix: str, registry: Registry | None = None) -> None:
        self._kafka, self._prefix, self._registry = kafka, prefix, registry
        self._state: State | None = None
        self._schemas = KnownSchemas()

    @jobplane_errors()
    def run(self, statement: str | Tryable, last: int = LAST) -> Listing:
        """What a CREATE JOB or INSERT would write and refuse. A mapping takes effect in the dry run, and gives no rows.

        Statements that only read are answered, EXPLAIN with the mappings of the dry run. Raises Refused with its place,
        NotTried for other statements, and for statements that read an object that does not exist outside the dry run.
        """
        if isinstance(statement, str):
            read = parse_tryable(statement)
            if isinstance(read, statements.ReadingStatement):
                return self._read(read, last)
            if not isinstance(read, Tryable):
                raise NotTried(f"{_statement_verb(read)} cannot be tried")
            statement = read
        match statement:
            case statements.CreateJob():
                return self._try_job(statement, last)
            case statements.Insert():
                return self._try_job(job_of_insert(statement), last)
            case statements.CreateMapping() | statements.DropMapping():
                name, result = statement.name.text, self._change_mapping(statement)
                return Listing((), [], {"mapping": name, "result": result}, summary=f"mapping '{name}': {result}")
            case never:
                assert_never(never)

    def _read(self, statement: statements.ReadingStatement, last: int) -> Listing:
        from jobplane.controlplane.query import answer

        try:
            return answer.read(self._kafka, self._prefix, statement, self._registry, last, self)
        except (JobNotFound, MappingNotFound, SnapshotNotFound) as unknown:
            raise NotTried(
                f"{_statement_verb(statement)} reads an object that does not exist outside the dry run ({unknown})"
            ) from unknown

    @property
    def _known(self) -> State:
        if self._state is None:
            self._state = state_topic.read_current_state(self._kafka, self._prefix)
        return self._state

    def _try_job(self, create: statements.CreateJob, last: int) -> Listing:
        wired = self.sources_and_sinks(create)
        sources, sinks = wired.sources, wired.sinks
        shown = [one for one in create.options if one.name.text != sql_name("on_late")]  # late records are shown anyway
        given = {option.name.text: option.value for option in shown}
        made = pipeline(lambda: wired.plan, given, sources, sinks, user_functions.load(), self._schemas)
        planned = made.read_plan()
        partitions = [
            (topic, p) for topic, source in sources_by_topic(sources).items() for p in range(len(source.start))
        ]
        messages = read_newest(self._kafka, f"{self._prefix}dry-run", partitions, last)
        if letters := made.letters:
            messages = letters_of(letters.uid, messages)
        notices = self.notices_of(create.inserts, wired)
        clocks = time.perf_counter, time.process_time
        value_of = value_reader(sinks)
        if not grouped_branches(planned):
            found = listing(tried(made.step, messages, self._registry, *clocks), value_of, made.sink_topics)
        else:
            compiled = made.compiled_groups()
            trial = tried_in_groups(compiled, messages, self._registry, *clocks)
            found = group_listing(trial, value_of, made.sink_topics)
            notices += (how_groups_are_shown(compiled.shapes, has_idle_rule=bool(idle_rules(planned))),)
        return replace(found, notices=notices)

    @jobplane_errors()
    def notices(self, text: str) -> tuple[str, ...]:
        """The notices about a CREATE JOB or INSERT, from the newest records; none for other statements."""
        statement = parse_tryable(text)
        if not isinstance(statement, statements.CreateJob | statements.Insert):
            return ()
        create = statement if isinstance(statement, statements.CreateJob) else job_of_insert(statement)
        wired = self.sources_and_sinks(create)
        return self.notices_of(create.inserts, wired)

    def notices_of(self, inserts: Sequence[statements.Insert], wired: ResolvedJob) -> tuple[str, ...]:
        """The notices from the newest records; none if Kafka does not answer."""
        try:
            return find_notices(
                TopicSamples(self._kafka, self._prefix), inserts, read(wired.plan), wired.sources, wired.sinks
            )
        except (Doubt, JobFailure):
            return ()

    def sources_and_sinks(self, create: statements.CreateJob) -> ResolvedJob:
        """The sources and the sinks of a job if it were created now. Raises what would refuse it, but for its name."""
        facts = replace(self._facts(self._request(create)), functions=user_functions.load())
        judge = partial(resolve_job, self._known, create, options_of(create), prefix=self._prefix)
        return self._judge(facts, lambda facts: judge(facts=facts))

    def _judge(self, facts: Facts, judge: Callable[[Facts], T]) -> T:
        verdict, _ = RegistryLookup(self._registry, {}).judge_with(facts, judge)
        return verdict

    def _change_mapping(self, statement: statements.CreateMapping | statements.DropMapping) -> str:
        """Changes the mappings of the dry run; returns what would have happened."""
        request, state = self._request(statement), self._known
        bodies = self._judge(self._facts(request), lambda facts: decide_statement(state, request, facts, self._prefix))
        given = StepInput(Cause(COMMANDS, 0, state.position.commands), 0, request)
        (event,) = effects(state, encode_events(state, given, bodies)).events
        match event.event.body:
            case MappingCreated():
                return "created, for the dry run only"
            case MappingDropped():
                return "dropped, for the dry run only"
            case CommandUnchanged(message=message):
                return message
            case other:
                return type(other).__name__

    def _request(self, statement: statements.CreateJob | statements.CreateMapping | statements.DropMapping) -> Request:
        text = render(statement)
        options = options_of(statement) if isinstance(statement, statements.CreateJob) else JobOptions()
        return Request(read_command(0, 0, text.encode(), None, self._prefix), statement, text, options)

    def _facts(self, request: Request) -> Facts:
        topics, instants = needed_topics(self._known, request, self._prefix, {})
        limit = max_transaction_ms(self._kafka)
        return fetch_facts(self._kafka, "", limit, topics, instants)


def job_of_insert(insert: statements.Insert) -> statements.CreateJob:
    """The CREATE JOB with which a dry run tries an INSERT."""
    return statements.CreateJob(statements.Name("dry run"), if_not_exists=False, options=(), inserts=(insert,))


def parse_tryable(text: str) -> statements.Statement | statements.Insert:
    """Parses a statement, or an INSERT without CREATE JOB. Raises what `parse` raises."""
    try:
        return parse(text)
    except InsertNeedsJob:
        return parse_insert(text)


def _statement_verb(statement: statements.Statement) -> str:
    return " ".join(render(statement).split()[:2])
