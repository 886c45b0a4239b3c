"""Snapshots on a real broker: what a new job may start from, what is left alone, what happens when one fails."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from jobplane.schemas.errors import SnapshotNotFound
from tests.support.broker import KafkaBroker
from tests.support.system import System, system


@pytest.fixture(scope="module")
def plane(broker: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with system(broker.bootstrap, "snapshots.", tmp_path_factory.mktemp("snapshots")) as made:
        made.worker()
        yield made


@contextmanager
def refusing_snapshots(plane: System) -> Iterator[None]:
    """No record fits into the topic of the snapshots."""

    def limit(size: int) -> None:
        entry = ConfigEntry("max.message.bytes", str(size), incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, f"{plane.prefix}snapshots", incremental_configs=[entry])
        plane.admin.incremental_alter_configs([resource])[resource].result(10)

    limit(10)
    try:
        yield
    finally:
        limit(1_048_588)


def test_a_snapshot_that_fails_suspends_the_job_it_was_to_end_and_leaves_the_old_one_valid(plane: System) -> None:
    source, sink = plane.topic("fail-in", 2), plane.topic("fail-out", 2)
    plane.produce(source, [(b"k%d" % i, b"%d" % i) for i in range(10)])
    plane.done(f'CREATE JOB fail AS INSERT INTO "{sink}" SELECT * FROM "{source}"')
    plane.await_values(sink, 10)
    plane.done("CREATE SNAPSHOT kept FOR JOB fail")
    held = plane.rows("DESCRIBE SNAPSHOT kept")
    plane.produce(source, [(b"k%d" % i, b"%d" % i) for i in range(10, 20)])
    plane.await_values(sink, 20)
    with refusing_snapshots(plane):
        replaced = plane.sql("CREATE SNAPSHOT kept FOR JOB fail")
        assert "snapshot 'kept' failed" in replaced.failure
        assert plane.jobs()["fail"]["status"] == "RUNNING"
        assert plane.rows("DESCRIBE SNAPSHOT kept") == held, "the old version stays valid"
        dropped = plane.sql("DROP JOB fail WITH SNAPSHOT kept")
        assert "snapshot 'kept' failed" in dropped.failure
        assert plane.jobs()["fail"]["status"] == "SUSPENDED", "what could not be kept is not dropped"
    plane.done("ALTER JOB fail RESUME")
    plane.done("DROP JOB fail WITH SNAPSHOT kept")
    assert sum(row["offset"] for row in plane.rows("DESCRIBE SNAPSHOT kept")) == 20
    assert sorted(int(value or b"") for value in plane.values(sink)) == list(range(20))


def test_several_jobs_start_from_one_snapshot_which_is_then_dropped(plane: System) -> None:
    source = plane.topic("many-in", 2)
    sinks = [plane.topic(f"many-{i}", 2) for i in range(3)]
    plane.produce(source, [(b"k%d" % i, b"%d" % i) for i in range(40)])
    plane.done(f'CREATE JOB many0 AS INSERT INTO "{sinks[0]}" SELECT * FROM "{source}"')
    plane.await_values(sinks[0], 40)
    plane.done("CREATE SNAPSHOT shared FOR JOB many0")
    held = plane.rows("DESCRIBE SNAPSHOT shared")
    assert sum(row["offset"] for row in held) == 40
    assert plane.about("DESCRIBE SNAPSHOT shared")["job"] == "many0"
    for i in (1, 2):
        plane.done(
            f"""CREATE JOB many{i} OPTIONS (initialSnapshotName 'shared')
                AS INSERT INTO "{sinks[i]}" SELECT * FROM "{source}" """
        )
    plane.done("DROP SNAPSHOT shared")
    with pytest.raises(SnapshotNotFound):
        plane.rows("DESCRIBE SNAPSHOT shared")
    plane.produce(source, [(b"k%d" % i, b"%d" % i) for i in range(40, 60)])
    for i, count in enumerate((60, 20, 20)):
        values = plane.await_values(sinks[i], count)
        assert sorted(int(value or b"") for value in values) == list(range(60 - count, 60))
        plane.done(f"ALTER JOB many{i} RESTART")
        plane.done(f"DROP JOB many{i}")


@pytest.mark.parametrize("change", ["recreated", "fewer"])
def test_a_snapshot_of_a_source_that_is_another_now_is_refused_at_create(plane: System, change: str) -> None:
    source, sink = plane.topic(f"{change}-in", 2), plane.topic(f"{change}-out", 2)
    plane.produce(source, [(b"k", b"v")])
    plane.done(f'CREATE JOB {change} AS INSERT INTO "{sink}" SELECT * FROM "{source}"')
    plane.done(f"DROP JOB {change} WITH SNAPSHOT {change}")
    plane.delete_topic(source)
    plane.topic(f"{change}-in", 2 if change == "recreated" else 1)
    result = plane.sql(
        f"""CREATE JOB {change} OPTIONS (initialSnapshotName '{change}')
            AS INSERT INTO "{sink}" SELECT * FROM "{source}" """
    )
    assert result.reply is not None
    assert result.reply.code == "snapshot-mismatch"
    assert "recreated" in result.reply.message
