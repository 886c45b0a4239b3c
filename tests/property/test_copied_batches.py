"""Whole batches against a plain model of a partition: what a reader of committed records sees is what is copied.

A random log has batches of several producers, committed, aborted or outside a transaction; all codecs; tombstones, null
keys and headers; batches that compaction has thinned out; markers that end transactions. A fetch begins and ends
anywhere.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from hypothesis import given
from hypothesis import strategies as st

from jobplane.processors.kafka.wire.batches import (
    HEADER_BYTES,
    Lying,
    NotUnderstood,
    in_parts,
    new_batch,
    passage,
    records_of,
    take_over,
)
from jobplane.processors.kafka.wire.crc32c import changed_checksum, checksum

Copied = tuple[int, bytes | None, bytes | None, tuple[tuple[str, bytes | None], ...]]
"""Timestamp, key, value, headers."""

some_bytes = st.none() | st.binary(max_size=40)
some_records = st.lists(
    st.tuples(
        st.integers(0, 2**41),
        some_bytes,
        some_bytes,
        st.lists(st.tuples(st.text(max_size=5), some_bytes), max_size=2).map(tuple),
    ),
    min_size=1,
    max_size=6,
)


@dataclass
class Log:
    """The bytes of a partition, what is to be seen of it by offset, and the transactions that were aborted: producer,
    first offset, and the offset of the marker.
    """

    data: bytearray = field(default_factory=bytearray)
    starts: list[int] = field(default_factory=list)
    seen: dict[int, Copied] = field(default_factory=dict)
    aborted: list[tuple[int, int, int]] = field(default_factory=list)
    end: int = 0
    open: dict[int, tuple[int, bool]] = field(default_factory=dict)

    def append(self, records: list[Copied], codec: int, producer: int, transactional: int, left: list[int]) -> int:
        """A batch of which the records at `left` are still there; returns its base offset."""
        builder = DefaultRecordBatchBuilder(2, codec, transactional, producer, 0, 0, 1 << 20)
        for at in left:
            timestamp, key, value, headers = records[at]
            builder.append(at, timestamp, key, value, list(headers))
        batch = builder.build()
        struct.pack_into(">q", batch, 0, self.end)
        struct.pack_into(">i", batch, 23, len(records) - 1)
        struct.pack_into(">I", batch, 17, checksum(batch[21:]))
        self._add(batch, len(records))
        return self.end - len(records)

    def mark(self, producer: int, *, commit: bool) -> None:
        builder = DefaultRecordBatchBuilder(2, 0, 1, producer, 0, 0, 1 << 20)
        builder.append(0, 1, struct.pack(">hh", 0, commit), b"\0\0\0\0\0\0", [])
        batch = builder.build()
        struct.pack_into(">q", batch, 0, self.end)
        struct.pack_into(">h", batch, 21, struct.unpack_from(">h", batch, 21)[0] | 0x20)
        struct.pack_into(">I", batch, 17, checksum(batch[21:]))
        self._add(batch, 1)

    def aborted_from(self, position: int) -> list[tuple[int, int]]:
        """What a broker names to a fetch at this position."""
        return [(producer, first) for producer, first, last in self.aborted if last >= position]

    def _add(self, batch: bytearray, offsets: int) -> None:
        self.starts.append(len(self.data))
        self.data += batch
        self.end += offsets


@st.composite
def logs(draw: st.DrawFn) -> Log:
    log = Log()
    for _ in range(draw(st.integers(1, 12))):
        producer = draw(st.integers(1, 3))
        if producer in log.open and draw(st.booleans()):
            _end(log, producer)
            continue
        records, codec = draw(some_records), draw(st.integers(0, 4))
        left = [i for i in range(len(records)) if draw(st.integers(0, 9))] or [0]
        transactional = producer in log.open or draw(st.booleans())
        if transactional and producer not in log.open:
            log.open[producer] = (log.end, draw(st.booleans()))
        base = log.append(records, codec, producer, int(transactional), left)
        if not transactional or log.open[producer][1]:
            log.seen |= {base + at: records[at] for at in left}
    for producer in [*log.open]:
        _end(log, producer)
    return log


def _end(log: Log, producer: int) -> None:
    first, commit = log.open.pop(producer)
    log.mark(producer, commit=commit)
    if not commit:
        log.aborted.append((producer, first, log.end - 1))


def copied(batches: tuple[Lying, ...], largest: int = 1 << 20) -> Iterator[bytearray | memoryview]:
    """What is produced for batches, one after the other."""
    sequence = 0
    for batch in batches:
        if batch.is_whole:
            yield take_over(batch, 77, 5, sequence)
            sequence += batch.count
            continue
        for part in in_parts(records_of(batch), largest):
            yield new_batch(part, 77, 5, sequence)
            sequence += len(part)


def read(produced: Iterator[bytearray | memoryview]) -> list[Copied]:
    """The records in produced batches, which are such as a broker takes."""
    found: list[Copied] = []
    for data in produced:
        batch = DefaultRecordBatch(bytes(data))
        assert batch.validate_crc()
        assert (batch.base_offset, batch.is_transactional, batch.is_control_batch) == (0, True, False)
        assert (batch.producer_id, batch.producer_epoch, batch.base_sequence) == (77, 5, len(found))
        records = [(one.timestamp, one.key, one.value, tuple(one.headers)) for one in batch]
        assert batch.next_offset == len(records)
        found += records
    return found


@given(logs(), st.data())
def test_what_is_copied_is_what_a_reader_of_committed_records_sees(log: Log, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, log.end))
    end = data.draw(st.integers(position, log.end + 1))
    begins = [start for start in log.starts if struct.unpack_from(">q", log.data, start)[0] <= position][-1]
    fetched = memoryview(log.data[begins:])
    read_from = passage(fetched, position, end, log.aborted_from(position))
    expected = [record for offset, record in sorted(log.seen.items()) if position <= offset < end]
    assert read_from.position == min(end, log.end)
    assert read(copied(read_from.batches)) == expected


def test_a_producer_that_has_aborted_may_commit_next() -> None:
    log, records = Log(), [(1, b"k", b"%d" % i, ()) for i in range(3)]
    for number, commit in enumerate((False, True, False)):
        log.append([records[number]], 0, 7, 1, [0])
        if not commit:
            log.aborted.append((7, log.end - 1, log.end))
        log.mark(7, commit=commit)
    assert read(copied(passage(memoryview(log.data), 0, 1 << 62, log.aborted_from(0)).batches)) == [records[1]]


@given(logs(), st.data())
def test_a_fetch_that_is_cut_off_anywhere_goes_on_at_its_position(log: Log, data: st.DataObject) -> None:
    position, found = 0, list[Copied]()
    for _ in range(len(log.starts) + 1):
        first = next((s for s in log.starts if struct.unpack_from(">q", log.data, s)[0] >= position), len(log.data))
        whole = next((s for s in [*log.starts, len(log.data)] if s > first), len(log.data))
        cut = data.draw(st.integers(whole, len(log.data)))
        part = passage(memoryview(log.data[first:cut]), position, 1 << 62, log.aborted_from(position))
        found += read(copied(part.batches))
        position = part.position
    assert position == log.end
    assert found == [record for _, record in sorted(log.seen.items())]


@given(st.binary(max_size=300), st.binary(min_size=36, max_size=36), st.binary(min_size=36, max_size=36))
def test_a_checksum_is_changed_without_the_bytes_that_follow(following: bytes, old: bytes, new: bytes) -> None:
    assert changed_checksum(checksum(old + following), old, new, len(following)) == checksum(new + following)


def lying(*records: Copied, codec: int = 0) -> Lying:
    log = Log()
    log.append([*records], codec, -1, 0, [*range(len(records))])
    return passage(memoryview(log.data), 0, 1 << 62, ()).batches[0]


def test_damage_does_not_get_a_checksum_that_fits() -> None:
    batch = lying((1, b"k", b"v", ()))
    batch.data[HEADER_BYTES + 3] ^= 1
    assert not DefaultRecordBatch(bytes(take_over(batch, 1, 1, 0))).validate_crc()
    with pytest.raises(NotUnderstood, match="checksum"):
        records_of(lying_damaged())


def lying_damaged() -> Lying:
    batch = lying((1, b"k", b"v", ()))
    batch.data[HEADER_BYTES + 3] ^= 1
    return batch


@pytest.mark.parametrize("attribute", [0x08, 0x40], ids=["append time", "delete horizon"])
def test_batches_that_say_something_else_elsewhere_are_opened(attribute: int) -> None:
    log = Log()
    log.append([(5, b"k", b"v", ())], 0, -1, 0, [0])
    log.data[22] |= attribute
    struct.pack_into(">I", log.data, 17, checksum(log.data[21:]))
    assert not passage(memoryview(log.data), 0, 1 << 62, ()).batches[0].is_whole


def test_other_versions_of_the_format_are_not_understood() -> None:
    log = Log()
    log.append([(5, b"k", b"v", ())], 0, -1, 0, [0])
    log.data[16] = 1
    with pytest.raises(NotUnderstood, match="version 1"):
        passage(memoryview(log.data), 0, 1 << 62, ())


def test_opened_records_become_batches_that_the_sink_takes() -> None:
    records = [(i, b"k%d" % i, b"x" * 300, ()) for i in range(20)]
    batch = lying(*records)
    assert [len(part) for part in in_parts(records_of(batch), 1000)] == [2] * 10
    with pytest.raises(NotUnderstood, match="larger than the sink takes"):
        list(in_parts(records_of(batch), 300))
