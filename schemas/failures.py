"""What stops a job. Each concrete class is one stable `code`; its docstring is its documentation."""

from typing import ClassVar

from jobplane.schemas.blame import Blame
from jobplane.schemas.errors import JobplaneError


class JobFailure(JobplaneError):
    """What stops a job: it is suspended with this cause, or ends FAILED with suspendOnFailure 'false'.

    `at` is the record to blame as `topic-partition@offset`; it is empty when no single record is to blame.
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
    """An output record has no key, and its topic is compacted, so it needs one."""


class Unreadable(BadRecord):
    """The bytes of a value (of a key with `of_key`) are not in the format that they are read by."""

    def __init__(self, message: str, wanted: str, *, of_key: bool = False) -> None:
        super().__init__(message)
        self.wanted, self.of_key = wanted, of_key


class RecordTooLarge(RecordFailure):
    """A record is larger than the sink topic takes (its max.message.bytes)."""

    code = "RECORD_TOO_LARGE"
    topic: str = ""
    """The topic, where it is known."""


class LateRecord(RecordFailure):
    """A record came after its window had closed: the watermark of its partition had passed the window's end, or with
    SESSION its time."""

    code = "LATE"

    def __init__(self, end: str, watermark: str, late_by: str, partition: str, *, session: bool = False) -> None:
        """`end` is that of the window, or the time of the record where windows are sessions."""
        ended = f"its time is {end}" if session else f"its window ended at {end}"
        super().__init__(f"the record is late by {late_by}: {ended}, the watermark of {partition} is {watermark}")
        self.end, self.watermark, self.late_by = end, watermark, late_by


class GroupFailed(JobFailure):
    """A group has no result: a value is out of range, or the expressions of the query have none for it."""

    code = "GROUP_FAILED"
    blame = Blame.USER


class DataLost(JobFailure):
    """A source no longer holds the offset needed, or was deleted and recreated."""

    code = "DATA_LOST"


class CheckpointLost(JobFailure):
    """A task that has run before no longer has a checkpoint."""

    code = "CHECKPOINT_LOST"


class PartitionsChanged(JobFailure):
    """A source has more partitions than at CREATE, so its keys have moved away from the groups that they belong to."""

    code = "PARTITIONS_CHANGED"


class StateMismatch(JobFailure):
    """The snapshot that the job was created from holds no state of such groups as the job's query makes."""

    code = "STATE_MISMATCH"
    blame = Blame.USER


class StateFull(JobFailure):
    """A task holds more groups than maxProcessorAccumulatedRecords allows, or those of a host take more memory than
    state_budget does."""

    code = "STATE_FULL"
    blame = Blame.USER


class JobWasDropped(JobFailure):
    """The job was dropped before its requested snapshot was complete."""

    code = "JOB_DROPPED"
    blame = Blame.USER


class SnapshotLost(JobFailure):
    """The snapshot that the job was created from no longer exists."""

    code = "SNAPSHOT_LOST"
    blame = Blame.USER


class SinkLost(JobFailure):
    """The sink topic is gone, was recreated, or may not be written to."""

    code = "SINK_LOST"


class KafkaRefused(JobFailure):
    """Kafka refuses the task, and would refuse it again: authorization, or a setting that Kafka does not accept."""

    code = "KAFKA_REFUSED"


class WorkerLost(JobFailure):
    """The worker of a task was lost, or the task was moved to another worker, and autoScaling is 'false'."""

    code = "WORKER_LOST"
    spares_job = True


class HostDied(JobFailure):
    """The process that ran this task alone died three times in a row without committing a record."""

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
