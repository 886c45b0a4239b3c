"""Record batches as they lie in a partition: which of them a reader of committed records sees, and how a copy differs.

Only version 2 of the message format is understood (Kafka 0.11 and later). A batch is copied whole where each of its
records is wanted and it says the same of them in another topic; else it is opened, and the records wanted become new
batches. All this follows the Java consumer's rules, see `CompletedFetch.nextFetchedRecord`. Pure.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from aiokafka.errors import CorruptRecordException, UnsupportedCodecError
from aiokafka.record.default_records import DefaultRecord, DefaultRecordBatch, DefaultRecordBatchBuilder

from jobplane.processors.kafka.wire.crc32c import changed_checksum

_HEADER = struct.Struct(">qiibIhiqqqhii")
"""Base offset, length, leader epoch, version, checksum, attributes, last offset delta, first and largest timestamp,
producer id, epoch, first sequence number, number of records."""
_LENGTH_ENDS, _CHECKED, _PRODUCER, _COUNT, HEADER_BYTES = 12, 21, 43, 57, 61
"""Where these begin: what the length counts, what the checksum covers, the producer, the number of records, records."""
_ATTRIBUTES, _OWN = struct.Struct(">h"), struct.Struct(">qhi")
_CODEC, _APPEND_TIME, _TRANSACTIONAL, _CONTROL = 0x07, 0x08, 0x10, 0x20
_COPIED = _CODEC | _TRANSACTIONAL
"""The only attributes of a batch that is copied whole: not one that compaction has touched, or with append times."""
_ABORT = 0
VERSION = 2
NO_END = 1 << 62
"""An offset that no partition reaches."""
LARGEST_PART = 900_000
"""Bytes of records in a new batch, if the topic takes so many."""


class NotUnderstood(Exception):
    """The batches of a partition are not such as can be copied here: copy the records one by one."""


@dataclass(frozen=True, slots=True)
class Lying:
    """A batch as it lies in its partition. The records from offset `first` on, and before `after`, are wanted."""

    data: memoryview
    first: int
    after: int
    is_whole: bool

    @property
    def count(self) -> int:
        """The records of a whole batch."""
        return int(_HEADER.unpack_from(self.data)[-1])


@dataclass(frozen=True, slots=True)
class Passage:
    """What a fetch gave of a partition: the batches with records that are wanted, and the next offset to fetch."""

    batches: tuple[Lying, ...]
    position: int


def passage(records: memoryview, position: int, end: int, aborted: Iterable[tuple[int, int]]) -> Passage:
    """The committed batches from a position on, and before offset `end`.

    `aborted` are (producer id, first offset) of the transactions aborted in this range, as the fetch has named them.
    Raises NotUnderstood for other versions of the format, and for bytes that are not batches.
    """
    waiting = sorted(aborted, key=lambda one: one[1], reverse=True)
    aborting: set[int] = set()
    found, at = [], 0
    while at + HEADER_BYTES <= len(records):
        base, length, _, version, _, attributes, delta, _, largest, producer, *_, count = _HEADER.unpack_from(
            records, at
        )
        if version != VERSION or length < HEADER_BYTES - _LENGTH_ENDS or delta < 0:
            raise NotUnderstood(f"offset {base} is in version {version} of the message format")
        stop = at + _LENGTH_ENDS + length
        if stop > len(records):
            break  # a fetch ends where its bytes do
        data, at, last = records[at:stop], stop, base + delta
        while waiting and waiting[-1][1] <= last:
            aborting.add(waiting.pop()[0])
        if attributes & _CONTROL:
            if _ends_in_abort(data):
                aborting.discard(producer)
        elif last >= position and base < end and not (attributes & _TRANSACTIONAL and producer in aborting) and count:
            complete = base >= position and last < end and count == delta + 1
            is_whole = complete and not attributes & ~_COPIED and largest >= 0
            found.append(Lying(data, max(base, position), min(last + 1, end), is_whole))
        position = max(position, last + 1)
    return Passage(tuple(found), min(position, end))


def _ends_in_abort(control: memoryview) -> bool:
    """Whether a control batch is the marker of an abort."""
    key = next(_opened(control)).key or b""
    return len(key) >= 4 and struct.unpack_from(">hh", key)[1] == _ABORT


def take_over(batch: Lying, producer_id: int, epoch: int, sequence: int) -> memoryview:
    """A whole batch as it is produced in a transaction of another producer: changed where it lies."""
    data = batch.data
    old = bytes(data[_CHECKED:_COUNT])
    attributes = _ATTRIBUTES.unpack_from(old)[0] | _TRANSACTIONAL
    new = _ATTRIBUTES.pack(attributes) + old[2 : _PRODUCER - _CHECKED] + _OWN.pack(producer_id, epoch, sequence)
    checksum = changed_checksum(_HEADER.unpack_from(data)[4], old, new, len(data) - _COUNT)
    struct.pack_into(">q", data, 0, 0)
    struct.pack_into(">I", data, _CHECKED - 4, checksum)
    data[_CHECKED:_COUNT] = new
    return data


def records_of(batch: Lying) -> list[DefaultRecord]:
    """The wanted records of a batch. Raises NotUnderstood where it is damaged, or nobody here knows its codec."""
    return [one for one in _opened(batch.data) if batch.first <= one.offset < batch.after]


def in_parts(records: Iterable[DefaultRecord], largest: int) -> Iterator[list[DefaultRecord]]:
    """Records for one new batch each, of at most `largest` bytes. Raises NotUnderstood for a record that is larger."""
    part: list[DefaultRecord] = []
    size = HEADER_BYTES
    for one in records:
        more = DefaultRecordBatchBuilder.size_of(one.key, one.value, one.headers) + _AROUND_RECORD
        if HEADER_BYTES + more > largest:
            raise NotUnderstood(f"the record at offset {one.offset} is larger than the sink takes")
        if part and size + more > min(largest, LARGEST_PART):
            yield part
            part, size = [], HEADER_BYTES
        part.append(one)
        size += more
    if part:
        yield part


_AROUND_RECORD = 40
"""More than the lengths, the deltas and the attributes of a record take."""


def new_batch(records: list[DefaultRecord], producer_id: int, epoch: int, sequence: int) -> bytearray:
    """A transactional batch of records, with the key, value, headers and timestamp of each."""
    batch = DefaultRecordBatchBuilder(VERSION, 0, 1, producer_id, epoch, sequence, 1 << 30)
    for number, one in enumerate(records):
        batch.append(number, one.timestamp, one.key, one.value, one.headers)
    return bytearray(batch.build())


def _opened(data: memoryview) -> Iterator[DefaultRecord]:
    batch = DefaultRecordBatch(bytes(data))
    if not batch.validate_crc():
        raise NotUnderstood(f"the checksum of the batch at offset {batch.base_offset} does not fit")
    try:
        yield from batch
    except (CorruptRecordException, UnsupportedCodecError, ValueError) as error:
        raise NotUnderstood(f"the batch at offset {batch.base_offset} cannot be opened: {error}") from error
