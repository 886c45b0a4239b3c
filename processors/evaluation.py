"""Steps 6 and 7 for one batch: messages go through the step; a record that fails goes the way of the job's onError.

A schema that is not known yet stops the step before the record that needs it: it is fetched, and the step goes on.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from operator import length_hint
from typing import Any

from processors import bad_records
from processors.bad_records import Place, position
from processors.kafka import Message
from processors.registry import Registry
from schemas.failures import BadRecord, RecordFailure
from schemas.formats import avro_schemas
from schemas.formats.avro_schemas import UnknownSchema
from sql.compile import Step


@dataclass(slots=True)
class Batch:
    """What became of a batch. `unread` begins with the culprit, where there is one."""

    unread: list[Message] = field(default_factory=list)
    written: int = 0
    skipped: int = 0
    culprit: RecordFailure | None = None


@dataclass(slots=True)
class Evaluation:
    """`blame` tells what an exception means for a record, and raises what is not its fault. `refused` are records that
    Kafka is known not to take, by topic, partition and offset. `treated` is the last that went the way of onError.
    """

    step: Step
    produce: Callable[..., None]
    when_full: Callable[..., None]
    blame: Callable[[Exception, Message], RecordFailure]
    treat: bad_records.Treat
    registry: Registry | None
    refused: dict[Place, RecordFailure] = field(default_factory=dict)
    treated: Place | None = None

    def through(self, messages: list[Message]) -> Batch:
        batch, at = Batch(), 0
        for end in (*self._refused_in(messages), len(messages)):
            at = self._up_to(end, messages, at, batch)
            if batch.culprit is None and end < len(messages):
                at += self._passes(messages[at], self.refused[position(messages[at])], batch)
            if batch.culprit is not None:
                break
        batch.unread = messages[at:]
        return batch

    def several(self, message: Message) -> bool:
        """Whether a message that can be evaluated gives more than one record."""
        return self.step(iter([message]), _nowhere, _nowhere)[0] > 1

    def _refused_in(self, messages: list[Message]) -> list[int]:
        return [i for i, one in enumerate(messages) if position(one) in self.refused] if self.refused else []

    def _up_to(self, end: int, messages: list[Message], at: int, batch: Batch) -> int:
        """Messages from `at` on go through the step; returns `end`, or where the culprit is."""
        rows = iter(messages[at:end])
        while at < end and batch.culprit is None:
            begun = at
            failure: RecordFailure | None
            try:
                written, skipped = self.step(rows, self.produce, self.when_full)
            except UnknownSchema as unknown:
                at = end - length_hint(rows) - 1
                failure = self._learned(unknown)
                if failure is None:
                    rows = iter(messages[at:end])
            except Exception as error:  # noqa: BLE001  # what a user's record raises is its fault, if not Kafka's
                at = end - length_hint(rows) - 1
                failure = self.blame(error, messages[at])
            else:
                at = end
                batch.written, batch.skipped = batch.written + written, batch.skipped + skipped
                break
            self._count(messages[begun:at], batch)
            if failure is not None:
                at += self._passes(messages[at], failure, batch)
        return at

    def _count(self, messages: list[Message], batch: Batch) -> None:
        """A step that raises does not say what it has written: what came before the culprit is evaluated for it."""
        if messages:
            written, skipped = self.step(iter(messages), _nowhere, _nowhere)
            batch.written, batch.skipped = batch.written + written, batch.skipped + skipped

    def _passes(self, message: Message, failure: RecordFailure, batch: Batch) -> bool:
        """Whether the task goes on with the message after it."""
        try:
            if self.treat(message, failure):
                self.treated = position(message)
                return True
            batch.culprit = failure
        except RecordFailure as untaken:
            batch.culprit = untaken
        return False

    def _learned(self, unknown: UnknownSchema) -> BadRecord | None:
        """Fetches the schema. Raises Doubt where the registry does not answer: the task begins again, and says why."""
        if self.registry is None:
            return BadRecord(
                f"its schema is number {unknown.id} of a registry; set JOBPLANE_REGISTRY_URL for all workers"
            )
        try:
            avro_schemas.learn(unknown.id, self.registry.schema(unknown.id))
        except ValueError as bad:
            return BadRecord(f"its schema, number {unknown.id} of the registry, cannot be used: {bad}")
        except BadRecord as unheard:
            return unheard
        return None


_SOURCE = re.compile(r"(?P<topic>.+)-(?P<partition>\d{1,9})@(?P<offset>\d{1,18})", re.ASCII)
_TIME = re.compile(r"\d{1,18}", re.ASCII)


class Letter:
    """A dead letter as the record it was: where it lay and when, without the headers that say what was wrong.

    `record` is the letter itself.
    """

    __slots__ = ("_headers", "_offset", "_partition", "_timestamp", "_topic", "key", "record", "value")

    def __init__(self, record: Message, source: Place, time: tuple[int, int], headers: list[tuple[str, Any]]) -> None:
        self._topic, self._partition, self._offset = source
        self._timestamp, self._headers = time, headers or None
        self.record, self.key, self.value = record, record.key, record.value

    def topic(self) -> str:
        return self._topic

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int:
        return self._offset

    def timestamp(self) -> tuple[int, int]:
        return self._timestamp

    def headers(self) -> list[tuple[str, Any]] | None:
        return self._headers


def letters_of(uid: str, messages: Iterable[Message]) -> list[Any]:
    """The dead letters of a job among those of a topic. What does not say whose and which it is, is nobody's."""
    return [letter for message in messages if (letter := _letter(uid, message)) is not None]


def _letter(uid: str, message: Message) -> Letter | None:
    said, kept = bad_records.headers_of(message)
    found = _SOURCE.fullmatch(said.get(bad_records.SOURCE, ""))
    if said.get(bad_records.UID) != uid or found is None:
        return None
    source = found["topic"], int(found["partition"]), int(found["offset"])
    time = said.get(bad_records.TIME, "")
    return Letter(message, source, (1, int(time)) if _TIME.fullmatch(time) else (0, -1), kept)


def sending(
    produce: Callable[..., None], when_full: Callable[..., None], topic: str, limit: int, job: str, uid: str
) -> Callable[[Message, RecordFailure], None]:
    """Writes dead letters of at most `limit` bytes to their topic, with the job's name and uid."""

    def send(message: Message, failure: RecordFailure) -> None:
        letter = bad_records.letter(topic, job, uid, message, failure)
        record = bad_records.checked(letter, limit, message, failure)
        try:
            produce(*record)
        except BufferError:
            when_full(*record)

    return send


def _nowhere(*_: Any) -> None:
    """Where records go that are only counted."""
