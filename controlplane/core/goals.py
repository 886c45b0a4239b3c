"""When a statement has taken effect: each has a goal, which sees events until it is reached or out of reach. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from jobplane.schemas.names import quote_name
from jobplane.schemas.records.events import (
    Event,
    JobClosed,
    JobResumed,
    SnapshotClosed,
    SnapshotFailed,
    TaskFailed,
    status_of,
    uid_of,
)
from jobplane.schemas.records.state import UNCHANGED, Answer, Job, Status
from jobplane.sql.syntax import statements

_RUNNING = frozenset({Status.RUNNING, Status.COMPLETED})
"""A bounded job may complete before anyone sees it run."""
_SUSPENDED = frozenset({Status.SUSPENDED, Status.SUSPENDED_EXPORTING_SNAPSHOT})
_HALTED = _SUSPENDED | {Status.SUSPENDING}
_ENDED = frozenset({Status.CANCELLED, Status.COMPLETED, Status.FAILED})
_UNDER_WAY = frozenset({Status.NOT_RUNNING, Status.STARTING, Status.RUNNING})


class Proof(StrEnum):
    """What a running job must still show: that it reads the first records, or that the cause of its stop is gone."""

    NONE = ""
    FIRST_RECORDS = "first records"
    CURE = "cure"


@dataclass(slots=True)
class Goal:
    """What a statement waits for: one of the statuses `wanted`, or with none of them the closing of snapshot `version`.

    `status` is the job's newest; `failure` is set when the goal is out of reach. With `proves`, a job that runs must
    show that it goes on: until then a task that fails takes the goal out of reach again.
    """

    uid: str
    wanted: frozenset[Status]
    version: int = -1
    proves: Proof = Proof.NONE
    status: str = ""
    failure: str = ""
    reached: bool = False

    def see(self, event: Event) -> None:
        """Takes an event into account."""
        body = event.body
        if isinstance(body, SnapshotClosed):
            self.reached |= not self.wanted and body.snapshot.version == self.version
        if self.uid == "" or uid_of(body) != self.uid:
            return
        match body:
            case SnapshotFailed(snapshot=request) if request.version == self.version:
                self.failure = f"snapshot '{request.name}' failed: {body.failure}"
            case TaskFailed():
                self.failure = self.failure or str(body.failure)
                self.reached = self.reached and not self.proves
            case JobResumed():
                self.failure = ""
        self.at(status_of(body) or self.status, closed=isinstance(body, JobClosed))

    def at(self, status: str, *, closed: bool = False) -> None:
        """The job's status as it is known now."""
        self.status = status
        if status in self.wanted and (closed or status not in _ENDED):
            self.reached = True
            self.failure = ""
        elif closed:
            self.failure = self.failure or f"the job has ended: {status}"
        elif self.wanted == _RUNNING and status in _SUSPENDED and not self.failure and not self.reached:
            self.failure = f"the job was suspended before it ran: {status}"
        elif self.wanted == _ENDED and status in _SUSPENDED and not self.failure:
            self.failure = f"the drop was undone: {status}"

    def look_back(self, job: Job | None) -> None:
        """The goal of a repeated command: its job may be far on by now, or forgotten.

        One that was suspended by a statement since has run; one that failed has not, as far as anyone knows.
        """
        self.proves = Proof.NONE
        if job is None:
            self.reached = True
        elif self.wanted == _RUNNING and job.status in _HALTED:
            self.reached, self.failure = job.failure is None, str(job.failure or "")
        self.at(job.status if job else "", closed=bool(job and job.closed))

    @property
    def over(self) -> bool:
        """Nothing more to wait for. A failing task is told once its job is at rest, and an end once it is there."""
        if self.wanted == _RUNNING and self.status == Status.COMPLETING:
            return False
        return self.reached or (bool(self.failure) and (self.status in _SUSPENDED | _ENDED or self.version >= 0))

    @property
    def wants_proof(self) -> bool:
        """The job runs, and must still show that it keeps running."""
        return bool(self.proves) and self.reached and self.status in _UNDER_WAY


def is_left_at_rest(statement: statements.Statement, reply: Answer, status: str) -> bool:
    """CREATE JOB IF NOT EXISTS found a job that is suspended: nothing was changed, and nothing will happen."""
    return reply.verdict == UNCHANGED and isinstance(statement, statements.CreateJob) and status in _HALTED


def is_suspended_after_run(aim: Goal) -> bool:
    """A job that was to run did, and is suspended."""
    return aim.wanted == _RUNNING and aim.reached and aim.status in _HALTED


def rest_remark(job: Job) -> str:
    """Why a job that was found suspended is, and what to do."""
    cause = f" ({job.failure})" if job.failure else ""
    return f"job '{job.name}' is {job.status}{cause} and stays so; to run it: ALTER JOB {quote_name(job.name)} RESUME"


def goal_of(statement: statements.Statement, reply: Answer, *, first_records: bool = False) -> Goal | None:
    """The goal of an accepted statement; None if the outcome is everything there is to wait for.

    With `first_records`, CREATE JOB waits until the job has read some, or all that there are.
    """
    changed = reply.verdict != UNCHANGED
    match statement:
        case statements.CreateJob():
            return Goal(reply.uid, _RUNNING, proves=Proof.FIRST_RECORDS if first_records and changed else Proof.NONE)
        case statements.AlterJob(change=statements.Action.SUSPEND):
            return Goal(reply.uid, _SUSPENDED)
        case statements.AlterJob(change=statements.NewOptions(resumes=False)):
            return None
        case statements.AlterJob():
            return Goal(reply.uid, _RUNNING, proves=Proof.CURE if changed else Proof.NONE)
        case statements.DropJob(with_snapshot=None):
            return Goal(reply.uid, _ENDED) if reply.uid else None
        case statements.DropJob():
            return Goal(reply.uid, _ENDED, reply.offset) if reply.uid else None
        case statements.CreateSnapshot():
            return Goal(reply.uid, frozenset(), reply.offset)
        case statements.DropSnapshot() | statements.CreateMapping() | statements.DropMapping():
            return None
        case (
            statements.Show()
            | statements.ShowCreate()
            | statements.ShowHistory()
            | statements.Describe()
            | statements.Explain()
        ):
            return None
        case never:
            assert_never(never)
