"""What one transaction of the decider writes: every event, and of state and tasks only the last record of each key.

A batch of commands about one job changes its record many times; a reader of the topic sees only the last. The
position is always the last of the state's records, so a reader knows where a transaction's records end.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from jobplane.controlplane.core.outcome import Reply
from jobplane.controlplane.core.reconcile import Write
from jobplane.controlplane.core.state import POSITION, Changes, State
from jobplane.controlplane.core.step import Effects, KeyedEvent
from jobplane.controlplane.topics import EVENTS, STATE
from jobplane.processors.kafka.transactions import TransactionalProducer
from jobplane.schemas.changed import replace
from jobplane.schemas.records.state import encode_key
from jobplane.schemas.wire.codec import encode

POSITION_INTERVAL = 5_000
"""Write the position after this many records without an event, so that a restart does not read them again."""


@dataclass(slots=True)
class Batch:
    """The effects of some inputs, put together. A batch that stays empty is not written."""

    events: list[KeyedEvent] = field(default_factory=list)
    changes: Changes = field(default_factory=dict)
    replies: list[Reply] = field(default_factory=list)
    _writes: dict[tuple[str, int, str], Write] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.changes)

    @property
    def writes(self) -> Iterable[Write]:
        """Task records and tombstones."""
        return self._writes.values()

    def add(self, more: Effects) -> None:
        """Adds the effects of the next input."""
        self.events += more.events
        self.replies += more.replies
        self._add(more.changes)
        for write in more.writes:
            self._writes[write.topic, write.partition, write.key] = write

    def advance_position(self, state: State, commands: int, reports: int) -> None:
        """Advances the position to these offsets, if that is far beyond the written position."""
        position = state.position
        if commands - position.commands >= POSITION_INTERVAL or reports - position.reports >= POSITION_INTERVAL:
            moved = replace(position, commands=max(commands, position.commands), reports=max(reports, position.reports))
            state.apply({POSITION: moved})
            self._add({POSITION: moved})

    def _add(self, changes: Changes) -> None:
        """The position stays the last of the state's records."""
        if changes:
            self.changes.pop(POSITION, None)
            self.changes.update(changes)


def produce_batch(producer: TransactionalProducer, prefix: str, batch: Batch) -> None:
    """Within a transaction."""
    for one in batch.events:
        producer.produce(f"{prefix}{EVENTS}", one.data, one.job, 0)
    for key, record in batch.changes.items():
        producer.produce(f"{prefix}{STATE}", encode(record) if record is not None else None, encode_key(key), 0)
    for write in batch.writes:
        value = encode(write.task) if write.task is not None else None
        producer.produce(f"{prefix}{write.topic}", value, write.key, write.partition)
