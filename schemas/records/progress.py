"""How far a task is, as its host reports it. Times are epoch milliseconds."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PartitionProgress:
    """`end` is the high watermark last heard of; `lag` the records between the two.

    `watermark` is the time before which no more is to come, where a query has groups and a record has said so.
    """

    topic: str
    partition: int
    position: int
    end: int
    lag: int
    watermark: int | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a task is. Rates are records per second since the previous progress; `committed` is the time of the last
    commit.

    `state_bytes` is the size of the checkpoint's state, `metrics` are the counters of this run, `trouble` says why it
    last restarted, and which packages differ from those of its job; it is empty if nothing is wrong. `dormant`: nothing
    has come for some seconds, and the task rests until something does.
    """

    time: int
    partitions: tuple[PartitionProgress, ...]
    rate_in: float
    rate_out: float
    committed: int
    state_bytes: int
    metrics: dict[str, float] = field(default_factory=dict)
    trouble: str = ""
    dormant: bool = False


REFUSED = "records_refused_"
"""Begins the names of those counters that count records left out, or written as dead letters, by a reason's code."""


def refusals_by_code(metrics: Mapping[str, float]) -> dict[str, int]:
    return {name.removeprefix(REFUSED): int(count) for name, count in metrics.items() if name.startswith(REFUSED)}
