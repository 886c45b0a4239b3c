"""The options of a job on a real broker: what each promises is what happens."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from confluent_kafka.admin import NewPartitions

from jobplane.controlplane.client.client import Client
from tests.support.broker import KafkaBroker
from tests.support.system import System, repeated, system, until


@pytest.fixture(scope="module")
def plane(broker: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with system(broker.bootstrap, "options.", tmp_path_factory.mktemp("options")) as made:
        made.worker()
        yield made


FAMILIES = ("jobplane_task_records_in_total", "jobplane_job_status")


def rows(first: int, count: int) -> list[tuple[bytes, bytes]]:
    return [(b"k%d" % (i % 7), b'{"id": %d}' % i) for i in range(first, first + count)]


def ids(plane: System, topic: str) -> Counter[int]:
    return Counter(json.loads(value or b"")["id"] for value in plane.values(topic))


@contextmanager
def flowing(plane: System, topic: str, first: int) -> Iterator[list[int]]:
    """Records to the topic all the while; the list grows with their ids."""
    sent: list[int] = []

    def feed() -> None:
        at = first + len(sent)
        plane.produce(topic, rows(at, 10))
        sent.extend(range(at, at + 10))

    with repeated(feed, 0.02):
        yield sent


def test_a_bounded_job_copies_what_was_there_and_ends(plane: System) -> None:
    source, sink = plane.topic("bounded-in", 4), plane.topic("bounded-out", 2)
    plane.produce(source, rows(0, 3000))
    create = f'CREATE JOB bounded OPTIONS (stopAt \'latest\') AS INSERT INTO "{sink}" SELECT id FROM "{source}"'
    with flowing(plane, source, 10_000) as later:
        until(lambda: later, 10, "records flow")
        plane.done(create)
        until(lambda: plane.jobs()["bounded"]["status"] == "COMPLETED", 30, "the job is complete")
    copied = ids(plane, sink)
    assert all(copied[i] == 1 for i in range(3000))
    assert set(copied.values()) == {1}
    assert len(copied) < 3000 + len(later), "what came after CREATE is not copied"
    plane.done(create)  # the name is free
    until(lambda: plane.jobs()["bounded"]["status"] == "COMPLETED", 30, "the second is complete")
    assert sum(ids(plane, sink).values()) == len(copied) + 3000 + len(later)


def test_a_bounded_job_of_an_empty_source_ends_at_once(plane: System) -> None:
    source, sink = plane.topic("empty-in"), plane.topic("empty-out")
    plane.done(f'CREATE JOB empty OPTIONS (stopAt \'latest\') AS INSERT INTO "{sink}" SELECT id FROM "{source}"')
    until(lambda: plane.jobs()["empty"]["status"] == "COMPLETED", 30, "the job is complete")


def test_a_bounded_job_is_through_behind_the_markers_of_transactions(plane: System) -> None:
    """The last offset of a topic written in transactions is a marker that no reader sees."""
    source, between, sink = plane.topic("marked-in"), plane.topic("marked-between"), plane.topic("marked-out")
    plane.produce(source, rows(0, 50))
    plane.done(f'CREATE JOB writer AS INSERT INTO "{between}" SELECT * FROM "{source}"')
    plane.await_values(between, 50)
    plane.done("DROP JOB writer")
    plane.done(f'CREATE JOB marked OPTIONS (stopAt \'latest\') AS INSERT INTO "{sink}" SELECT * FROM "{between}"')
    until(lambda: plane.jobs()["marked"]["status"] == "COMPLETED", 30, "the job is complete")
    assert ids(plane, sink) == Counter(range(50))


def test_a_bounded_job_is_suspended_and_goes_on_to_its_end(plane: System) -> None:
    source, sink = plane.topic("rest-in", 2), plane.topic("rest-out", 2)
    plane.produce(source, rows(0, 2000))
    copy = f'AS INSERT INTO "{sink}" SELECT * FROM "{source}"'
    plane.done(f"CREATE JOB rest OPTIONS (stopAt 'latest', parallelism '1') {copy}")
    plane.sql("ALTER JOB rest SUSPEND")
    plane.sql("ALTER JOB rest RESUME")
    until(lambda: plane.jobs()["rest"]["status"] == "COMPLETED", 30, "the job is complete")
    assert ids(plane, sink) == Counter(range(2000))


def test_start_from_latest_and_from_an_instant(plane: System) -> None:
    source, late, since = plane.topic("from-in", 2), plane.topic("from-late"), plane.topic("from-since")
    plane.produce(source, rows(0, 100), timestamp=1_700_000_000_000)
    plane.produce(source, rows(100, 100), timestamp=1_700_000_060_000)
    copy = 'AS INSERT INTO "{}" SELECT * FROM "{}"'
    plane.done(f"CREATE JOB late OPTIONS (startFrom 'latest') {copy.format(late, source)}")
    plane.done(f"CREATE JOB since OPTIONS (startFrom '2023-11-14T22:14:00Z') {copy.format(since, source)}")
    plane.produce(source, rows(200, 100))
    plane.await_values(late, 100)
    plane.await_values(since, 200)
    assert ids(plane, late) == Counter(range(200, 300))
    assert ids(plane, since) == Counter(range(100, 300))
    plane.done("ALTER JOB late RESTART")
    plane.produce(source, rows(300, 10))
    plane.await_values(late, 110)
    assert ids(plane, late) == Counter(range(200, 310)), "latest is resolved once"
    for job in ("late", "since"):
        plane.done(f"DROP JOB {job}")


def test_parallelism_is_changed_while_suspended(plane: System) -> None:
    source, sink = plane.topic("split-in", 4), plane.topic("split-out", 4)
    plane.done(f'CREATE JOB split AS INSERT INTO "{sink}" SELECT id FROM "{source}"')
    with flowing(plane, source, 0) as sent:
        for parallelism in (2, 3, 1, 4):
            before = len(sent)
            plane.done("ALTER JOB split SUSPEND")
            plane.done(f"ALTER JOB split OPTIONS (parallelism '{parallelism}') RESUME")
            assert plane.jobs()["split"]["tasks"] == parallelism
            until(lambda least=before: len(sent) > least + 50, 20, "records flow")  # type: ignore[misc]
        plane.sql("ALTER JOB split SUSPEND")  # resumed before its tasks have stopped
        plane.sql("ALTER JOB split OPTIONS (parallelism '2') RESUME")
        plane.done("ALTER JOB split RESTART")
    plane.await_values(sink, len(sent))
    plane.done("DROP JOB split WITH SNAPSHOT split")
    assert ids(plane, sink) == Counter(sent)


def test_a_partition_added_to_the_source_is_read_from_its_beginning(plane: System) -> None:
    source, sink = plane.topic("grown-in", 2), plane.topic("grown-out", 2)
    plane.done(f'CREATE JOB grown AS INSERT INTO "{sink}" SELECT * FROM "{source}"')
    plane.produce(source, rows(0, 100))
    with flowing(plane, source, 1000) as sent:
        plane.admin.create_partitions([NewPartitions(source, 4)])[source].result(10)
        plane.produce(source, rows(100, 50), partition=3)
        until(lambda: ids(plane, sink).keys() >= set(range(150)), 30, "the added partitions are read")
    plane.done("ALTER JOB grown SUSPEND")
    plane.produce(source, rows(150, 50), partition=2)
    plane.done("ALTER JOB grown OPTIONS (parallelism '4') RESUME")
    expected = Counter([*range(200), *sent])
    plane.await_values(sink, sum(expected.values()))
    assert ids(plane, sink) == expected
    plane.done("DROP JOB grown WITH SNAPSHOT grown")
    again = plane.topic("grown-again", 2)
    plane.admin.create_partitions([NewPartitions(source, 5)])[source].result(10)
    plane.produce(source, rows(200, 20), partition=4)
    plane.done(
        f'CREATE JOB again OPTIONS (initialSnapshotName \'grown\') AS INSERT INTO "{again}" SELECT * FROM "{source}"'
    )
    plane.await_values(again, 20)
    assert ids(plane, again) == Counter(range(200, 220)), "a partition that the snapshot does not know"
    plane.done("DROP JOB again")


@pytest.mark.parametrize("guarantee", ["atLeastOnce", "none"])
def test_weaker_guarantees_move_records_as_well(plane: System, guarantee: str) -> None:
    name = guarantee.lower()
    source, sink = plane.topic(f"{name}-in", 2), plane.topic(f"{name}-out", 2)
    plane.produce(source, rows(0, 500))
    copy = f'AS INSERT INTO "{sink}" SELECT * FROM "{source}"'
    plane.done(f"CREATE JOB {name} OPTIONS (processingGuarantee '{guarantee}') {copy}")
    plane.await_values(sink, 500)
    plane.done(f"ALTER JOB {name} SUSPEND")
    assert ids(plane, sink) == Counter(range(500))
    plane.done(f"ALTER JOB {name} RESUME")
    plane.produce(source, rows(500, 100))
    repeated = 500 if guarantee == "none" else 0
    plane.await_values(sink, 600 + repeated)
    assert ids(plane, sink) == Counter(range(600)) + Counter(range(repeated))
    snapshot = plane.sql(f"CREATE SNAPSHOT {name} FOR JOB {name}")
    assert snapshot.reply is not None
    assert (snapshot.reply.code or snapshot.reply.verdict) == ("no-checkpoints" if repeated else "accepted")
    plane.done(f"DROP JOB {name}")


def test_a_job_that_fails_for_good_keeps_its_metrics(plane: System) -> None:
    source, sink = plane.topic("kept-in", 1), plane.topic("kept-out", 1)
    plane.produce(source, [*rows(0, 30), (b"k", b'{"id": "x"}')])
    plane.sql(
        f"""CREATE JOB kept OPTIONS (storeMetricsAfterJobCompletion 'true', suspendOnFailure 'false')
            AS INSERT INTO "{sink}" SELECT id + 1 AS id FROM "{source}" """
    )
    until(lambda: plane.jobs()["kept"]["status"] == "FAILED", 30, "the job failed")
    row = plane.rows("DESCRIBE JOB kept")[0]
    assert row["metrics"]["records_in"] == 30.0
    uid = plane.jobs()["kept"]["uid"]
    line = f'jobplane_task_records_in_total{{job="kept",task="{uid}/0"}} 30.0'
    until(lambda: line in plane.workers[0].get("/metrics")[1], 20, "the metrics of the ended job are published")
    assert plane.about("DESCRIBE JOB kept")["failure_at"] == f"{source}-0@30"


def test_metrics_are_published_or_not(plane: System) -> None:
    source, sink = plane.topic("quiet-in", 1), plane.topic("quiet-out", 1)
    plane.done(f'CREATE JOB quiet OPTIONS (metricsEnabled \'false\') AS INSERT INTO "{sink}" SELECT * FROM "{source}"')
    plane.done(f'CREATE JOB loud AS INSERT INTO "{sink}" SELECT * FROM "{source}"')

    def published() -> str:
        return plane.workers[0].get("/metrics")[1]

    until(lambda: all(f'{one}{{job="loud",' in published() for one in FAMILIES), 20, "those of the other job are there")
    assert 'job="quiet"' not in published()
    plane.done("ALTER JOB quiet SUSPEND")
    plane.done("ALTER JOB quiet OPTIONS (metricsEnabled 'true') RESUME")
    until(lambda: all(f'{one}{{job="quiet",' in published() for one in FAMILIES), 20, "its metrics are there")
    for job in ("quiet", "loud"):
        plane.done(f"DROP JOB {job}")


def test_options_that_change_nothing_here_say_so(plane: System) -> None:
    source, sink = plane.topic("notice-in", 1), plane.topic("notice-out", 1)
    result = plane.done(
        f"""CREATE JOB notice OPTIONS (splitBrainProtectionEnabled 'true', maxProcessorAccumulatedRecords '10')
            AS INSERT INTO "{sink}" SELECT * FROM "{source}" """
    )
    assert result.reply is not None
    assert [one.partition(":")[0] for one in result.reply.notices] == [
        "splitBrainProtectionEnabled",
        "maxProcessorAccumulatedRecords",
    ]
    plane.done("DROP JOB notice")


def test_deletes_reach_a_compacted_sink(plane: System) -> None:
    """With few records too, for which a task needs no clients of its own."""
    source, sink = plane.topic("deletes-in", 2), plane.topic("deletes-out", 2, cleanup_policy="compact")
    plane.done(f"CREATE MAPPING deletes EXTERNAL NAME \"{source}\" TYPE Kafka OPTIONS (keyFormat 'integer')")
    plane.done(f"CREATE MAPPING kept EXTERNAL NAME \"{sink}\" TYPE Kafka OPTIONS (keyFormat 'varchar')")
    query = "INSERT INTO kept SELECT id, state FROM deletes WHERE state <> 'closed'"
    create = f"CREATE JOB deletes OPTIONS (tombstones 'forward') AS {query}"

    def write(ids: range, deleted: range) -> None:
        rows = [(i.to_bytes(4, "big"), b'{"id": %d, "state": "open"}' % i) for i in ids]
        plane.produce(source, [*rows, *((i.to_bytes(4, "big"), None) for i in deleted)])

    def latest(count: int) -> dict[bytes | None, bytes | None]:
        plane.await_values(sink, count)
        return {message.key(): message.value() for message in plane.read(sink)}

    def expected(ids: range, deleted: range) -> dict[bytes, bytes | None]:
        return {b"%d" % i: None if i in deleted else b'{"id":%d,"state":"open"}' % i for i in ids}

    write(range(4), range(2))
    tried = Client(plane.settings).dry_run().run(create)
    assert sorted(row["key"] for row in tried.rows if row["value"] is None) == ["0", "1"]
    assert (tried.about["written"], tried.about["skipped"]) == (6, 0)
    explained = {row["part"]: row["detail"] for row in plane.rows(f"EXPLAIN {create}")}
    assert explained["tombstones"] == "forwarded: the key without a value"
    plane.done(create)
    assert plane.about("DESCRIBE JOB deletes")["tombstones"] == "forward"
    assert latest(6) == expected(range(4), range(2))
    write(range(2000), range(0, 2000, 2))
    assert latest(6 + 3000) == expected(range(2000), range(0, 2000, 2))

    plane.done("ALTER JOB deletes SUSPEND")
    plane.done("ALTER JOB deletes OPTIONS (tombstones 'skip') RESUME")
    write(range(2000, 2002), range(2, 4))

    def skipped() -> float:
        lines = plane.workers[-1].get("/metrics")[1].splitlines()
        counted = [line for line in lines if line.startswith('jobplane_task_records_skipped_total{job="deletes"')]
        return sum(float(line.rsplit(" ", 1)[1]) for line in counted)

    until(lambda: skipped() == 2, 10, "the skipped records are counted")
    assert latest(6 + 3000 + 2) == expected(range(2002), range(0, 2000, 2))
