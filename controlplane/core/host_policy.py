"""When and where a task starts again whose host died, and when its job is given up. Pure.

A host has many tasks, and most deaths have nothing to do with any of them: an out-of-memory killer, a person, another
task. So a death proves something against a task only where the task was alone in its host and had committed no record
since the death before.
"""

from dataclasses import dataclass, replace

GIVE_UP = 3
"""So many deaths in a row, alone and without progress, suspend the job (HOST_DIED)."""
MOST_ALONE = 4
"""Tasks of a worker that have a host of their own at the same time: a process each."""
PROVEN_S = 60.0
"""A task that has run alone for this long is cleared, and goes back among the others."""
LONGEST_PAUSE_S = 30.0


@dataclass(frozen=True, slots=True)
class Deaths:
    """`in_a_row`: without a committed record between; `alone`: those of them without a neighbour; `total`: all."""

    in_a_row: int = 0
    alone: int = 0
    total: int = 0

    def another(self, *, alone: bool, progress: bool) -> "Deaths":
        """One more death; `progress`: the task had committed records since it was started."""
        before = Deaths(total=self.total) if progress else self
        return Deaths(before.in_a_row + 1, before.alone + alone, before.total + 1)

    def cleared(self) -> "Deaths":
        """The task has shown that it does not kill its host."""
        return replace(self, in_a_row=0, alone=0)

    @property
    def given_up(self) -> bool:
        return self.alone >= GIVE_UP

    @property
    def suspected(self) -> bool:
        """Whether the task is to run alone, to find out."""
        return self.in_a_row >= 2

    @property
    def pause_s(self) -> float:
        """Seconds until the task starts again: none after the first death, then 0.5, 1, 2 … 30."""
        if self.in_a_row < 2:
            return 0.0
        return min(LONGEST_PAUSE_S, 0.5 * 2.0 ** min(self.in_a_row - 2, 10))
