"""Raw requests against what only a broker can show: fencing, visibility, offsets, and connections that break."""

import asyncio
import uuid
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from jobplane.processors.kafka.answers import Doubt, Fenced
from jobplane.processors.kafka.cluster import Kafka
from jobplane.processors.kafka.wire.offsets import committed_metadata
from jobplane.processors.kafka.wire.producer import WireProducer, fence
from jobplane.processors.kafka.wire.wire import Wire
from jobplane.schemas.failures import RecordTooLarge
from tests.support.broker import KafkaBroker
from tests.support.system import until

LIMIT_S = 30.0
TIMEOUT_MS = 60_000


@pytest.fixture
def kafka(broker: KafkaBroker) -> Kafka:
    return Kafka(broker.bootstrap)


@pytest.fixture
def wire(kafka: Kafka) -> Iterator[Wire]:
    one = Wire(kafka)
    yield one
    one.close()


@pytest.fixture
def topic(kafka: Kafka, prefix: str) -> str:
    name = f"{prefix}wire"
    assert kafka.create(name, 3, 1, {"max.message.bytes": "100000"})

    def is_led() -> bool:
        try:
            return bool(kafka.first_offsets([(name, partition) for partition in range(3)]))
        except Doubt:
            return False

    until(is_led, LIMIT_S, "each partition has a leader")
    return name


def committed_values(kafka: Kafka, topic: str, partition: int) -> list[bytes | None]:
    """What a reader of committed records sees, once the transactions that are being ended have their markers."""
    consumer = kafka.consumer("reader")
    found = [message.value() for message in kafka.read_to_end(consumer, topic, [partition])]
    consumer.close()
    return found


def fenced(wire: Wire, name: str) -> WireProducer:
    return wire.run(fence(wire, name, TIMEOUT_MS)).result(LIMIT_S)


def group_offset(kafka: Kafka, group: str, topic: str, partition: int) -> tuple[int, str | None]:
    consumer = kafka.consumer(group)
    found = consumer.committed([TopicPartition(topic, partition)], LIMIT_S)[0]
    consumer.close()
    return found.offset, found.metadata


def librdkafka_producer(kafka: Kafka, name: str) -> Producer:
    producer = kafka.client(Producer, transactional_id=name)
    producer.init_transactions(LIMIT_S)
    return producer


def test_a_commit_makes_records_and_offsets_visible_together(wire: Wire, kafka: Kafka, topic: str) -> None:
    async def two_transactions(producer: WireProducer) -> list[int]:
        offsets = [await producer.append(topic, 1, b"k", b"one"), await producer.append(topic, 1, None, None)]
        await producer.send_offsets(f"{topic}.group", {(topic, 0): (7, "0/1@2")})
        await producer.commit()
        offsets.append(await producer.append(topic, 1, b"k", b"three"))
        await producer.commit()
        return offsets

    producer = fenced(wire, f"{topic}.id")
    assert wire.run(two_transactions(producer)).result(LIMIT_S) == [0, 1, 3]  # 2 is the marker
    assert committed_values(kafka, topic, 1) == [b"one", None, b"three"]
    assert group_offset(kafka, f"{topic}.group", topic, 0) == (7, "0/1@2")


def test_both_clients_read_the_metadata_that_the_other_has_committed(wire: Wire, kafka: Kafka, topic: str) -> None:
    ours, theirs, pointer = f"{topic}.ours", f"{topic}.theirs", "3/17@4711"
    raw = fenced(wire, f"{topic}.raw")
    wire.run(raw.send_offsets(ours, {(topic, 0): (7, pointer)})).result(LIMIT_S)
    wire.run(raw.commit()).result(LIMIT_S)
    producer, consumer = librdkafka_producer(kafka, f"{topic}.lib"), kafka.consumer(theirs)
    producer.begin_transaction()
    group = consumer.consumer_group_metadata()
    producer.send_offsets_to_transaction([TopicPartition(topic, 0, 8, pointer)], group, LIMIT_S)
    producer.commit_transaction(LIMIT_S)
    consumer.close()
    for group_id, offset in ((ours, 7), (theirs, 8)):
        assert group_offset(kafka, group_id, topic, 0) == (offset, pointer)  # once the transaction has ended there
        found = wire.run(committed_metadata(wire, group_id, [(topic, 0)])).result(LIMIT_S)
        assert found == {(topic, 0): pointer}


def test_an_abort_leaves_nothing_to_see(wire: Wire, kafka: Kafka, topic: str) -> None:
    async def abort_then_commit(producer: WireProducer) -> None:
        await producer.append(topic, 0, b"k", b"aborted")
        await producer.send_offsets(f"{topic}.group", {(topic, 0): (7, "")})
        await producer.abort()
        await producer.append(topic, 0, b"k", b"committed")
        await producer.commit()

    wire.run(abort_then_commit(fenced(wire, f"{topic}.id"))).result(LIMIT_S)
    assert committed_values(kafka, topic, 0) == [b"committed"]
    assert group_offset(kafka, f"{topic}.group", topic, 0)[0] < 0


def test_whoever_fences_last_owns_the_id(wire: Wire, kafka: Kafka, topic: str) -> None:
    """Raw requests and librdkafka fence each other, and what the fenced one had open is aborted."""
    name = f"{topic}.id"
    theirs = librdkafka_producer(kafka, name)
    theirs.begin_transaction()
    theirs.produce(topic, b"open", partition=0)
    theirs.flush(LIMIT_S)
    ours = fenced(wire, name)
    with pytest.raises(KafkaException) as caught:
        theirs.commit_transaction(LIMIT_S)
    assert caught.value.args[0].name() == "_FENCED"
    wire.run(ours.append(topic, 0, b"k", b"ours")).result(LIMIT_S)
    librdkafka_producer(kafka, name)
    with pytest.raises(Fenced):
        wire.run(ours.commit()).result(LIMIT_S)
    with pytest.raises(Doubt):
        wire.run(ours.abort()).result(LIMIT_S)
    assert committed_values(kafka, topic, 0) == []


def test_refusals_that_asking_again_does_not_change_are_failures(wire: Wire, topic: str) -> None:
    async def too_large(producer: WireProducer) -> None:
        await producer.append(topic, 0, b"k", b"x" * 200_000)

    producer = fenced(wire, f"{topic}.id")
    with pytest.raises(RecordTooLarge, match=topic):
        wire.run(too_large(producer)).result(LIMIT_S)
    wire.run(producer.abort()).result(LIMIT_S)
    with pytest.raises(Doubt, match="does not exist"):
        wire.run(fenced(wire, f"{topic}.id").append("no.such.topic", 0, None, b"")).result(LIMIT_S)


def test_a_cancelled_call_leaves_a_producer_of_no_use(wire: Wire, topic: str) -> None:
    async def cancelled(producer: WireProducer) -> None:
        call = asyncio.ensure_future(producer.append(topic, 0, b"k", b"v"))
        while not producer.is_open:
            await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    producer = fenced(wire, f"{topic}.id")
    wire.run(cancelled(producer)).result(LIMIT_S)
    with pytest.raises(Doubt, match="in the middle of a call"):
        wire.run(producer.commit()).result(LIMIT_S)


def test_a_broken_connection_is_doubt_and_the_next_fence_works(wire: Wire, kafka: Kafka, topic: str) -> None:
    async def broken(producer: WireProducer) -> None:
        await producer.append(topic, 0, b"k", b"lost")
        for lanes in wire._lanes.values():
            for lane in [*lanes]:
                lane._transport.abort()
        await producer.commit()

    with pytest.raises(Doubt):
        wire.run(broken(fenced(wire, f"{topic}.id"))).result(LIMIT_S)
    again = fenced(wire, f"{topic}.id")
    wire.run(again.append(topic, 0, b"k", b"kept")).result(LIMIT_S)
    wire.run(again.commit()).result(LIMIT_S)
    assert committed_values(kafka, topic, 0) == [b"kept"]


def test_many_ids_at_once_share_a_few_connections(wire: Wire, kafka: Kafka, topic: str) -> None:
    async def one(number: int) -> None:
        producer = await fence(wire, f"{topic}.{number}", TIMEOUT_MS)
        await producer.append(topic, number % 3, b"%d" % number, b"")
        await producer.send_offsets(f"{topic}.g{number}", {(topic, 0): (number, "")})
        await producer.commit()

    async def all_of_them() -> int:
        await asyncio.gather(*map(one, range(40)))
        return sum(map(len, wire._lanes.values()))

    assert wire.run(all_of_them()).result(LIMIT_S) <= 8
    assert sum(len(committed_values(kafka, topic, partition)) for partition in range(3)) == 40
    assert {group_offset(kafka, f"{topic}.g{n}", topic, 0)[0] for n in range(40)} == set(range(40))


def test_a_closed_door_gives_doubt_to_whoever_waits(kafka: Kafka, topic: str) -> None:
    one = Wire(kafka)
    producer = fenced(one, f"{topic}.{uuid.uuid4().hex}")
    one.close()
    one.close()
    assert producer.epoch >= 0
    assert isinstance(kafka.consumer("any"), Consumer)
