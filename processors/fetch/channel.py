"""One partition's fetch, shared by several tasks of a host. Without a thread of its own: who finds nothing, fetches.

A channel has at least two readers, or it is closed. It is closed for any error, too, and decides nothing about it: each
reader reads on with its own consumer from its own position, and meets the error there if it is still one.

Several threads take the same messages. Their contents are only looked at by the task that has the interpreter's turn.
"""

import logging
import threading
import time
from collections.abc import Callable

from jobplane.processors.fetch.window import Window
from jobplane.processors.kafka.cluster import (
    Consumer,
    Doubt,
    Fenced,
    Message,
    TopicPartition,
    assign,
    judging,
    poll,
    poll_ready,
)
from jobplane.processors.kafka.questions import At
from jobplane.schemas.failures import JobFailure

LOG = logging.getLogger("jobplane.fetch")


class Channel:
    """`watermark` is the partition's end as the client has last heard it, -1 before. Thread-safe."""

    def __init__(self, at: At, position: int) -> None:
        """To be fetched from `position` on. Whoever has made it opens it, too."""
        self.at, self.watermark = at, -1
        self._window = Window(position)
        self._changed = threading.Condition()
        self._consumer: Consumer | None = None
        self._is_led, self._is_closed = True, False
        """Whether a thread uses the consumer, or makes it; no other may."""

    @property
    def is_closed(self) -> bool:
        return self._is_closed

    def has(self, reader: object) -> bool:
        """False for one that was put off, and for all if the channel is closed."""
        return not self._is_closed and reader in self._window

    def has_put_off(self, reader: object) -> bool:
        """Whether one that has joined did not keep up."""
        return reader not in self._window

    def keep_for(self, reader: object, position: int) -> None:
        """What this reader needs is kept for it from now on, until it is put off."""
        with self._changed:
            self._window.join(reader, position)

    def join(self, reader: object, position: int) -> bool:
        """Whether the reader can read here from this position on."""
        with self._changed:
            if self._is_closed or not self._window.holds(position):
                return False
            self._window.join(reader, position)
            return True

    def leave(self, reader: object) -> Consumer | None:
        """The reader reads here no more. Returns a consumer that is to be closed, if it is no longer needed."""
        with self._changed:
            self._window.leave(reader)
            self._close_if_few()
            if not self._is_closed or self._is_led:
                return None  # whoever uses the consumer finds the channel closed, and leaves too
            consumer, self._consumer = self._consumer, None
            return consumer

    def open(self, make: Callable[[], Consumer]) -> None:
        """Makes the consumer. May wait for Kafka; meanwhile the other readers find nothing."""
        failed = True
        try:
            self._consumer = make()
            assign(self._consumer, {self.at: self._window.end})
            failed = False
        except (Doubt, Fenced, JobFailure) as error:
            LOG.info("tasks do not share the fetch of %s-%s: %s", *self.at, error)
        finally:
            self._end_lead([], -1, failed=failed)

    def take(self, reader: object, most: int, timeout: float) -> tuple[list[Message], int] | None:
        """The next messages, at most `most`, and the position after them; None if the reader was put off.

        It waits for the first one for `timeout` seconds. With a time-out of 0 it waits for nobody.
        """
        deadline = time.monotonic() + timeout
        found = self._take(reader, most)
        while found is not None and len(found[0]) < most:
            messages = found[0]
            left = 0.0 if messages else max(0.0, deadline - time.monotonic())
            if lead := self._lead(left):
                consumer, room = lead
                self._fetch(consumer, min(most - len(messages), room), left)
            more = self._take(reader, most - len(messages))
            if more is None:
                return found
            found = messages + more[0], more[1]
            if found[0] or left == 0:
                break
        return found

    def _take(self, reader: object, most: int) -> tuple[list[Message], int] | None:
        with self._changed:
            if not self.has(reader):
                return None
            was_full = not self._window.room
            found = self._window.take(reader, most)
            if was_full and self._window.room:
                self._changed.notify_all()
            return found

    def _lead(self, timeout: float) -> tuple[Consumer, int] | None:
        """The consumer that this thread has now, and how many messages it may fetch: `_fetch` must follow.

        None if it may not; then it has waited for a change.
        """
        with self._changed:
            if self._is_closed:
                return None
            room = self._window.room
            if room and not self._is_led and self._consumer is not None:
                self._is_led = True
                return self._consumer, room
            if not room and self._window.put_off(time.monotonic()):
                LOG.info("tasks that do not keep up stop sharing the fetch of %s-%s", *self.at)
                self._close_if_few()
            elif timeout:
                self._changed.wait(timeout)
            return None

    def _fetch(self, consumer: Consumer, most: int, timeout: float) -> None:
        messages: list[Message] = []
        end, failed = -1, True
        try:
            messages = poll_ready(consumer, most, timeout) if timeout else poll(consumer, most, 0)
            with judging():
                end = consumer.position([TopicPartition(*self.at)])[0].offset
                self.watermark = consumer.get_watermark_offsets(TopicPartition(*self.at), cached=True)[1]
            failed = False
        except (Doubt, Fenced, JobFailure) as error:
            LOG.info("tasks do not share the fetch of %s-%s any more: %s", *self.at, error)
        finally:
            self._end_lead(messages, end, failed=failed)

    def _end_lead(self, messages: list[Message], end: int, *, failed: bool) -> None:
        with self._changed:
            self._is_led = False
            self._is_closed |= failed
            if not failed:
                self._window.add(messages, end)
            self._changed.notify_all()

    def _close_if_few(self) -> None:
        if len(self._window) < 2:
            self._is_closed = True
            self._changed.notify_all()
