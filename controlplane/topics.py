"""The control topics, as data. A worker creates and verifies them before it starts."""

from dataclasses import dataclass, field

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
from jobplane.schemas.options import DEAD_LETTERS

__all__ = [
    "CHECKPOINTS",
    "COMMANDS",
    "DAY_MS",
    "EVENTS",
    "MAX_COMMAND_BYTES",
    "MAX_LETTER_BYTES",
    "REPORTS",
    "SNAPSHOTS",
    "STATE",
    "TASKS",
    "TASK_PARTITIONS",
    "TOPICS",
    "ControlTopic",
]

DAY_MS = 86_400_000
TASK_PARTITIONS = 32
MAX_COMMAND_BYTES = 8 * 1024 * 1024
MAX_LETTER_BYTES = 8 * 1024 * 1024
"""Larger than most sinks allow, so that a record that is too large for its sink fits into a dead letter."""


@dataclass(frozen=True, slots=True)
class ControlTopic:
    """`name` has no prefix; `cleanup` is the required cleanup policy; `config` are further settings at creation."""

    name: str
    partitions: int
    cleanup: str
    config: dict[str, str] = field(default_factory=dict)

    @property
    def creation_config(self) -> dict[str, str]:
        return {"cleanup.policy": self.cleanup, **self.config}


_FOREVER = {"retention.ms": "-1", "retention.bytes": "-1"}
_ROLLED = {"segment.bytes": str(16 * 1024 * 1024), "segment.ms": "600000"}
"""Kafka compacts closed segments only; by default a segment closes after a week or 1 GiB."""
_LARGE = {"max.message.bytes": str(MAX_STATE_BYTES)}
TOPICS = (
    ControlTopic(COMMANDS, 1, "delete", {**_FOREVER, "max.message.bytes": str(MAX_COMMAND_BYTES)}),
    ControlTopic(EVENTS, 1, "delete", _FOREVER),
    ControlTopic(STATE, 1, "compact", {**_ROLLED, "min.cleanable.dirty.ratio": "0.1"}),
    ControlTopic(TASKS, TASK_PARTITIONS, "compact", _ROLLED),
    ControlTopic(REPORTS, 1, "delete", {"retention.ms": str(7 * DAY_MS)}),
    ControlTopic(CHECKPOINTS, TASK_PARTITIONS, "compact", {**_ROLLED, **_LARGE}),
    ControlTopic(SNAPSHOTS, 1, "compact", _LARGE),
    ControlTopic(
        DEAD_LETTERS,
        4,
        "delete",
        {
            "retention.ms": str(7 * DAY_MS),
            "max.message.bytes": str(MAX_LETTER_BYTES),
            "message.timestamp.type": "LogAppendTime",  # else Kafka would soon delete letters of old records
        },
    ),
)
