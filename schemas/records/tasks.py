"""One record a task on `tasks`: all a worker must know to run it, derived from the job's state."""

from dataclasses import dataclass

from jobplane.schemas.records.layouts import FormerLayout
from jobplane.schemas.records.packages import Package
from jobplane.schemas.records.plans import RecordedPlan
from jobplane.schemas.records.snapshots import Restore, SnapshotRequest
from jobplane.schemas.records.sources import Sink, Source
from jobplane.schemas.records.state import TASK_ENDED, Phase


@dataclass(frozen=True, slots=True)
class Task:
    """If `run` is false, the task commits and stops. `phase`, `attempt` and `worker` are the latest that it reported.

    `former` are the layouts, newest first, from whose checkpoints a task without its own checkpoint continues.
    `plan` is None where the job was created by a version before recorded plans. `more_sinks` are those of a set beside
    the first. Of all versions of snapshots up to `asked`, only `kept` may name chunks of the job's groups.
    """

    uid: str
    job: str
    task: int
    tasks: int
    partition: int
    layout: int
    generation: int
    run: bool
    started: bool
    phase: Phase
    attempt: int
    statement: str
    options: dict[str, str]
    sources: tuple[Source, ...]
    sink: Sink
    restore: Restore | None
    snapshots: tuple[SnapshotRequest, ...]
    former: tuple[FormerLayout, ...] = ()
    worker: str = ""
    packages: tuple[Package, ...] = ()
    plan: RecordedPlan | None = None
    more_sinks: tuple[Sink, ...] = ()
    asked: int = -1
    kept: tuple[int, ...] = ()

    @property
    def sinks(self) -> tuple[Sink, ...]:
        """One for each target in the statement, in its order; two may write to the same topic."""
        return (self.sink, *self.more_sinks)

    @property
    def key(self) -> str:
        return task_key(self.uid, self.task)

    @property
    def wanted(self) -> bool:
        """Whether a worker has anything to do for it."""
        return self.run or bool(self.snapshots) or self.phase not in TASK_ENDED

    @property
    def transactional_id(self) -> str:
        """The fixed id under the prefix; a new layout has new ids."""
        return f"{self.uid}.{self.layout}.{self.task}"

    @property
    def checkpoint_key(self) -> str:
        return checkpoint_key(self.uid, self.layout, self.task)

    def owns(self, partition: int) -> bool:
        return partition % self.tasks == self.task


def checkpoint_key(uid: str, layout: int, task: int) -> str:
    return f"{uid}/{layout}/{task}"


def task_key(uid: str, task: int) -> str:
    return f"{uid}/{task}"
