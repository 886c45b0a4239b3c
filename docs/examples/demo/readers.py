"""Reads topics: counts the committed records while they arrive, and reads all records up to the end."""

import threading
from collections import Counter

from jobplane.processors.kafka.cluster import Kafka, Message, assign


class Watch:
    """Counts the records of topics as a read_committed consumer sees them, until closed."""

    def __init__(self, kafka: Kafka, topics: tuple[str, ...], partitions: int) -> None:
        self.seen: Counter[str] = Counter()
        self._consumer = kafka.consumer("watch")
        assign(self._consumer, {(topic, p): 0 for topic in topics for p in range(partitions)})
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


def read_all(kafka: Kafka, topic: str, partitions: int, *, committed: bool = True) -> list[Message]:
    """Every record, in the order of its partition, by a new consumer."""
    consumer = kafka.consumer("proof", committed=committed)
    try:
        return list(kafka.read_to_end(consumer, topic, range(partitions)))
    finally:
        consumer.close()
