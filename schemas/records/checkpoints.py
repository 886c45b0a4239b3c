"""Offsets and state of one task, written inside its data transaction to `checkpoints`.

The pointer to it travels as metadata of the committed source offsets: `<layout>/<checkpoints partition>@<offset>`.
"""

import re
from dataclasses import dataclass

from jobplane.schemas.records.offsets import SourceOffsets


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`number` counts the commits of the layout's task, `attempt` its starts; `state` is empty where none is kept."""

    uid: str
    layout: int
    task: int
    number: int
    attempt: int
    sources: tuple[SourceOffsets, ...]
    state: bytes = b""

    @property
    def positions(self) -> dict[tuple[str, int], int]:
        """The offsets by topic and partition."""
        return {(source.topic, one.partition): one.offset for source in self.sources for one in source.offsets}


@dataclass(frozen=True, slots=True, order=True)
class Pointer:
    layout: int
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.layout}/{self.partition}@{self.offset}"


_POINTER = re.compile(r"(\d+)/(\d+)@(\d+)")


def read_pointer(metadata: str | None) -> Pointer | None:
    """The pointer in an offset's metadata; None if the metadata is not a pointer."""
    found = _POINTER.fullmatch(metadata or "")
    return Pointer(*map(int, found.groups())) if found else None
