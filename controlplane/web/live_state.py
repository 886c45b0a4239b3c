"""The state for the web server. Thread-safe.

The worker that has the partition of `events` reads the state once from `state` and folds new events. Every other worker
reads it for each request.
"""

import threading
from collections.abc import Callable
from contextlib import closing
from typing import TypeVar

from jobplane.controlplane.core.evolve import evolve
from jobplane.controlplane.core.state import Changes, State
from jobplane.controlplane.log import state_topic
from jobplane.controlplane.log.events_tail import EventsTail
from jobplane.processors.kafka.cluster import Kafka
from jobplane.schemas.records.events import Event

T = TypeVar("T")
WAIT_S = 0.5
"""How often to look whether to stop, while there is no event."""


class LiveView:
    """The state that the web server shows. `is_loaded`: this worker folds `events`."""

    def __init__(self, kafka: Kafka, prefix: str) -> None:
        self._kafka, self._prefix = kafka, prefix
        self._lock = threading.Lock()
        self._state: State | None = None

    @property
    def is_loaded(self) -> bool:
        return self._state is not None

    def load(self) -> None:
        """Reads `state`, unless it has been read already."""
        with self._lock:
            if self._state is None:
                self._state = self._read()

    def forget(self) -> None:
        """Drops the state: another worker has the events now."""
        self._state = None

    def follow(self, stop: threading.Event) -> None:
        """Folds all events until it is to stop. Raises Doubt, JobplaneError; the state is forgotten at the end."""
        try:
            with closing(EventsTail(self._kafka, self._prefix, waits=True)) as tail:  # it begins before the state
                while not stop.is_set():
                    self.load()
                    for entry in tail.read(WAIT_S):
                        self.fold(entry.event)
        finally:
            self.forget()

    def fold(self, event: Event) -> None:
        """Folds an event; a repeated event changes nothing."""
        with self._lock:
            if self._state is not None and event.seq > self._state.position.seq:
                self._state.apply(_select_shown(evolve(self._state, event)))

    def read(self, look: Callable[[State], T]) -> T:
        """Calls `look` with the state, which does not change meanwhile."""
        with self._lock:
            return look(self._state or self._read())

    def _read(self) -> State:
        return state_topic.read_current_state(self._kafka, self._prefix, state_topic.is_listed)


def _select_shown(changes: Changes) -> Changes:
    return {key: record for key, record in changes.items() if state_topic.is_listed(key)}
