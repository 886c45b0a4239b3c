"""Who of a host's tasks uses the interpreter: one at a time, in the order in which they ask, for a short time each."""

import threading
from collections import deque

TURN_S = 0.02
"""How long a turn should last at most: this, times the tasks before it, is what a task waits for its turn."""
SMALLEST_BATCH = 50
GROWTH = 2


class InterpreterTurn:
    """A lock that goes to whoever has waited longest: who gives it back and asks again waits behind all others.

    A plain lock would mostly stay with the thread that gives it back, as that thread runs and the others must wake.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._is_taken = False

    def acquire(self, timeout: float = -1) -> bool:
        """False if the turn has not come within `timeout` seconds; the place in the queue is lost then."""
        with self._guard:
            if not self._is_taken:
                self._is_taken = True
                return True
            mine = threading.Lock()
            mine.acquire()
            self._waiting.append(mine)
        if mine.acquire(timeout=timeout):
            return True
        with self._guard:
            if mine in self._waiting:
                self._waiting.remove(mine)
                return False
        return True  # the turn came as the wait ended

    def release(self) -> None:
        """Gives the turn to the one who has waited longest."""
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._is_taken = False


def next_batch(size: int, most: int, seconds: float) -> int:
    """How many records a task reads at its next turn, after a turn of `seconds` with a full batch of `size`.

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
