"""Jobs that read several topics, on a real broker: each record of each has its effect once, through every turn."""

import json
from collections import Counter
from collections.abc import Iterator

import pytest
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, ResourceType

from tests.support.broker import KafkaBroker
from tests.support.system import System, system, until


@pytest.fixture(scope="module")
def plane(broker: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with system(broker.bootstrap, "sources.", tmp_path_factory.mktemp("sources")) as made:
        made.worker()
        yield made


def rows(first: int, count: int) -> list[tuple[bytes, bytes]]:
    return [(b"k%d" % (i % 7), b'{"id": %d}' % i) for i in range(first, first + count)]


def ids(plane: System, topic: str) -> Counter[int]:
    return Counter(json.loads(value or b"")["id"] for value in plane.values(topic))


def both(large: str, small: str) -> str:
    return f'SELECT id FROM "{large}" UNION ALL SELECT id FROM "{small}"'


class Two:
    """A topic of four partitions and one of two; what is sent goes to both, under ids of its own."""

    def __init__(self, plane: System, name: str, sink: int = 3) -> None:
        self.plane = plane
        self.large, self.small = plane.topic(f"{name}-large", 4), plane.topic(f"{name}-small", 2)
        self.sink = plane.topic(f"{name}-out", sink)
        self.query = both(self.large, self.small)
        self.sent = 0

    def send(self, count: int) -> None:
        for topic, half in ((self.large, count // 2), (self.small, count - count // 2)):
            self.plane.produce(topic, rows(self.sent, half))
            self.sent += half

    def check(self) -> None:
        """All that was sent is in the sink, once."""
        self.plane.await_values(self.sink, self.sent)
        assert ids(self.plane, self.sink) == Counter(range(self.sent))


def test_two_topics_through_a_job_s_life(plane: System) -> None:
    two = Two(plane, "life")
    two.send(1000)
    plane.done(f'CREATE JOB life AS INSERT INTO "{two.sink}" {two.query}')
    two.check()
    plane.done("ALTER JOB life SUSPEND")
    two.send(400)
    resting = {row["partition"]: row for row in plane.rows("DESCRIBE JOB life")}
    assert sum(row["lag"] for row in resting.values()) == 400
    assert {row["task"] for row in resting.values()} == {0, 1, 2, 3}
    assert set(resting) == {f"{two.large}-{p}" for p in range(4)} | {f"{two.small}-{p}" for p in range(2)}
    plane.done("ALTER JOB life RESUME")
    two.send(400)
    plane.done("ALTER JOB life RESTART")
    two.send(400)
    two.check()
    until(
        lambda: (
            sorted((row["partition"], row["lag"]) for row in plane.rows("DESCRIBE JOB life"))
            == sorted((name, 0) for name in resting)
        ),
        30,
        "every partition of both is reported as read",
    )
    plane.done("DROP JOB life")


def test_the_split_changes_and_one_topic_grows(plane: System) -> None:
    two = Two(plane, "split")
    two.send(400)
    plane.done(f'CREATE JOB split AS INSERT INTO "{two.sink}" {two.query}')
    for parallelism in (2, 3, 1):
        two.send(400)
        plane.done("ALTER JOB split SUSPEND")
        two.send(400)
        plane.done(f"ALTER JOB split OPTIONS (parallelism '{parallelism}') RESUME")
    plane.admin.create_partitions([NewPartitions(two.small, 6)])[two.small].result(10)
    plane.produce(two.small, rows(two.sent, 50), partition=5)
    two.sent += 50
    two.check()
    plane.done("ALTER JOB split SUSPEND")
    plane.produce(two.small, rows(two.sent, 50), partition=4)
    two.sent += 50
    plane.done("ALTER JOB split OPTIONS (parallelism '6') RESUME")
    two.send(400)
    two.check()
    plane.done("DROP JOB split")


def test_a_job_starts_from_a_snapshot_of_both(plane: System) -> None:
    two, second = Two(plane, "snap"), plane.topic("snap-second", 3)
    two.send(600)
    plane.done(f'CREATE JOB snap AS INSERT INTO "{two.sink}" {two.query}')
    two.check()
    plane.done("CREATE SNAPSHOT early FOR JOB snap")
    kept = two.sent
    held = plane.rows("DESCRIBE SNAPSHOT early")
    assert sum(row["offset"] for row in held) == 600
    assert Counter(row["topic"] for row in held) == {two.large: 4, two.small: 2}
    two.send(200)
    two.check()
    plane.done("DROP JOB snap WITH SNAPSHOT late")
    two.send(200)
    plane.done(f"""CREATE JOB after OPTIONS (initialSnapshotName 'late', parallelism '2')
                   AS INSERT INTO "{two.sink}" {two.query}""")
    two.check()
    plane.done(f"""CREATE JOB again OPTIONS (initialSnapshotName 'early')
                   AS INSERT INTO "{second}" {both(two.small, two.large)}""")
    plane.await_values(second, two.sent - kept)
    assert ids(plane, second) == Counter(range(kept, two.sent))
    refused = plane.sql(f"""CREATE JOB one OPTIONS (initialSnapshotName 'early')
                            AS INSERT INTO "{second}" SELECT id FROM "{two.large}" """)
    assert refused.reply is not None
    assert refused.reply.code == "snapshot-mismatch"
    for job in ("after", "again"):
        plane.done(f"DROP JOB {job}")


def test_a_bounded_job_ends_at_the_ends_of_both(plane: System) -> None:
    two = Two(plane, "bounded")
    two.send(3000)
    plane.sql(f"""CREATE JOB bounded OPTIONS (stopAt 'latest', snapshotIntervalMillis '20')
                  AS INSERT INTO "{two.sink}" {two.query}""")
    plane.produce(two.small, rows(10_000, 100))
    plane.sql("ALTER JOB bounded SUSPEND")
    plane.produce(two.large, rows(10_100, 100))
    plane.sql("ALTER JOB bounded RESUME")
    until(lambda: plane.jobs()["bounded"]["status"] == "COMPLETED", 60, "the job is complete")
    assert ids(plane, two.sink) == Counter(range(3000))


def test_from_an_instant_each_topic_begins_where_it_was(plane: System) -> None:
    two = Two(plane, "since")
    for topic, first in ((two.large, 0), (two.small, 100)):
        plane.produce(topic, rows(first, 50), timestamp=1_700_000_000_000)
        plane.produce(topic, rows(first + 50, 50), timestamp=1_700_000_060_000)
    plane.done(f"""CREATE JOB since OPTIONS (startFrom '2023-11-14T22:14:00Z')
                   AS INSERT INTO "{two.sink}" {two.query}""")
    plane.await_values(two.sink, 100)
    assert ids(plane, two.sink) == Counter([*range(50, 100), *range(150, 200)])
    plane.done("DROP JOB since")


def test_a_source_with_the_sink_s_partitions_is_mirrored_and_the_other_goes_by_key(plane: System) -> None:
    two = Two(plane, "mirror", sink=2)
    for partition in range(4):
        plane.produce(two.large, [(b"same", b"large")] * 10, partition=partition)
    for partition in range(2):
        plane.produce(two.small, [(b"same", b"small-%d" % partition)] * 10, partition=partition)
    plane.done(f"""CREATE JOB mirror AS INSERT INTO "{two.sink}"
                   SELECT * FROM "{two.large}" UNION ALL SELECT * FROM "{two.small}" """)
    plane.await_values(two.sink, 60)
    plane.admin.create_partitions([NewPartitions(two.small, 3)])[two.small].result(10)
    plane.produce(two.small, [(b"same", b"small-2")] * 10, partition=2)
    plane.await_values(two.sink, 70)
    found = Counter((message.value(), message.partition()) for message in plane.read(two.sink))
    by_key = next(partition for value, partition in found if value == b"large")
    assert found == {(b"large", by_key): 40, (b"small-0", 0): 10, (b"small-1", 1): 10, (b"small-2", by_key): 10}
    plane.done("DROP JOB mirror")


def test_a_topic_under_two_names_is_read_once_and_counts_for_both(plane: System) -> None:
    source, sink = plane.topic("twice-in", 2), plane.topic("twice-out", 2)
    plane.done(f'CREATE MAPPING twice_eu EXTERNAL NAME "{source}" (id BIGINT) TYPE Kafka')
    plane.produce(source, rows(0, 200))
    plane.done(f"""CREATE JOB twice OPTIONS (storeMetricsAfterJobCompletion 'true', stopAt 'latest')
                   AS INSERT INTO "{sink}"
                   SELECT id FROM twice_eu WHERE id < 150 UNION ALL SELECT id FROM "{source}" WHERE id >= 50""")
    until(lambda: plane.jobs()["twice"]["status"] == "COMPLETED", 60, "the job is complete")
    assert ids(plane, sink) == Counter(range(150)) + Counter(range(50, 200))
    found = {row["task"]: row["metrics"]["records_in"] for row in plane.rows("DESCRIBE JOB twice")}
    assert sum(found.values()) == 200


def test_one_recreated_topic_stops_the_job(plane: System) -> None:
    two = Two(plane, "gone")
    two.send(100)
    plane.done(f'CREATE JOB gone AS INSERT INTO "{two.sink}" {two.query}')
    two.check()
    plane.done("ALTER JOB gone SUSPEND")
    plane.delete_topic(two.small)
    plane.topic("gone-small", 2)
    plane.sql("ALTER JOB gone RESUME")
    until(lambda: plane.jobs()["gone"]["status"] == "SUSPENDED", 30, "the job is suspended")
    assert f"'{two.small}' was deleted and recreated" in plane.jobs()["gone"]["failure"]
    plane.done("DROP JOB gone")


def test_a_record_of_either_topic_is_named_and_what_came_before_it_is_not_repeated(plane: System) -> None:
    two = Two(plane, "bad")
    two.send(200)
    plane.done(f"""CREATE JOB bad OPTIONS (parallelism '1') AS INSERT INTO "{two.sink}" {two.query}""")
    two.check()
    plane.produce(two.small, [(b"k", b"{no json")], partition=1)
    until(lambda: plane.jobs()["bad"]["status"] == "SUSPENDED", 30, "the job is suspended")
    offset = plane.ends(two.small)[1] - 1
    assert f"({two.small}-1@{offset})" in plane.jobs()["bad"]["failure"]
    plane.sql("ALTER JOB bad RESUME")
    until(lambda: plane.jobs()["bad"]["status"] == "SUSPENDED", 30, "it meets the record again")
    two.check()
    plane.done("DROP JOB bad")


def test_of_a_record_that_gives_several_all_are_written_or_none(plane: System) -> None:
    """The second is too large for the sink; when it may go through, the first is not there twice."""
    source, sink = plane.topic("several-in", 1, max_message_bytes="4000000"), plane.topic("several-out", 1)
    plane.produce(source, [*rows(0, 30), (b"k", b'{"id": 30, "note": "%s"}' % (b"x" * 2_000_000)), *rows(31, 9)])
    plane.sql(f"""CREATE JOB several AS INSERT INTO "{sink}"
                  SELECT id FROM "{source}" UNION ALL SELECT note AS id FROM "{source}" """)
    until(lambda: plane.jobs()["several"]["status"] == "SUSPENDED", 60, "the job is suspended")
    assert plane.jobs()["several"]["failure"].startswith("RECORD_TOO_LARGE")
    assert plane.jobs()["several"]["failure"].endswith(f"({source}-0@30)")
    assert len(plane.values(sink)) == 60, "both of each record before it, none of its own"
    entry = ConfigEntry("max.message.bytes", "4000000", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, sink, incremental_configs=[entry])
    plane.admin.incremental_alter_configs([resource])[resource].result(10)
    plane.done("ALTER JOB several RESUME")
    plane.await_values(sink, 80)
    found = [json.loads(value or b"")["id"] for value in plane.values(sink)]
    assert Counter(one for one in found if isinstance(one, int)) == Counter(range(40))
    assert len(found) == 80
    plane.done("DROP JOB several")
