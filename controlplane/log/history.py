"""What was: the state after any event, and all that ever happened to a job. Folds of `events`; nothing is written.

A moment is a place in the log. One given as a time is the place before the first event appended later.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from jobplane.controlplane.core.evolve import State, fold
from jobplane.controlplane.log import events_topic
from jobplane.controlplane.log.events_topic import Alive, Entry
from jobplane.controlplane.topics import COMMANDS, EVENTS
from jobplane.processors.kafka.cluster import Kafka, Message
from jobplane.schemas.errors import JobNotFound, Refused
from jobplane.schemas.records.events import (
    CommandRefused,
    CommandRepeated,
    CommandUnchanged,
    Event,
    JobAltered,
    JobCreated,
    JobDropped,
    SnapshotClosed,
    SnapshotFailed,
    SnapshotRequested,
    TaskCompleted,
    TaskFailed,
    TaskSnapshotted,
    TaskStarted,
    TaskStopped,
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
    bounds = events_topic.whole(kafka, prefix, -1 if offset is None else offset)
    end = bounds.end if offset is None else offset + 1
    return folded(until(events_topic.read(kafka, prefix, 0, end, alive), time))


def until(entries: Iterable[Entry], time: int | None) -> Iterable[Entry]:
    """The entries before the first that was appended later than `time`; all of them where that is None."""
    return entries if time is None else takewhile(lambda entry: entry.time <= time, entries)


def folded(entries: Iterable[Entry]) -> State:
    state = State()
    for entry in entries:
        fold(state, entry.event)
    return state


def history_of(kafka: Kafka, prefix: str, job: str, alive: Alive = lambda: None) -> list[Row]:
    """All that happened to the jobs of a name, or to the one of a uid, in HISTORY_COLUMNS; the newest last.

    Refused commands that name the job are among it. Raises JobNotFound, EventsTruncated, NotSetUp.
    """
    bounds = events_topic.whole(kafka, prefix)
    story = Story(job)
    refused: dict[int, Row] = {}
    consumer = events_topic.reader(kafka, prefix)
    try:
        for batch in events_topic.messages(consumer, f"{prefix}{EVENTS}", 0, bounds.end, alive):
            for message in batch:
                if not story.may_concern(message.key() or b"", message.value() or b""):
                    continue
                entry = events_topic.entry(message)
                if isinstance(entry.event.body, CommandRefused) and not entry.job:
                    refused[entry.event.cause.offset] = story.row(entry)
                else:
                    story.add(entry)
        if not story.rows:
            raise JobNotFound(f"no job was ever called '{job}'")
        for offset in _naming(consumer, prefix, story.names, sorted(refused), alive):
            story.rows.append(refused[offset])
    finally:
        consumer.close()
    return sorted(story.rows, key=lambda row: row["offset"])


@dataclass(slots=True)
class Story:
    """The rows of a job, known by its name or a uid; the fold of its events tells status and generation. Pure."""

    job: str
    rows: list[Row] = field(default_factory=list)
    uids: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    _state: State = field(default_factory=State)

    def may_concern(self, key: bytes, value: bytes) -> bool:
        """Whether the event must be decoded: far quicker than to decode it."""
        return not key or key == self.job.encode() or any(uid.encode() in value for uid in (self.job, *self.uids))

    def add(self, entry: Entry) -> None:
        """Takes the event in, if it is about the job."""
        body = entry.event.body
        if isinstance(body, JobCreated) and self.job in (body.name, body.uid):
            self.uids.add(body.uid)
            self.names.add(body.name)
        refused = isinstance(body, CommandRefused) and entry.job == self.job
        if refused or about(entry.event) in self.uids:
            fold(self._state, entry.event)
            self.rows.append(self.row(entry))

    def row(self, entry: Entry) -> Row:
        event, uid = entry.event, about(entry.event)
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


def about(event: Event) -> str:
    """The uid of the job an event is about; empty where it is about none."""
    match event.body:
        case SnapshotClosed(snapshot=manifest):
            return manifest.uid
        case CommandRepeated(first=first):
            return first.uid
        case body:
            return getattr(body, "uid", "")


def command_id(event: Event) -> str:
    """The id of the command that caused an event; empty where a report did."""
    cause = event.cause
    return (cause.command_id or f"c-{cause.offset}") if cause.topic == COMMANDS else ""


def issuer(event: Event) -> str:
    """Who asked for it, as the command says; of what a task reported, its worker where that is kept."""
    return event.cause.issued_by or getattr(event.body, "worker", "")


_DETAILS: dict[type, Callable[[Any], str]] = {
    CommandRefused: lambda body: f"{body.code} {body.line}:{body.column} {body.message}",
    CommandUnchanged: lambda body: body.message,
    CommandRepeated: lambda body: f"{body.first.verdict} at offset {body.first.offset}",
    JobCreated: lambda body: body.statement,
    JobAltered: lambda body: " ".join(f"{name} '{value}'" for name, value in body.options.items()),
    JobDropped: lambda body: f"with snapshot {body.snapshot.name}" if body.snapshot else "",
    SnapshotRequested: lambda body: f"{body.snapshot.name} version {body.snapshot.version}",
    SnapshotClosed: lambda body: f"{body.snapshot.name} version {body.snapshot.version}",
    SnapshotFailed: lambda body: f"{body.snapshot.name} version {body.snapshot.version}: {body.failure}",
    TaskStarted: lambda body: f"task {body.task} attempt {body.attempt}",
    TaskStopped: lambda body: f"task {body.task}",
    TaskCompleted: lambda body: f"task {body.task}",
    TaskFailed: lambda body: f"task {body.task}: {body.failure}",
    TaskSnapshotted: lambda body: f"task {body.part.task} version {body.version}",
}


def detail(event: Event) -> str:
    """What else there is to say of an event, in a line; empty where its name says all."""
    said = _DETAILS.get(type(event.body))
    return " ".join(said(event.body).split()) if said else ""


def _naming(consumer: Any, prefix: str, names: set[str], offsets: list[int], alive: Alive) -> Iterator[int]:
    """Those of the refused commands at `offsets` whose text names one of the jobs. What cannot be read names none."""
    if not offsets:
        return
    wanted = frozenset(offsets)
    for batch in events_topic.messages(consumer, f"{prefix}{COMMANDS}", offsets[0], offsets[-1] + 1, alive):
        for message in batch:
            offset, value = message.offset() or 0, message.value() or b""
            spoken_of = offset in wanted and any(name.encode() in value for name in names)
            if spoken_of and _named(message, prefix) in names:
                yield offset


def _named(message: Message, prefix: str) -> str:
    """The job a command names; empty where it is none, or names none."""
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
