"""How to continue after a job was suspended by a failure: one line for each failure code. Pure."""

from jobplane.schemas.failures import (
    BadRecord,
    CheckpointLost,
    DataLost,
    FunctionMissing,
    GroupFailed,
    HostDied,
    InternalFailure,
    JobFailure,
    KafkaRefused,
    LateRecord,
    PartitionsChanged,
    PlanUnreadable,
    RecordTooLarge,
    SinkLost,
    SnapshotLost,
    StateFull,
    StateMismatch,
    WorkerLost,
)
from jobplane.schemas.names import quote_name
from jobplane.schemas.records.state import Status

_AGAIN = "to start again: DROP JOB {job}, then CREATE JOB"
_STEPS: dict[type[JobFailure], str] = {
    BadRecord: "to skip such records: ALTER JOB {job} OPTIONS (onError 'skip') RESUME; docs/bad-records.md",
    RecordTooLarge: "to continue after max.message.bytes of the topic is raised: ALTER JOB {job} RESUME",
    LateRecord: "to keep late records apart: ALTER JOB {job} OPTIONS (onLate 'deadLetter') RESUME",
    GroupFailed: f"{_AGAIN} with another query",
    StateFull: "to continue once there is room, as the failure says: ALTER JOB {job} RESUME",
    StateMismatch: f"{_AGAIN}, without that snapshot",
    PartitionsChanged: _AGAIN,
    DataLost: f"{_AGAIN}; the new job begins at the oldest record",
    SinkLost: _AGAIN,
    CheckpointLost: f"{_AGAIN}, from a snapshot if there is one",
    SnapshotLost: f"{_AGAIN}, from another snapshot if there is one",
    KafkaRefused: "to continue once Kafka allows it: ALTER JOB {job} RESUME",
    WorkerLost: "to continue on the workers that have its tasks now: ALTER JOB {job} RESUME",
    HostDied: "to continue after the cause, which the worker's log states, is fixed: ALTER JOB {job} RESUME",
    FunctionMissing: "to continue after the package is installed and the worker is restarted: ALTER JOB {job} RESUME",
    PlanUnreadable: "to continue once workers of the version that created the job run: ALTER JOB {job} RESUME",
    InternalFailure: "to try again: ALTER JOB {job} RESUME",
}
_BY_CODE = {failure.code: step for failure, step in _STEPS.items()}


def next_step(failure: str, job: str, status: str) -> str:
    """The line that the command line prints; empty for a job that is not suspended. `failure` begins with its code."""
    step = _BY_CODE.get(failure.partition(":")[0], "") if status == Status.SUSPENDED else ""
    return step.replace("{job}", quote_name(job))
