"""Dead letters as people and programs read them, and the statement that sends those of a job through its query."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from controlplane import log
from controlplane.decide_retries import RETRY_OF, letters_topic
from controlplane.translate import create_of
from processors import bad_records
from processors.kafka import Kafka, Message
from schemas.formats import FORMAT_OPTIONS
from schemas.options import DEAD_LETTER_TOPIC
from schemas.state import Job
from sql import nodes
from sql.render import render

COLUMNS = ("letter", "time", "source", "code", "reason")
_KEPT = frozenset({DEAD_LETTER_TOPIC, "processingGuarantee", "snapshotIntervalMillis", *FORMAT_OPTIONS})
"""Options of a job that its retry has too."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """`letter` is `partition@offset` in its topic; `headers` are those the record had."""

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


def letters(kafka: Kafka, prefix: str, job: Job) -> Iterator[DeadLetter]:
    """Those of a job, partition after partition, up to the end as it is now: committed ones only."""
    topic = letters_topic(job, prefix)
    held = kafka.topics([topic])
    partitions = range(held[topic][1]) if topic in held else ()
    with closing(log.reader(kafka, prefix)) as consumer:
        for message in kafka.read_to_end(consumer, topic, list(partitions)):
            found = letter_of(message)
            if found is not None and found[0] == job.uid:
                yield found[1]


def letter_of(message: Message) -> tuple[str, DeadLetter] | None:
    """A record as the uid of its job and a dead letter; None where it is none."""
    held: Any = message.headers() or ()
    said = {name: (value or b"").decode(errors="replace") for name, value in held if name in bad_records.OWN}
    if bad_records.UID not in said:
        return None
    return said[bad_records.UID], DeadLetter(
        f"{message.partition()}@{message.offset()}",
        message.timestamp()[1],
        said.get(bad_records.SOURCE, ""),
        said.get(bad_records.CODE, ""),
        said.get(bad_records.REASON, ""),
        message.key(),
        message.value(),
        tuple((name, value) for name, value in held if name not in bad_records.OWN),
    )


def retry_of(job: Job) -> str:
    """The statement that retries the dead letters of a job; what fails again becomes a dead letter again."""
    create = create_of(job.statement)
    options = [one for one in create.options if one.name.text in _KEPT]
    further = {RETRY_OF: job.name, "onError": "deadLetter", "storeMetricsAfterJobCompletion": "true"}
    options += [nodes.Option(nodes.Name(name), value) for name, value in further.items()]
    name = nodes.Name(f"{job.name}.retry")
    return render(replace(create, name=name, if_not_exists=False, options=tuple(options)))
