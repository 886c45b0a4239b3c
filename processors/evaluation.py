"""Steps 6 and 7 for one batch: messages go through the step; a record that fails goes the way of the job's onError.

A schema that is not known yet stops the step before the record that needs it: it is fetched, and the step goes on.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from operator import length_hint
from typing import Any

from processors import bad_records
from processors.kafka import Message
from processors.registry import Registry
from schemas.failures import BadRecord, JobFailure, RecordFailure
from schemas.formats import avro_schemas
from schemas.formats.avro_schemas import UnknownSchema
from sql.compile import Step

Place = tuple[str, int, int]


@dataclass(slots=True)
class Batch:
    """What became of a batch. `unread` begins with the culprit, where there is one."""

    unread: list[Message]
    written: int = 0
    skipped: int = 0
    culprit: JobFailure | None = None


@dataclass(slots=True)
class Evaluation:
    """`blame` tells what an exception means for a record, and raises what is not its fault. `refused` are records that
    Kafka is known not to take, by topic, partition and offset. `waiting` is called round what may take a moment.
    """

    step: Step
    produce: Callable[..., None]
    when_full: Callable[..., None]
    blame: Callable[[Exception, Message], JobFailure]
    treat: bad_records.Treat
    registry: Registry | None
    refused: dict[Place, RecordFailure] = field(default_factory=dict)

    def through(self, messages: list[Message]) -> Batch:
        batch = Batch(messages)
        while batch.unread and batch.culprit is None:
            left = batch.unread
            taken = self._up_to_refused(left)
            if taken == 0:
                self._fails(batch, self.refused[place(left[0])])
                continue
            rows = iter(left[:taken])
            try:
                written, skipped = self.step(rows, self.produce, self.when_full)
            except UnknownSchema as unknown:
                batch.unread = left[taken - length_hint(rows) - 1 :]
                if failure := self._learned(unknown):
                    self._fails(batch, failure)
            except Exception as error:  # noqa: BLE001  # what a user's record raises is its fault, if not Kafka's
                batch.unread = left[taken - length_hint(rows) - 1 :]
                self._fails(batch, self.blame(error, batch.unread[0]))
            else:
                batch.unread = left[taken:]
                batch.written, batch.skipped = batch.written + written, batch.skipped + skipped
        return batch

    def _up_to_refused(self, messages: list[Message]) -> int:
        """How many messages come before one that Kafka is known not to take."""
        if not self.refused:
            return len(messages)
        return next((i for i, one in enumerate(messages) if place(one) in self.refused), len(messages))

    def _fails(self, batch: Batch, failure: JobFailure) -> None:
        if isinstance(failure, RecordFailure) and self.treat(batch.unread[0], failure):
            batch.unread = batch.unread[1:]
        else:
            batch.culprit = failure

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


class Letter:
    """A dead letter as the record it was: where it lay, without the headers that say what was wrong."""

    __slots__ = ("_headers", "_offset", "_partition", "_topic", "key", "record", "timestamp", "value")

    def __init__(self, record: Message, source: str, headers: list[tuple[str, Any]]) -> None:
        at, _, offset = source.rpartition("@")
        self._topic, _, partition = at.rpartition("-")
        self._partition, self._offset, self._headers = int(partition), int(offset), headers or None
        self.record, self.key, self.timestamp, self.value = record, record.key, record.timestamp, record.value

    def topic(self) -> str:
        return self._topic

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int:
        return self._offset

    def headers(self) -> list[tuple[str, Any]] | None:
        return self._headers


def letters_of(uid: str, messages: Iterable[Message]) -> list[Any]:
    """The dead letters of a job among those of a topic. What does not say whose it is, is nobody's."""
    found = []
    for message in messages:
        held: Any = message.headers() or ()
        said = dict(held)
        if said.get(bad_records.UID) == uid.encode() and bad_records.SOURCE in said:
            kept = [(name, one) for name, one in held if name not in bad_records.OWN]
            found.append(Letter(message, said[bad_records.SOURCE].decode(), kept))
    return found


def place(message: Message) -> Place:
    return message.topic() or "", message.partition() or 0, message.offset() or 0


def sending(produce: Callable[..., None], when_full: Callable[..., None], *about: str) -> Any:
    """Writes a dead letter: `about` are its topic, the job's name and uid."""
    topic, job, uid = about

    def send(message: Message, failure: RecordFailure) -> None:
        record = bad_records.letter(topic, job, uid, message, failure)
        try:
            produce(*record)
        except BufferError:
            when_full(*record)

    return send
