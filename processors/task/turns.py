"""Who of a host's tasks uses the interpreter: one at a time, for a short time each, and none overtaken for long."""

import threading
import time
from collections import deque
from dataclasses import dataclass, field

TURN_S = 0.02
"""How long a turn should last at most, and how long a task waits before nobody can overtake it any more."""
SMALLEST_BATCH = 50
GROWTH = 2


@dataclass(slots=True, eq=False)
class _Wait:
    """A thread that waits: `bell` is held until it is woken, which `has_turn` or not."""

    bell: threading.Lock = field(default_factory=threading.Lock)
    since: float = field(default_factory=time.monotonic)
    is_woken: bool = False
    has_turn: bool = False

    def __post_init__(self) -> None:
        self.bell.acquire()

    def wake(self) -> None:
        if not self.is_woken:
            self.is_woken = True
            self.bell.release()


class InterpreterTurn:
    """A lock that goes to whoever has waited longest, once that is for `patience_s`.

    Until then, who gives it back may take it again at once: to hand it over each time would cost a change of threads
    for each batch, and on a busy machine each of these waits for a core. A plain lock lets others wait without end.
    """

    def __init__(self, patience_s: float = TURN_S) -> None:
        self._patience_s = patience_s
        self._guard = threading.Lock()
        self._waiting: deque[_Wait] = deque()
        self._is_taken = False

    def acquire(self, timeout: float = -1) -> bool:
        """False if the turn has not come within `timeout` seconds; the place in the queue is lost then."""
        with self._guard:
            if self._take():
                return True
            mine = _Wait()
            self._waiting.append(mine)
        while True:
            left = -1 if timeout < 0 else max(0.0, mine.since + timeout - time.monotonic())
            rang = mine.bell.acquire(timeout=left)
            with self._guard:
                if mine.has_turn:
                    return True
                taken = self._take()
                if taken or not rang:
                    self._waiting.remove(mine)
                    return taken
                mine.is_woken = False

    def _take(self) -> bool:
        """Takes the turn if nobody has it."""
        taken, self._is_taken = not self._is_taken, True
        return taken

    def release(self) -> None:
        """Gives the turn to the one who has waited longest, if it has waited for long; else to whoever comes first."""
        with self._guard:
            first = self._waiting[0] if self._waiting else None
            if first is not None and time.monotonic() - first.since >= self._patience_s:
                self._waiting.popleft()
                first.has_turn = True
            else:
                self._is_taken = False
            if first is not None:
                first.wake()


def next_batch(size: int, most: int, seconds: float) -> int:
    """How many records a task reads at its next turn, after one with a full batch of `size` in `seconds` of CPU time.

    Batches shrink at once to what fits into a turn, and grow step by step: at most to `most`, which may be smaller than
    SMALLEST_BATCH.
    """
    fitting = int(size * TURN_S / seconds) if seconds > 0 else most
    return min(most, max(SMALLEST_BATCH, min(fitting, size * GROWTH)))


def open_seconds(interval: float, commit: float) -> float:
    """How long a transaction stays open, so that commits are `interval` seconds apart if one takes `commit` seconds.

    At least half of the interval: a slow commit must not make commits more frequent than work.
    """
    return max(interval / 2, interval - commit)
