"""What stops a job. Each concrete class is one stable `code`; its docstring is its documentation."""

from typing import ClassVar

from jobplane.schemas.blame import Blame
from jobplane.schemas.errors import JobplaneError


class JobFailure(JobplaneError):
    """What stops a job: it is suspended with this cause, or ends FAILED with suspendOnFailure 'false'.

    `at` is the record to blame as `topic-partition@offset`, empty where it is not one record.
    """

    at: str = ""
    blame = Blame.OPERATOR
    spares_job: ClassVar[bool] = False
    """Whether the job is not to blame: it is suspended, and never ended by it."""


class RecordFailure(JobFailure):
    """One record is to blame."""

    blame = Blame.PRODUCER


class BadRecord(RecordFailure):
    """A record cannot be read, evaluated or written."""

    code = "BAD_RECORD"


class WithoutKey(BadRecord):
    """What a record gives has no key, and its topic, which is compacted, takes none without."""


class Unreadable(BadRecord):
    """The bytes of a value, or with `of_key` of a key, are not in their format."""

    def __init__(self, message: str, wanted: str, *, of_key: bool = False) -> None:
        super().__init__(message)
        self.wanted, self.of_key = wanted, of_key


class RecordTooLarge(RecordFailure):
    """A record is larger than the sink topic takes (its max.message.bytes)."""

    code = "RECORD_TOO_LARGE"


class DataLost(JobFailure):
    """A source no longer holds the offset needed, or was deleted and recreated."""

    code = "DATA_LOST"


class CheckpointLost(JobFailure):
    """A task that has run before has no checkpoint any more."""

    code = "CHECKPOINT_LOST"


class JobWasDropped(JobFailure):
    """The job was dropped before the snapshot asked of it was complete."""

    code = "JOB_DROPPED"
    blame = Blame.USER


class SnapshotLost(JobFailure):
    """The snapshot a job was created from is not there any more."""

    code = "SNAPSHOT_LOST"
    blame = Blame.USER


class SinkLost(JobFailure):
    """The sink topic is gone, was recreated, or may not be written to."""

    code = "SINK_LOST"


class KafkaRefused(JobFailure):
    """Kafka refuses the task for good: authorization, or a setting it does not accept."""

    code = "KAFKA_REFUSED"


class WorkerLost(JobFailure):
    """The worker of a task was lost, or the task was given to another, and autoScaling is 'false'."""

    code = "WORKER_LOST"
    spares_job = True


class HostDied(JobFailure):
    """The process that ran a task alone died three times in a row, without a record committed between."""

    code = "HOST_DIED"
    blame = Blame.USER


class FunctionMissing(JobFailure):
    """A worker does not have the functions of an installed package that the job's query calls."""

    code = "FUNCTION_MISSING"
    spares_job = True


class PlanUnreadable(JobFailure):
    """A worker's version cannot read the plan of the job's query, which a newer version wrote."""

    code = "PLAN_UNREADABLE"
    spares_job = True


class InternalFailure(JobFailure):
    """A fault of jobplane itself ended a task. Its worker's log has more under the reference in the message."""

    code = "INTERNAL_ERROR"
    blame = Blame.JOBPLANE


SPARE_JOB = frozenset(one.code for one in JobFailure.__subclasses__() if one.spares_job)
"""Codes of the failures that the job is not to blame for."""
