"""Offsets of source partitions; each is the next record to read."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PartitionOffset:
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class SourceOffsets:
    """How far a task has read its partitions of one source."""

    topic: str
    topic_id: str
    offsets: tuple[PartitionOffset, ...]
