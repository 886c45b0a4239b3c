"""What a session reads its source records with: a consumer of its own, or a channel that several tasks share."""

import time
from collections.abc import Callable, Iterable, Mapping

from jobplane.processors.fetch.channel import Channel
from jobplane.processors.fetch.shared_fetch import SharedFetch
from jobplane.processors.kafka.cluster import CALL_S, Consumer, Message, TopicPartition, assign, poll, poll_one
from jobplane.processors.kafka.questions import At

LOOK_S = 1.0
"""How often a task that reads on its own looks whether it can share."""
PUT_OFF_S, LONGEST_PUT_OFF_S = 5.0, 600.0
"""How long a task reads on its own after a channel was closed, or it was put off; then twice as long each time."""


class SourceReader:
    """Reads with the session's own consumer."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer

    def assign(self, positions: Mapping[At, int]) -> None:
        """Reads these partitions from these offsets on."""
        assign(self._consumer, positions)

    def assign_more(self, added: Iterable[At]) -> None:
        """Reads these partitions too, from their beginning. The client is asked for their topics first: it must know
        them.
        """
        for topic in {topic for topic, _ in added}:
            self._consumer.list_topics(topic, CALL_S)
        self._consumer.incremental_assign([TopicPartition(topic, p, 0) for topic, p in added])

    def settle(self) -> None:
        """To be called between batches: where the records come from may change here. May wait for Kafka."""

    def poll(self, most: int) -> list[Message]:
        """What has been fetched. An error is raised as what it means, as by `poll_one`."""
        return poll(self._consumer, most, 0)

    def poll_one(self, timeout: float) -> list[Message]:
        """The next record, as soon as there is one."""
        return poll_one(self._consumer, timeout)

    def positions(self, partitions: Iterable[At]) -> dict[At, int]:
        """The next offset to read of each partition of which the client knows it; markers are passed."""
        found = self._consumer.position([TopicPartition(*at) for at in partitions])
        return {(at.topic, at.partition): at.offset for at in found if at.offset >= 0}

    def watermark(self, at: At) -> int:
        """The end of a partition, as the client has last heard it; below 0 if it does not know."""
        return self._consumer.get_watermark_offsets(TopicPartition(*at), cached=True)[1]

    def pause(self, at: At) -> None:
        """A partition is read no further."""
        self._consumer.pause([TopicPartition(*at)])

    def close(self) -> None:
        """Leaves what is shared. The session's own consumer is closed by whoever has made it."""


class SharingReader(SourceReader):
    """Shares the fetch of its partition with tasks of the host that are at the same place, if it has only one.

    While it shares, its own consumer is not assigned. `position` is the next offset to read, as of the last batch.
    `invitation` is a channel that keeps what this reader needs, until it comes or is put off.
    """

    def __init__(
        self,
        consumer: Consumer,
        shared_fetch: SharedFetch,
        close: Callable[[Consumer], None],
        count: Callable[[int], None],
    ) -> None:
        """`close` closes a consumer; `count` is told how many records came from a channel."""
        super().__init__(consumer)
        self.at, self.position = ("", 0), 0
        self.invitation: Channel | None = None
        self._shared_fetch, self._close, self._count = shared_fetch, close, count
        self._may_share = False
        self._channel: Channel | None = None
        self._look_at, self._put_off_s = 0.0, PUT_OFF_S

    @property
    def can_be_invited(self) -> bool:
        """Whether it reads on its own, and was not put off some seconds ago."""
        is_put_off = self._look_at - time.monotonic() > LOOK_S
        return self._channel is None and self.invitation is None and not is_put_off

    def assign(self, positions: Mapping[At, int]) -> None:
        if len(positions) == 1:
            ((self.at, self.position),) = positions.items()
            self._may_share = True
            self._shared_fetch.enter(self)
            if self._join():
                return
        super().assign(positions)

    def assign_more(self, added: Iterable[At]) -> None:
        """With several partitions it shares no more."""
        self.close()
        if self._channel is not None:
            self._channel = None
            super().assign({self.at: self.position})
        super().assign_more(added)

    def settle(self) -> None:
        if self._channel is not None:
            if not self._channel.has(self):
                self._read_alone(self._channel)
        elif self._may_share and (self.invitation is not None or time.monotonic() >= self._look_at):
            self.position = super().positions([self.at]).get(self.at, self.position)
            if self._join():
                self._consumer.unassign()

    def _join(self) -> bool:
        self._look_at = time.monotonic() + LOOK_S
        self._channel = self._shared_fetch.channel_for(self)
        return self._channel is not None

    def _read_alone(self, channel: Channel) -> None:
        self._channel = None
        self._look_at = time.monotonic() + self._put_off_s
        if channel.has_put_off(self):
            self._put_off_s = min(2 * self._put_off_s, LONGEST_PUT_OFF_S)
        self._leave(channel)
        super().assign({self.at: self.position})

    def poll(self, most: int) -> list[Message]:
        return super().poll(most) if self._channel is None else self._take(self._channel, most, 0)

    def poll_one(self, timeout: float) -> list[Message]:
        return super().poll_one(timeout) if self._channel is None else self._take(self._channel, 1, timeout)

    def _take(self, channel: Channel, most: int, timeout: float) -> list[Message]:
        """Nothing, if the reader was put off: it reads on its own once it has settled."""
        if (found := channel.take(self, most, timeout)) is None:
            return []
        messages, self.position = found
        self._count(len(messages))
        return messages

    def positions(self, partitions: Iterable[At]) -> dict[At, int]:
        if self._channel is None:
            found = super().positions(partitions)
            self.position = found.get(self.at, self.position)
            return found
        if found_here := self._channel.take(self, 0, 0):
            self.position = found_here[1]
        return {self.at: self.position}

    def watermark(self, at: At) -> int:
        if self._channel is None:
            return super().watermark(at)
        self._consumer.poll(0)  # it has no records; what its callbacks are for does not pile up
        return self._channel.watermark

    def close(self) -> None:
        if self._may_share:
            self._may_share = False
            self._shared_fetch.leave(self)
            if (channel := self._channel or self.invitation) is not None:
                self._leave(channel)

    def _leave(self, channel: Channel) -> None:
        if (consumer := channel.leave(self)) is not None:
            self._close(consumer)
