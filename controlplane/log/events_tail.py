"""Follows the events from an offset on, a batch at a time; finds where a command was judged."""

import threading
import time
from collections.abc import Callable

from jobplane.controlplane.core.evolve import fold
from jobplane.controlplane.core.state import State
from jobplane.controlplane.log import events_topic
from jobplane.controlplane.log.events_topic import Entry
from jobplane.controlplane.topics import COMMANDS, EVENTS
from jobplane.processors.kafka.cluster import Kafka, TopicPartition, assign, poll_ready
from jobplane.processors.kafka.control_topics import ControlTopics
from jobplane.processors.kafka.judging import judging
from jobplane.schemas.records.state import Job, Status

BATCH = 500
NEAR = 2_000
"""A range of at most this many offsets is read instead of searched."""


class EventsTail:
    """Committed events from an offset on. `first` and `end` are the offsets of the log when this object was created.

    `read` and `close` may be called from different threads: a close waits for the read that is under way.
    """

    def __init__(self, kafka: Kafka, prefix: str, start: int | None = None, *, waits: bool = False) -> None:
        """`start` None is the end. Raises ValueError if `start` is beyond it.

        With `waits` it asks Kafka seldom while there are no events; the first read after a seek may take 0.5 s longer.
        """
        self._at = (f"{prefix}{EVENTS}", 0)
        bounds = events_topic.read_bounds(kafka, prefix)
        self.first, self.end = bounds.first, bounds.end
        if start is not None and start > self.end:
            raise ValueError(f"start {start} is beyond the end of the events, {self.end}; was the log recreated?")
        self._lock = threading.Lock()
        self._closed = False
        topics = ControlTopics(kafka, prefix)
        self._consumer = topics.follower() if waits else topics.state_reader()
        self.seek(self.end if start is None else start)

    def seek(self, offset: int) -> None:
        """The next read begins there, or at the first event that is kept."""
        self._next = max(offset, self.first)
        assign(self._consumer, {self._at: self._next})

    def read(self, wait: float = 0.02) -> list[Entry]:
        """The next events, as soon as there are any, after `wait` seconds at most; none if this is closed.

        Raises Doubt if Kafka does not answer, NewerState if a newer version wrote an event.
        """
        with self._lock:
            if self._closed:
                return []
            messages = poll_ready(self._consumer, BATCH, wait)
            with judging():
                position = self._consumer.position([TopicPartition(*self._at)])[0].offset
        self._next = max(self._next, position)  # control records take offsets too; before the first read it is negative
        return [events_topic.decode_entry(one) for one in messages]

    def wait_for_rest(self, state: State, uid: str, deadline: float, alive: Callable[[], None]) -> Job | None:
        """Waits until a job has ended or is suspended; None at the deadline. `state` was read after this was created.

        New events are folded into it: the topic `state`, which may be long, is not read again. Calls `alive` between.
        """
        job = state.jobs[uid]
        while not (job.closed or job.status == Status.SUSPENDED):
            alive()
            if time.monotonic() > deadline:
                return None
            for entry in self.read():
                fold(state, entry.event)
            job = state.jobs.get(uid, job)
        return job

    @property
    def has_reached_end(self) -> bool:
        """Whether everything was read that existed when this object was created."""
        return self._next >= self.end

    def seek_before_command(self, command: int) -> None:
        """Seeks a place before the outcome of the command at an offset. Commands are judged in their order."""
        low, high = self.first, self.end
        while high - low > NEAR:
            middle = (low + high) // 2
            judged = self._first_command_from(middle)
            if judged is not None and judged < command:
                low = middle
            else:
                high = middle
        self.seek(low)

    def _first_command_from(self, offset: int) -> int | None:
        """The offset of the command that caused the first event, at `offset` or later, that a command caused."""
        self.seek(offset)
        while not self.has_reached_end:
            for entry in self.read():
                if entry.event.cause.topic == COMMANDS:
                    return entry.event.cause.offset
        return None

    def close(self) -> None:
        with self._lock:
            if not self._closed:
                self._closed = True
                self._consumer.close()
