"""What the policy of task hosts knows, hears and asks for, as values. Pure."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from jobplane.processors.protocol.messages import TaskStatus
from jobplane.processors.protocol.steps import TaskEnd

GIVE_UP = 3
"""This many deaths in a row, alone and without progress, suspend the job (HOST_DIED)."""
MOST_ALONE = 4
"""Tasks of a worker that have a host of their own at the same time: a process each."""
PROVEN_S = 60.0
"""A task that has run alone for this long is cleared, and goes back among the others."""
LONGEST_PAUSE_S = 30.0


@dataclass(frozen=True, slots=True)
class Deaths:
    """`in_a_row`: without a committed record between; `alone`: those of them without a neighbour; `total`: all."""

    in_a_row: int = 0
    alone: int = 0
    total: int = 0

    def another(self, *, alone: bool, progress: bool) -> "Deaths":
        """One more death; `progress`: the task had committed records since it was started."""
        before = Deaths(total=self.total) if progress else self
        return Deaths(before.in_a_row + 1, before.alone + alone, before.total + 1)

    def cleared(self) -> "Deaths":
        """The task has shown that it does not kill its host."""
        return replace(self, in_a_row=0, alone=0)

    @property
    def given_up(self) -> bool:
        return self.alone >= GIVE_UP

    @property
    def suspected(self) -> bool:
        """Whether the task runs alone next, to find out whether it kills its host."""
        return self.in_a_row >= 2

    @property
    def pause_s(self) -> float:
        """Seconds until the task starts again: none after the first death, then 0.5, 1, 2 … 30."""
        if self.in_a_row < 2:
            return 0.0
        return min(LONGEST_PAUSE_S, 0.5 * 2.0 ** min(self.in_a_row - 2, 10))


LOAD_S, ASSUMED_LOAD = 10.0, 0.1
"""The time over which load is measured; the cores that a task is assumed to use when it starts."""


@dataclass(frozen=True, slots=True)
class Load:
    """The cores that were used lately: what lies LOAD_S back counts a third of what is new. As of `at`."""

    cores: float = 0.0
    at: float = 0.0

    def plus(self, cores: float, now: float) -> "Load":
        return Load(self.cores_at(now) + cores, now)

    def used(self, seconds: float, now: float) -> "Load":
        """With more CPU seconds."""
        return self.plus(seconds / LOAD_S, now)

    def cores_at(self, now: float) -> float:
        return self.cores * math.exp((self.at - now) / LOAD_S)


# Inputs


@dataclass(frozen=True, slots=True)
class TaskWanted:
    """The newest record of a task. `job` is the job's uid, `snapshots` are the versions it asks for.

    `has_work` is whether a worker has anything to do for it.
    """

    key: str
    job: str
    partition: int
    generation: int
    has_work: bool
    snapshots: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class TaskNotWanted:
    """The record of a task is gone, or its partition is no longer held."""

    key: str


@dataclass(frozen=True, slots=True)
class HeldConfirmed:
    """The broker, asked at a time, says that this worker is in its group and holds these `tasks` partitions."""

    asked_at: float
    partitions: frozenset[int]


@dataclass(frozen=True, slots=True)
class HostHeard:
    """A host has given a sign of life, with the tasks whose status has changed."""

    host: int
    statuses: Mapping[str, TaskStatus] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunEnded:
    """The runner of a task in a host has ended. `copied` are the snapshot versions that it copied."""

    host: int
    key: str
    generation: int
    end: TaskEnd
    copied: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class HostUnreachable:
    """The process of a host has ended, but not everything that it said has been read: it gets no new tasks."""

    host: int


@dataclass(frozen=True, slots=True)
class HostNotStarted:
    """The machine gave no process for a host."""

    host: int


@dataclass(frozen=True, slots=True)
class HostEnded:
    """A host has ended with an exit code, which is -n after signal n, and everything that it said has been read."""

    host: int
    pid: int
    code: int


@dataclass(frozen=True, slots=True)
class Tick:
    """About a second has passed."""


@dataclass(frozen=True, slots=True)
class Closing:
    """The worker ends."""


HostInput = (
    Tick
    | TaskWanted
    | TaskNotWanted
    | HeldConfirmed
    | HostHeard
    | RunEnded
    | HostUnreachable
    | HostNotStarted
    | HostEnded
    | Closing
)

# Actions


@dataclass(frozen=True, slots=True)
class StartHost:
    host: int


@dataclass(frozen=True, slots=True)
class KillHost:
    host: int
    why: str


@dataclass(frozen=True, slots=True)
class CloseHost:
    """Ask a host to commit and end."""

    host: int


@dataclass(frozen=True, slots=True)
class ConfirmInTouch:
    host: int


@dataclass(frozen=True, slots=True)
class StartTask:
    """Start a task in a host. `deaths` is how often its process has died."""

    host: int
    key: str
    deaths: int


@dataclass(frozen=True, slots=True)
class Update:
    """Give a host the goal of the newest task record."""

    host: int
    key: str


@dataclass(frozen=True, slots=True)
class Release:
    """End the runner of a task without a report."""

    host: int
    key: str


@dataclass(frozen=True, slots=True)
class ForgetReports:
    host: int
    key: str


@dataclass(frozen=True, slots=True)
class ReportTrouble:
    """Tell people why a task does not run now."""

    key: str
    trouble: str


@dataclass(frozen=True, slots=True)
class ReportHostDied:
    """Suspend the job: its task kills its host."""

    key: str
    message: str


@dataclass(frozen=True, slots=True)
class Log:
    """Write a line to the log: an error, or else a warning."""

    message: str
    is_error: bool = True


Action = (
    StartHost
    | KillHost
    | CloseHost
    | ConfirmInTouch
    | StartTask
    | Update
    | Release
    | ForgetReports
    | ReportTrouble
    | ReportHostDied
    | Log
)


@dataclass(frozen=True, slots=True)
class EndedRun:
    """How the last runner of a task ended. The task starts again only for something new."""

    generation: int
    end: TaskEnd
    copied: frozenset[int]
    at: float

    def is_done_with(self, task: TaskWanted) -> bool:
        final = self.end in (TaskEnd.STOPPED, TaskEnd.COMPLETED, TaskEnd.FAILED)
        return final and task.generation <= self.generation and task.snapshots <= self.copied


@dataclass(slots=True)
class HostState:
    """A host: `tasks` run in it, each with its job, `ended` did, `load` is theirs. `alone`: it runs one suspected task.

    `of_job` counts the tasks of each job. `late` are the tasks whose newest status is that of a stuck task. `stuck` are
    the tasks for which it was killed: where there are any, no other task is to blame. `blameless`: no task of it is.
    """

    alone: bool
    started_at: float
    heard_at: float
    reachable: bool = True
    blameless: bool = False
    stuck: frozenset[str] = frozenset()
    tasks: dict[str, str] = field(default_factory=dict)
    of_job: Counter[str] = field(default_factory=Counter)
    ended: set[str] = field(default_factory=set)
    late: set[str] = field(default_factory=set)
    statuses: dict[str, TaskStatus] = field(default_factory=dict)
    load: Load = Load()


@dataclass(slots=True)
class HostView:
    """What is known of tasks and hosts. `shared` is how many hosts run tasks together.

    `not_before` is when a task may start again. `hosts` are by number, in the order of their start. `running_in` is the
    host of each task that runs. Ten thousand jobs have forty thousand tasks: no event may look at all of them.
    """

    shared: int
    last_host: int = 0
    closing: bool = False
    wanted: dict[str, TaskWanted] = field(default_factory=dict)
    ended: dict[str, EndedRun] = field(default_factory=dict)
    deaths: dict[str, Deaths] = field(default_factory=dict)
    not_before: dict[str, float] = field(default_factory=dict)
    hosts: dict[int, HostState] = field(default_factory=dict)
    running_in: dict[str, int] = field(default_factory=dict)

    def host_of(self, key: str) -> int | None:
        return self.running_in.get(key)

    def place(self, key: str, host: int) -> None:
        """The task runs in a host from now on."""
        state = self.hosts[host]
        job = state.tasks[key] = self.wanted[key].job
        state.of_job[job] += 1
        state.ended.discard(key)
        state.late.discard(key)
        state.statuses.pop(key, None)
        self.running_in[key] = host

    def end_run(self, key: str, host: int) -> TaskStatus | None:
        """The task has ended in a host. Returns its last status there."""
        state = self.hosts[host]
        state.ended.add(key)
        state.late.discard(key)
        if (job := state.tasks.pop(key, None)) is not None:
            state.of_job[job] -= 1
            if not state.of_job[job]:
                del state.of_job[job]
            del self.running_in[key]
        return state.statuses.pop(key, None)

    def lose_host(self, host: int) -> HostState:
        """The host is gone; nothing runs in it."""
        state = self.hosts.pop(host)
        for key in state.tasks:
            del self.running_in[key]
        return state

    def deaths_of(self, key: str) -> Deaths:
        return self.deaths.get(key, Deaths())
