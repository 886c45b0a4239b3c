"""Where a task goes on: its own checkpoint, else those of the layout before, else the snapshot, else the start offsets.

It is not a search: what should be there and is not stops the job.
"""

from collections.abc import Callable

from processors.kafka import Consumer, KafkaException, TopicPartition, insisting
from processors.pipeline import Pipeline
from processors.run import House
from schemas.checkpoints import Checkpoint
from schemas.failures import CheckpointLost
from schemas.options import Guarantee
from schemas.tasks import Task, checkpoint_key
from schemas.values import Layout, PartitionOffset, Source, SourceOffsets

PATIENCE_S = 3.0
_REMEDY = "DROP the job and create it anew, from a snapshot if there is one"


def restore(house: House, task: Task, pipeline: Pipeline, consumer: Consumer, alive: Callable[[], None]) -> Checkpoint:
    """Raises CheckpointLost or SnapshotLost; a job that keeps no checkpoints begins at its start offsets."""
    source = pipeline.source
    if pipeline.options.processing_guarantee is Guarantee.NONE:
        return made(task, pipeline, dict(enumerate(source.start)))
    committed = _committed(consumer, task, source)

    def find(layout: int, index: int, partition: int) -> Checkpoint | None:
        key = checkpoint_key(task.uid, layout, index)
        return house.control.checkpoint(key, layout, partition, committed, alive)

    found = find(task.layout, task.task, task.partition)
    if found is None and task.started:  # a broker that has just come back may not show all it has
        found = insisting(lambda: find(task.layout, task.task, task.partition), alive)
    if found is not None:
        return found
    if task.started:
        raise CheckpointLost(
            f"task {task.key} has run before, but has no checkpoint under {task.checkpoint_key}; {_REMEDY}"
        )
    start = dict(enumerate(source.start))
    if task.restore is not None:
        parts = [house.control.snapshot(part, alive) for part in task.restore.parts]
        start |= {one.partition: one.offset for part in parts for held in part.sources for one in held.offsets}
    if task.former:
        start = _carried_over(task, start, find)
    return made(task, pipeline, start)


def _committed(consumer: Consumer, task: Task, source: Source) -> list[TopicPartition]:
    """The offsets of the job's group, for the pointers in them; none where the group does not say.

    After a broker's death, a group may count an offset as pending for ever whose transaction is long over, and answers
    nobody who wants stable offsets. Then the checkpoint is found by its key: it was written in the same transaction.
    """
    wanted = [p for p in range(len(source.start)) if task.owns(p) or task.former]
    try:
        return consumer.committed([TopicPartition(source.topic, p) for p in wanted], PATIENCE_S)
    except KafkaException as error:
        if error.args[0].name() != "_TIMED_OUT":
            raise
        return []


def _carried_over(
    task: Task, start: dict[int, int], find: Callable[[int, int, int], Checkpoint | None]
) -> dict[int, int]:
    """For each partition the task owns: what the newest former layout that ran it has committed of it."""
    read: dict[tuple[int, int], dict[int, int]] = {}

    def held(layout: Layout, index: int) -> dict[int, int]:
        if (layout.number, index) not in read:
            found = find(layout.number, index, layout.tasks[index].partition)
            if found is None:
                key = checkpoint_key(task.uid, layout.number, index)
                raise CheckpointLost(f"the checkpoint {key} of the layout before is gone; {_REMEDY}")
            offsets = {one.partition: one.offset for source in found.sources for one in source.offsets}
            if missing := [p for p in start if p % len(layout.tasks) == index and p not in offsets]:
                raise CheckpointLost(
                    f"a checkpoint of the layout before does not hold partition {missing[0]}; {_REMEDY}"
                )
            read[layout.number, index] = offsets
        return read[layout.number, index]

    carried = dict(start)
    for layout in reversed(task.former):
        for index, one in enumerate(layout.tasks):
            if one.started:
                of_task = {p: at for p, at in held(layout, index).items() if p % len(layout.tasks) == index}
                carried |= {p: at for p, at in of_task.items() if task.owns(p)}
    return carried


def made(task: Task, pipeline: Pipeline, offsets: dict[int, int], number: int = 0, attempt: int = 0) -> Checkpoint:
    """A checkpoint of the task with what it owns of these offsets."""
    source = pipeline.source
    held = tuple(PartitionOffset(p, offset) for p, offset in sorted(offsets.items()) if task.owns(p))
    sources = (SourceOffsets(source.topic, source.topic_id, held),)
    return Checkpoint(task.uid, task.layout, task.task, number, attempt, sources)
