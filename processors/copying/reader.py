"""Reads committed record batches as they lie, with the calls of `Consumer` that a session makes.

One request to each leader is under way while what the one before gave is copied; so much memory it takes, and no more.
Used by the task's thread alone; what it awaits runs in the wire's.
"""

import asyncio
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from jobplane.processors.kafka.cluster import TopicPartition
from jobplane.processors.kafka.questions import At
from jobplane.processors.kafka.wire.batches import NO_END, Passage, passage
from jobplane.processors.kafka.wire.requests import FETCH, FETCH_VERSION, fetch, fetched
from jobplane.processors.kafka.wire.wire import Wire, check

if TYPE_CHECKING:
    from concurrent.futures import Future

    from jobplane.processors.kafka.wire.connection import Connection

FETCH_BYTES, PARTITION_BYTES = 4 << 20, 2 << 20
"""What one answer has at most, in all and of each partition; a batch that is larger comes whole."""
WAIT_MS = 500
T = TypeVar("T")


class Throttled(Exception):
    """The broker slows the client down, because of a quota: librdkafka keeps to it better."""


def waited_for(future: "Future[T]", waiting: Callable[[], None], pause_s: float = 0.5) -> T:
    """The result of what runs in the wire's thread. `waiting` is called meanwhile; what it raises cancels the call."""
    while True:
        try:
            return future.result(pause_s)
        except TimeoutError:
            if future.done():
                raise
        try:
            waiting()
        except BaseException:
            future.cancel()
            raise


class CopyReader:
    """Reads the partitions of one topic that are assigned, each up to its end in `ends`, if it has one."""

    def __init__(
        self,
        wire: Wire,
        topic: str,
        group: str,
        ends: Mapping[At, int],
        alive: Callable[[], None],
        closed: Callable[[], None],
    ) -> None:
        """`closed` is called when the reader is closed."""
        self._wire, self._topic, self.group, self._alive, self._closed = wire, topic, group, alive, closed
        self._ends = {partition: end for (_, partition), end in ends.items()}
        self._positions: dict[int, int] = {}
        self._stable: dict[int, int] = {}
        self._connections: dict[int, Connection] = {}
        self._asked: dict[int, asyncio.Future[memoryview]] = {}
        self._turn = itertools.count()

    def take(self, timeout_s: float) -> dict[int, Passage]:
        """What came since, by partition: positions are behind it. Empty where nothing came in time.

        Raises OutOfRange, Doubt, NotUnderstood, WireUnavailable or Throttled.
        """
        return waited_for(self._wire.run(self._take(timeout_s)), self._alive)

    async def _take(self, timeout_s: float) -> dict[int, Passage]:
        await self._ask()
        if not self._asked:
            return {}
        done, _ = await asyncio.wait(self._asked.values(), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        found: dict[int, Passage] = {}
        for node in [node for node, answer in self._asked.items() if answer in done]:
            found |= self._read(await self._asked.pop(node))
        if found:
            await self._ask()
        return found

    async def _ask(self) -> None:
        """Asks each leader that has answered for more. Partitions take turns at being the first."""
        by_leader: dict[int, dict[int, int]] = {}
        for partition, position in self._positions.items():
            if position < self._ends.get(partition, NO_END):
                leader = await self._wire.leader(self._topic, partition)
                by_leader.setdefault(leader, {})[partition] = position
        for node in by_leader.keys() - self._asked.keys():
            if node not in self._connections:
                self._connections[node] = await self._wire.open(node)
            wanted = [*by_leader[node].items()]
            first = next(self._turn) % len(wanted)
            body = fetch(self._topic, dict(wanted[first:] + wanted[:first]), WAIT_MS, FETCH_BYTES, PARTITION_BYTES)
            self._asked[node] = self._connections[node].send(FETCH, FETCH_VERSION, body)

    def _read(self, answer: memoryview) -> dict[int, Passage]:
        found = {}
        partitions, code, throttled_ms = fetched(answer)
        check(code)
        if throttled_ms:
            raise Throttled(f"the broker has throttled a fetch for {throttled_ms} ms")
        for partition, one in partitions.items():
            if partition not in self._positions:
                continue
            check(one.code, self._topic)
            self._stable[partition] = one.stable
            position = self._positions[partition]
            read = passage(one.records, position, self._ends.get(partition, NO_END), one.aborted)
            if read.batches or read.position > position:
                found[partition] = read
                self._positions[partition] = read.position
        return found

    def list_topics(self, topic: str, timeout: float) -> None:
        """Leaders are asked for when they are needed."""

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        """Reads these partitions from their offsets on."""
        self._positions = {one.partition: one.offset for one in partitions}

    def incremental_assign(self, partitions: Sequence[TopicPartition]) -> None:
        """Reads these partitions too."""
        self._positions |= {one.partition: one.offset for one in partitions}

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        """A partition is not read beyond its end anyway."""

    def position(self, partitions: Sequence[TopicPartition]) -> list[TopicPartition]:
        """The next offsets to take; they pass markers, and records of aborted transactions."""
        return [TopicPartition(one.topic, one.partition, self._positions[one.partition]) for one in partitions]

    def get_watermark_offsets(self, partition: TopicPartition, *, cached: bool) -> tuple[int, int]:
        """The last stable offset of a partition, behind a first one that nobody asks for; -1 while it is unknown."""
        return 0, self._stable.get(partition.partition, -1)

    def close(self) -> None:
        """Closes the connections."""
        self._wire.run(self._close()).result()
        self._closed()

    async def _close(self) -> None:
        for one in self._connections.values():
            one.close()
        await asyncio.gather(*self._asked.values(), return_exceptions=True)
