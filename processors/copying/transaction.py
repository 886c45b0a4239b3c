"""The transaction of a copying task, with the calls of `TransactionalProducer` that a session makes.

Used by the task's thread alone; what it awaits runs in the wire's.
"""

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from jobplane.processors.copying.reader import Throttled, waited_for
from jobplane.processors.kafka.answers import Doubt, Fenced
from jobplane.processors.kafka.cluster import Kafka, TopicPartition
from jobplane.processors.kafka.hanging import TransactionPlace, end_hanging
from jobplane.processors.kafka.wire.batches import Lying, in_parts, new_batch, records_of, take_over
from jobplane.processors.kafka.wire.producer import WireProducer, fence
from jobplane.processors.kafka.wire.requests import Part
from jobplane.processors.kafka.wire.wire import Wire

if TYPE_CHECKING:
    from jobplane.processors.kafka.wire.connection import Connection

UNDER_WAY, UNDER_WAY_BYTES = 64, 8 << 20
"""Requests, and bytes in them, that wait for the broker's word at most."""
REQUEST_BYTES = 1 << 20
"""A request with more in it takes no batch of another partition."""
T = TypeVar("T")
Waiting = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Delivered:
    """A record that was appended, with the calls of `Message` that tell where."""

    at: tuple[str, int, int]

    def error(self) -> None:
        """It has none."""

    def topic(self) -> str:
        return self.at[0]

    def partition(self) -> int:
        return self.at[1]

    def offset(self) -> int:
        return self.at[2]


@dataclass(frozen=True, slots=True)
class _Sent:
    answer: "asyncio.Future[memoryview]"
    partitions: tuple[int, ...]
    size: int


class CopyTransaction:
    """A producer with a transactional id, fenced at birth, for batches into the topic `sink`.

    Its calls raise Fenced, Doubt, JobFailure, WireUnavailable, NotUnderstood or Throttled.
    """

    suspect = ""
    """Never: no request is sent twice, see `WireProducer`."""

    def __init__(
        self,
        kafka: Kafka,
        wire: Wire,
        transactional_id: str,
        timeout_ms: int,
        sink: str,
        largest: int,
        place: TransactionPlace,
        alive: Waiting,
        sign_of_life: Waiting,
    ) -> None:
        """Fences whoever had the id before. `largest` is how many bytes a batch may have in the sink.

        `alive` is called while it waits, and may end the call by raising; `sign_of_life` while batches are sent, which
        a task that is to end still commits.

        A transaction that Kafka left open at `place`, where the task writes its checkpoints, is ended first.
        """
        self._wire, self._sink, self._largest = wire, sink, largest
        self._alive, self._sign_of_life = alive, sign_of_life
        self._place = {place.topic: [place.partition]}
        self._records: list[tuple[Any, ...]] = []
        self._connections: dict[int, Connection] = {}
        self._sent: deque[_Sent] = deque()
        self._bytes = 0
        end_hanging(kafka, transactional_id, place, alive)
        self._producer: WireProducer = self._run(fence(wire, transactional_id, timeout_ms))

    def __len__(self) -> int:
        return len(self._sent) + len(self._records)

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return waited_for(self._wire.run(coroutine), self._alive)

    def begin(self) -> None:
        """The first batch or record begins it."""

    def poll(self, timeout: float = 0) -> None:
        """Answers are read by the wire's thread."""

    def copy(self, batches: Mapping[int, Sequence[Lying]]) -> int:
        """Sends batches to the partitions of the sink with the same numbers; returns how many records they have.

        Returns before all are acknowledged: `flush` waits for that.
        """
        counts: list[int] = []
        queues = {partition: list(self._written(partition, some, counts)) for partition, some in batches.items()}
        waited_for(self._wire.run(self._send(queues)), self._sign_of_life)
        return sum(counts)

    def _written(self, partition: int, batches: Sequence[Lying], counts: list[int]) -> Iterator[Part]:
        """The batches as they are produced, with the next sequence numbers."""
        producer = self._producer
        for batch in batches:
            if batch.is_whole and len(batch.data) <= self._largest:
                counts.append(batch.count)
                sequence = producer.next_sequences(self._sink, partition, batch.count)
                yield take_over(batch, producer.producer_id, producer.epoch, sequence)
                continue
            for part in in_parts(records_of(batch), self._largest):
                counts.append(len(part))
                sequence = producer.next_sequences(self._sink, partition, len(part))
                yield new_batch(part, producer.producer_id, producer.epoch, sequence)

    async def _send(self, queues: Mapping[int, Sequence[Part]]) -> None:
        """A request has at most one batch of a partition."""
        await self._producer.add({self._sink: [p for p, some in queues.items() if some], **self._place})
        leaders = {partition: await self._wire.leader(self._sink, partition) for partition in queues}
        for round_ in itertools.zip_longest(*queues.values()):
            requests: dict[int, dict[int, Sequence[Part]]] = {}
            sizes: dict[int, int] = {}
            for partition, batch in zip(queues, round_, strict=True):
                if batch is None:
                    continue
                node = leaders[partition]
                requests.setdefault(node, {})[partition] = [batch]
                sizes[node] = sizes.get(node, 0) + len(batch)
                if sizes[node] > REQUEST_BYTES:
                    await self._request(node, requests.pop(node), sizes.pop(node))
            for node, some in requests.items():
                await self._request(node, some, sizes[node])

    async def _request(self, node: int, batches: dict[int, Sequence[Part]], size: int) -> None:
        while self._sent and (len(self._sent) >= UNDER_WAY or self._bytes + size > UNDER_WAY_BYTES):
            await self._acknowledged()
        if node not in self._connections:
            self._connections[node] = await self._wire.open(node)
        answer = self._producer.send_batches(self._connections[node], self._sink, batches)
        self._sent.append(_Sent(answer, tuple(batches), size))
        self._bytes += size

    async def _acknowledged(self) -> None:
        """Waits for the oldest request's answer."""
        oldest = self._sent.popleft()
        self._bytes -= oldest.size
        try:
            answer = await oldest.answer
        except BaseException:
            self._producer.useless("a request is left without its answer")
            raise
        self._producer.check_produced(self._sink, answer, oldest.partitions)
        if self._producer.throttled_ms:
            raise Throttled(f"the broker has throttled a copy for {self._producer.throttled_ms} ms")

    def produce(
        self, topic: str, value: bytes | None, key: bytes | str | None, partition: int, on_delivery: Callable[..., None]
    ) -> None:
        """Keeps a record that is appended by `flush`, which then calls `on_delivery`."""
        self._records.append((topic, value, key.encode() if isinstance(key, str) else key, partition, on_delivery))

    def flush(self, limit: float, waiting: Waiting) -> None:
        """Until all that was sent is acknowledged. Raises Doubt after `limit` s; calls `waiting` every 0.5 s."""
        deadline = time.monotonic() + limit

        def check_time() -> None:
            if time.monotonic() > deadline:
                raise Doubt(f"{len(self)} records were not acknowledged within {limit:.0f} s")
            waiting()

        records, self._records = self._records, []
        offsets = waited_for(self._wire.run(self._flush(records)), check_time)
        for (topic, _, _, partition, on_delivery), offset in zip(records, offsets, strict=True):
            on_delivery(None, Delivered((topic, partition, offset)))

    async def _flush(self, records: list[tuple[Any, ...]]) -> list[int]:
        while self._sent:
            await self._acknowledged()
        return [await self._producer.append(topic, p, key, value) for topic, value, key, p, _ in records]

    def cause(self) -> None:
        """A transaction that has failed says so at once."""

    def send_offsets(self, offsets: Sequence[TopicPartition], group: Any) -> None:
        """`group` is the reader's."""
        positions = {(one.topic, one.partition): (one.offset, one.metadata or "") for one in offsets}
        self._run(self._producer.send_offsets(group.group, positions))

    def commit(self) -> float:
        """Seconds the commit took."""
        began = time.monotonic()
        self._run(self._producer.commit())
        return time.monotonic() - began

    def abort(self) -> None:
        """Ends the transaction as well as it can be: what is left of it is ended by the next fence."""
        with suppress(Doubt, Fenced):
            self._run(self._abort())

    async def _abort(self) -> None:
        await asyncio.gather(*(one.answer for one in self._sent), return_exceptions=True)
        self._sent.clear()
        await self._producer.abort()

    def close(self) -> None:
        """Closes the connections."""
        self._wire.run(self._close()).result()

    async def _close(self) -> None:
        for one in self._connections.values():
            one.close()
        await asyncio.gather(*(one.answer for one in self._sent), return_exceptions=True)
