"""Where a task continues: at its checkpoint, else those of previous layouts, else the snapshot, else the start offsets.

This is not a search: if a checkpoint that should exist is missing, the job stops.
"""

from collections.abc import Callable, Iterable

from jobplane.processors.kafka.cluster import Doubt, insisting
from jobplane.processors.kafka.wire.offsets import committed_metadata
from jobplane.processors.kafka.wire.settings import WireUnavailable
from jobplane.processors.pipeline import Pipeline, Positions
from jobplane.processors.state.chunks import UnknownState
from jobplane.processors.state.manifest import decode_state, encode_state, merge_states
from jobplane.processors.task.context import TaskServices
from jobplane.schemas.failures import CheckpointLost
from jobplane.schemas.options import Guarantee
from jobplane.schemas.records.checkpoints import Checkpoint, Pointer, read_pointer
from jobplane.schemas.records.layouts import FormerLayout
from jobplane.schemas.records.offsets import PartitionOffset, SourceOffsets
from jobplane.schemas.records.tasks import Task, checkpoint_key

PATIENCE_S = 3.0
_REMEDY = "DROP the job and create it again, from a snapshot if there is one"


def restore(services: TaskServices, task: Task, pipeline: Pipeline, alive: Callable[[], None]) -> Checkpoint:
    """Raises CheckpointLost or SnapshotLost; a job that keeps no checkpoints begins at its start offsets."""
    if pipeline.options.processing_guarantee is Guarantee.NONE:
        return checkpoint_of(task, pipeline, pipeline.starts)
    pointers = _pointers(services, task, pipeline)

    def find(layout: int, index: int, partition: int) -> Checkpoint | None:
        key = checkpoint_key(task.uid, layout, index)
        return services.records.checkpoint(key, layout, partition, pointers, alive)

    found = find(task.layout, task.task, task.partition)
    if found is None and task.started:  # a broker that has just come back may not show all it has
        found = insisting(lambda: find(task.layout, task.task, task.partition), alive)
    if found is not None:
        return found
    if task.started:
        raise CheckpointLost(
            f"task {task.key} has run before, but has no checkpoint under {task.checkpoint_key}; {_REMEDY}"
        )
    start, states = pipeline.starts, list[bytes]()
    if task.restore is not None:
        for part in task.restore.parts:
            saved = services.records.snapshot(part, alive)
            start |= saved.positions
            states.append(saved.state)
    if task.former:
        start, of_layouts = carried_over(task, start, find)
        states = [*states, *of_layouts]
    return checkpoint_of(task, pipeline, start, state=_merged(states, start, task))


def _merged(states: Iterable[bytes], positions: Positions, task: Task) -> bytes:
    """The state of the partitions that the task owns; empty where there is none."""
    try:
        read = [decode_state(state) for state in states if state]
    except UnknownState as bad:
        raise CheckpointLost(f"the state of task {task.key} cannot be read: {bad}") from bad
    merged = merge_states(read, (at for at in positions if task.owns(at[1])))
    return encode_state(merged) if merged else b""


def _pointers(services: TaskServices, task: Task, pipeline: Pipeline) -> list[Pointer]:
    """The pointers that the job's group has committed with its offsets; none where the group does not say.

    After a broker's death a group may have lost a commit, or answer nobody. The checkpoint is found by its key too: it
    was written in the same transaction.
    """
    wanted = [at for at in pipeline.starts if task.owns(at[1]) or task.former]
    asked = services.wire.run(committed_metadata(services.wire, services.topics.job_group(task.uid), wanted))
    try:
        committed = asked.result(PATIENCE_S)
    except (Doubt, WireUnavailable, TimeoutError):
        return []
    return [pointer for metadata in committed.values() if (pointer := read_pointer(metadata))]


def carried_over(
    task: Task, start: Positions, find: Callable[[int, int, int], Checkpoint | None]
) -> tuple[Positions, list[bytes]]:
    """For each partition the task owns: what the newest former layout that ran it has committed of it.

    Beside them the states of the checkpoints: of a partition that is in several, the last is that of its position.
    """
    read: dict[tuple[int, int], Positions] = {}
    states: list[bytes] = []

    def held(layout: FormerLayout, index: int) -> Positions:
        if (layout.number, index) not in read:
            found = find(layout.number, index, layout.tasks[index].partition)
            if found is None:
                key = checkpoint_key(task.uid, layout.number, index)
                raise CheckpointLost(f"the checkpoint {key} of the previous layout is gone; {_REMEDY}")
            offsets = found.positions
            for topic, p in start:
                if p % len(layout.tasks) == index and (topic, p) not in offsets:
                    raise CheckpointLost(f"a checkpoint of the previous layout does not contain {topic}-{p}; {_REMEDY}")
            read[layout.number, index] = offsets
            states.append(found.state)
        return read[layout.number, index]

    carried = dict(start)
    for layout in reversed(task.former):
        for index, one in enumerate(layout.tasks):
            if one.started:
                read_by_it = held(layout, index).items()
                carried |= {
                    (topic, p): offset
                    for (topic, p), offset in read_by_it
                    if p % len(layout.tasks) == index and task.owns(p)
                }
    return carried, states


def checkpoint_of(
    task: Task, pipeline: Pipeline, positions: Positions, number: int = 0, attempt: int = 0, state: bytes = b""
) -> Checkpoint:
    """A checkpoint of the task with what it owns of these positions; it may own nothing of a topic."""
    held: dict[str, list[PartitionOffset]] = {topic: [] for topic in pipeline.sources}
    for (topic, p), offset in sorted(positions.items()):
        if task.owns(p):
            held[topic].append(PartitionOffset(p, offset))
    sources = tuple(
        SourceOffsets(topic, source.topic_id, tuple(held[topic])) for topic, source in pipeline.sources.items()
    )
    return Checkpoint(task.uid, task.layout, task.task, number, attempt, sources, state)
