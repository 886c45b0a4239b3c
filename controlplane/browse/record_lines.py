"""Writes lines of text to a topic, each as one record, byte for byte."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from jobplane.controlplane.browse.new_topics import check_not_kafkas
from jobplane.controlplane.browse.open_topic import check_partitions
from jobplane.controlplane.browse.topic_lookup import partition_count
from jobplane.processors.kafka.cluster import Kafka, KafkaError, KafkaException, Message, judged
from jobplane.schemas.errors import BadLine, Place, TopicReserved
from jobplane.schemas.setup_errors import KafkaUnreachable
from jobplane.schemas.shown import quantity, show_value

DELIVERY_S = 30.0
Headers = list[tuple[str, str | bytes | None]]


@dataclass(frozen=True, slots=True)
class LineRecord:
    """A key and a value; `line` is the line number, from 1."""

    line: int
    key: bytes | None
    value: bytes | None


@dataclass(frozen=True, slots=True)
class LineFormat:
    """How to read a line: the separator of key and value, or the key of all records, and the text for a NULL value.

    With `json`, each value must be JSON.
    """

    separator: bytes = b""
    key: bytes | None = None
    null: bytes | None = None
    json: bool = False


def parse_lines(lines: Iterable[bytes], form: LineFormat) -> Iterator[LineRecord]:
    """One record for each line that is not empty. Raises BadLine."""
    for number, ended in enumerate(lines, 1):
        line = ended.removesuffix(b"\n").removesuffix(b"\r")
        if line:
            yield _parse_line(number, line, form)


def _parse_line(number: int, line: bytes, form: LineFormat) -> LineRecord:
    key, value = form.key, line
    if form.separator:
        key, found, value = line.partition(form.separator)
        if not found:
            message = f"line {number} has no '{form.separator.decode(errors='replace')}' between key and value"
            raise BadLine(message, Place(number, 1))
    if form.null is not None and value == form.null:
        return LineRecord(number, key, None)
    if form.json:
        _check_json(number, value)
    return LineRecord(number, key, value)


def _check_json(number: int, value: bytes) -> None:
    try:
        msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadLine(f"line {number} is not JSON: {show_value(value)}", Place(number, 1)) from None


def require_writable(kafka: Kafka, prefix: str, topic: str, partition: int | None) -> int:
    """The topic's max.message.bytes. Raises TopicNotFound, TopicReserved, PartitionNotFound if it is not writable."""
    if topic.startswith(prefix):
        raise TopicReserved(
            f"topic '{topic}' is reserved: names that begin with '{prefix}' are the control plane's own; send "
            "statements with `jobplane sql` or `jobplane emit`"
        )
    check_not_kafkas(topic)
    check_partitions(topic, partition_count(kafka, topic), () if partition is None else (partition,))
    return kafka.taken([topic], lambda: None)[0].limit


class RecordWriter:
    """Writes records to one topic. `written` counts those that Kafka has acknowledged.

    Keys determine partitions as in Java's clients and in jobs.
    """

    def __init__(self, kafka: Kafka, topic: str, limit: int) -> None:
        """`limit` is the topic's max.message.bytes."""
        self.written = 0
        self._kafka, self._topic, self._limit = kafka, topic, limit
        self._failure: KafkaError | None = None
        self._producer = kafka.producer(
            linger_ms=5,
            message_max_bytes=max(limit, 1_000_000),
            message_timeout_ms=int(DELIVERY_S * 1000),
            partitioner="murmur2_random",
            on_delivery=self._delivered,
        )

    def send(self, record: LineRecord, partition: int | None, headers: Headers) -> None:
        """Sends one record. Raises BadLine, and the error of an earlier record."""
        while True:
            try:
                self._producer.produce(
                    self._topic, record.value, record.key, -1 if partition is None else partition, headers=headers
                )
                break
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as error:
                raise self._as_error(error.args[0], record.line) from error
        self._producer.poll(0)
        self._check()

    def close(self) -> None:
        """Returns once all records are acknowledged. Raises the error of a record."""
        deadline = time.monotonic() + DELIVERY_S + 5
        while len(self._producer) and time.monotonic() < deadline:
            self._producer.flush(0.2)
        self._check()
        if left := len(self._producer):
            raise KafkaUnreachable(f"{quantity(left, 'record')} not acknowledged within {DELIVERY_S:.0f} s")

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        if error is None:
            self.written += 1
        elif self._failure is None:
            self._failure = error

    def _check(self) -> None:
        if self._failure is not None:
            raise self._as_error(self._failure)

    def _as_error(self, error: KafkaError, line: int = 0) -> Exception:
        if error.name() == "MSG_SIZE_TOO_LARGE":
            which = f"line {line}" if line else "a line"
            takes = f"topic '{self._topic}' takes records of at most {self._limit:,} bytes (its max.message.bytes)"
            return BadLine(f"{which} is too large: {takes}", Place(max(1, line), 1))
        if error.name() == "_MSG_TIMED_OUT":
            return KafkaUnreachable(f"Kafka did not acknowledge a record within {DELIVERY_S:.0f} s")
        return judged(error)
