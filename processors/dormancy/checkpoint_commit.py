"""The end of a transaction of a task without clients of its own, the same whether it has output or not."""

from collections.abc import Callable

from jobplane.processors.kafka.control_topics import ControlTopics
from jobplane.processors.kafka.wire.producer import WireProducer
from jobplane.processors.protocol.steps import Step
from jobplane.schemas.records.checkpoints import Checkpoint, Pointer
from jobplane.schemas.records.tasks import Task
from jobplane.schemas.wire.codec import encode


async def commit_checkpoint(
    producer: WireProducer, topics: ControlTopics, task: Task, checkpoint: Checkpoint, enter: Callable[[Step], None]
) -> None:
    """The steps FLUSH to COMMIT: the checkpoint, and the offsets with a pointer to it. Raises as `WireProducer`."""
    enter(Step.FLUSH)
    offset = await producer.append(topics.checkpoints, task.partition, task.checkpoint_key.encode(), encode(checkpoint))
    pointer = str(Pointer(task.layout, task.partition, offset))
    enter(Step.SEND_OFFSETS)
    offsets = {at: (one, pointer) for at, one in checkpoint.positions.items()}
    await producer.send_offsets(topics.job_group(task.uid), offsets)
    enter(Step.COMMIT)
    await producer.commit()
