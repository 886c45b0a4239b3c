"""A former split of a job's partitions over its tasks."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LayoutTask:
    """A task of a former layout: where its checkpoint lies, and whether it ever had one."""

    partition: int
    started: bool


@dataclass(frozen=True, slots=True)
class FormerLayout:
    """A former split of a job's partitions: task i had the partitions p ≡ i (mod the number of tasks)."""

    number: int
    tasks: tuple[LayoutTask, ...]
