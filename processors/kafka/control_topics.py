"""The control topics of one control plane in Kafka: their names, the ids and groups beside them, and their readers.

All readers are assigned, never subscribed: their groups only name them.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from jobplane.processors.kafka.cluster import Consumer, Kafka
from jobplane.processors.protocol.topic_names import (
    CHECKPOINTS,
    COMMANDS,
    EVENTS,
    MAX_STATE_BYTES,
    REPORTS,
    SNAPSHOTS,
    STATE,
    TASKS,
)
from jobplane.schemas.records.tasks import Task

READ_AHEAD_KIB = 16_384
JOB_STATE = ".state"
"""Ends the name of the topic with the state of a job's groups, behind that of its group."""
STATE_PARTITION = 0
"""No client reads a job's state but by offset, so its partition may be the only one."""
_IN_SYNC = "min.insync.replicas"
_STATE_SETTINGS = {
    "cleanup.policy": "compact",
    "min.cleanable.dirty.ratio": "0.2",
    "segment.bytes": str(16 * 1024 * 1024),
    "segment.ms": "600000",
    "max.message.bytes": str(MAX_STATE_BYTES),
}
"""Compacted in small segments and soon: what is dead would be kept for long otherwise. A chunk has 512 KiB, unless one
group alone is larger."""
_STATE_OF_JOB = re.compile(r"job\.([0-9a-f]{8}-\d+)\.state$")


@dataclass(frozen=True, slots=True)
class ControlTopics:
    """`prefix` begins the names of the topics, groups and transactional ids of a control plane."""

    kafka: Kafka
    prefix: str

    @property
    def commands(self) -> str:
        return f"{self.prefix}{COMMANDS}"

    @property
    def events(self) -> str:
        return f"{self.prefix}{EVENTS}"

    @property
    def state(self) -> str:
        return f"{self.prefix}{STATE}"

    @property
    def tasks(self) -> str:
        return f"{self.prefix}{TASKS}"

    @property
    def reports(self) -> str:
        return f"{self.prefix}{REPORTS}"

    @property
    def checkpoints(self) -> str:
        return f"{self.prefix}{CHECKPOINTS}"

    @property
    def snapshots(self) -> str:
        return f"{self.prefix}{SNAPSHOTS}"

    def job_group(self, uid: str) -> str:
        """The group of a job's source offsets."""
        return f"{self.prefix}job.{uid}"

    def job_state(self, uid: str) -> str:
        """The topic with the state of a job's groups."""
        return f"{self.job_group(uid)}{JOB_STATE}"

    def job_state_like(self, topic: str) -> str:
        """The topic here for what `topic` had in the control plane from which this one was restored."""
        found = _STATE_OF_JOB.search(topic)
        return self.job_state(found[1]) if found else topic

    def create_job_state(self, topic: str) -> None:
        """Creates a topic for the state of a job, unless it exists, with the replicas of `checkpoints`.

        Raises TopicRefused, and Doubt where Kafka does not say in time.
        """
        replicas = max(len(one.all) for one in self.kafka.replicas(self.checkpoints).values())
        own = self.kafka.changed_settings(self.checkpoints)
        settings = _STATE_SETTINGS | ({_IN_SYNC: own[_IN_SYNC]} if _IN_SYNC in own else {})
        self.kafka.create(topic, STATE_PARTITION + 1, replicas, settings)

    def job_states(self, topics: Iterable[str]) -> dict[str, str]:
        """Those of these topics that have the state of a job, by the uid of the job."""
        found = ((topic, _STATE_OF_JOB.fullmatch(topic.removeprefix(self.prefix))) for topic in topics)
        return {one[1]: topic for topic, one in found if one and topic.startswith(self.prefix)}

    def transactional_id(self, task: Task) -> str:
        return f"{self.prefix}{task.transactional_id}"

    def state_reader(self) -> Consumer:
        """Reads committed records of `state` or `tasks` to the end."""
        return self.kafka.consumer(f"{self.prefix}reader", fetch_message_max_bytes=1_048_576, fetch_queue_backoff_ms=10)

    def follower(self) -> Consumer:
        """Waits for committed records of control topics: a question of it that finds none stays with Kafka for 0.5 s.

        Partitions that are assigned meanwhile may wait as long for their first record.
        """
        return self.kafka.consumer(f"{self.prefix}reader", fetch_wait_max_ms=500, fetch_queue_backoff_ms=10)

    def log_reader(self) -> Consumer:
        """Reads committed records of the whole log: as many ahead as fit in some megabytes."""
        return self.kafka.consumer(
            f"{self.prefix}journal",
            fetch_message_max_bytes=4_194_304,
            fetch_queue_backoff_ms=2,
            queued_min_messages=100_000,
            queued_max_messages_kbytes=READ_AHEAD_KIB,
        )

    def record_reader(self, *, committed: bool) -> Consumer:
        """Looks up single records: it waits for Kafka as shortly as it can."""
        return self.kafka.consumer(f"{self.prefix}control", committed=committed, fetch_wait_max_ms=10)
