"""A transactional producer of raw requests: fenced at birth, never used again after a doubt.

No request is sent twice, save one that a broker has refused because of what passes. So a request without an answer is
the only one whose effect is unknown, and what it may still do is bounded by its epoch: it raises Doubt, and the next
`fence` of the id first waits for the end of a transaction that the coordinator has begun to end, then aborts one that
is open, and raises the epoch. A delayed EndTxn or Produce of the old epoch is refused from then on, so it can neither
commit nor enter a later transaction (KAFKA-17754 is about one that is sent again within one epoch).
"""

import asyncio
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from aiokafka.protocol.transaction import (
    AddOffsetsToTxnRequest_v0,
    AddPartitionsToTxnRequest_v0,
    EndTxnRequest_v0,
    InitProducerIdRequest_v0,
    TxnOffsetCommitRequest_v0,
)
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from jobplane.processors.kafka.answers import Doubt
from jobplane.processors.kafka.questions import At
from jobplane.processors.kafka.wire.connection import Connection
from jobplane.processors.kafka.wire.requests import PRODUCE, PRODUCE_VERSION, Part, produce, produced
from jobplane.processors.kafka.wire.wire import GROUP, PASSES_S, PASSING, TRANSACTION, Wire, check
from jobplane.schemas.failures import JobFailure

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.003, 0.2
_PRODUCE_MS = 10_000
_NOT_ATTEMPTED, _CONCURRENT = 55, 51
"""Codes: nothing was done because of another partition; the transaction before is still being ended."""
END_OF_METADATA = "\0"
"""librdkafka writes one, and reads beyond the metadata where there is none."""
Refusal = tuple[str, int]
"""A topic, where it is about one, and an error code; 0 is none."""


async def fence(wire: Wire, transactional_id: str, timeout_ms: int) -> "WireProducer":
    """Ends whatever the id's producers have open, and takes the id over: theirs are Fenced from now on.

    `timeout_ms` is how long the coordinator lets a transaction be open. Raises WireUnavailable, Doubt, Fenced or
    KafkaRefused.
    """
    answer = await ask_coordinator(
        wire, TRANSACTION, transactional_id, InitProducerIdRequest_v0(transactional_id, timeout_ms), _own_code
    )
    return WireProducer(wire, transactional_id, answer.producer_id, answer.producer_epoch)


class WireProducer:
    """One life of a transactional id. The first `append`, `add` or `send_offsets` begins a transaction.

    Its methods raise Fenced, Doubt or a JobFailure. After Doubt, Fenced or a cancelled call every further call raises
    Doubt. After a JobFailure only `abort` is of use.
    """

    def __init__(self, wire: Wire, transactional_id: str, producer_id: int, epoch: int) -> None:
        """Made by `fence`."""
        self.transactional_id, self.producer_id, self.epoch = transactional_id, producer_id, epoch
        self.throttled_ms = 0
        self._wire = wire
        self._identity = (transactional_id, producer_id, epoch)
        self._added: set[At] = set()
        self._groups: set[str] = set()
        self._sequences: dict[At, int] = {}
        self._useless = ""

    @property
    def is_open(self) -> bool:
        """Whether a transaction is open."""
        return bool(self._added or self._groups)

    async def add(self, partitions: Mapping[str, Collection[int]]) -> None:
        """Makes partitions, by topic, part of the transaction: needed before anything is produced there."""
        new = {topic: [p for p in some if (topic, p) not in self._added] for topic, some in partitions.items()}
        if not any(new.values()):
            return
        with self._judging():
            self._added.update((topic, partition) for topic, some in new.items() for partition in some)
            named = [(topic, some) for topic, some in new.items() if some]
            request = AddPartitionsToTxnRequest_v0(*self._identity, named)
            await ask_coordinator(self._wire, TRANSACTION, self.transactional_id, request, _partition_codes)

    async def append(
        self, topic: str, partition: int, key: bytes | None, value: bytes | None, timestamp_ms: int | None = None
    ) -> int:
        """Appends one record and returns its offset. Without a timestamp the record has the present time."""
        await self.add({topic: [partition]})
        sequence = self.next_sequences(topic, partition, 1)
        batch = DefaultRecordBatchBuilder(2, 0, 1, self.producer_id, self.epoch, sequence, 1 << 30)
        stamp = int(time.time() * 1000) if timestamp_ms is None else timestamp_ms
        batch.append(0, stamp, key, value, [])
        with self._judging():
            lane = await self._wire.lane(await self._wire.leader(topic, partition))
            answer = await self.send_batches(lane, topic, {partition: [batch.build()]})
        return self.check_produced(topic, answer, {partition})[partition]

    def next_sequences(self, topic: str, partition: int, count: int) -> int:
        """The sequence number of the first of the next `count` records of a partition."""
        first = self._sequences.get((topic, partition), 0)
        self._sequences[topic, partition] = (first + count) & 0x7FFFFFFF
        return first

    def send_batches(
        self, connection: Connection, topic: str, batches: Mapping[int, Sequence[Part]]
    ) -> "asyncio.Future[memoryview]":
        """Sends a batch to each of some partitions: parts that have this producer's id, epoch and sequence numbers.

        The partitions are `add`ed, and the connection leads to their leader; over one connection, several requests may
        be under way. The answer is for `check_produced`.
        """
        with self._judging():
            body = produce(self.transactional_id, _PRODUCE_MS, topic, batches)
            return connection.send(PRODUCE, PRODUCE_VERSION, *body)

    def check_produced(self, topic: str, answer: memoryview, partitions: Collection[int]) -> dict[int, int]:
        """The offset of the first record in each partition that was sent to. `throttled_ms` grows to what the broker
        says.
        """
        with self._judging():
            done, throttled_ms = produced(answer)
            self.throttled_ms = max(self.throttled_ms, throttled_ms)
            for one in done.values():
                check(one.code, topic)
            if done.keys() != set(partitions) or any(one.offset < 0 for one in done.values()):
                raise Doubt(f"topic '{topic}': the broker did not say where the records are")
            return {partition: one.offset for partition, one in done.items()}

    def useless(self, why: str) -> None:
        """A request is left without its answer: nothing more is done with this producer."""
        self._useless = self._useless or why

    async def send_offsets(self, group: str, offsets: Mapping[At, tuple[int, str]]) -> None:
        """Makes (offset, metadata) by partition the group's, once the transaction is committed."""
        topics: dict[str, list[tuple[int, int, str]]] = {}
        for (topic, partition), (offset, metadata) in offsets.items():
            topics.setdefault(topic, []).append((partition, offset, metadata + END_OF_METADATA))
        with self._judging():
            if group not in self._groups:
                await self._wire.coordinator(GROUP, group)  # the first creates the topic that the transaction enters
                self._groups.add(group)
                added = AddOffsetsToTxnRequest_v0(*self._identity, group)
                await ask_coordinator(self._wire, TRANSACTION, self.transactional_id, added, _own_code)
            request = TxnOffsetCommitRequest_v0(
                self.transactional_id, group, self.producer_id, self.epoch, list(topics.items())
            )
            await ask_coordinator(self._wire, GROUP, group, request, _partition_codes)

    async def commit(self) -> None:
        """Commits what was appended and sent since the last end; without any of it nothing is asked."""
        await self._end(committed=True)

    async def abort(self) -> None:
        """Aborts what was appended and sent since the last end; without any of it nothing is asked."""
        await self._end(committed=False)

    async def _end(self, *, committed: bool) -> None:
        with self._judging():
            if self.is_open:
                request = EndTxnRequest_v0(*self._identity, committed)
                await ask_coordinator(self._wire, TRANSACTION, self.transactional_id, request, _own_code)
            self._added.clear()
            self._groups.clear()

    @contextmanager
    def _judging(self) -> Iterator[None]:
        """Lets nothing out after a doubt; a JobFailure leaves the transaction to `abort`."""
        if self._useless:
            raise Doubt(self._useless)
        try:
            yield
        except JobFailure:
            raise
        except BaseException as error:
            self._useless = str(error) or "the producer was left in the middle of a call"
            self._wire.forget()
            raise


def _own_code(answer: Any) -> list[Refusal]:
    return [("", answer.error_code)]


def _partition_codes(answer: Any) -> list[Refusal]:
    """A partition that was not looked at because of another's refusal comes last."""
    found = [(topic, code) for topic, partitions in answer.errors for _, code in partitions]
    return sorted(found, key=lambda one: one[1] == _NOT_ATTEMPTED)


async def ask_coordinator(
    wire: Wire, kind: int, key: str, request: Any, refusals: Callable[[Any], list[Refusal]]
) -> Any:
    """The coordinator's answer; a refusal that passes is met with the same request for PASSES_S, then is Doubt."""
    pause, deadline = _FIRST_PAUSE_S, time.monotonic() + PASSES_S
    while True:
        lane = await wire.lane(await wire.coordinator(kind, key))
        answer = await lane.ask(request)
        found = refusals(answer)
        passing = PASSING.intersection(code for _, code in found)
        if not passing or time.monotonic() > deadline:
            for topic, code in found:
                check(code, topic)
            return answer
        if passing != {_CONCURRENT}:
            wire.forget()
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_S)
