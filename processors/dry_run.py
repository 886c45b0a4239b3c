"""What a query makes of records, with nothing written: the evaluation is the same as in a task.

Each record is tried by itself, but where a query makes groups: then the rows are those of all records together.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from jobplane.processors.evaluation.batch import Evaluation, RecordBatch, discard
from jobplane.processors.kafka.cluster import Message
from jobplane.processors.registry.client import Registry
from jobplane.schemas.failures import GroupFailed, LateRecord, RecordFailure
from jobplane.sql.codegen.compile import Step
from jobplane.sql.codegen.groups import CompiledGroups

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
class Cost:
    """What the evaluation of `read` records took, in one batch and without the reading."""

    read: int
    seconds: float
    cpu_seconds: float

    @property
    def rate(self) -> float:
        """Records a second; 0 where there was none."""
        return self.read / self.seconds if self.read and self.seconds else 0.0

    @property
    def cpu_micros(self) -> float:
        """Microseconds of the processor a record."""
        return self.cpu_seconds / self.read * 1_000_000 if self.read else 0.0


@dataclass(frozen=True, slots=True)
class Trial:
    tried: tuple[Tried, ...]
    cost: Cost

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


@dataclass(frozen=True, slots=True)
class GroupTrial:
    """`written` are the rows of groups, as if all windows closed, or a commit came, after the newest record; before
    them those of branches without groups.

    `refused` are the records that are in no group, late ones included. `failure`: the group that has no result; those
    after it are not in `written`.
    """

    written: tuple[Record, ...]
    refused: tuple[Tried, ...]
    skipped: int
    failure: GroupFailed | None
    cost: Cost
    plain: int = 0
    """How many rows in `written` are not of groups."""

    @property
    def late(self) -> int:
        return sum(isinstance(one.refusal, LateRecord) for one in self.refused)


def tried(
    step: Step,
    messages: Sequence[Message],
    registry: Registry | None,
    clock: Callable[[], float],
    cpu: Callable[[], float],
) -> Trial:
    """Each record first, for what it gives; then all at once, for the time. Raises Doubt where a registry is silent."""
    found = tuple(_try_alone(step, message, registry) for message in messages)
    evaluation = Evaluation(step, discard, discard, registry)
    began, cpu_began = clock(), cpu()
    evaluation.run(RecordBatch(list(messages)))
    return Trial(found, Cost(len(found), clock() - began, cpu() - cpu_began))


def tried_in_groups(
    groups: CompiledGroups,
    messages: Sequence[Message],
    registry: Registry | None,
    clock: Callable[[], float],
    cpu: Callable[[], float],
) -> GroupTrial:
    """The messages of each partition are in their order. Raises Doubt where a registry is silent."""
    _grouped(groups, messages, registry)  # learns schemas, so that they are not in the time
    began, cpu_began = clock(), cpu()
    trial = _grouped(groups, messages, registry)
    return replace(trial, cost=Cost(len(messages), clock() - began, cpu() - cpu_began))


def _grouped(groups: CompiledGroups, messages: Sequence[Message], registry: Registry | None) -> GroupTrial:
    """Of no cost."""
    state = groups.state({(one.topic() or "", one.partition() or 0) for one in messages})
    batch, written = RecordBatch(list(messages)), list[Record]()
    failure: GroupFailed | None = None

    def take(*record: Any) -> None:
        written.append(record)

    evaluation = Evaluation(state.absorb, take, take, registry, recount=groups.count)
    refused = tuple(Tried(one.record, refusal=one.failure) for one in evaluation.verdicts(batch))
    plain = len(written)
    state.close_all()
    try:
        state.emit(take, take)
    except GroupFailed as failed:
        failure = failed
    return GroupTrial(tuple(written), refused, batch.skipped, failure, Cost(len(messages), 0.0, 0.0), plain)


def _try_alone(step: Step, message: Message, registry: Registry | None) -> Tried:
    written: list[Record] = []

    def take(*record: Any) -> None:
        written.append(record)

    batch = RecordBatch([message])
    for verdict in Evaluation(step, take, take, registry).verdicts(batch):
        return Tried(message, refusal=verdict.failure)
    return Tried(message, tuple(written), skipped=batch.skipped > 0 and not written)
