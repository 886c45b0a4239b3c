"""Sends copies of outcomes to the topics that commands asked for: after the commit, once, best effort.

`offer` only puts a copy into a bounded queue; a separate thread sends it with its own producer. A failure
is logged and changes nothing: the verdict stands in `events`. No topic is created: a missing topic gets no reply.
"""

import logging
import math
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from jobplane.controlplane.core.outcome import Reply
from jobplane.processors.kafka.cluster import Doubt, Kafka, KafkaError, KafkaException, Message, Producer
from jobplane.schemas.errors import JobplaneError

LOG = logging.getLogger("jobplane.replies")
MOST_WAITING = 10_000
DELIVERY_MS = 30_000
KNOWN_S = 10.0
"""How long the answer whether a topic exists is kept."""
MOST_KNOWN = 1_000
TICK_S = 0.05
LINGER_S = 1.0
"""The longest time that `close` waits for copies that are under way."""


class Replies:
    """The queue, and the thread that empties it. Used by one thread; `offer` never blocks and never raises."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self._queue: queue.SimpleQueue[Reply | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._producer: Producer | None = None
        self._known: dict[str, tuple[bool, float]] = {}
        self._dropped = 0
        self._until = math.inf

    def offer(self, reply: Reply) -> None:
        """Queues a copy; if too many wait already, it is dropped and counted."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="replies", daemon=True)
            self._thread.start()
        if self._queue.qsize() < MOST_WAITING:
            self._queue.put(reply)
            return
        self._dropped += 1
        if self._dropped & (self._dropped - 1) == 0:  # the 1st, 2nd, 4th, 8th …
            LOG.warning("replies dropped so far: %d; %d wait already", self._dropped, MOST_WAITING)

    def close(self) -> None:
        """Waits up to a second until the queued copies are sent."""
        self._until = time.monotonic() + LINGER_S
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join(LINGER_S)

    def _run(self) -> None:
        while (reply := self._next()) is not None and time.monotonic() < self._until:
            self._send(reply)
        if self._producer is not None:
            self._producer.flush(LINGER_S)

    def _next(self) -> Reply | None:
        """The next copy, None at the end; delivery results are handled meanwhile."""
        while True:
            flying = self._producer is not None and len(self._producer) > 0
            with suppress(queue.Empty):
                return self._queue.get(timeout=TICK_S if flying else None)
            if self._producer is not None:
                self._producer.poll(0)

    def _send(self, reply: Reply) -> None:
        try:
            if not self._exists(reply.topic):
                return
            self._producer = self._producer or self._kafka.producer(message_timeout_ms=DELIVERY_MS)
            self._producer.produce(
                reply.topic, reply.value, reply.key, headers=list(reply.headers), on_delivery=self._delivered(reply)
            )
            self._producer.poll(0)
        except (KafkaException, BufferError, Doubt, JobplaneError) as error:
            self._failed(reply, error)
            self._producer = None

    def _exists(self, topic: str) -> bool:
        """Asked first, so that a broker that creates topics on demand does not create one."""
        there, asked = self._known.get(topic, (False, 0.0))
        if not asked or time.monotonic() - asked > KNOWN_S:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            there = topic in self._kafka.topics([topic])
            self._known[topic] = (there, time.monotonic())
            if not there:
                LOG.warning("no reply to '%s': there is no such topic; create it, or leave reply-to out", topic)
        return there

    def _delivered(self, reply: Reply) -> Callable[[KafkaError | None, Message], None]:
        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                self._failed(reply, error)
                if error.fatal():
                    self._producer = None

        return delivered

    def _failed(self, reply: Reply, error: object) -> None:
        LOG.warning("the reply to command %s did not reach '%s': %s", reply.key, reply.topic, error)
