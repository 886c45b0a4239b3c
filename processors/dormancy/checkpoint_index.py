"""Finds the checkpoints of many tasks in one pass, and reads each record of `checkpoints` once."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from jobplane.processors.kafka.control_topics import ControlTopics
from jobplane.processors.kafka.wire.batches import passage, records_of
from jobplane.processors.kafka.wire.requests import FETCH, FETCH_VERSION, fetch, fetched
from jobplane.processors.kafka.wire.wire import Wire, check
from jobplane.schemas.records.checkpoints import Checkpoint
from jobplane.schemas.wire.codec import UnknownRecord, decode

if TYPE_CHECKING:
    from jobplane.processors.kafka.cluster import Consumer


class CheckpointIndex:
    """Where the newest committed checkpoint under each key lies, as far as the topic has been read. Of one thread.

    A pass goes on where the pass before has ended: a thousand tasks that start one after another would else read
    the whole topic a thousand times.
    """

    def __init__(self, topics: ControlTopics, wire: Wire) -> None:
        self._topics, self._wire = topics, wire
        self._reader: Consumer | None = None
        self._ends: dict[int, int] = {}
        self._offsets: dict[bytes, int] = {}

    def find(self, partitions: Mapping[str, int], alive: Callable[[], None]) -> dict[str, Checkpoint | None]:
        """The newest checkpoints under these keys, given with their partitions; a key without one is missing.

        None stands for one that cannot be read. Call it after the tasks were fenced. Raises Doubt, JobFailure,
        NotUnderstood or WireUnavailable.
        """
        wanted = [key.encode() for key in partitions]
        found = self._pass(sorted({*partitions.values()}), {*wanted}, alive)
        places = {
            key: (partition, self._offsets[key])
            for key, partition in zip(wanted, partitions.values(), strict=True)
            if key in self._offsets and key not in found
        }
        found |= zip(places, self._wire.run(self._at(places.values())).result(), strict=True)
        return {key.decode(): _checkpoint(value) for key, value in found.items() if key in self._offsets}

    def _pass(self, partitions: list[int], wanted: set[bytes], alive: Callable[[], None]) -> dict[bytes, bytes | None]:
        """The values under the keys that are wanted, among the records that no pass has read yet."""
        kafka, topic = self._topics.kafka, self._topics.checkpoints
        found: dict[bytes, bytes | None] = {}
        first = kafka.first_offsets([(topic, p) for p in partitions], alive)
        starts = {at: max(offset, self._ends.get(at[1], 0)) for at, offset in first.items()}
        consumer, self._reader = (
            self._reader or self._topics.log_reader(),
            None,
        )  # one that has failed is not used again
        for message in kafka.read_from(consumer, starts, alive):
            key, offset = message.key() or b"", message.offset() or 0
            if message.value() is None:
                self._offsets.pop(key, None)
            else:
                self._offsets[key] = offset
            if key in wanted:
                found[key] = message.value()
        for (_, partition), offset in kafka.positions(consumer, starts).items():
            self._ends[partition] = offset
        consumer.unassign()
        self._reader = consumer
        return found

    async def _at(self, places: Iterable[tuple[int, int]]) -> list[bytes | None]:
        """The values of records that earlier passes have seen, by (partition, offset); None where one is gone."""
        return await asyncio.gather(*(self._value(*place) for place in places))

    async def _value(self, partition: int, offset: int) -> bytes | None:
        topic = self._topics.checkpoints
        lane = await self._wire.lane(await self._wire.leader(topic, partition))
        answer = await lane.send(FETCH, FETCH_VERSION, fetch(topic, {partition: offset}, 0, 1, 1))  # a batch, at least
        partitions, code, _ = fetched(answer)
        check(code)
        check(partitions[partition].code, topic)
        lying = passage(partitions[partition].records, offset, offset + 1, partitions[partition].aborted)
        return next((record.value for batch in lying.batches for record in records_of(batch)), None)


def _checkpoint(value: bytes | None) -> Checkpoint | None:
    try:
        return decode(value, Checkpoint) if value else None
    except UnknownRecord:
        return None
