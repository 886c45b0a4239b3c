"""How far a task is, as its host reports it. Times are epoch milliseconds."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PartitionProgress:
    """`end` is the high watermark last heard of; `lag` the records between the two.

    `watermark` is the time before which no more is to come, where a query has groups and a record has said so.
    `silent_since` is when a record came last, or the task began to read, where the groups have windows.
    """

    topic: str
    partition: int
    position: int
    end: int
    lag: int
    watermark: int | None = None
    silent_since: int | None = None


@dataclass(frozen=True, slots=True)
class WindowProgress:
    """The windows that a task has open. `oldest_end` is the first end that one of them has.

    `watermark` is the one they wait for, None as long as there is none; `held_by` the partition whose watermark it is,
    as `topic-number`, if others are further.
    """

    open: int
    oldest_end: int | None
    watermark: int | None
    held_by: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a task is. Rates are records per second since the previous progress; `committed` is the time of the last
    commit.

    `state_bytes` is the size of the checkpoint's state, `metrics` are the counters of this run, `trouble` says why it
    last restarted, and which packages differ from those of its job; it is empty if nothing is wrong. `dormant`: nothing
    has come for some seconds, and the task rests until something does. `windows` is None without groups of windows.
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
    windows: WindowProgress | None = None


OPEN_WINDOWS, WATERMARK = "open_windows", "watermark"
"""Among the counters of a task whose groups have windows: their number, and the watermark in epoch ms, 0 if none."""
REFUSED = "records_refused_"
"""Begins the names of those counters that count records left out, or written as dead letters, by a reason's code."""


def refusals_by_code(metrics: Mapping[str, float]) -> dict[str, int]:
    return {name.removeprefix(REFUSED): int(count) for name, count in metrics.items() if name.startswith(REFUSED)}
