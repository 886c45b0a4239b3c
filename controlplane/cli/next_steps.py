"""How to go on after a job was stopped: one line for each code of failure, as the command line prints it. Pure."""

from jobplane.schemas.failures import (
    BadRecord,
    CheckpointLost,
    DataLost,
    FunctionMissing,
    HostDied,
    InternalFailure,
    KafkaRefused,
    PlanUnreadable,
    RecordTooLarge,
    SinkLost,
    SnapshotLost,
    WorkerLost,
)
from jobplane.schemas.names import quote_name
from jobplane.schemas.records.state import Status

_ANEW = "to begin anew: DROP JOB {job}, then CREATE JOB"
_STEPS = {
    BadRecord: "to leave such records out: ALTER JOB {job} OPTIONS (onError 'skip') RESUME; docs/bad-records.md",
    RecordTooLarge: "to go on once max.message.bytes of the topic is raised: ALTER JOB {job} RESUME",
    DataLost: f"{_ANEW}; it begins at the oldest record there is",
    SinkLost: _ANEW,
    CheckpointLost: f"{_ANEW}, from a snapshot if there is one",
    SnapshotLost: f"{_ANEW}, from another snapshot if there is one",
    KafkaRefused: "to go on once Kafka allows it: ALTER JOB {job} RESUME",
    WorkerLost: "to go on where its tasks are now: ALTER JOB {job} RESUME",
    HostDied: "to go on once the worker's log has told why: ALTER JOB {job} RESUME",
    FunctionMissing: "to go on once the package is installed and the worker started again: ALTER JOB {job} RESUME",
    PlanUnreadable: "to go on once workers of the version that created the job run: ALTER JOB {job} RESUME",
    InternalFailure: "to try again: ALTER JOB {job} RESUME",
}
_BY_CODE = {failure.code: step for failure, step in _STEPS.items()}


def next_step(failure: str, job: str, status: str) -> str:
    """What to type next; empty for a job that is not suspended. `failure` begins with its code."""
    step = _BY_CODE.get(failure.partition(":")[0], "") if status == Status.SUSPENDED else ""
    return step.replace("{job}", quote_name(job))
