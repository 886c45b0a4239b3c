"""Copies of whole batches on a real broker: equal to the source and to the record path; and when none are made."""

import random
from collections.abc import Iterator

import pytest
from confluent_kafka import Message, Producer

from jobplane.processors.copying.reader import CopyReader
from jobplane.processors.kafka.cluster import Kafka, TopicPartition
from jobplane.processors.kafka.wire.wire import Wire
from tests.support.broker import KafkaBroker
from tests.support.system import System, system, until

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
CREATED = 1_700_000_000_000
KEPT = {"retention_ms": "-1"}
"""Records of that time are older than what topics keep by default."""
Seen = list[tuple[object, ...]]


@pytest.fixture(scope="module")
def plane(broker: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with system(broker.bootstrap, "copies.", tmp_path_factory.mktemp("copies")) as made:
        made.worker()
        yield made


def seen(plane: System, topic: str, partition: int) -> Seen:
    """All that a record has, in the order of the partition."""

    def parts(one: Message) -> tuple[object, ...]:
        return one.key(), one.value(), one.headers() or [], one.timestamp()

    return [parts(one) for one in plane.read(topic) if one.partition() == partition]


def batch_codecs(plane: System, topic: str, partitions: int) -> set[int]:
    """The codecs of the batches of a topic."""
    wire = Wire(Kafka(plane.bootstrap))
    reader = CopyReader(wire, topic, "codecs", {}, lambda: None, lambda: None)
    ends = {p: end for p, end in plane.ends(topic, committed=True).items() if end}
    reader.assign([TopicPartition(topic, p, 0) for p in ends])
    found: set[int] = set()
    while any(at.offset < ends[at.partition] for at in reader.position([TopicPartition(topic, p) for p in ends])):
        for passage in reader.take(5.0).values():
            found |= {batch.data[22] & 7 for batch in passage.batches}
    reader.close()
    wire.close()
    return found


def fill(plane: System, topic: str, partitions: int, chance: random.Random) -> None:
    """Records in batches of all codecs, in transactions that are committed or aborted, and outside of them."""
    for number, codec in enumerate(CODECS * 3):
        settings = {"bootstrap.servers": plane.bootstrap, "compression.type": codec, "linger.ms": 50}
        transactional = chance.random() < 0.7
        if transactional:
            settings["transactional.id"] = f"{topic}-{number}"
        producer = Producer(settings)
        if transactional:
            producer.init_transactions(30)
            producer.begin_transaction()
        for i in range(chance.randrange(1, 60)):
            producer.produce(
                topic,
                None if chance.random() < 0.2 else b"value %d " % i * chance.randrange(1, 30),
                None if chance.random() < 0.2 else b"key %d" % chance.randrange(9),
                chance.randrange(partitions),
                timestamp=CREATED + chance.randrange(10_000_000),
                headers=[("h", None), ("h", b"%d" % i)] if chance.random() < 0.2 else None,
            )
        producer.flush(30)
        if transactional and chance.random() < 0.4:
            producer.abort_transaction(30)
        elif transactional:
            producer.commit_transaction(30)


def create(plane: System, name: str, source: str, sink: str, options: str) -> None:
    plane.done(f'CREATE JOB {name} OPTIONS ({options}) AS INSERT INTO "{sink}" SELECT * FROM "{source}"')


def await_notice(plane: System, name: str, said: str) -> None:
    """DESCRIBE JOB says it of the run of the tasks, with their next progress."""

    def is_said() -> bool:
        return said in " ".join(str(value) for row in plane.rows(f"DESCRIBE JOB {name}") for value in row.values())

    until(is_said, 30, f"DESCRIBE says {said}")


@pytest.mark.parametrize("seed", range(3))
def test_both_paths_copy_what_a_reader_of_committed_records_sees(plane: System, seed: int) -> None:
    chance = random.Random(seed)
    source = plane.topic(f"random-{seed}", 3, **KEPT)
    batches, rows = plane.topic(f"batches-{seed}", 3, **KEPT), plane.topic(f"rows-{seed}", 3, **KEPT)
    fill(plane, source, 3, chance)
    create(plane, f"batches{seed}", source, batches, "stopAt 'latest', parallelism '2'")
    create(plane, f"rows{seed}", source, rows, "stopAt 'latest', copy 'rows'")
    for name in (f"batches{seed}", f"rows{seed}"):
        until(lambda name=name: plane.jobs()[name]["status"] == "COMPLETED", 60, f"{name} is completed")  # type: ignore[misc]
    for partition in range(3):
        expected = seen(plane, source, partition)
        assert seen(plane, batches, partition) == expected
        assert seen(plane, rows, partition) == expected
    assert len(batch_codecs(plane, batches, 3)) > 1, "batches are as they were"
    assert batch_codecs(plane, rows, 3) == {0}


def test_a_copy_begins_inside_a_batch(plane: System) -> None:
    source, sink = plane.topic("inside-in", 1, **KEPT), plane.topic("inside-out", 1, **KEPT)
    producer = Producer({"bootstrap.servers": plane.bootstrap, "linger.ms": 1000, "compression.type": "lz4"})
    for i in range(100):
        producer.produce(source, b"%d" % i, timestamp=CREATED + i * 1000)
    producer.flush(30)
    create(plane, "inside", source, sink, "startFrom '2023-11-14T22:14:00Z'")
    plane.await_values(sink, 60)
    assert plane.values(sink) == [b"%d" % i for i in range(40, 100)]
    plane.produce(source, [(None, b"more")])
    assert plane.await_values(sink, 61)[-1] == b"more"
    assert batch_codecs(plane, sink, 1) == {0}, "what was opened, and what a producer without compression has sent"
    plane.done("DROP JOB inside")


def test_a_batch_that_is_larger_than_the_sink_takes_is_opened(plane: System) -> None:
    source, sink = plane.topic("large-in", 1), plane.topic("large-out", 1, max_message_bytes="3000")
    values = [b"%d" % i + b"x" * 500 for i in range(100)]
    plane.produce(source, [(b"k", value) for value in values])
    create(plane, "large", source, sink, "onError 'skip'")
    assert plane.await_values(sink, 100) == values
    plane.produce(source, [(b"k", b"y" * 4000), (b"k", b"last")])  # one record that the sink never takes
    assert plane.await_values(sink, 101)[-1] == b"last"
    await_notice(plane, "large", "copies record by record: the record at offset 100 is larger")
    plane.done("DROP JOB large")


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("cleanup_policy", "compact", "is compacted"),
        ("message_timestamp_type", "LogAppendTime", "message.timestamp.type"),
        ("compression_type", "gzip", "compression.type"),
    ],
)
def test_a_sink_that_changes_batches_gets_records(plane: System, setting: str, value: str, said: str) -> None:
    name = setting.replace("_", "")
    source, sink = plane.topic(f"{name}-in", 2), plane.topic(f"{name}-out", 2, **{setting: value})
    values = [b"%d" % i for i in range(3_000)]  # more than a task moves without clients of its own
    plane.produce(source, [(value, value) for value in values])
    create(plane, name, source, sink, "snapshotIntervalMillis '20'")
    assert sorted(plane.await_values(sink, len(values)), key=str) == sorted(values, key=str)
    await_notice(plane, name, said)
    plane.done(f"DROP JOB {name}")


def test_the_paths_take_over_from_each_other(plane: System) -> None:
    """Each change of the option continues at the checkpoint of the other path; partitions may be added meanwhile."""
    source, sink = plane.topic("turns-in", 2), plane.topic("turns-out", 2)
    create(plane, "turns", source, sink, "snapshotIntervalMillis '20'")
    expected: list[bytes] = []
    for turn, path in enumerate(("rows", "batches", "rows", "batches")):
        values = [b"%d/%d" % (turn, i) for i in range(300)]
        expected += values
        plane.produce(source, [(value, value) for value in values])
        plane.await_values(sink, len(expected) - 100)
        plane.done("ALTER JOB turns SUSPEND")
        plane.done(f"ALTER JOB turns OPTIONS (copy '{path}') RESUME")
    plane.await_values(sink, len(expected))
    for partition in range(2):
        assert seen(plane, sink, partition) == seen(plane, source, partition)
    assert len(plane.values(sink)) == len(expected)
    plane.done("DROP JOB turns")


def test_explain_says_which_path_a_copy_takes(plane: System) -> None:
    source, sink, other = plane.topic("which-in", 2), plane.topic("which-out", 2), plane.topic("which-other", 3)

    def path(text: str) -> list[str]:
        return [str(row["detail"]) for row in plane.rows(f"EXPLAIN {text}") if row["part"] == "copy"]

    (batches,) = path(f'INSERT INTO "{sink}" SELECT * FROM "{source}"')
    assert batches.startswith("whole record batches")
    (rows,) = path(f'CREATE JOB j OPTIONS (copy \'rows\') AS INSERT INTO "{sink}" SELECT * FROM "{source}"')
    assert rows == "record by record: the option copy is 'rows'"
    (spread,) = path(f'INSERT INTO "{other}" SELECT * FROM "{source}"')
    assert "2 partitions and the sink 3" in spread
    assert path(f'INSERT INTO "{sink}" SELECT id FROM "{source}"') == []
