"""Reading topics: a count of what committed readers see as it grows, and everything up to the end."""

import threading
import time
from collections import Counter

from confluent_kafka import Consumer, Message, TopicPartition

from docs.examples.demo.plane import Failed

END_S = 20.0


def _consumer(bootstrap: str, isolation: str) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "demo",
            "isolation.level": isolation,
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "fetch.wait.max.ms": 100,
        }
    )


class Watch:
    """Counts the records of topics as a read_committed consumer sees them, until closed."""

    def __init__(self, bootstrap: str, topics: tuple[str, ...], partitions: int) -> None:
        self.seen: Counter[str] = Counter()
        self._consumer = _consumer(bootstrap, "read_committed")
        self._consumer.assign([TopicPartition(topic, p, 0) for topic in topics for p in range(partitions)])
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._count, name="watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._consumer.close()

    def _count(self) -> None:
        while not self._stop.is_set():
            for message in self._consumer.consume(2_000, 0.1):
                if message.error() is None:
                    self.seen[message.topic() or ""] += 1


def read_all(bootstrap: str, topic: str, partitions: int) -> list[Message]:
    """Every committed record, in the order of its partition. Raises Failed where the end is out of reach.

    The end is asked read_uncommitted: what a transaction still holds open is waited for, not overlooked.
    """
    places = [TopicPartition(topic, p, 0) for p in range(partitions)]
    ends_reader, consumer = _consumer(bootstrap, "read_uncommitted"), _consumer(bootstrap, "read_committed")
    found: list[Message] = []
    try:
        ends = {place.partition: ends_reader.get_watermark_offsets(place, END_S)[1] for place in places}
        consumer.assign(places)
        deadline = time.monotonic() + END_S
        while any(max(at.offset, 0) < ends[at.partition] for at in consumer.position(places)):
            for message in consumer.consume(5_000, 0.1):
                if error := message.error():
                    raise Failed(f"{topic} cannot be read: {error}")
                found.append(message)
            if time.monotonic() > deadline:
                raise Failed(f"the end of {topic} was not reached within {END_S:g} s: a transaction is open before it")
    finally:
        ends_reader.close()
        consumer.close()
    return found
