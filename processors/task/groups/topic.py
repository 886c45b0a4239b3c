"""The topic with the state of a job's groups: the first task makes it, the decider deletes it at the job's end.

It is compacted, in small segments and soon: what is dead in it would be kept for long otherwise. No client reads it
but by offset, so its partition may be the only one.
"""

from collections.abc import Callable

from jobplane.processors.kafka.cluster import insisting
from jobplane.processors.task.context import TaskServices
from jobplane.schemas.errors import TopicRefused
from jobplane.schemas.failures import CheckpointLost, KafkaRefused
from jobplane.schemas.records.tasks import Task

PARTITION = 0
_IN_SYNC = "min.insync.replicas"
_SETTINGS = {
    "cleanup.policy": "compact",
    "min.cleanable.dirty.ratio": "0.2",
    "segment.bytes": str(16 * 1024 * 1024),
    "segment.ms": "600000",
    "max.message.bytes": str(8 * 1024 * 1024),
}
"""A chunk has 512 KiB, unless one group alone is larger."""


def ensure_state_topic(services: TaskServices, task: Task, alive: Callable[[], None]) -> None:
    """Creates the topic where there is none, with the replicas of the checkpoints. Raises KafkaRefused.

    Whether it is the one that the groups were saved in is checked when they are loaded.
    """
    kafka, name = services.kafka, services.topics.job_state(task.uid)

    def found() -> bool | None:
        return bool(kafka.topics([name], alive)) or None

    if found() or (task.started and insisting(found, alive)):  # a broker that has just come back may not know it yet
        return
    checkpoints = services.topics.checkpoints
    replicas = max(len(one.all) for one in kafka.replicas(checkpoints).values())
    own = kafka.changed_settings(checkpoints)
    settings = _SETTINGS | ({_IN_SYNC: own[_IN_SYNC]} if _IN_SYNC in own else {})
    try:
        kafka.create(name, PARTITION + 1, replicas, settings)
    except TopicRefused as refused:
        raise KafkaRefused(f"the state of the job's groups has no place: {refused.message}") from refused
    insisting(found, alive)


def state_topic_id(services: TaskServices, topic: str, alive: Callable[[], None]) -> str:
    """The id of a topic with state. Raises CheckpointLost where it is gone."""
    found = insisting(lambda: services.kafka.topics([topic], alive) or None, alive)
    if not found:
        raise CheckpointLost(f"the topic '{topic}' with the state of groups is gone; DROP the job")
    return found[topic][0]
