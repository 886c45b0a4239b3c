"""Chooses the `tasks` partitions of a job's tasks: those with the fewest tasks, far apart from each other. Pure."""

from jobplane.controlplane.core.state import State
from jobplane.controlplane.topics import TASK_PARTITIONS

_APART = [p ^ turn for turn in range(4) for p in (0, 27, 9, 18, 4, 31, 13, 22)]
"""All `tasks` partitions, ordered so that different workers hold neighbours, whether a worker holds a range of them or
every n-th: of the first two, four and eight there is one in each half, quarter and eighth."""
_SPREAD = [_APART.index(p) for p in range(TASK_PARTITIONS)]


def choose_partitions(state: State, count: int) -> tuple[int, ...]:
    """The `tasks` partition of each of `count` tasks: the partitions with the fewest tasks, each used once if possible.

    Partitions of equal load are chosen far apart, so that even a few tasks spread over many workers.
    """
    fewest = sorted(range(len(state.load)), key=lambda p: (state.load[p], _SPREAD[p]))
    return tuple(fewest[i % len(fewest)] for i in range(count))
