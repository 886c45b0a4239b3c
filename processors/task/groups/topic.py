"""The topic with the state of a job's groups: the first task makes it, the decider deletes it at the job's end."""

from collections.abc import Callable

from msgspec.structs import replace

from jobplane.processors.kafka.cluster import insisting
from jobplane.processors.kafka.control_topics import STATE_PARTITION
from jobplane.processors.state.chunks import UnknownState
from jobplane.processors.state.manifest import CheckpointState, Manifest, join_manifests
from jobplane.processors.state.restored import KEY, decode_restored
from jobplane.processors.task.context import TaskServices
from jobplane.schemas.errors import TopicRefused
from jobplane.schemas.failures import CheckpointLost, KafkaRefused
from jobplane.schemas.records.tasks import Task


def ensure_state_topic(services: TaskServices, task: Task, alive: Callable[[], None]) -> None:
    """Creates the topic where there is none, with the replicas of the checkpoints. Raises KafkaRefused.

    Whether it is the one that the groups were saved in is checked when they are loaded.
    """
    kafka, name = services.kafka, services.topics.job_state(task.uid)

    def found() -> bool | None:
        return bool(kafka.topics([name], alive)) or None

    if found() or (task.started and insisting(found, alive)):  # a broker that has just come back may not know it yet
        return
    try:
        services.topics.create_job_state(name)
    except TopicRefused as refused:
        raise KafkaRefused(f"the state of the job's groups has no place: {refused.message}") from refused
    insisting(found, alive)


def state_topic_id(services: TaskServices, topic: str, alive: Callable[[], None]) -> str:
    """The id of a topic with state. Raises CheckpointLost where it is gone."""
    found = insisting(lambda: services.kafka.topics([topic], alive) or None, alive)
    if not found:
        raise CheckpointLost(f"the topic '{topic}' with the state of groups is gone; DROP the job")
    return found[topic][0]


def located(services: TaskServices, state: CheckpointState, alive: Callable[[], None]) -> CheckpointState:
    """The state with manifests of the topics here. Raises CheckpointLost where one is gone, or another than it was."""
    return replace(state, manifests=join_manifests(_located(services, one, alive) for one in state.manifests))


def _located(services: TaskServices, manifest: Manifest, alive: Callable[[], None]) -> Manifest:
    topic = services.topics.job_state_like(manifest.topic)
    topic_id = state_topic_id(services, topic, alive)
    if topic_id == manifest.topic_id:
        return manifest
    key, value = services.records.record_at(topic, STATE_PARTITION, 0)
    try:
        restored = decode_restored(value or b"") if key == KEY.encode() else None
        if restored is not None and manifest.topic_id in restored.ids:
            return restored.relocate(manifest, topic, topic_id)
    except UnknownState as bad:
        raise CheckpointLost(f"the state of groups in '{topic}' cannot be read: {bad}") from bad
    except KeyError as gone:
        raise CheckpointLost(
            f"the chunk {gone.args[0]} of the job's state was not in the backup of '{topic}'"
        ) from None
    raise CheckpointLost(
        f"the topic '{topic}' with the state of groups was recreated; DROP the job and create it again"
    )
