"""Sees new records in the partitions of all dormant tasks of a host, with one consumer.

The consumer only tells that there is a record, committed or not: what a task may read, its own session finds out. A
fetch waits at the broker until a record comes, so watching costs almost nothing.
"""

import logging
import threading
from collections.abc import Callable, Iterable

from jobplane.processors.guard import log_fault
from jobplane.processors.kafka.cluster import Consumer, Kafka, KafkaException, Message, TopicPartition
from jobplane.processors.kafka.questions import At
from jobplane.processors.pipeline import Positions

LOG = logging.getLogger("jobplane.dormancy")
SETTINGS = {
    "fetch_wait_max_ms": 500,
    "queued_min_messages": 1_000,
    "queued_max_messages_kbytes": 1_024,
    "fetch_message_max_bytes": 65_536,
    "fetch_queue_backoff_ms": 10,
}
"""A partition that is added is fetched once the fetch that waits has ended. What is fetched is thrown away.

librdkafka counts the messages of all partitions where it looks whether one has enough. With few, the next fetch leaves
out all the others, and waits for half a second without them.
"""
WAIT_S = 0.1
"""How long the consumer is asked before changes are made: it may not be assigned while it is asked."""


class Watcher:
    """`wake` is called with the keys of tasks that have something to read, or to be judged. Thread-safe."""

    def __init__(self, kafka: Kafka, group: str, wake: Callable[[Iterable[str]], None]) -> None:
        self._kafka, self._group, self._wake = kafka, group, wake
        self._lock = threading.Lock()
        self._positions: dict[At, dict[str, int]] = {}
        """The next offset of each dormant task, by partition and task."""
        self._changed: set[At] = set()
        """Partitions whose tasks are others than when the consumer was last assigned."""
        self._reached: dict[At, int] = {}
        """The next offset of the consumer, in the partitions that it is assigned to. Of the thread alone."""
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        self._has_work = threading.Event()

    def watch(self, key: str, positions: Positions) -> None:
        """Watches what comes from these positions on; what is there already counts too."""
        with self._lock:
            for at, offset in positions.items():
                self._positions.setdefault(at, {})[key] = offset
            self._changed.update(positions)
            if not self._thread.is_alive():
                self._thread.start()
        self._has_work.set()

    def forget(self, key: str, positions: Positions) -> None:
        """The task does not rest any more."""
        with self._lock:
            for at in positions:
                self._positions.get(at, {}).pop(key, None)
            self._changed.update(positions)

    def _run(self) -> None:
        """A consumer that has failed wakes all tasks; those that rest again get another."""
        while True:
            self._has_work.wait()
            consumer = None
            try:
                consumer = self._kafka.consumer(self._group, committed=False, **SETTINGS)
                while True:
                    self._follow(consumer)
            except KafkaException as error:
                LOG.warning("the watcher of dormant tasks begins again: %s", error)
            except Exception as error:  # noqa: BLE001  # the guard of the watcher, docs/decisions/0016
                log_fault(error, "the watcher of dormant tasks")
            self._has_work.clear()
            with self._lock:
                woken = {key for tasks in self._positions.values() for key in tasks}
                self._changed.update(self._positions)
            self._reached.clear()
            self._wake(woken)
            if consumer is not None:
                consumer.close()

    def _follow(self, consumer: Consumer) -> None:
        """One turn: assigns what has changed, then hears what has come."""
        if not (self._reached or self._changed):
            self._has_work.clear()
            if not self._changed:
                self._has_work.wait()
        with self._lock:
            changed, self._changed = self._changed, set()
            wanted = {at: min(tasks.values()) for at in changed if (tasks := self._positions.get(at))}
            for at in changed - wanted.keys():
                self._positions.pop(at, None)
        self._assign(consumer, changed, wanted)
        first = consumer.poll(WAIT_S)
        if first is not None:
            self._hear([first, *consumer.consume(1_000, 0)])

    def _assign(self, consumer: Consumer, changed: Iterable[At], wanted: Positions) -> None:
        """Leaves the partitions that nobody watches, and goes back where the consumer has read past a task."""
        new = {at: offset for at, offset in wanted.items() if offset < self._reached.get(at, offset + 1)}
        left = [at for at in changed if at in self._reached and (at in new or at not in wanted)]
        if left:
            consumer.incremental_unassign([TopicPartition(*at) for at in left])
        if new:
            consumer.incremental_assign([TopicPartition(*at, offset) for at, offset in new.items()])
        for at in left:
            del self._reached[at]
        self._reached |= new

    def _hear(self, messages: list[Message]) -> None:
        woken: set[str] = set()
        with self._lock:
            for message in messages:
                at = (message.topic() or "", message.partition() or 0)
                tasks = self._positions.get(at, {})
                if message.error() is not None:  # its tasks find out what it means
                    woken.update(tasks)
                elif at in self._reached:
                    offset = message.offset() or 0
                    self._reached[at] = max(self._reached[at], offset + 1)
                    woken.update(key for key, position in tasks.items() if position <= offset)
        if woken:
            self._wake(woken)
