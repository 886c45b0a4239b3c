"""Where a job's tasks go: the `tasks` partitions with the fewest, a job's tasks apart. Pure."""

from jobplane.controlplane.core.state import State
from jobplane.controlplane.topics import TASK_PARTITIONS

_APART = [p ^ turn for turn in range(4) for p in (0, 27, 9, 18, 4, 31, 13, 22)]
"""All `tasks` partitions in an order in which neighbours are held by different workers, whether those hold ranges of
partitions or every n-th: of the first two, four and eight there is one in each half, quarter and eighth, either way."""
_SPREAD = [_APART.index(p) for p in range(TASK_PARTITIONS)]


def choose_partitions(state: State, count: int) -> tuple[int, ...]:
    """A `tasks` partition for each task: those with the fewest, a job's tasks apart while there are enough.

    Those of equal load are taken from far apart, so that few workers share few tasks.
    """
    fewest = sorted(range(len(state.load)), key=lambda p: (state.load[p], _SPREAD[p]))
    return tuple(fewest[i % len(fewest)] for i in range(count))
