"""Finds the checkpoints of many tasks in one pass, and reads each record of `checkpoints` once."""

from collections.abc import Callable, Mapping
from contextlib import closing
from typing import TYPE_CHECKING

from jobplane.processors.kafka.control_topics import ControlTopics
from jobplane.schemas.records.checkpoints import Checkpoint
from jobplane.schemas.wire.codec import UnknownRecord, decode

if TYPE_CHECKING:
    from jobplane.processors.kafka.cluster import Consumer


class CheckpointIndex:
    """Where the newest committed checkpoint under each key lies, as far as the topic has been read. Of one thread.

    A pass goes on where the pass before has ended: a thousand tasks that start one after another would else read
    the whole topic a thousand times.
    """

    def __init__(self, topics: ControlTopics) -> None:
        self._topics = topics
        self._reader: Consumer | None = None
        self._ends: dict[int, int] = {}
        self._offsets: dict[bytes, int] = {}

    def find(self, partitions: Mapping[str, int], alive: Callable[[], None]) -> dict[str, Checkpoint | None]:
        """The newest checkpoints under these keys, given with their partitions; a key without one is missing.

        None stands for one that cannot be read. Call it after the tasks were fenced. Raises Doubt.
        """
        wanted = {key.encode() for key in partitions}
        found = self._pass(sorted({*partitions.values()}), wanted, alive)
        for key, partition in partitions.items():
            offset = self._offsets.get(key.encode())
            if offset is not None and key.encode() not in found:
                found[key.encode()] = self._at(partition, offset)
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
        for message in kafka.read_to_end(consumer, topic, partitions, alive, starts):
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

    def _at(self, partition: int, offset: int) -> bytes | None:
        """The value of a record that an earlier pass has seen."""
        with closing(self._topics.record_reader(committed=True)) as consumer:
            message = self._topics.kafka.record_at(consumer, self._topics.checkpoints, partition, offset)
        return message.value() if message is not None else None


def _checkpoint(value: bytes | None) -> Checkpoint | None:
    try:
        return decode(value, Checkpoint) if value else None
    except UnknownRecord:
        return None
