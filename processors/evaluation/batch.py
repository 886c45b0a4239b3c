"""The steps EVALUATE and ADVANCE of one batch: messages go through the compiled query; failures become verdicts.

If a schema is not known yet, the query stops before the record that needs the schema; the schema is fetched, and the
query goes on.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import length_hint
from typing import Any

from jobplane.processors.evaluation.place import Place, position
from jobplane.processors.evaluation.verdict import RecordPolicy, Verdict
from jobplane.processors.kafka.cluster import KafkaException, Message, judged
from jobplane.processors.registry.client import Registry
from jobplane.schemas.failures import BadRecord, RecordFailure, RecordTooLarge, WithoutKey
from jobplane.schemas.formats.avro.known_schemas import UnknownWriter
from jobplane.sql.codegen.compile import Step


def discard(*_: Any) -> None:
    """Takes the records of an evaluation that writes nothing."""


@dataclass(slots=True)
class RecordBatch:
    """Messages, how many of them are done, and what they gave: records written, and tombstones skipped."""

    messages: list[Message]
    done: int = 0
    written: int = 0
    skipped: int = 0

    @property
    def unread(self) -> list[Message]:
        """The messages that are not done. The first one is to blame, if the batch ended at a verdict."""
        return self.messages[self.done :]

    def add(self, counts: tuple[int, int]) -> None:
        self.written, self.skipped = self.written + counts[0], self.skipped + counts[1]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Evaluates batches with the compiled query `step`, which writes with `produce`.

    `when_full` is called in place of `produce` when the queue of the client is full. `atomic`: the output is part of a
    transaction, and what a record has written can be undone. `refused` are records that Kafka is known to refuse.

    `recount` says once more what messages gave that are evaluated: it is the step itself, unless that has state.
    `check` raises what `produce` does for a record that the sink does not take, and writes nothing.
    """

    step: Step
    produce: Callable[..., None]
    when_full: Callable[..., None]
    registry: Registry | None
    policy: RecordPolicy = field(default_factory=RecordPolicy)
    atomic: bool = False
    refused: Mapping[Place, RecordFailure] = field(default_factory=dict)
    recount: Step | None = None
    check: Callable[..., None] = discard

    def verdicts(self, batch: RecordBatch) -> Iterator[Verdict]:
        """Evaluates a batch. At each record that fails its verdict is given: asking for more continues after it.

        Raises what no record is the reason for.
        """
        for end in (*self._refused_in(batch.messages), len(batch.messages)):
            yield from self._verdicts_before(end, batch)
            if end < len(batch.messages):
                message = batch.messages[end]
                yield self.policy.treated(self.refused[position(message)], message)
                batch.done += 1

    def run(self, batch: RecordBatch) -> None:
        """Evaluates a batch and passes over each record that fails."""
        for _ in self.verdicts(batch):
            pass

    def _refused_in(self, messages: list[Message]) -> list[int]:
        return [i for i, one in enumerate(messages) if position(one) in self.refused] if self.refused else []

    def _verdicts_before(self, end: int, batch: RecordBatch) -> Iterator[Verdict]:
        messages = batch.messages
        rows = iter(messages[batch.done : end])
        while batch.done < end:
            begun = batch.done
            verdict: Verdict | None
            try:
                counts = self.step(rows, self.produce, self.when_full)
            except UnknownWriter as unknown:
                batch.done = end - length_hint(rows) - 1
                failure = self._learn(unknown)
                verdict = self.policy.treated(failure, messages[batch.done]) if failure else None
                if verdict is None:
                    rows = iter(messages[batch.done : end])
            except Exception as error:  # noqa: BLE001  # what a user's record raises is its fault, if not Kafka's
                batch.done = end - length_hint(rows) - 1
                verdict = self._verdict(error, messages[batch.done])
            else:
                batch.done = end
                batch.add(counts)
                return
            if begun < batch.done:  # a query that raises does not say what it has written: it is evaluated once more
                batch.add(self._count(messages[begun : batch.done]))
            if verdict is not None:
                yield verdict
                batch.done += 1

    def _verdict(self, error: Exception, message: Message) -> Verdict:
        failure = judged(error) if isinstance(error, KafkaException) else error
        partly = isinstance(failure, RecordTooLarge | WithoutKey) and self.atomic and self._gives_several(message)
        return self.policy.verdict(error, message, partly_written=partly)

    def _gives_several(self, message: Message) -> bool:
        """Whether a message, which can be evaluated, gives more than one record."""
        return self._count([message])[0] > 1

    def _count(self, messages: list[Message]) -> tuple[int, int]:
        return (self.recount or self.step)(iter(messages), discard, discard)

    def _learn(self, unknown: UnknownWriter) -> BadRecord | None:
        """Fetches the schema. Raises Doubt where the registry does not answer: the task begins again, and says why."""
        if self.registry is None:
            return BadRecord(
                f"its schema is number {unknown.id} of a registry, and no registry is set; set JOBPLANE_REGISTRY_URL"
            )
        try:
            unknown.schemas.learn(unknown.id, self.registry.schema(unknown.id))
        except ValueError as bad:
            return BadRecord(f"its schema, number {unknown.id} of the registry, cannot be used: {bad}")
        except BadRecord as unheard:
            return unheard
        return None
