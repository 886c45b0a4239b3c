"""Readers of one partition, on a real broker: whether they share or not, each gets every record once, in order."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from jobplane.processors.fetch.reader import SharingReader
from jobplane.processors.fetch.shared_fetch import CONSUMER_SETTINGS, SharedFetch
from jobplane.processors.fetch.window import MOST_MESSAGES
from jobplane.processors.kafka.cluster import Consumer, Doubt, Kafka
from tests.support.broker import KafkaBroker
from tests.support.system import System, until

COUNT = MOST_MESSAGES + 5_000


@pytest.fixture(scope="module")
def kafka(broker: KafkaBroker) -> Kafka:
    return Kafka(broker.bootstrap)


@pytest.fixture(scope="module")
def source(broker: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> str:
    plane = System(broker.bootstrap, "readers.", tmp_path_factory.mktemp("readers"))
    topic = plane.topic("in", 1)
    plane.produce(topic, ((None, b"%d" % i) for i in range(COUNT)))
    return topic


class Reading:
    """A reader, the offsets that it has read, and how many of them were shared."""

    def __init__(self, kafka: Kafka, shared_fetch: SharedFetch) -> None:
        self.offsets: list[int] = []
        self.shared = 0
        self.consumer = kafka.consumer("alone", **CONSUMER_SETTINGS)
        self.reader = SharingReader(self.consumer, shared_fetch, Consumer.close, self._count)

    def _count(self, read: int) -> None:
        self.shared += read

    def read(self, most: int = 1_000) -> int:
        """One batch. Returns how many records it had."""
        self.reader.settle()
        found = self.reader.poll(most)
        self.offsets += [one.offset() or 0 for one in found]
        return len(found)

    def read_up_to(self, end: int) -> None:
        def reached() -> bool:
            self.read()
            return len(self.offsets) >= end

        until(reached, 30, f"{end} records are read")

    def close(self) -> None:
        self.reader.close()
        self.consumer.close()


@contextmanager
def two(kafka: Kafka, source: str, make: Callable[[], Consumer]) -> Iterator[tuple[Reading, Reading]]:
    """Two that start at the beginning."""
    shared_fetch = SharedFetch(make)
    first, second = Reading(kafka, shared_fetch), Reading(kafka, shared_fetch)
    try:
        for one in (first, second):
            one.reader.assign({(source, 0): 0})
        yield first, second
        for one in (first, second):
            assert one.offsets == list(range(COUNT))
            assert one.reader.positions([(source, 0)]) == {(source, 0): COUNT}
    finally:
        first.close()
        second.close()


def test_two_at_the_same_place_share_and_the_one_that_leaves_lets_the_other_read_on(kafka: Kafka, source: str) -> None:
    with two(kafka, source, lambda: kafka.consumer("shared", **CONSUMER_SETTINGS)) as (first, second):
        for end in (3_000, 10_000):
            first.read_up_to(end)
            second.read_up_to(end)
        assert min(first.shared, second.shared) >= 7_000
        first.reader.close()
        second.read_up_to(COUNT)
        assert second.shared < COUNT
        first.read_up_to(COUNT)


def test_one_that_does_not_keep_up_is_put_off_and_loses_nothing(kafka: Kafka, source: str) -> None:
    with two(kafka, source, lambda: kafka.consumer("shared", **CONSUMER_SETTINGS)) as (first, second):
        first.read_up_to(500)
        second.read_up_to(500)
        first.read_up_to(COUNT)
        assert first.shared < COUNT, "the window has held up the first"
        second.read_up_to(COUNT)


def test_a_fetch_that_fails_leaves_each_with_its_own(kafka: Kafka, source: str) -> None:
    def fails() -> Consumer:
        raise Doubt("no consumer")

    with two(kafka, source, fails) as (first, second):
        for one in (first, second):
            one.read_up_to(COUNT)
            assert one.shared == 0
