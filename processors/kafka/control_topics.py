"""The control topics of one control plane in Kafka: their names, the ids and groups beside them, and their readers.

All readers are assigned, never subscribed: their groups only name them.
"""

from dataclasses import dataclass

from jobplane.processors.kafka.cluster import Consumer, Kafka
from jobplane.processors.protocol.topic_names import CHECKPOINTS, COMMANDS, EVENTS, REPORTS, SNAPSHOTS, STATE, TASKS
from jobplane.schemas.records.tasks import Task

READ_AHEAD_KIB = 16_384
JOB_STATE = ".state"
"""Ends the name of the topic with the state of a job's groups, behind that of its group."""


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
