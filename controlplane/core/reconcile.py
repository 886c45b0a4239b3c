"""Compares the state before and after a batch: which task records and tombstones must be written with it. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from jobplane.controlplane.core.state import State
from jobplane.controlplane.topics import CHECKPOINTS, SNAPSHOTS, TASKS
from jobplane.schemas.records.layouts import FormerLayout, LayoutTask
from jobplane.schemas.records.snapshots import SnapshotPart
from jobplane.schemas.records.state import TASK_ENDED, Job, Snapshot, StateKey, StateRecord, Target
from jobplane.schemas.records.tasks import Task, checkpoint_key


@dataclass(frozen=True, slots=True)
class Write:
    """One record to produce; `task` None is a tombstone."""

    topic: str
    partition: int
    key: str
    task: Task | None = None


def tasks_of(job: Job | None) -> dict[str, Task]:
    """The task records a job must have: none if it has ended, or waits for the previous job of its name.

    No task record says `run` while the next layout waits for the tasks of the present one to stop.
    """
    if job is None or job.closed or job.waits_for:
        return {}
    tasks = (_task(job, index) for index in range(len(job.tasks)))
    return {task.key: task for task in tasks}


def _task(job: Job, index: int) -> Task:
    known = job.tasks[index]
    return Task(
        uid=job.uid,
        job=job.name,
        task=index,
        tasks=len(job.tasks),
        partition=known.partition,
        layout=job.layout,
        generation=job.generation,
        run=job.target is Target.RUN and not job.relayout,
        started=known.started,
        phase=known.phase,
        attempt=known.attempt,
        statement=job.statement,
        options=job.options,
        sources=job.sources,
        sink=job.sink,
        restore=None if known.started else job.restore,
        snapshots=tuple(
            pending.request for pending in job.pending if all(part.task != index for part in pending.parts)
        ),
        former=() if known.started else job.former,
        worker=known.worker,
        packages=job.packages,
        plan=job.plan,
        more_sinks=job.more_sinks,
        asked=job.asked,
        kept=job.kept,
    )


def checkpoints_of(job: Job | None) -> set[tuple[int, str]]:
    """Partition and key of every checkpoint a job may have and still need: of its layout and of former ones."""
    if job is None or job.closed or job.waits_for:
        return set()
    present = FormerLayout(job.layout, tuple(LayoutTask(task.partition, task.started) for task in job.tasks))
    return {
        (task.partition, checkpoint_key(job.uid, layout.number, index))
        for layout in (present, *job.former)
        for index, task in enumerate(layout.tasks)
    }


def reconcile(before: Mapping[StateKey, StateRecord | None], state: State) -> list[Write]:
    """`before` holds the records a batch touched, as they were; `state` is the one after it."""
    writes: list[Write] = []
    versions: dict[tuple[str, int], tuple[SnapshotPart, ...]] = {}
    for (kind, *name), old in before.items():
        if kind == "job":
            held = old if isinstance(old, Job) else None
            new = state.jobs.get(name[0])
            writes += _task_writes(held, new)
            versions |= _released_versions(held, new)
        elif kind == "snapshot" and isinstance(old, Snapshot):
            versions[old.name, old.version] = old.parts
    for (snapshot, version), parts in versions.items():
        if not state.is_pinned(snapshot, version):
            writes += [Write(SNAPSHOTS, 0, part.key) for part in parts]
    return writes


def _task_writes(old: Job | None, new: Job | None) -> Iterable[Write]:
    had, has = tasks_of(old), tasks_of(new)
    for key, task in has.items():
        if had.get(key) != task:
            yield Write(TASKS, task.partition, key, task)
    for key, task in had.items():
        if key not in has or has[key].partition != task.partition:
            yield Write(TASKS, task.partition, key)
    for partition, key in sorted(checkpoints_of(old) - checkpoints_of(new)):
        yield Write(CHECKPOINTS, partition, key)


def _released_versions(old: Job | None, new: Job | None) -> dict[tuple[str, int], tuple[SnapshotPart, ...]]:
    """Snapshot versions a job no longer needs: its restore is complete, or a pending snapshot failed."""
    released = {}
    if old is not None:
        if old.restore is not None and (new is None or new.restore is None):
            released[old.restore.name, old.restore.version] = old.restore.parts
        kept = {one.request.version for one in new.pending} if new is not None else set()
        for one in old.pending:
            if one.request.version not in kept:
                released[one.request.name, one.request.version] = one.parts
    return released


def unstopped_tasks(job: Job) -> tuple[Task, ...]:
    """Tasks of a job that must stop and have not reported that they did."""
    if job.target is Target.RUN and not job.relayout:
        return ()
    return tuple(task for task in tasks_of(job).values() if task.phase not in TASK_ENDED)
