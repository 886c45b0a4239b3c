"""Appends commands and sees their outcomes, with clients that are ready beforehand: no start of a client is timed."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from confluent_kafka import Consumer, Message, Producer

from jobplane.schemas.records.events import Event, Outcome
from jobplane.schemas.wire.codec import decode
from tests.support.system import System

LIMIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Commander:
    """One producer to the command log, one read_committed consumer of the events."""

    topic: str
    producer: Producer
    consumer: Consumer

    def append(self, sql: str) -> int:
        """The offset of the command, once Kafka has it."""
        delivered: list[Message] = []
        self.producer.produce(self.topic, sql.encode(), partition=0, on_delivery=lambda _, at: delivered.append(at))
        while self.producer.flush(1):
            pass
        assert delivered[0].error() is None, delivered[0].error()
        return delivered[0].offset() or 0

    def outcome(self, offset: int) -> Event:
        """The outcome event of a command, as soon as it can be read."""
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            message = self.consumer.poll(0.1)
            if message is None or message.error() is not None:
                continue
            event = decode(message.value() or b"", Event)
            cause = event.cause
            if cause.topic == "commands" and cause.offset == offset and isinstance(event.body, Outcome):
                return event
        raise AssertionError(f"no outcome within {LIMIT_S:g} s for the command at offset {offset}")


@contextmanager
def commander(plane: System) -> Iterator[Commander]:
    """Connected to a plane whose worker is ready."""
    topic = f"{plane.prefix}commands"
    producer = Producer({"bootstrap.servers": plane.bootstrap, "enable.idempotence": True, "linger.ms": 0})
    producer.list_topics(topic, 10)
    with plane.consumer(f"{plane.prefix}events", [0]) as consumer:
        made = Commander(topic, producer, consumer)
        made.outcome(made.append("a statement that is refused"))
        yield made
