"""Questions that many threads ask at the same time, asked in one call.

A hundred tasks that start together ask the same things of the same topics. While one thread asks, the others' keys
gather; the next call asks for all of them. Each caller's answer is to a request that was sent after its own call.
"""

import threading
from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
Answers = Mapping[K, V | Exception]
"""What was answered about each key, or why nothing was; a key that is missing has no value."""


@dataclass(slots=True)
class _Round(Generic[K, V]):
    keys: set[K] = field(default_factory=set)
    answers: Answers[K, V] | None = None


class Together(Generic[K, V]):
    """`ask` is called by one thread at a time and never raises: it answers an exception for each key it failed for."""

    def __init__(self, ask: Callable[[frozenset[K]], Answers[K, V]]) -> None:
        self._ask = ask
        self._asking, self._lock = threading.Lock(), threading.Lock()
        self._gathering = _Round[K, V]()

    def get(self, keys: Collection[K], alive: Callable[[], None] = lambda: None) -> dict[K, V]:
        """The values of those keys that have one. Raises what was answered for any of them.

        `alive` is called each second while another thread asks; what it raises ends the wait.
        """
        if not keys:
            return {}
        with self._lock:
            mine = self._gathering
            mine.keys.update(keys)
        while not self._asking.acquire(timeout=1):
            alive()
        try:
            if mine.answers is None:
                with self._lock:
                    self._gathering = _Round()
                mine.answers = self._ask(frozenset(mine.keys))
        finally:
            self._asking.release()
        return {key: _value(mine.answers[key]) for key in keys if key in mine.answers}


def _value(answer: V | Exception) -> V:
    if isinstance(answer, Exception):
        raise answer
    return answer
