"""Waits at the start of a process: limits them, and says what the process waits for."""

import time
from collections.abc import Callable

Say = Callable[[str], None]
"""Called with a message for people."""
REMIND_S = 5.0
"""After this many silent seconds a message says what the process waits for."""


def say_nothing(_: str) -> None:
    """A Say that drops the message."""


class WaitLimit:
    """One wait of at most `limit` seconds."""

    def __init__(self, limit: float, say: Say) -> None:
        self._limit, self._say = limit, say
        self._began = self._said = time.monotonic()

    def has_passed(self, awaited: str) -> bool:
        """Whether the limit has passed. Says what is awaited if there was no message for REMIND_S seconds."""
        now = time.monotonic()
        if now - self._said > REMIND_S:
            self._said = now
            self._say(f"still starting after {now - self._began:.0f} s: {awaited}")
        return now - self._began > self._limit
