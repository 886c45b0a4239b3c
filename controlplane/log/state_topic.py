"""Reads the topic `state`, and records of `state` and `reports`."""

from collections.abc import Callable, Iterable
from contextlib import closing

from jobplane.controlplane.core.state import State
from jobplane.controlplane.topics import STATE
from jobplane.processors.kafka.cluster import Consumer, Kafka, Message
from jobplane.processors.kafka.control_topics import ControlTopics
from jobplane.schemas.records.reports import Report
from jobplane.schemas.records.state import FORMAT, Position, StateKey, StateRecord, decode_key
from jobplane.schemas.setup_errors import NewerState
from jobplane.schemas.wire.codec import UnknownRecord, decode, decode_record

Alive = Callable[[], None]


def read_state(
    kafka: Kafka,
    consumer: Consumer,
    prefix: str,
    alive: Alive = lambda: None,
    wanted: Callable[[StateKey], bool] = lambda key: True,
) -> State:
    """The state at the end of its topic, of the `wanted` keys. Raises NewerState if a newer version wrote one."""
    return fold_state(kafka.read_to_end(consumer, f"{prefix}{STATE}", [0], alive), wanted)


def fold_state(messages: Iterable[Message], wanted: Callable[[StateKey], bool]) -> State:
    """The state that the topic's records leave, as `read_state` reads it."""
    last: dict[bytes, bytes] = {}
    for message in messages:
        key, value = message.key() or b"[]", message.value()
        if value is None:
            last.pop(key, None)
        else:
            last[key] = value
    keys = {key: decode_key(key) for key in last}  # decoded at the end: most records have been replaced by then
    return State((keys[key], read_record(value)) for key, value in last.items() if wanted(keys[key]))


def read_current_state(kafka: Kafka, prefix: str, wanted: Callable[[StateKey], bool] = lambda key: True) -> State:
    """`read_state` with its own consumer, to look once."""
    with closing(ControlTopics(kafka, prefix).state_reader()) as consumer:
        return read_state(kafka, consumer, prefix, wanted=wanted)


def is_listed(key: StateKey) -> bool:
    """All but the answers to command ids: they are many, and only the decider needs them."""
    return key[:1] != ("command",)


def read_record(value: bytes) -> StateRecord:
    """A record of `state`. Raises NewerState if a newer version wrote it."""
    try:
        record = decode_record(value)
    except UnknownRecord as unknown:
        raise NewerState(f"a state record cannot be read ({unknown}); run the newest version of jobplane") from unknown
    if isinstance(record, Position) and record.format > FORMAT:
        raise NewerState(f"the state has format {record.format}, this version reads {FORMAT}; run the newer version")
    return record  # type: ignore[no-any-return]


def read_report(message: Message) -> Report | None:
    """The report in a record; None if it is not one (anyone may write to a topic)."""
    try:
        return decode(message.value() or b"", Report)
    except UnknownRecord:
        return None
