"""Copies all control topics of a prefix, and the state topics of its jobs, into one file, at one moment.

1 read the end of every partition · 2 copy every committed record before it, of compacted topics the last of each key ·
3 check that the ends and the topics have not changed · 4 check that the state is that of the last event.

Nothing may write during the copy: then the copy is consistent, although it takes some seconds, and a restored job
continues exactly where its output ends. So workers must be stopped first; step 3 notices if one still writes.
"""

import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jobplane.controlplane.backup.file import FORMAT, BackupRecord, BackupTopic, Foot, Head, PartitionRange, open_writer
from jobplane.controlplane.core.state import POSITION
from jobplane.controlplane.topics import EVENTS, STATE, TOPICS
from jobplane.processors.kafka.cluster import Kafka, Message
from jobplane.processors.kafka.control_topics import ControlTopics
from jobplane.schemas.records.events import Event
from jobplane.schemas.records.state import Position, encode_key
from jobplane.schemas.setup_errors import NotSetUp, StillWritten
from jobplane.schemas.shown import quantity
from jobplane.schemas.wire.codec import decode

Watch = Callable[[str], None]
"""Called with messages about the progress."""


def back_up(kafka: Kafka, prefix: str, path: Path, watch: Watch = lambda text: None) -> Foot:
    """Writes a backup. Raises NotSetUp, StillWritten, and Doubt if a transaction stays open."""
    # 1
    topics = topic_ranges(kafka, prefix)
    head = Head(FORMAT, version("jobplane"), prefix, round(time.time() * 1000), topics)
    with open_writer(path, head) as writer:
        # 2
        last, position = b"", Position()
        compacted = {topic.name: topic.cleanup == "compact" for topic in TOPICS}
        for topic in (*compacted, *sorted(topics.keys() - compacted.keys())):
            for record in _records(kafka, prefix, topic, compacted=compacted.get(topic, True)):
                writer.add(record)
                if topic == EVENTS:
                    last = record.value or b""
                elif topic == STATE and record.key == encode_key(POSITION):
                    position = decode(record.value or b"", Position)
            watch(f"{topic}: {quantity(writer.records[topic], 'record')}")
        # 3
        now = topic_ranges(kafka, prefix)
        if moved := sorted(name for name in topics.keys() | now.keys() if topics.get(name) != now.get(name)):
            raise StillWritten(f"topics changed during the copy: {', '.join(moved)}; stop all workers, then try again")
        # 4
        seq = decode(last, Event).seq if last else 0
        if seq != position.seq:
            raise StillWritten(
                f"the last event has seq {seq}, but the state is that of seq {position.seq}; "
                "stop all workers, then try again; if that does not help, `jobplane replay` shows the differences"
            )
        return writer.end()


def topic_ranges(kafka: Kafka, prefix: str) -> dict[str, BackupTopic]:
    """The control topics and the state topics of jobs, with their current ranges. Raises NotSetUp."""
    states = ControlTopics(kafka, prefix).job_states(kafka.topic_names())
    have = kafka.topics([*(f"{prefix}{topic.name}" for topic in TOPICS), *states.values()])
    if missing := sorted(name for topic in TOPICS if (name := f"{prefix}{topic.name}") not in have):
        raise NotSetUp(f"there is no topic {', '.join(missing)} at {kafka.bootstrap}; check the prefix")
    places = [(name, p) for name, (_, count) in have.items() for p in range(count)]
    first, end = kafka.first_offsets(places), kafka.last_offsets(places)
    return {
        name.removeprefix(prefix): BackupTopic(
            id_, [PartitionRange(first[name, p], end[name, p]) for p in range(count)]
        )
        for name, (id_, count) in have.items()
    }


def _records(kafka: Kafka, prefix: str, topic: str, *, compacted: bool) -> Iterator[BackupRecord]:
    if not compacted:
        yield from map(_record_maker(topic), _read(kafka, prefix, topic))
        return
    last: dict[tuple[int, bytes], int] = {}
    for message in _read(kafka, prefix, topic):
        last[_place(message)] = message.offset() or 0
    for message in _read(kafka, prefix, topic) if last else ():
        if last.get(_place(message)) == message.offset() and message.value() is not None:
            yield _record_maker(topic)(message)


def _place(message: Message) -> tuple[int, bytes]:
    return message.partition() or 0, message.key() or b""


def _read(kafka: Kafka, prefix: str, topic: str) -> Iterator[Message]:
    consumer = ControlTopics(kafka, prefix).log_reader()
    try:
        partitions = kafka.topics([f"{prefix}{topic}"])[f"{prefix}{topic}"][1]
        yield from kafka.read_to_end(consumer, f"{prefix}{topic}", range(partitions))
    finally:
        consumer.close()


def _record_maker(topic: str) -> Callable[[Message], BackupRecord]:
    def make_record(message: Message) -> BackupRecord:
        given: Any = message.headers() or ()
        headers = [(name, value.encode() if isinstance(value, str) else value) for name, value in given]
        offset, partition = message.offset() or 0, message.partition() or 0
        return BackupRecord(topic, partition, offset, message.timestamp()[1], message.key(), message.value(), headers)

    return make_record
