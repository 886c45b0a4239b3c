"""Snapshots: the request, its parts, and what a job is restored from."""

from dataclasses import dataclass

from jobplane.schemas.records.offsets import SourceOffsets


@dataclass(frozen=True, slots=True)
class SnapshotPart:
    """One task's record in the snapshots topic: its key, offset, SHA-256 and what it holds of the sources.

    `state_bytes` is the size of the chunks of groups that it names.
    """

    task: int
    key: str
    offset: int
    digest: str
    sources: tuple[SourceOffsets, ...]
    state_bytes: int = 0


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
