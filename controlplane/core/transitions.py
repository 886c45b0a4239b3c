"""The life of a job as one table: status x input → status. The documentation's picture is drawn from it.

Whether a command is accepted depends on the job's target; the status only follows. `TRANSITIONS` lists the pairs
that decide the status, `STAYS` those that only keep it. No other pair occurs: the property tests of planes meet none.
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


STAYS: frozenset[tuple[S, JobInput]] = frozenset(
    {
        *((status, I.EXPORT) for status in (*_ACTIVE, S.SUSPENDING, S.SUSPENDED_EXPORTING_SNAPSHOT)),
        *((status, I.EXPORTED) for status in (*_ACTIVE, S.SUSPENDING, S.COMPLETING, S.CANCELLING)),
        *((status, I.ALL_STOPPED) for status in _ACTIVE),  # the tasks stop for the next layout and start again
        *((status, I.SOME_RUN) for status in (S.STARTING, S.RUNNING)),
        (S.RUNNING, I.ALL_RUN),  # a task that has failed over to another worker runs again
    }
)


class UnforeseenTransition(Exception):
    """A pair of status and input that neither `TRANSITIONS` nor `STAYS` lists."""


def next_status(status: S, happened: JobInput) -> S:
    """The status after an input. Raises UnforeseenTransition: the guard then refuses the command."""
    if (status, happened) in STAYS:
        return status
    try:
        return TRANSITIONS[status, happened]
    except KeyError:
        raise UnforeseenTransition(f"a job that is {status} cannot take '{happened}'") from None


def reported_status(status: S, happened: JobInput) -> S:
    """The status after an input that tasks reported: nobody can refuse it, so an unforeseen pair keeps the status."""
    return TRANSITIONS.get((status, happened), status)
