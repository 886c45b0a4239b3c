"""The past: the state after any event, and the history of a job. Both are folds of `events`; nothing is written.

A moment is an offset of the log. A moment given as a time is the offset before the first event appended later.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, assert_never

from jobplane.controlplane.core.evolve import fold
from jobplane.controlplane.core.state import State
from jobplane.controlplane.log import events_topic
from jobplane.controlplane.log.events_topic import Alive, Entry
from jobplane.controlplane.topics import COMMANDS, EVENTS
from jobplane.processors.kafka.cluster import Kafka, Message
from jobplane.processors.kafka.control_topics import ControlTopics
from jobplane.schemas.errors import JobNotFound, Refused
from jobplane.schemas.records.events import (
    Body,
    CommandRefused,
    CommandRepeated,
    CommandUnchanged,
    Event,
    JobAltered,
    JobClosed,
    JobCreated,
    JobDropped,
    JobForgotten,
    JobRestarted,
    JobResumed,
    JobSuspended,
    MappingCreated,
    MappingDropped,
    SnapshotClosed,
    SnapshotDropped,
    SnapshotFailed,
    SnapshotRequested,
    TaskCompleted,
    TaskFailed,
    TaskSnapshotted,
    TaskStarted,
    TaskStopped,
    uid_of,
)
from jobplane.schemas.wire.command_record import read_command
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parser import parse

Row = dict[str, Any]
HISTORY_COLUMNS = ("time", "offset", "event", "status", "generation", "uid", "issued_by", "command_id", "detail")


def state_as_of(
    kafka: Kafka, prefix: str, *, offset: int | None = None, time: int | None = None, alive: Alive = lambda: None
) -> State:
    """The state after the events at offsets up to `offset`, or appended up to `time` (epoch ms); else after all.

    Raises BeyondTheEnd, EventsTruncated, NotSetUp.
    """
    bounds = events_topic.complete_bounds(kafka, prefix, -1 if offset is None else offset)
    end = bounds.end if offset is None else offset + 1
    return fold_entries(entries_until(events_topic.read_entries(kafka, prefix, 0, end, alive), time))


def entries_until(entries: Iterable[Entry], time: int | None) -> Iterable[Entry]:
    """The entries before the first that was appended later than `time`; all of them if that is None."""
    return entries if time is None else takewhile(lambda entry: entry.time <= time, entries)


def fold_entries(entries: Iterable[Entry]) -> State:
    state = State()
    for entry in entries:
        fold(state, entry.event)
    return state


def history_of(kafka: Kafka, prefix: str, job: str, alive: Alive = lambda: None) -> list[Row]:
    """The events of all jobs of a name, or of the job with a uid, in HISTORY_COLUMNS; the newest last.

    Refused commands that name the job are included. Raises JobNotFound, EventsTruncated, NotSetUp.
    """
    bounds = events_topic.complete_bounds(kafka, prefix)
    story = JobHistory(job)
    refused: dict[int, Row] = {}
    consumer = ControlTopics(kafka, prefix).log_reader()
    try:
        for batch in events_topic.read_messages(consumer, f"{prefix}{EVENTS}", 0, bounds.end, alive):
            for message in batch:
                if not story.may_concern(message.key() or b"", message.value() or b""):
                    continue
                entry = events_topic.decode_entry(message)
                if isinstance(entry.event.body, CommandRefused) and not entry.job:
                    refused[entry.event.cause.offset] = story.row(entry)
                else:
                    story.add(entry)
        if not story.rows:
            raise JobNotFound(f"no job was ever called '{job}'")
        for offset in _commands_naming(consumer, prefix, story.names, sorted(refused), alive):
            story.rows.append(refused[offset])
    finally:
        consumer.close()
    return sorted(story.rows, key=lambda row: row["offset"])


@dataclass(slots=True)
class JobHistory:
    """The rows of a job, known by its name or a uid; the fold of its events tells status and generation. Pure."""

    job: str
    rows: list[Row] = field(default_factory=list)
    uids: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    _state: State = field(default_factory=State)

    def may_concern(self, key: bytes, value: bytes) -> bool:
        """Whether the event may be about the job; far faster than decoding it."""
        return not key or key == self.job.encode() or any(uid.encode() in value for uid in (self.job, *self.uids))

    def add(self, entry: Entry) -> None:
        """Adds the event, if it is about the job."""
        body = entry.event.body
        if isinstance(body, JobCreated) and self.job in (body.name, body.uid):
            self.uids.add(body.uid)
            self.names.add(body.name)
        refused = isinstance(body, CommandRefused) and entry.job == self.job
        if refused or uid_of(entry.event.body) in self.uids:
            fold(self._state, entry.event)
            self.rows.append(self.row(entry))

    def row(self, entry: Entry) -> Row:
        event, uid = entry.event, uid_of(entry.event.body)
        job = self._state.jobs.get(uid)
        return {
            "time": entry.time,
            "offset": entry.offset,
            "event": type(event.body).__name__,
            "status": str(job.status) if job else "",
            "generation": job.generation if job else 0,
            "uid": uid,
            "issued_by": issuer(event),
            "command_id": command_id(event),
            "detail": detail(event),
        }


def command_id(event: Event) -> str:
    """The id of the command that caused an event; empty if a report did."""
    cause = event.cause
    return (cause.command_id or f"c-{cause.offset}") if cause.topic == COMMANDS else ""


def issuer(event: Event) -> str:
    """The sender that the command names; for a task that started, its worker."""
    return event.cause.issued_by or (event.body.worker if isinstance(event.body, TaskStarted) else "")


def detail(event: Event) -> str:
    """The details of an event in one line; empty if its name says everything."""
    return " ".join(_detail(event.body).split())


def _detail(body: Body) -> str:
    match body:
        case CommandRefused(code=code, message=message, line=line, column=column):
            return f"{code} {line}:{column} {message}"
        case CommandUnchanged(message=message):
            return message
        case CommandRepeated(first=first):
            return f"{first.verdict} at offset {first.offset}"
        case JobCreated(statement=statement):
            return statement
        case JobAltered(options=options):
            return " ".join(f"{name} '{value}'" for name, value in options.items())
        case JobDropped(snapshot=request):
            return f"with snapshot {request.name}" if request else ""
        case SnapshotRequested(snapshot=request):
            return f"{request.name} version {request.version}"
        case SnapshotClosed(snapshot=snapshot):
            return f"{snapshot.name} version {snapshot.version}"
        case SnapshotFailed(snapshot=request, failure=failure):
            return f"{request.name} version {request.version}: {failure}"
        case TaskStarted(task=task, attempt=attempt):
            return f"task {task} attempt {attempt}"
        case TaskStopped(task=task) | TaskCompleted(task=task):
            return f"task {task}"
        case TaskFailed(task=task, failure=failure):
            return f"task {task}: {failure}"
        case TaskSnapshotted(version=version, part=part):
            return f"task {part.task} version {version}"
        case JobSuspended() | JobResumed() | JobRestarted() | JobClosed() | JobForgotten():
            return ""
        case SnapshotDropped() | MappingCreated() | MappingDropped():
            return ""
        case never:
            assert_never(never)


def _commands_naming(consumer: Any, prefix: str, names: set[str], offsets: list[int], alive: Alive) -> Iterator[int]:
    """Those of the refused commands at `offsets` whose text names one of the jobs; an unreadable one names none."""
    if not offsets:
        return
    wanted = frozenset(offsets)
    for batch in events_topic.read_messages(consumer, f"{prefix}{COMMANDS}", offsets[0], offsets[-1] + 1, alive):
        for message in batch:
            offset, value = message.offset() or 0, message.value() or b""
            spoken_of = offset in wanted and any(name.encode() in value for name in names)
            if spoken_of and _named_job(message, prefix) in names:
                yield offset


def _named_job(message: Message, prefix: str) -> str:
    """The job that a command names; empty if it is not a valid command, or names none."""
    headers: Any = message.headers()
    command = read_command(message.offset() or 0, message.timestamp()[1], message.value(), headers, prefix)
    try:
        statement = parse(command.text)
    except Refused:
        return ""
    match statement:
        case statements.CreateJob(name=name) | statements.AlterJob(name=name) | statements.DropJob(name=name):
            return name.text
        case statements.CreateSnapshot(job=name):
            return name.text
        case _:
            return ""
