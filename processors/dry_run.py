"""What a job's step makes of records, one by one, with nothing written: the same evaluation as a task's."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from jobplane.processors.kafka.cluster import Message
from jobplane.processors.registry.client import Registry
from jobplane.processors.task.culprit import fault
from jobplane.processors.task.evaluation import Evaluation
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
    found = tuple(_alone(step, message, registry) for message in messages)
    whole = _evaluation(step, lambda *_: None, lambda _: None, registry)
    began, cpu_began = clock(), cpu()
    whole.through(list(messages))
    return Trial(found, clock() - began, cpu() - cpu_began)


def _alone(step: Step, message: Message, registry: Registry | None) -> Tried:
    written: list[Record] = []
    refusals: list[RecordFailure] = []
    evaluation = _evaluation(step, lambda *record: written.append(record), refusals.append, registry)
    batch = evaluation.through([message])
    if refusals:
        return Tried(message, refusal=refusals[0])
    return Tried(message, tuple(written), skipped=batch.skipped > 0 and not written)


def _evaluation(
    step: Step, produce: Callable[..., None], refuse: Callable[[RecordFailure], None], registry: Registry | None
) -> Evaluation:
    def treat(_: Message, failure: RecordFailure) -> bool:
        refuse(failure)
        return True

    def blame(error: Exception, message: Message) -> RecordFailure:
        return fault(error, message)  # nothing of Kafka is asked here

    return Evaluation(step, produce, produce, blame, treat, registry)
