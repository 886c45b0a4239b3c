"""The lines between a worker and a task host: JSON, one message a line, each with its type. Closed in both directions.

A task record never crosses the pipe: the host reads the record from the topic `tasks`. What crosses is where the record
lies, and what the record asks for now.
"""

from msgspec import Struct
from msgspec.json import Encoder

from jobplane.processors.protocol.steps import Step, TaskEnd
from jobplane.schemas.msgspec_types import json_decoder
from jobplane.schemas.records.snapshots import SnapshotRequest
from jobplane.schemas.records.state import Phase
from jobplane.schemas.records.tasks import Task, task_key

MUST_RESTART = 75
"""Exit code of a host that must be replaced: EX_TEMPFAIL of sysexits.h."""


class TaskGoal(Struct, frozen=True):
    """What a task record asks for, and which reports of the task the decider knew when it wrote the record."""

    uid: str
    task: int
    generation: int
    run: bool
    phase: Phase
    attempt: int
    snapshots: tuple[SnapshotRequest, ...] = ()
    asked: int = -1
    kept: tuple[int, ...] = ()

    @property
    def key(self) -> str:
        return task_key(self.uid, self.task)


def goal_of(task: Task) -> TaskGoal:
    asked = (task.uid, task.task, task.generation, task.run, task.phase, task.attempt)
    return TaskGoal(*asked, task.snapshots, task.asked, task.kept)


class Opening(Struct, tag="opening", frozen=True):
    """The first line: where Kafka is, and which worker the host belongs to.

    `in_touch_s` is how long tasks may continue after the last InTouch; `dormant_after_s` how long a task without input
    keeps its clients; `state_budget` how many MiB the groups of all tasks may take.
    """

    bootstrap: str
    properties: dict[str, str]
    prefix: str
    worker: str
    in_touch_s: float
    registry: dict[str, str] = {}
    dormant_after_s: float = 10.0
    state_budget: int = 0


class RunTask(Struct, tag="run", frozen=True):
    """Start a runner. The task record lies in `tasks` at this partition and offset, or is a later one.

    `job` is the job's name. `deaths` is how often the process of the task has died.
    """

    goal: TaskGoal
    job: str
    partition: int
    offset: int
    deaths: int = 0


class UpdateTask(Struct, tag="update", frozen=True):
    """There is a newer task record."""

    goal: TaskGoal


class ReleaseTask(Struct, tag="release", frozen=True):
    """End the runner of a task without a report."""

    key: str


class ForgetTask(Struct, tag="forget", frozen=True):
    """Repeat no reports of a task."""

    key: str


class InTouch(Struct, tag="in-touch", frozen=True):
    """The worker is a member of its group."""


ToHost = RunTask | UpdateTask | ReleaseTask | ForgetTask | InTouch


class TaskStatus(Struct, frozen=True):
    """The step that a task is in, seconds since the step began, and the task's counters by name.

    `dormant`: the task rests, and takes no step until there is something to read.
    """

    step: Step
    age: float
    counters: dict[str, int | float | str]
    dormant: bool = False

    @property
    def committed(self) -> bool:
        """Whether the task has committed records since it was started."""
        return self._count("records_committed") > 0

    @property
    def busy_seconds(self) -> float:
        """The CPU seconds that the task's thread has used since it was started."""
        return self._count("busy_seconds")

    def _count(self, name: str) -> float:
        count = self.counters.get(name, 0)
        return count if isinstance(count, int | float) else 0.0


class HostStatus(Struct, tag="status", frozen=True):
    """The status of each task that has changed, by task key."""

    tasks: dict[str, TaskStatus] = {}


class RunnerEnded(Struct, tag="ended", frozen=True):
    """How a runner ended. `copied` are the snapshot versions that were copied.

    `faults` counts errors that are faults of jobplane.
    """

    key: str
    generation: int
    end: TaskEnd
    copied: frozenset[int] = frozenset()
    faults: int = 0


FromHost = HostStatus | RunnerEnded

_encoder = Encoder()
decode_opening = json_decoder(Opening).decode
decode_to_host = json_decoder(ToHost).decode
decode_from_host = json_decoder(FromHost).decode


def encode_line(message: Opening | ToHost | FromHost) -> bytes:
    return _encoder.encode(message) + b"\n"
