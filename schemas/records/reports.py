"""What workers report to the decider, on `reports`. A report is a level, not an edge: it is repeated until read."""

from dataclasses import dataclass
from enum import StrEnum

from jobplane.schemas.records.failure import Failure
from jobplane.schemas.records.progress import Progress
from jobplane.schemas.records.snapshots import SnapshotPart, SnapshotRequest


class ReportKind(StrEnum):
    RUNNING = "running"
    STOPPED = "stopped"
    FAILED = "failed"
    COMPLETED = "completed"
    PROGRESS = "progress"
    SNAPSHOTTED = "snapshotted"
    SNAPSHOT_FAILED = "snapshot-failed"
    RESTING = "resting"


@dataclass(frozen=True, slots=True)
class Report:
    """Reports of older generations and attempts are ignored. The fields after `worker` depend on `said`.

    PROGRESS and RESTING are only shown: nothing is decided by them, and they are not repeated. RESTING is about no
    task: the worker lives, and those of its tasks that report no progress rest.
    """

    uid: str
    task: int
    generation: int
    attempt: int
    said: ReportKind
    worker: str
    failure: Failure | None = None
    snapshot: SnapshotRequest | None = None
    part: SnapshotPart | None = None
    progress: Progress | None = None
