"""Lets a few tasks start at a time: a hundred that start at once, each with its own clients, slow each other down.

A start that takes long, because it waits for Kafka, no longer counts: a task that is stuck does not block the others.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Gate:
    """At most `most` threads pass at the same time, apart from those that have been passing for `patience_s`."""

    def __init__(self, most: int, patience_s: float) -> None:
        self._most, self._patience_s = most, patience_s
        self._left = threading.Condition()
        self._passing: dict[int, float] = {}

    @contextmanager
    def passing(self, alive: Callable[[], None]) -> Iterator[Callable[[], None]]:
        """Waits for its turn, calling `alive` meanwhile; gives what is called when the thread has passed."""
        me = threading.get_ident()
        with self._left:
            while sum(time.monotonic() - since < self._patience_s for since in self._passing.values()) >= self._most:
                self._left.wait(0.5)
                alive()
            self._passing[me] = time.monotonic()
        try:
            yield lambda: self._leave(me)
        finally:
            self._leave(me)

    def _leave(self, thread: int) -> None:
        with self._left:
            if self._passing.pop(thread, None) is not None:
                self._left.notify()
