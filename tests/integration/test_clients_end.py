"""A task's producers end, with their threads and connections, when nobody holds them: no collector is needed."""

import gc
from collections.abc import Callable

import psutil
import pytest

from jobplane.processors.kafka.cluster import Kafka
from jobplane.processors.kafka.plain_output import PlainOutput
from jobplane.processors.kafka.transactions import TransactionalProducer
from tests.support.broker import KafkaBroker
from tests.support.system import until


def transactional(kafka: Kafka, topic: str) -> TransactionalProducer:
    return TransactionalProducer(kafka, topic, 10_000, topic, lambda: None)


def plain(kafka: Kafka, topic: str) -> PlainOutput:
    return PlainOutput(kafka, linger_ms=5)


@pytest.mark.parametrize("make", [transactional, plain])
def test_a_producer_ends_when_nobody_holds_it(
    broker: KafkaBroker, prefix: str, make: Callable[[Kafka, str], TransactionalProducer | PlainOutput]
) -> None:
    process, kafka = psutil.Process(), Kafka(broker.bootstrap)
    gc.collect()
    gc.disable()
    try:
        before = process.num_threads()
        held = make(kafka, f"{prefix}ends")
        assert process.num_threads() > before
        del held
        until(lambda: process.num_threads() <= before, 10, "its threads have ended")
    finally:
        gc.enable()
