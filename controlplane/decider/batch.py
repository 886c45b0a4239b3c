"""What one transaction of the decider writes: every event, and of state and tasks only the last record of each key.

A batch of commands about one job changes its record many times; who reads the topic sees nothing in between. The
position is always the last of the state's records, so a reader knows where a transaction's records end.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from jobplane.controlplane.core.evolve import evolve
from jobplane.controlplane.core.reconcile import Write, reconcile
from jobplane.controlplane.core.state import POSITION, Changes, State
from jobplane.controlplane.topics import EVENTS, STATE
from jobplane.processors.kafka.transactions import TransactionalProducer
from jobplane.schemas.changed import replace
from jobplane.schemas.records.events import Event
from jobplane.schemas.records.state import encode_key
from jobplane.schemas.wire.codec import encode

UNWRITTEN = 5_000
"""Records read that caused no event, after which their position is written all the same: they are not read for ever."""


@dataclass(slots=True)
class Batch:
    """`events` are with the names of their jobs, and their bytes. A batch that stays empty is not written."""

    events: list[tuple[Event, str, bytes]] = field(default_factory=list)
    changes: Changes = field(default_factory=dict)
    _writes: dict[tuple[str, int, str], Write] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.changes)

    @property
    def writes(self) -> Iterable[Write]:
        """Task records and tombstones."""
        return self._writes.values()

    def add(self, state: State, event: Event, job: str, data: bytes) -> None:
        """Folds an event, whose bytes are `data`, into the state."""
        self.events.append((event, job, data))
        changes = evolve(state, event)
        before = {key: state.get(key) for key in changes}
        self._change(state, changes)
        for write in reconcile(before, state):
            self._writes[write.topic, write.partition, write.key] = write

    def passed(self, state: State, commands: int, reports: int) -> None:
        """Takes note that all before these offsets was read, where that is far beyond what is written."""
        position = state.position
        if commands - position.commands >= UNWRITTEN or reports - position.reports >= UNWRITTEN:
            moved = replace(position, commands=max(commands, position.commands), reports=max(reports, position.reports))
            self._change(state, {POSITION: moved})

    def _change(self, state: State, changes: Changes) -> None:
        state.apply(changes)
        self.changes.pop(POSITION, None)
        self.changes.update(changes)


def produce_batch(producer: TransactionalProducer, prefix: str, batch: Batch) -> None:
    """Within a transaction."""
    for _, job, data in batch.events:
        producer.produce(f"{prefix}{EVENTS}", data, job, 0)
    for key, record in batch.changes.items():
        producer.produce(f"{prefix}{STATE}", encode(record) if record is not None else None, encode_key(key), 0)
    for write in batch.writes:
        value = encode(write.task) if write.task is not None else None
        producer.produce(f"{prefix}{write.topic}", value, write.key, write.partition)
