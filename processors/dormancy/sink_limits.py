"""What sinks take, asked now and then: a broker that has changed its mind since refuses, and the task begins again."""

import time

from jobplane.processors.kafka.cluster import Kafka, Taken

KEPT_S = 60.0


class SinkLimits:
    """Thread-safe."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self._known: dict[str, tuple[float, Taken]] = {}

    def of(self, topic: str) -> Taken:
        """Raises SinkLost where the topic does not exist, Doubt where Kafka does not answer."""
        asked_at, taken = self._known.get(topic, (0.0, None))
        if taken is None or time.monotonic() - asked_at > KEPT_S:
            taken = self._kafka.taken([topic], lambda: None)[0]
            self._known[topic] = time.monotonic(), taken
        return taken
