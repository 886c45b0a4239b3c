"""Waiting at a start: how long, and what is said meanwhile."""

import time
from collections.abc import Callable

Say = Callable[[str], None]
"""Is told in words what happens."""
REMIND_S = 5.0
"""How long nothing is said before the person who waits hears for what."""


def say_nothing(_: str) -> None:
    """A Say for those who want to hear nothing."""


class WaitLimit:
    """One wait of at most `limit` seconds."""

    def __init__(self, limit: float, say: Say) -> None:
        self._limit, self._say = limit, say
        self._began = self._said = time.monotonic()

    def has_passed(self, awaited: str) -> bool:
        """Whether the limit has passed. Says what is awaited, where nothing was said for some seconds."""
        now = time.monotonic()
        if now - self._said > REMIND_S:
            self._said = now
            self._say(f"still starting after {now - self._began:.0f} s: {awaited}")
        return now - self._began > self._limit
