"""Small values that several records share. Offsets are the next record to read; times are epoch milliseconds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    """A source topic as it was at CREATE. `start[p]` is the offset at which partition p begins."""

    topic: str
    topic_id: str
    start: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Sink:
    """The topic written to, as it was at CREATE."""

    topic: str
    topic_id: str
    partitions: int


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job or snapshot failed; `at` is `topic-partition@offset` where one record is to blame, else empty."""

    code: str
    message: str
    at: str = ""

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" + (f" ({self.at})" if self.at else "")


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


@dataclass(frozen=True, slots=True)
class SnapshotPart:
    """One task's record in the snapshots topic: its key, offset, SHA-256 and what it holds of the sources."""

    task: int
    key: str
    offset: int
    digest: str
    sources: tuple[SourceOffsets, ...]


@dataclass(frozen=True, slots=True)
class SnapshotRequest:
    """A snapshot asked for: `version` is the offset of its command, so it is never used twice."""

    name: str
    version: int


@dataclass(frozen=True, slots=True)
class Restore:
    """The snapshot version a job was created from, pinned until every task has a checkpoint of its own."""

    name: str
    version: int
    parts: tuple[SnapshotPart, ...]
