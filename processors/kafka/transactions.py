"""The transactional producer: fenced at birth, judged at every turn, discarded at the first doubt, never used again."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from jobplane.processors.kafka.abandoning import returns, weakly
from jobplane.processors.kafka.cluster import CALL_S, Consumer, Doubt, Kafka, KafkaException, Producer, TopicPartition
from jobplane.processors.kafka.hanging import TransactionPlace, end_hanging
from jobplane.processors.kafka.judging import judging
from jobplane.schemas.msgspec_types import json_decoder

ABANDON_S = CALL_S + 2.0
STALLED_S = 12.0
"""A flush of which nothing is acknowledged for so long is given up."""
SLOW_END_S = 1.0
"""A commit or abort slower than this may have been sent twice by the client: the producer is discarded after it."""


class Abandoned(Doubt):
    """A call of the client does not come back. Its thread and its producer stay until the process ends."""


class _Broker(msgspec.Struct):
    req: dict[str, int] = {}
    req_timeouts: int = 0


class _Statistics(msgspec.Struct):
    brokers: dict[str, _Broker] = {}


_statistics = json_decoder(_Statistics)


class TransactionalProducer:
    """A producer with a transactional id, for one life: fenced at birth, discarded at the first doubt.

    Its users judge whatever the client raises (`judging`). `suspect` is why it must be discarded though nothing
    failed: a slow end of a transaction, a request that timed out, or more ends sent than were asked for (KAFKA-17754).
    """

    def __init__(
        self,
        kafka: Kafka,
        transactional_id: str,
        timeout_ms: int,
        topic: str,
        alive: Callable[[], None],
        place: TransactionPlace | None = None,
        **settings: Any,
    ) -> None:
        """Fences whoever had the id before; blocks until the broker has done so, calling `alive` meanwhile.

        A transaction that Kafka left open at `place` is ended first.

        `topic` is any that exists: asked for twice, it leaves a broker connected, without which the client would wait
        half a second before it looks for the coordinator.
        """
        self.suspect = ""
        self._ends = 0
        if place is not None:
            end_hanging(kafka, transactional_id, place, alive)
        with judging():
            self._producer = kafka.client(
                Producer,
                transactional_id=transactional_id,
                transaction_timeout_ms=timeout_ms,
                statistics_interval_ms=2000,
                stats_cb=weakly(self._on_statistics),
                **settings,
            )
            for _ in range(2):
                self._producer.list_topics(topic, CALL_S)
            while True:
                alive()
                try:
                    self._producer.init_transactions(CALL_S)
                    break
                except KafkaException as error:
                    if not error.args[0].retriable():
                        raise
        self.produce = self._producer.produce
        self.begin = self._producer.begin_transaction

    def __len__(self) -> int:
        return len(self._producer)

    def poll(self, timeout: float = 0) -> None:
        self._producer.poll(timeout)

    def flush(self, limit: float, waiting: Callable[[], None]) -> None:
        """Until all that was produced is acknowledged; calls `waiting` every 0.5 s.

        Raises Doubt after `limit` s, or when nothing was acknowledged for STALLED_S: a new producer finds a broker that
        has come back at once.
        """
        moved = began = time.monotonic()
        left = len(self._producer)
        while now_left := self._producer.flush(0.5):
            if error := self.cause():
                raise error  # what is left to send never leaves in a transaction that has failed
            waiting()
            now = time.monotonic()
            if now_left < left:
                left, moved = now_left, now
            if now - began > limit or now - moved > STALLED_S:
                raise Doubt(f"{now_left} records were not acknowledged within {now - moved:.0f} s")

    def cause(self) -> KafkaException | None:
        """Why the open transaction has failed; None while it has not. To begin another in it is refused either way."""
        try:
            self._producer.begin_transaction()
        except KafkaException as error:
            return None if error.args[0].name() == "_STATE" else error
        raise Doubt("no transaction was open")

    def send_offsets(self, offsets: Sequence[TopicPartition], consumer: Consumer) -> None:
        """Raises Abandoned where the client's call does not return.

        It waits for ever for a coordinator whose broker has left the cluster and come back meanwhile (librdkafka 2.16).
        """
        group = consumer.consumer_group_metadata()
        if not returns(lambda: self._producer.send_offsets_to_transaction(list(offsets), group, CALL_S), ABANDON_S):
            raise Abandoned(f"sending the offsets did not end within {ABANDON_S:.0f} s")

    def commit(self) -> float:
        """Seconds the commit took."""
        return self._end(self._producer.commit_transaction)

    def abort(self) -> float:
        return self._end(self._producer.abort_transaction)

    def _end(self, end: Callable[[float], None]) -> float:
        began = time.monotonic()
        self._ends += 1
        end(CALL_S)
        took = time.monotonic() - began
        if took > SLOW_END_S:
            self.suspect = f"the end of a transaction took {took:.1f} s"
        return took

    def _on_statistics(self, text: str) -> None:
        """Called from poll or flush."""
        brokers = _statistics.decode(text).brokers.values()
        if sum(broker.req.get("EndTxn", 0) for broker in brokers) > self._ends:
            self.suspect = "the end of a transaction was sent again"
        if any(broker.req_timeouts for broker in brokers):
            self.suspect = "a request timed out"
