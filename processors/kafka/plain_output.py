"""The producer of the output where that is no part of the transaction: records may be written again, never lost."""

import time
from collections.abc import Callable
from typing import Any

from jobplane.processors.kafka.abandoning import weakly
from jobplane.processors.kafka.cluster import Doubt, Kafka, KafkaError, KafkaException
from jobplane.processors.kafka.judging import judging


class PlainOutput:
    """An idempotent producer that remembers the first record that was refused."""

    def __init__(self, kafka: Kafka, **settings: Any) -> None:
        self._error: KafkaError | None = None
        with judging():
            self._producer = kafka.producer(
                **{**settings, "delivery_report_only_error": True, "on_delivery": weakly(self._on_delivery)}
            )
        self.produce = self._producer.produce

    def _on_delivery(self, error: KafkaError | None, _: object) -> None:
        self._error = self._error or error

    def poll(self, timeout: float = 0) -> None:
        self._producer.poll(timeout)

    def flush(self, limit: float, waiting: Callable[[], None]) -> None:
        """Until all is acknowledged; calls `waiting` every 0.5 s. Raises what was refused, or Doubt after `limit` s."""
        deadline = time.monotonic() + limit
        while self._producer.flush(0.5):
            waiting()
            if time.monotonic() > deadline:
                raise Doubt(f"records were not acknowledged within {limit:.0f} s")
        if error := self.cause():
            raise error

    def cause(self) -> KafkaException | None:
        """Why a record was refused; None where none was."""
        return KafkaException(self._error) if self._error is not None else None
