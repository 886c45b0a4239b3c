"""The life of a job as one table: status x input → status. The documentation's picture is drawn from it.

What a command may do is judged by the job's target; the status only follows.
"""

from enum import StrEnum

from jobplane.schemas.records.state import Status

S = Status


class JobInput(StrEnum):
    SUSPEND = "SUSPEND"
    RESUME = "RESUME"
    RESTART = "RESTART"
    DROP = "DROP"
    SOME_RUN = "some tasks run"
    ALL_RUN = "all tasks run"
    FAIL = "a task failed"
    FAIL_FOR_GOOD = "a task failed, suspendOnFailure 'false'"
    FINISH = "all tasks reached their end"
    FINISHED = "all snapshots closed"
    ALL_STOPPED = "all tasks stopped"
    EXPORT = "snapshot asked for"
    EXPORTED = "snapshots closed"
    DROP_UNDONE = "snapshot of the drop failed"


_ACTIVE = (S.NOT_RUNNING, S.STARTING, S.RUNNING)
_HALTED = (S.SUSPENDING, S.SUSPENDED, S.SUSPENDED_EXPORTING_SNAPSHOT)
I = JobInput  # noqa: E741  the table below reads better with one letter a column

TRANSITIONS: dict[tuple[S, JobInput], S] = {
    **{(status, I.SUSPEND): S.SUSPENDING for status in _ACTIVE},
    **{(status, I.RESTART): S.NOT_RUNNING for status in _ACTIVE},
    **{(status, I.RESUME): S.NOT_RUNNING for status in _HALTED},
    **{(status, I.DROP): S.CANCELLING for status in _ACTIVE + _HALTED},
    (S.NOT_RUNNING, I.SOME_RUN): S.STARTING,
    **{(status, I.ALL_RUN): S.RUNNING for status in (S.NOT_RUNNING, S.STARTING)},
    **{(status, I.FAIL): S.SUSPENDING for status in _ACTIVE},
    **{(status, I.FAIL_FOR_GOOD): S.COMPLETING for status in _ACTIVE},
    (S.SUSPENDING, I.ALL_STOPPED): S.SUSPENDED,
    **{(status, I.FINISH): S.COMPLETING for status in _ACTIVE},
    (S.COMPLETING, I.FINISHED): S.COMPLETED,
    (S.COMPLETING, I.ALL_STOPPED): S.FAILED,
    (S.CANCELLING, I.ALL_STOPPED): S.CANCELLED,
    (S.SUSPENDED, I.EXPORT): S.SUSPENDED_EXPORTING_SNAPSHOT,
    (S.SUSPENDED_EXPORTING_SNAPSHOT, I.EXPORTED): S.SUSPENDED,
    (S.CANCELLING, I.DROP_UNDONE): S.SUSPENDING,
}
ENDED = (S.CANCELLED, S.COMPLETED, S.FAILED)


def next_status(status: S, happened: JobInput) -> S:
    """The status after `happened`; what the table does not name leaves it as it is."""
    return TRANSITIONS.get((status, happened), status)
