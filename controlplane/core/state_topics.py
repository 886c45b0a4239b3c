"""Which jobs' topics with the state of groups are still needed. Pure."""

from collections.abc import Iterable

from jobplane.controlplane.core.state import State
from jobplane.schemas.records.events import Event, JobClosed, SnapshotClosed, SnapshotDropped, TaskStarted
from jobplane.schemas.records.plans import keeps_state

_RELEASING = SnapshotDropped | SnapshotClosed | TaskStarted
"""What may release a state that a snapshot has kept: the last also where a job has taken over what it was created
from."""


class ClosedStates:
    """The uids of jobs that have ended, and whose state may still be there: each is named until it is not needed."""

    def __init__(self, state: State) -> None:
        ended = {job.uid for job in state.jobs.values() if job.closed and keeps_state(job.plan)}
        self._waiting = ended | {one.uid for one in state.snapshots.values() if one.uid not in state.jobs}

    def released(self, state: State, events: Iterable[Event] = ()) -> set[str]:
        """Those that nobody needs any more after these events, and at the beginning."""
        closed = {event.body.uid for event in events if isinstance(event.body, JobClosed)}
        self._waiting |= {uid for uid in closed if uid in state.jobs and keeps_state(state.jobs[uid].plan)}
        found = {uid for uid in self._waiting if not _is_needed(state, uid)}
        self._waiting -= found
        return found

    @staticmethod
    def may_release(events: Iterable[Event]) -> bool:
        """Whether these events can end the need of a state."""
        return any(isinstance(event.body, JobClosed | _RELEASING) for event in events)


def _is_needed(state: State, uid: str) -> bool:
    """Whether the job goes on, a snapshot names its chunks, or a job is being restored: perhaps from those."""
    job = state.jobs.get(uid)
    if job is not None and not job.closed:
        return True
    if any(one.uid == uid for one in state.snapshots.values()):
        return True
    return any(one.restore is not None and keeps_state(one.plan) for one in state.jobs.values())
