"""Which tasks of a host share a fetch: those that read the same partition within the reach of one window.

A task that is alone with its partition, or alone at its place, keeps its own consumer, and costs what it cost before.
"""

import threading
from collections.abc import Callable
from typing import Any, Protocol

from jobplane.processors.fetch.channel import Channel
from jobplane.processors.fetch.window import MOST_MESSAGES
from jobplane.processors.kafka.cluster import Consumer
from jobplane.processors.kafka.questions import At

GROUP = "fetch"
"""The group of the consumers that are shared, after the prefix. They commit nothing."""
CONSUMER_SETTINGS: dict[str, Any] = {
    "fetch_wait_max_ms": 1_000,
    "queued_min_messages": 100_000,
    "queued_max_messages_kbytes": 8_192,
    "fetch_queue_backoff_ms": 2,
    "fetch_message_max_bytes": 1_048_576,
}
"""Of all consumers that read sources. The fetch queue must be large enough, and refilled soon enough, or it stalls."""


class PartitionReader(Protocol):
    """Who reads the partition `at`, on its own or not: see SharingReader."""

    at: At
    position: int
    invitation: Channel | None

    @property
    def can_be_invited(self) -> bool: ...


class SharedFetch:
    """The channels of a host, and the readers that may share. Thread-safe. `make` makes a consumer for a channel."""

    def __init__(self, make: Callable[[], Consumer]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._readers: dict[At, list[PartitionReader]] = {}
        self._channels: dict[At, Channel] = {}

    def enter(self, reader: PartitionReader) -> None:
        with self._lock:
            self._readers.setdefault(reader.at, []).append(reader)

    def leave(self, reader: PartitionReader) -> None:
        with self._lock:
            readers = self._readers[reader.at]
            readers.remove(reader)
            if not readers:
                del self._readers[reader.at]
                self._channels.pop(reader.at, None)

    def channel_for(self, reader: PartitionReader) -> Channel | None:
        """The channel that the reader has joined, from its position on. None if it reads on alone.

        If others read on their own near it, a channel is made for all of them, which may wait for Kafka.
        """
        with self._lock:
            reader.invitation, channel = None, self._channels.get(reader.at)
            if channel is not None and not channel.is_closed:
                return channel if channel.join(reader, reader.position) else None
            near = [one for one in self._readers[reader.at] if one is not reader and _are_near(one, reader)]
            if not near:
                return None
            begin = min(one.position for one in (reader, *near))
            channel = self._channels[reader.at] = Channel(reader.at, begin)
            channel.keep_for(reader, reader.position)
            for one in near:
                channel.keep_for(one, begin)
                one.invitation = channel
        channel.open(self._make)
        return channel


def _are_near(other: PartitionReader, reader: PartitionReader) -> bool:
    return other.can_be_invited and abs(other.position - reader.position) <= MOST_MESSAGES
