"""Which jobs' topics with the state of groups are still needed, and which snapshots may name chunks in them. Pure."""

from collections.abc import Iterable, Mapping
from itertools import chain

from jobplane.controlplane.core.state import Changes, State
from jobplane.schemas.changed import replace
from jobplane.schemas.records.events import Event, JobClosed, JobForgotten, SnapshotClosed, SnapshotDropped, TaskStarted
from jobplane.schemas.records.plans import keeps_state
from jobplane.schemas.records.snapshots import StateVersion
from jobplane.schemas.records.state import Job, Snapshot

_RELEASING = JobClosed | JobForgotten | SnapshotDropped | SnapshotClosed | TaskStarted
"""What may release a state: the last where a job has taken over what it was created from."""


class ClosedStates:
    """The uids of jobs that have ended, and whose state may still be there: each is named until it is not needed."""

    def __init__(self, state: State, existing: Iterable[str]) -> None:
        """`existing` are the uids of all jobs whose state is there."""
        self._waiting = {uid for uid in existing if uid not in state.jobs or state.jobs[uid].closed}

    def released(self, state: State, events: Iterable[Event] = ()) -> set[str]:
        """Those that nobody needs any more after these events, and at the beginning."""
        closed = {event.body.uid for event in events if isinstance(event.body, JobClosed)}
        self._waiting |= {uid for uid in closed if uid in state.jobs and keeps_state(state.jobs[uid].plan)}
        if not self._waiting or _restores_from_any(state):
            return set()
        held = {one.uid for one in _held(state.snapshots, state.jobs)}
        found = {uid for uid in self._waiting if uid not in held}
        self._waiting -= found
        return found

    @staticmethod
    def may_release(events: Iterable[Event]) -> bool:
        """Whether these events can end the need of a state."""
        return any(isinstance(event.body, _RELEASING) for event in events)


def changed_kept(state: State, changes: Changes) -> Changes:
    """The jobs of which other versions of snapshots are needed than before these changes."""
    owners = set[str]()
    for key, new in changes.items():
        old = state.get(key)
        if {*_held_by(old)} != {*_held_by(new)}:
            owners |= {one.uid for one in (*_held_by(old), *_held_by(new))}
    jobs = {uid: job for uid in owners if (job := _changed(state, changes, uid)) and keeps_state(job.plan)}
    if not jobs:
        return {}
    after = {key[1]: one for key, one in changes.items() if key[0] == "snapshot"}
    snapshots = {name: one for name, one in (state.snapshots | after).items() if isinstance(one, Snapshot)}
    others = {key[1]: one for key, one in changes.items() if key[0] == "job"}
    held = {*_held(snapshots, {uid: one for uid, one in (state.jobs | others).items() if isinstance(one, Job)})}
    kept = {uid: tuple(sorted(one.version for one in held if one.uid == uid)) for uid in jobs}
    return {("job", uid): replace(job, kept=kept[uid]) for uid, job in jobs.items() if job.kept != kept[uid]}


def _changed(state: State, changes: Changes, uid: str) -> Job | None:
    found = changes.get(("job", uid), state.jobs.get(uid))
    return found if isinstance(found, Job) else None


def _held(snapshots: Mapping[str, Snapshot], jobs: Mapping[str, Job]) -> Iterable[StateVersion]:
    """The versions whose chunks somebody needs."""
    return chain.from_iterable(map(_held_by, (*snapshots.values(), *jobs.values())))


def _held_by(one: object) -> Iterable[StateVersion]:
    match one:
        case Snapshot():
            return (StateVersion(one.uid, one.version), *one.states)
        case Job():
            pending = (StateVersion(one.uid, pending.request.version) for pending in one.pending)
            copied = chain.from_iterable(pending.states for pending in one.pending)
            return (*pending, *copied, *(one.restore.states if one.restore is not None else ()))
    return ()


def _restores_from_any(state: State) -> bool:
    """Whether a job is created from a snapshot of which it is not known whose chunks it names."""
    return any(
        one.restore is not None and not one.restore.states and keeps_state(one.plan) for one in state.jobs.values()
    )
