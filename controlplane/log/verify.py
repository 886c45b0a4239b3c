"""Verifies the log: folds all events again and compares the result with the topic `state`.

`state` is read first, then the events up to the last one that it includes. So a decider that runs meanwhile does not
matter. The position in `reports` is not compared: it is also written after many reports without an event, and starts
again from 0 in restored topics.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields

from jobplane.controlplane.core.evolve import fold
from jobplane.controlplane.core.state import POSITION, State
from jobplane.controlplane.log import events_topic, state_topic
from jobplane.controlplane.log.events_topic import Alive
from jobplane.controlplane.topics import EVENTS, STATE
from jobplane.processors.kafka.cluster import Kafka
from jobplane.processors.kafka.control_topics import ControlTopics
from jobplane.schemas.records.state import Position, StateKey, StateRecord, decode_key, encode_key
from jobplane.schemas.wire.avro_names import avro_name

Watch = Callable[[int, int], None]
"""Called with the number of offsets read, and the total."""
UNCOMPARED = frozenset({"reports"})


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that differs; `field` is empty if only one of the two has the record."""

    key: StateKey
    field: str
    folded: str
    held: str

    def __str__(self) -> str:
        place = " ".join(self.key) + (f" {self.field}" if self.field else "")
        return f"{place}: events say {self.folded}, state says {self.held}"


@dataclass(frozen=True, slots=True)
class Verification:
    """`events` events were folded in `seconds`, the last with seq `seq`; `state` is the result."""

    events: int
    seq: int
    seconds: float
    state: State
    differences: tuple[Difference, ...]

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds if self.seconds else 0.0


def verify_log(
    kafka: Kafka, prefix: str, watch: Watch = lambda done, of: None, alive: Alive = lambda: None
) -> Verification:
    """Raises EventsTruncated, NotSetUp, NewerState."""
    bounds = events_topic.complete_bounds(kafka, prefix)
    held = committed_records(kafka, prefix, alive)
    last = held.get(POSITION)
    seq = last.seq if isinstance(last, Position) else 0
    state, count, began = State(), 0, time.monotonic()
    consumer = ControlTopics(kafka, prefix).log_reader()
    try:
        for batch in events_topic.read_messages(consumer, f"{prefix}{EVENTS}", 0, bounds.end, alive) if seq else ():
            for message in batch:
                event = events_topic.decode_event(message)
                if event.seq > seq:
                    break
                fold(state, event)
                count += 1
            watch((batch[-1].offset() or 0) + 1, bounds.end)
            if state.position.seq >= seq:
                break
    finally:
        consumer.close()
    took = time.monotonic() - began
    return Verification(count, state.position.seq, took, state, tuple(differences(state.records(), held)))


def committed_records(kafka: Kafka, prefix: str, alive: Alive = lambda: None) -> dict[StateKey, StateRecord]:
    """The records of `state` at the end of its last complete transaction: each transaction ends with a position."""
    last: dict[bytes, bytes] = {}
    changes: dict[bytes, bytes | None] = {}
    position = encode_key(POSITION)
    consumer = ControlTopics(kafka, prefix).state_reader()
    try:
        for message in kafka.read_to_end(consumer, f"{prefix}{STATE}", [0], alive):
            key = message.key() or b"[]"
            changes[key] = message.value()
            if key == position:
                for changed, value in changes.items():
                    if value is None:
                        last.pop(changed, None)
                    else:
                        last[changed] = value
                changes.clear()
    finally:
        consumer.close()
    return {decode_key(key): state_topic.read_record(value) for key, value in last.items()}


def differences(folded: Mapping[StateKey, StateRecord], held: Mapping[StateKey, StateRecord]) -> Iterator[Difference]:
    """Field by field, in the order of the keys."""
    fresh: dict[StateKey, StateRecord] = {POSITION: Position()}
    for key in sorted({*folded, *held}):
        one, other = folded.get(key), held.get(key, fresh.get(key))
        if one == other:
            continue
        if one is None or other is None or type(one) is not type(other):
            yield Difference(key, "", _name(one), _name(other))
            continue
        for at in fields(one):
            a, b = getattr(one, at.name), getattr(other, at.name)
            if a != b and not (isinstance(one, Position) and at.name in UNCOMPARED):
                yield Difference(key, at.name, repr(a), repr(b))


def _name(record: StateRecord | None) -> str:
    return "nothing" if record is None else avro_name(type(record))
