"""The records that are moved: JSON objects of exactly 200 bytes, keyed by user, without headers."""

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import msgspec
from confluent_kafka import Producer

from jobplane.schemas.msgspec_types import json_decoder
from tests.support.system import System

SIZE = 200
PASSES = 50
"""Records with a larger amount pass the filter."""


@dataclass(frozen=True, slots=True)
class Expected:
    """How many records there must be, and the sum of their ids: none lost, none doubled."""

    records: int
    ids: int


class _Id(msgspec.Struct):
    id: int


def values(count: int) -> Iterator[tuple[bytes, bytes]]:
    """(key, value); amounts are 1 to 100 in a shuffled order that repeats: half of each hundred pass."""
    amounts = random.Random(1).sample(range(1, 101), 100)
    for i in range(count):
        user = b"u%04d" % (i % 9973)
        head = b'{"id": %d, "user": "%b", "amount": %d, "pad": "' % (i, user, amounts[i % 100])
        yield user, head.ljust(SIZE - 2, b"x") + b'"}'


def passing(count: int) -> Expected:
    """Those of the records that pass the filter."""
    amounts = random.Random(1).sample(range(1, 101), 100)
    ids = [i for i in range(count) if amounts[i % 100] > PASSES]
    return Expected(len(ids), sum(ids))


def everything(count: int) -> Expected:
    return Expected(count, count * (count - 1) // 2)


def fill(
    plane: System, topic: str, partitions: int, count: int, made: Iterable[tuple[bytes, bytes]] | None = None
) -> None:
    """Spreads the records evenly over the partitions; returns when all are acknowledged."""
    before = sum(plane.ends(topic).values())
    producer = Producer(
        {
            "bootstrap.servers": plane.bootstrap,
            "enable.idempotence": True,
            "linger.ms": 20,
            "batch.size": 500_000,
            "batch.num.messages": 100_000,
            "queue.buffering.max.messages": 200_000,
            "log_level": 2,
        }
    )
    for i, (key, value) in enumerate(made or values(count)):
        while True:
            try:
                producer.produce(topic, value, key, i % partitions)
                break
            except BufferError:
                producer.poll(0.05)
    while producer.flush(1):
        pass
    assert sum(plane.ends(topic).values()) == before + count


_decoder = json_decoder(_Id)


def id_of(value: bytes) -> int:
    """Of a record in JSON."""
    return _decoder.decode(value).id


def found(plane: System, topic: str, count: int, of: Callable[[bytes], int] = id_of) -> Expected:
    """What is committed in a topic, read until there are `count` records and the end is reached."""
    read = ids = 0
    ends = plane.ends(topic, committed=True)
    with plane.consumer(topic, list(ends)) as consumer:
        quiet = 0
        while read < count or quiet < 3:
            messages = consumer.consume(10_000, 0.2)
            quiet = 0 if messages else quiet + 1
            assert quiet < 50, f"{topic} holds {read} records, not {count}"
            read += len(messages)
            ids += sum(of(message.value() or b"") for message in messages)
    return Expected(read, ids)
