"""A transaction that Kafka ended without writing its markers: the task goes on as it was ended, and nothing is doubled.

A lone broker that is killed at the wrong moment leaves one behind. Here it is made on purpose: with a broker that does
not verify partitions, a producer writes to partitions that it did not add to its transaction, and ends that.
"""

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from jobplane.controlplane.embedded.broker import Broker
from jobplane.processors.kafka.cluster import Kafka
from jobplane.schemas.records.checkpoints import Checkpoint
from jobplane.schemas.records.offsets import PartitionOffset
from jobplane.schemas.wire.codec import decode, encode
from tests.support.system import System, system, until

UNVERIFIED = {"transaction.partition.verification.enable": "false"}


def last_checkpoint(plane: System, uid: str) -> tuple[int, Checkpoint]:
    """The partition and the newest checkpoint of a job's only task."""
    found = [one for one in plane.read(f"{plane.prefix}checkpoints") if (one.key() or b"").startswith(uid.encode())]
    newest = max(found, key=lambda one: one.offset() or 0)
    return newest.partition() or 0, decode(newest.value() or b"", Checkpoint)


async def hang(
    plane: System, uid: str, sink: str, values: list[bytes], at: tuple[int, Checkpoint], *, commit: bool
) -> None:
    """Writes output and checkpoint as the task would, and ends the transaction without their partitions."""
    partition, checkpoint = at
    producer = AIOKafkaProducer(bootstrap_servers=plane.bootstrap, transactional_id=f"{plane.prefix}{uid}.0.0")
    await producer.start()
    await producer.begin_transaction()
    left_out = {TopicPartition(sink, 0), TopicPartition(f"{plane.prefix}checkpoints", partition)}
    producer._txn_manager._txn_partitions.update(left_out)
    for value in values:
        await producer.send_and_wait(sink, value, partition=0)
    key = f"{uid}/0/0".encode()
    await producer.send_and_wait(f"{plane.prefix}checkpoints", encode(checkpoint), key, partition=partition)
    await producer.send_and_wait(plane.name("spare"), b"so that there is something to end")
    await (producer.commit_transaction() if commit else producer.abort_transaction())
    await producer.stop()


@pytest.mark.parametrize("commit", [True, False])
def test_a_transaction_without_markers(tmp_path: Path, *, commit: bool) -> None:
    with (
        Broker(tmp_path / "kafka", properties=UNVERIFIED) as broker,
        system(broker.bootstrap, "hang.", tmp_path, hosts=1) as plane,
    ):
        source, sink, _ = (plane.topic(name, 1) for name in ("in", "out", "spare"))
        plane.worker()
        values = [b"%d" % i for i in range(30)]
        plane.produce(source, [(None, value) for value in values[:10]])
        plane.done(f'CREATE JOB copy AS INSERT INTO "{sink}" SELECT * FROM "{source}"')
        plane.await_values(sink, 10)
        plane.done("ALTER JOB copy SUSPEND")
        uid = plane.jobs()["copy"]["uid"]
        partition, before = last_checkpoint(plane, uid)
        plane.produce(source, [(None, value) for value in values[10:20]])
        moved = tuple(replace(one, offsets=(PartitionOffset(0, 20),)) for one in before.sources)
        after = replace(before, number=before.number + 1, sources=moved)
        asyncio.run(hang(plane, uid, sink, values[10:20], (partition, after), commit=commit))

        kafka, places = Kafka(broker.bootstrap), [(sink, 0), (f"{plane.prefix}checkpoints", partition)]
        stable, last = kafka.stable_offsets(places), kafka.last_offsets(places)
        assert all(stable[at] < last[at] for at in places), "both partitions are held back"
        plane.done("ALTER JOB copy RESUME")
        plane.produce(source, [(None, value) for value in values[20:]])
        plane.await_values(sink, 30)
        plane.done("DROP JOB copy")
        assert Counter(plane.values(sink)) == Counter(values)


def test_a_dormant_task_ends_its_transaction_that_holds_back_others(tmp_path: Path) -> None:
    """Whoever starts reads `checkpoints` to the end, past the checkpoint of a task that does nothing."""
    with (
        Broker(tmp_path / "kafka", properties=UNVERIFIED) as broker,
        system(broker.bootstrap, "hang.", tmp_path, hosts=1) as plane,
    ):
        source, sink, _ = (plane.topic(name, 1) for name in ("in", "out", "spare"))
        plane.worker()
        values = [b"%d" % i for i in range(20)]
        plane.produce(source, [(None, value) for value in values[:10]])
        plane.done(f'CREATE JOB copy AS INSERT INTO "{sink}" SELECT * FROM "{source}"')
        plane.await_values(sink, 10)
        until(lambda: {task["step"] for task in plane.workers[0].tasks} == {"dormant"}, 60, "the task rests")
        partition, before = last_checkpoint(plane, plane.jobs()["copy"]["uid"])
        after = replace(before, number=before.number + 1)
        asyncio.run(hang(plane, plane.jobs()["copy"]["uid"], sink, [], (partition, after), commit=True))

        kafka, place = Kafka(broker.bootstrap), (f"{plane.prefix}checkpoints", partition)
        until(lambda: kafka.stable_offsets([place]) == kafka.last_offsets([place]), 60, "nothing is held back")
        plane.produce(source, [(None, value) for value in values[10:]])
        plane.await_values(sink, 20)
        plane.done("DROP JOB copy")
        assert Counter(plane.values(sink)) == Counter(values)
