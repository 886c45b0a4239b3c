"""The memory that the groups of all tasks of a host may take together.

A task says how much it holds with each commit, and before it loads groups. If that is too much, groups of tasks that
rest go first: they are saved, and come back when their task wakes. Then the largest of the tasks that were active
lately fails. So a task whose groups do not grow does not fail for the growth of another.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from jobplane.schemas.failures import StateFull

MIB = 1024 * 1024
LATELY_S = 10.0


@dataclass(slots=True)
class Held:
    """What a task held at a time of the monotonic clock.

    `evict`: where the task rests, what takes its groups out of memory.
    """

    size: int
    at: float
    evict: Callable[[], None] | None = None


@dataclass(slots=True)
class StateBudget:
    """`limit` is in bytes; 0 is no limit. The tasks of a host call it from threads of their own."""

    limit: int = 0
    _held: dict[str, Held] = field(default_factory=dict)

    def require_room(self, task: str, size: int) -> None:
        """Raises StateFull if the task must stop."""
        now = time.monotonic()
        self._held[task] = Held(size, now)
        if not 0 < self.limit < self._sum() or self._evict():
            return
        active = [(one.size, key) for key, one in list(self._held.items()) if now - one.at < LATELY_S]
        if max(active)[1] == task:
            self.forget(task)
            raise StateFull(
                f"the groups of this host would take {self._sum() + size:,} bytes, those of task {task} {size:,}, the "
                f"most of all; state_budget allows {self.limit // MIB:,} MiB: raise it in the settings of the worker, "
                "or run it with more hosts, and start it again; or DROP jobs with groups; then RESUME"
            )

    def rest(self, task: str, evict: Callable[[], None]) -> None:
        """The task rests, and needs its groups only when it wakes."""
        if held := self._held.get(task):
            held.evict = evict

    def forget(self, task: str) -> None:
        """The task holds nothing any more."""
        self._held.pop(task, None)

    def _sum(self) -> int:
        return sum(one.size for one in list(self._held.values()))

    def _evict(self) -> bool:
        """Takes groups of tasks that rest out of memory, the largest first, until the others have room."""
        resting = sorted(self._held.items(), key=lambda one: -one[1].size)
        for task, held in resting:
            if held.evict is not None:
                held.evict()
                self.forget(task)
                if self._sum() <= self.limit:
                    return True
        return False
