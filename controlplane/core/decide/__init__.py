"""Decides commands: state, request and facts → event bodies. Each is decided once; the first body is its outcome.

Commands are judged by a job's target, never by what its tasks have reported, so no decision depends on a race.
"""

from collections.abc import Iterable, Mapping
from typing import assert_never

from jobplane.controlplane.core.decide.alter_job import alter_job
from jobplane.controlplane.core.decide.create_job import create_job
from jobplane.controlplane.core.decide.drop_job import drop_job
from jobplane.controlplane.core.decide.mappings import create_mapping, drop_mapping
from jobplane.controlplane.core.decide.snapshots import create_snapshot, drop_snapshot
from jobplane.controlplane.core.facts import Facts, letters_topic
from jobplane.controlplane.core.request import Request
from jobplane.controlplane.core.state import State
from jobplane.schemas.errors import (
    CommandIdReused,
    EarlierRefused,
    ReadStatement,
    Refused,
)
from jobplane.schemas.options import DEAD_LETTER_TOPIC, JobOptions
from jobplane.schemas.records.events import (
    Body,
    CommandRefused,
    CommandRepeated,
)
from jobplane.schemas.records.state import REFUSED
from jobplane.sql.plan.plan import source_names
from jobplane.sql.syntax import statements


def decide(state: State, request: Request, facts: Facts, prefix: str) -> tuple[Body, ...]:
    """The outcome of one command, and the events that follow from it immediately."""
    command = request.command
    first = state.answers.get(command.given_id)
    try:
        if first is not None:
            if first.digest != command.digest:
                raise CommandIdReused(
                    f"command id '{command.given_id}' was used at offset {first.offset} with other text"
                )
            return (CommandRepeated(first),)
        if request.error is not None:
            raise request.error
        _require_earlier(state, command.after)
        return decide_statement(state, request, facts, prefix)
    except Refused as refused:
        place = refused.place
        return (CommandRefused(refused.code, refused.message, place.line, place.column, command.length),)


def _require_earlier(state: State, command_id: str) -> None:
    """Raises EarlierRefused unless the command that must come first was carried out. None must, if there is no id."""
    answer = state.answers.get(command_id)
    if command_id and answer is None:
        raise EarlierRefused(f"no earlier command has the id '{command_id}'; send that one first")
    if answer is not None and answer.verdict == REFUSED:
        raise EarlierRefused(f"the command '{command_id}' must come first, and was refused ({answer.code})")


def decide_statement(state: State, request: Request, facts: Facts, prefix: str) -> tuple[Body, ...]:
    """What follows from the statement of a request. Raises the error that refuses it, or NotFetched."""
    match request.statement:
        case statements.CreateJob() as create:
            return create_job(state, create, request, facts, prefix)
        case statements.DropJob() as drop:
            return drop_job(state, drop, request.command.offset)
        case statements.AlterJob() as alter:
            return alter_job(state, alter, facts, prefix)
        case statements.CreateMapping() as create:
            return create_mapping(state, create, facts, prefix)
        case statements.DropMapping() as drop:
            return drop_mapping(state, drop)
        case statements.CreateSnapshot() as create:
            return create_snapshot(state, create, request.command.offset)
        case statements.DropSnapshot() as drop:
            return drop_snapshot(state, drop)
        case None:
            raise ReadStatement("not a statement of the command log")
        case never:
            assert_never(never)


def created_mappings(requests: Iterable[Request]) -> dict[str, set[str]]:
    """The topics of the mappings that a batch creates, by the names of the mappings."""
    created: dict[str, set[str]] = {}
    for request in requests:
        if isinstance(create := request.statement, statements.CreateMapping):
            created.setdefault(create.name.text, set()).add(create.topic.text)
    return created


def needed_topics(
    state: State, request: Request, prefix: str, created: Mapping[str, set[str]]
) -> tuple[set[str], set[tuple[str, int]]]:
    """Topics, and (topic, instant) pairs, whose facts the decision on one command of a batch needs.

    `created` are the mappings of the batch: an earlier command may have created what this one names, so topics that the
    decision may not need are included.
    """
    topics: set[str] = set()
    instants: set[tuple[str, int]] = set()

    def behind(name: str) -> set[str]:
        return _topics_behind(state, name) | created.get(name, set())

    match request.statement:
        case statements.CreateJob(inserts=inserts, options=options):
            topics |= _dead_letter_topics(options)
            if retry := request.options.retry_of:
                job = state.live_job(retry)
                topics.add(letters_topic(job, prefix) if job else JobOptions().letters_topic(prefix))
            sources = {topic for name in source_names(inserts) for topic in behind(name.text)}
            topics |= sources.union(*(behind(insert.target.text) for insert in inserts))
            if (instant := request.options.start_instant) is not None:
                instants |= {(topic, instant) for topic in sources}
        case statements.CreateMapping() as create:
            topics.add(create.topic.text)
        case statements.AlterJob(name, statements.NewOptions(options)) if job := state.live_job(name.text):
            topics |= {source.topic for source in job.sources} | _dead_letter_topics(options)
        case _:
            pass
    return topics, instants


def _dead_letter_topics(options: Iterable[statements.Option]) -> set[str]:
    return {option.value for option in options if option.name.text == DEAD_LETTER_TOPIC}


def _topics_behind(state: State, name: str) -> set[str]:
    mapping = state.mappings.get(name)
    return {name, mapping.topic} if mapping else {name}
