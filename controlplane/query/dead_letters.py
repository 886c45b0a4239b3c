"""Reads the dead letters of a job, and builds the statement that retries them."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from jobplane.controlplane.core.decide.retries import RETRY_OF
from jobplane.controlplane.core.state import State
from jobplane.controlplane.listings.rows import text_of
from jobplane.controlplane.listings.tables import cell
from jobplane.controlplane.query.record_rows import NULL
from jobplane.processors.evaluation.dead_letters import CODE, REASON, SOURCE, UID, headers_of
from jobplane.processors.kafka.cluster import Kafka, Message
from jobplane.processors.kafka.control_topics import ControlTopics
from jobplane.schemas.formats import FORMAT_OPTIONS
from jobplane.schemas.options import DEAD_LETTER_TOPIC, TOMBSTONES
from jobplane.schemas.records.sources import Source
from jobplane.schemas.records.state import Job
from jobplane.schemas.shown import to_printable
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parser import parse_job
from jobplane.sql.syntax.render.statements import render

COLUMNS = ("letter", "time", "source", "code", "reason")
_KEPT = frozenset({DEAD_LETTER_TOPIC, "processingGuarantee", "snapshotIntervalMillis", TOMBSTONES, *FORMAT_OPTIONS})
"""Options that a retry takes from its job."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dead letter. `letter` is its `partition@offset`; `headers` are those of the source record."""

    letter: str
    time: int
    source: str
    code: str
    reason: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]

    def row(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in COLUMNS}


def full_row(one: DeadLetter) -> dict[str, Any]:
    """All fields of a dead letter, for programs."""
    headers = {name: text_of(value) for name, value in one.headers}
    return {**one.row(), "key": text_of(one.key), "headers": headers, "value": text_of(one.value)}


def lines_of(one: DeadLetter) -> list[str]:
    """All fields of a dead letter, for people: NULL if there is no key or value, no line if there are no headers."""
    row = full_row(one)
    row |= {name: NULL for name in ("key", "value") if row[name] is None}
    row["headers"] = {name: NULL if value is None else value for name, value in row["headers"].items()}
    if not row["headers"]:
        del row["headers"]
    texts = {name: to_printable(value) if isinstance(value, str) else cell(name, value) for name, value in row.items()}
    return [f"{name:<8} {value}" for name, value in texts.items()]


def read_letters(kafka: Kafka, prefix: str, topic: str, uid: str) -> Iterator[DeadLetter]:
    """The committed dead letters of a job in a topic, by partition, up to the current end."""
    held = kafka.topics([topic])
    partitions = range(held[topic][1]) if topic in held else ()
    with closing(ControlTopics(kafka, prefix).state_reader()) as consumer:
        for message in kafka.read_to_end(consumer, topic, list(partitions)):
            found = letter_of(message)
            if found is not None and found[0] == uid:
                yield found[1]


def count_retried(letters: Iterable[DeadLetter], source: Source) -> tuple[int, int]:
    """How many dead letters a retry with this source has read, and how many of them failed again after its end."""
    given, again = Counter[str](), set[str]()
    for one in letters:
        partition, offset = map(int, one.letter.split("@"))
        if partition >= len(source.end) or offset >= source.end[partition]:
            again.add(one.source)
        elif offset >= source.start[partition]:
            given[one.source] += 1
    return given.total(), sum(count for place, count in given.items() if place in again)


def letter_of(message: Message) -> tuple[str, DeadLetter] | None:
    """The uid of the job and the dead letter; None if the record is not a dead letter."""
    own, original = headers_of(message)
    if UID not in own:
        return None
    return own[UID], DeadLetter(
        f"{message.partition()}@{message.offset()}",
        message.timestamp()[1],
        own.get(SOURCE, ""),
        own.get(CODE, ""),
        own.get(REASON, ""),
        message.key(),
        message.value(),
        tuple(original),
    )


def running_retry(state: State, job: Job) -> Job | None:
    """The retry of a job that has not ended yet, if any."""
    retry = state.live_job(retry_name(job))
    letters = retry.sources[0].letters if retry is not None else None
    return retry if letters is not None and letters.uid == job.uid else None


def retry_name(job: Job) -> str:
    return f"{job.name}.retry"


def retry_statement(job: Job) -> str:
    """The statement that retries the dead letters of a job; what fails again becomes a dead letter again."""
    create = parse_job(job.statement)
    options = [one for one in create.options if one.name.text in _KEPT]
    further = {RETRY_OF: job.name, "onError": "deadLetter"}
    options += [statements.Option(statements.Name(name), value) for name, value in further.items()]
    name = statements.Name(retry_name(job))
    return render(replace(create, name=name, if_not_exists=False, options=tuple(options)))
