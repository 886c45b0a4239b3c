"""Steps 6 and 7 for one batch: messages go through the step; a record that fails goes the way of the job's onError.

A schema that is not known yet stops the step before the record that needs it: it is fetched, and the step goes on.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from operator import length_hint
from typing import Any

from jobplane.processors.kafka.cluster import Message
from jobplane.processors.registry.client import Registry
from jobplane.processors.task.on_error import Place, Treat, position
from jobplane.schemas.failures import BadRecord, RecordFailure
from jobplane.schemas.formats.avro import known_schemas
from jobplane.schemas.formats.avro.known_schemas import UnknownSchema
from jobplane.sql.codegen.compile import Step


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
    treat: Treat
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
                f"its schema is number {unknown.id} of a registry, and no registry is set; set JOBPLANE_REGISTRY_URL"
            )
        try:
            known_schemas.learn(unknown.id, self.registry.schema(unknown.id))
        except ValueError as bad:
            return BadRecord(f"its schema, number {unknown.id} of the registry, cannot be used: {bad}")
        except BadRecord as unheard:
            return unheard
        return None


def _nowhere(*_: Any) -> None:
    """Where records go that are only counted."""
