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
class StateVersion:
    """A version of a snapshot of the job `uid`: its chunks of groups are in the state topic of that job."""

    uid: str
    version: int


@dataclass(frozen=True, slots=True)
class Restore:
    """The snapshot version a job was created from, pinned until every task has a checkpoint of its own.

    `states` are the versions whose chunks it may name: itself, and those that its job was being created from.
    """

    name: str
    version: int
    parts: tuple[SnapshotPart, ...]
    states: tuple[StateVersion, ...] = ()
