"""The state as the web server shows it. Thread-safe.

The worker that holds `events` has read it from `state` once and folds what comes; any other reads it when it is asked.
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
    """`is_loaded` is whether this worker folds `events`."""

    def __init__(self, kafka: Kafka, prefix: str) -> None:
        self._kafka, self._prefix = kafka, prefix
        self._lock = threading.Lock()
        self._state: State | None = None

    @property
    def is_loaded(self) -> bool:
        return self._state is not None

    def load(self) -> None:
        """Reads `state`, unless that was done."""
        with self._lock:
            if self._state is None:
                self._state = self._read()

    def forget(self) -> None:
        """The events are another worker's now."""
        self._state = None

    def fold(self, value: bytes) -> None:
        """Folds the event in a record; one folded before changes nothing. After any error the state is read anew."""
        with self._lock:
            try:
                event = decode(value, Event)
                if self._state is not None and event.seq > self._state.position.seq:
                    self._state.apply(_select_shown(evolve(self._state, event)))
            except Exception:
                self._state = None  # half an event may be in it
                raise

    def read(self, look: Callable[[State], T]) -> T:
        """What `look` finds in the state while nothing changes it."""
        with self._lock:
            return look(self._state or self._read())

    def _read(self) -> State:
        return state_topic.read_current_state(self._kafka, self._prefix, _is_shown)


def _is_shown(key: StateKey) -> bool:
    """Answers to command ids are not: the decider has them, and they are many."""
    return key[:1] != ("command",)


def _select_shown(changes: Changes) -> Changes:
    return {key: record for key, record in changes.items() if _is_shown(key)}
