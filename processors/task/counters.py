"""What one task counts. Written by its thread alone; read by the host's status line."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

from jobplane.schemas.records.progress import (
    OPEN_WINDOWS,
    REFUSED,
    WATERMARK,
    PartitionProgress,
    Progress,
    WindowProgress,
)

_NOT_COUNTERS = frozenset({"partitions", "refused_by_code", "on_first_commit", "windows"})


@dataclass(slots=True)
class Counters:
    """Records; transactions by result; seconds spent in commits; new producers after a doubt; records behind.

    `busy_seconds` is the CPU time of the task's thread, as of its last batch of records.

    `groups` is how many groups the task holds, if its query has any, and `state_bytes` their size; `windows` are those
    that are open.

    `records_shared` came from a fetch that tasks of the host share. `records_committed` is `records_in` as of the last
    commit; `host_deaths` how often the task's process has died.

    `partitions` is how far the task has read, as of its last look; `committed_at` in epoch milliseconds. `notice` is
    what people should know about this run of the task.
    """

    records_in: int = 0
    records_shared: int = 0
    records_out: int = 0
    records_skipped: int = 0
    records_refused: int = 0
    records_committed: int = 0
    host_deaths: int = 0
    transactions_committed: int = 0
    transactions_aborted: int = 0
    commit_seconds: float = 0.0
    busy_seconds: float = 0.0
    producer_reinits: int = 0
    lag: int = 0
    last_doubt: str = ""
    notice: str = ""
    committed_at: int = 0
    state_bytes: int = 0
    groups: int = 0
    windows: WindowProgress | None = None
    partitions: tuple[PartitionProgress, ...] = ()
    refused_by_code: dict[str, int] = field(default_factory=dict)
    on_first_commit: Callable[[], None] = field(default=lambda: None, compare=False)
    """Called at the first commit with records in it: if the host dies after it, the task is not to blame."""

    def refused(self, code: str, count: int = 1) -> None:
        """Counts records that were skipped, or became dead letters, by the code of their failure."""
        self.records_refused += count
        self.refused_by_code[code] = self.refused_by_code.get(code, 0) + count

    def emitted(self, written: int, groups: int) -> None:
        """Counts the rows of groups that a commit writes, and the groups that are left."""
        self.records_out += written
        self.groups = groups

    def batch(self, read: int, written: int, skipped: int, busy_seconds: float) -> None:
        self.records_in += read
        self.records_out += written
        self.records_skipped += skipped
        self.busy_seconds = busy_seconds

    def shared(self, read: int) -> None:
        self.records_shared += read

    def committed(self, seconds: float, at: float, state_bytes: int) -> None:
        self.transactions_committed += 1
        self.commit_seconds += seconds
        self.committed_at, self.state_bytes = round(at * 1000), state_bytes
        first = self.records_in > 0 == self.records_committed
        self.records_committed = self.records_in
        if first:
            self.on_first_commit()

    @property
    def _deaths(self) -> str:
        times = "once" if self.host_deaths == 1 else f"{self.host_deaths} times"
        return f"its host has died {times}" if self.host_deaths else ""

    def looked(self, partitions: tuple[PartitionProgress, ...]) -> None:
        self.partitions, self.lag = partitions, sum(one.lag for one in partitions)

    def aborted(self) -> None:
        self.transactions_aborted += 1

    def doubt(self, reason: str) -> None:
        self.producer_reinits += 1
        self.last_doubt = reason

    def as_dict(self) -> dict[str, Any]:
        plain = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in _NOT_COUNTERS}
        if self.windows is not None:
            plain |= {OPEN_WINDOWS: self.windows.open, WATERMARK: self.windows.watermark or 0}
        return plain | {f"{REFUSED}{code}": count for code, count in self.refused_by_code.items()}

    def metrics(self) -> dict[str, float]:
        """The counters alone."""
        return {name: float(value) for name, value in self.as_dict().items() if not isinstance(value, str)}

    def progress(self, now: float, before: "Progress | None") -> Progress:
        """How far the task is; rates are over the time since the progress before."""
        metrics = self.metrics()
        seconds = now - before.time / 1000 if before else 0.0

        def rate(counter: str) -> float:
            return max(0.0, metrics[counter] - before.metrics[counter]) / seconds if before and seconds > 0 else 0.0

        return Progress(
            round(now * 1000),
            self.partitions,
            rate("records_in"),
            rate("records_out"),
            self.committed_at,
            self.state_bytes,
            metrics,
            "; ".join(filter(None, (self.notice, self._deaths, self.last_doubt))),
            windows=self.windows,
        )
