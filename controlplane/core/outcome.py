"""The one answer to every command, built from its outcome event, and the copy that a command asked for."""

from dataclasses import dataclass
from typing import assert_never

import msgspec

from jobplane.controlplane.core.state import State
from jobplane.schemas.records.commands import COMMAND_ID, TRACEPARENT
from jobplane.schemas.records.events import (
    CommandRefused,
    CommandRepeated,
    CommandUnchanged,
    Event,
    JobAltered,
    JobCreated,
    JobDropped,
    JobRestarted,
    JobResumed,
    JobSuspended,
    MappingCreated,
    MappingDropped,
    Outcome,
    SnapshotDropped,
    SnapshotRequested,
    notices_of,
    status_of,
    uid_of,
)
from jobplane.schemas.records.state import ACCEPTED, REFUSED, UNCHANGED, Answer


def answer_of(event: Event, job: str) -> Answer | None:
    """The answer that an event gives to its command; None if it answers none. `job` is its job's name, or empty."""
    body, cause = event.body, event.cause
    if not isinstance(body, Outcome):
        return None
    code, line, column = "", 0, 0
    match body:
        case CommandRepeated(first=first):
            return first
        case CommandRefused(code=code, message=message, line=line, column=column):
            verdict = REFUSED
        case CommandUnchanged(message=message):
            verdict = UNCHANGED
        case JobCreated() | JobAltered() | JobSuspended() | JobResumed() | JobRestarted() | JobDropped():
            verdict, message = ACCEPTED, ""
        case SnapshotRequested() | SnapshotDropped() | MappingCreated() | MappingDropped():
            verdict, message = ACCEPTED, ""
        case never:
            assert_never(never)
    return Answer(
        command_id=cause.command_id,
        digest=cause.digest,
        offset=cause.offset,
        seq=event.seq,
        verdict=verdict,
        code=code,
        message=message,
        line=line,
        column=column,
        notices=notices_of(body),
        uid=uid_of(body),
        name=job,
    )


def outcome_row(given: Answer, status: str) -> dict[str, object]:
    """The answer to one statement, as `-o json` prints it. `status` is the job's."""
    return {
        "command_id": display_id(given),
        "offset": given.offset,
        "verdict": given.verdict,
        "code": given.code,
        "message": given.message,
        "line": given.line,
        "column": given.column,
        "notices": list(given.notices),
        "job": {"name": given.name, "uid": given.uid, "status": status} if given.uid else None,
    }


def display_id(given: Answer) -> str:
    """The id of the command, or `c-` and its offset if it came with none."""
    return given.command_id or f"c-{given.offset}"


@dataclass(frozen=True, slots=True)
class Reply:
    """A record for the topic that a command named in its header `reply-to`."""

    topic: str
    key: str
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


def reply_to(event: Event, job: str, state: State) -> Reply | None:
    """The copy of an outcome; None if the command asked for none. `state` has the event folded.

    The answer to a repeated command is the first one, with the present status of its job.
    """
    topic, trace = event.cause.reply_to, event.cause.traceparent
    given = answer_of(event, job) if topic else None
    if given is None:
        return None
    known = state.jobs.get(given.uid)
    row, key = outcome_row(given, status_of(event.body) or (known.status if known else "")), display_id(given)
    headers = tuple((name, text.encode()) for name, text in ((COMMAND_ID, key), (TRACEPARENT, trace)) if text)
    return Reply(topic, key, msgspec.json.encode(row), headers)
