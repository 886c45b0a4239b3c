"""The state for the web server. Thread-safe.

The worker that has the partition of `events` reads the state once from `state` and folds new events. Every other worker
reads it for each request.
"""

import threading
from collections.abc import Callable
from typing import TypeVar

from jobplane.controlplane.core.evolve import evolve
from jobplane.controlplane.core.state import Changes, State
from jobplane.controlplane.log import state_topic
from jobplane.processors.kafka.cluster import Kafka
from jobplane.schemas.records.events import Event
from jobplane.schemas.records.state import StateKey
from jobplane.schemas.wire.codec import decode

T = TypeVar("T")


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

    def fold(self, value: bytes) -> None:
        """Folds the event in a record; a repeated event changes nothing. After an error the state is read again."""
        with self._lock:
            try:
                event = decode(value, Event)
                if self._state is not None and event.seq > self._state.position.seq:
                    self._state.apply(_select_shown(evolve(self._state, event)))
            except Exception:
                self._state = None  # it may contain half of the event
                raise

    def read(self, look: Callable[[State], T]) -> T:
        """Calls `look` with the state, which does not change meanwhile."""
        with self._lock:
            return look(self._state or self._read())

    def _read(self) -> State:
        return state_topic.read_current_state(self._kafka, self._prefix, _is_shown)


def _is_shown(key: StateKey) -> bool:
    """The web server does not show answers to command ids: they are many, and only the decider needs them."""
    return key[:1] != ("command",)


def _select_shown(changes: Changes) -> Changes:
    return {key: record for key, record in changes.items() if _is_shown(key)}
