"""What a query makes of records, one by one, with nothing written: the evaluation is the same as in a task."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from jobplane.processors.evaluation.batch import Evaluation, RecordBatch
from jobplane.processors.kafka.cluster import Message
from jobplane.processors.registry.client import Registry
from jobplane.schemas.failures import RecordFailure
from jobplane.sql.codegen.compile import Step

Record = tuple[Any, ...]
"""The arguments of Producer.produce."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of one record read. `skipped`: it is a tombstone that gives nothing."""

    message: Message
    written: tuple[Record, ...] = ()
    refusal: RecordFailure | None = None
    skipped: bool = False


@dataclass(frozen=True, slots=True)
class Trial:
    """`seconds` and `cpu_seconds` are what the evaluation of all records took, in one batch and without the reading."""

    tried: tuple[Tried, ...]
    seconds: float
    cpu_seconds: float

    @property
    def read(self) -> int:
        return len(self.tried)

    @property
    def written(self) -> int:
        return sum(len(one.written) for one in self.tried)

    @property
    def refused(self) -> int:
        return sum(one.refusal is not None for one in self.tried)

    @property
    def skipped(self) -> int:
        return sum(one.skipped for one in self.tried)

    @property
    def filtered(self) -> int:
        """Records that can be read and give no row."""
        return sum(not (one.written or one.refusal or one.skipped) for one in self.tried)

    @property
    def rate(self) -> float:
        """Records a second; 0 where there was none."""
        return self.read / self.seconds if self.read and self.seconds else 0.0

    @property
    def cpu_micros(self) -> float:
        """Microseconds of the processor a record."""
        return self.cpu_seconds / self.read * 1_000_000 if self.read else 0.0


def tried(
    step: Step,
    messages: Sequence[Message],
    registry: Registry | None,
    clock: Callable[[], float],
    cpu: Callable[[], float],
) -> Trial:
    """Each record first, for what it gives; then all at once, for the time. Raises Doubt where a registry is silent."""
    found = tuple(_try_alone(step, message, registry) for message in messages)
    evaluation = Evaluation(step, _discard, _discard, registry)
    began, cpu_began = clock(), cpu()
    evaluation.run(RecordBatch(list(messages)))
    return Trial(found, clock() - began, cpu() - cpu_began)


def _try_alone(step: Step, message: Message, registry: Registry | None) -> Tried:
    written: list[Record] = []

    def take(*record: Any) -> None:
        written.append(record)

    batch = RecordBatch([message])
    for verdict in Evaluation(step, take, take, registry).verdicts(batch):
        return Tried(message, refusal=verdict.failure)
    return Tried(message, tuple(written), skipped=batch.skipped > 0 and not written)


def _discard(*_: Any) -> None:
    """Takes the records of an evaluation that is only timed."""
