"""Tasks without input rest, without clients of their own, and everything still works: once each, and at once."""

import json
import signal
from collections import Counter
from collections.abc import Iterator

import psutil
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import NewPartitions

from tests.support.broker import KafkaBroker
from tests.support.system import System, system, until


@pytest.fixture(scope="module")
def plane(broker: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    environment = {"JOBPLANE_DORMANT_AFTER": "1"}
    with system(broker.bootstrap, "dormant.", tmp_path_factory.mktemp("dormant"), environment=environment) as made:
        made.worker()
        yield made


class Copying:
    """A job that copies a column from a topic of four partitions; records are numbered."""

    def __init__(self, plane: System, name: str, options: str = "", what: str = "id") -> None:
        self.plane, self.name = plane, name
        self.source, self.sink = plane.topic(f"{name}-in", 4), plane.topic(f"{name}-out", 4)
        self.sent = 0
        plane.done(f'CREATE JOB {name} {options} AS INSERT INTO "{self.sink}" SELECT {what} FROM "{self.source}"')

    def send(self, count: int = 8) -> None:
        records = [(b"k%d" % i, b'{"id": %d}' % i) for i in range(self.sent, self.sent + count)]
        self.plane.produce(self.source, records)
        self.sent += count

    def check(self, sink: str = "") -> None:
        """All that was sent is in the sink, once."""
        sink = sink or self.sink
        self.plane.await_values(sink, self.sent)
        found = Counter(json.loads(value or b"")["id"] for value in self.plane.values(sink))
        assert found == dict.fromkeys(range(self.sent), 1)

    @property
    def shown(self) -> set[str]:
        return {row["status"] for row in self.plane.rows(f"DESCRIBE JOB {self.name}")}

    def sleeps(self) -> None:
        until(lambda: self.shown == {"DORMANT"}, 30, f"{self.name} is dormant")
        assert self.plane.jobs()[self.name]["status"] == "RUNNING"

    def ends_as(self, code: str) -> None:
        until(lambda: self.plane.jobs()[self.name]["failure_code"] == code, 60, f"{self.name} ends with {code}")


def threads(plane: System) -> int:
    return sum(psutil.Process(pid).num_threads() for pid in plane.workers[-1].host_pids())


def test_a_new_job_without_input_rests_from_the_start(plane: System) -> None:
    Copying(plane, "first").sleeps()
    before = threads(plane)
    for i in range(5):
        Copying(plane, f"fresh{i}").sleeps()
    assert threads(plane) < before + 50  # twenty tasks with clients of their own have two hundred
    listed = plane.jobs()["fresh0"]
    assert (listed["status"], listed["lag"], listed["rate"]) == ("RUNNING", 0, 0.0)
    steps = {task["step"] for task in plane.workers[-1].tasks if task["job"] == "fresh0"}
    assert steps == {"dormant"}


def test_records_wake_a_task_again_and_again(plane: System) -> None:
    job = Copying(plane, "woken")
    for _ in range(3):
        job.send()
        job.check()
        job.sleeps()
    rows = plane.rows("DESCRIBE JOB woken")
    assert sum(row["position"] for row in rows) == job.sent
    assert {row["lag"] for row in rows} == {0}


def test_few_records_are_written_as_many_are(plane: System) -> None:
    """A task without clients of its own partitions by key as the client does, and keeps headers and timestamps."""
    records: list[tuple[bytes | None, bytes | None]] = [
        (b"key-%d" % i if i % 5 else None, b"value %d" % i) for i in range(40)
    ]
    records += [(b"", b"empty key"), (b"\xff\x80" * 9, "ä".encode()), (b"no value", None)]
    more: list[tuple[bytes | None, bytes | None]] = [(b"more", b"%d" % i) for i in range(2_000)]
    written = {}
    headers = [("a", b"1"), ("b", None), ("a", b"2")]
    for name, sent in (("few", records), ("many", [*records, *more])):
        source, sink = plane.topic(f"{name}-in", 4), plane.topic(f"{name}-out", 3)
        plane.produce(source, sent, headers=headers, timestamp=1_700_000_000_123)
        plane.done(f'CREATE JOB {name} AS INSERT INTO "{sink}" SELECT * FROM "{source}"')
        plane.await_values(sink, len(sent))
        written[name] = {
            (m.key(), m.value(), str(m.headers()), m.timestamp(), m.partition() if m.key() is not None else None)
            for m in plane.read(sink)
            if m.key() != b"more"
        }
    assert len(written["few"]) == len(records)
    assert written["few"] == written["many"]
    clients = {task["job"]: task.get("records_in", 0) for task in plane.workers[-1].tasks}
    assert clients["few"] > 0


def test_much_input_is_not_held_to_one_step_an_interval(plane: System) -> None:
    job = Copying(plane, "flooded", "OPTIONS (snapshotIntervalMillis '5000')")
    job.sleeps()
    job.send(30_000)
    job.check()


def test_records_that_a_transaction_aborts_wake_nobody_for_long(plane: System) -> None:
    job = Copying(plane, "aborted")
    producer = Producer({"bootstrap.servers": plane.bootstrap, "transactional.id": job.source})
    producer.init_transactions(10)
    producer.begin_transaction()
    producer.produce(job.source, b'{"id": 99}', b"k")
    producer.flush(10)
    producer.abort_transaction(10)
    job.send()
    job.check()
    job.sleeps()


@pytest.mark.parametrize("records", [0, 8], ids=["never-woken", "woken"])
def test_a_snapshot_of_a_dormant_job(plane: System, records: int) -> None:
    job = Copying(plane, f"kept{records}")
    if records:
        job.send(records)
        job.check()
    job.sleeps()
    plane.done(f"CREATE SNAPSHOT kept{records} FOR JOB {job.name}")
    assert job.shown == {"DORMANT"}
    offsets = plane.rows(f"DESCRIBE SNAPSHOT kept{records}")
    assert sum(row["offset"] for row in offsets) == records
    sink = plane.topic(f"{job.name}-next", 4)
    options = f"OPTIONS (initialSnapshotName 'kept{records}')"
    plane.done(f'CREATE JOB {job.name}_next {options} AS INSERT INTO "{sink}" SELECT id FROM "{job.source}"')
    job.send()
    plane.await_values(sink, 8)
    assert {json.loads(value or b"")["id"] for value in plane.values(sink)} == {*range(records, records + 8)}
    job.check()


def test_alter_and_drop_reach_dormant_tasks(plane: System) -> None:
    job = Copying(plane, "altered")
    for statement in ("SUSPEND", "RESUME", "RESTART"):
        job.send()
        if statement != "RESUME":
            job.check()
            job.sleeps()
        plane.done(f"ALTER JOB altered {statement}")
    job.check()
    job.sleeps()
    plane.done("ALTER JOB altered SUSPEND")
    plane.done("ALTER JOB altered OPTIONS (parallelism '2') RESUME")
    job.send()
    job.check()
    job.sleeps()
    plane.done("DROP JOB altered WITH SNAPSHOT altered_end")
    assert sum(row["offset"] for row in plane.rows("DESCRIBE SNAPSHOT altered_end")) == job.sent


def test_a_copy_of_whole_batches_sleeps_and_wakes(plane: System) -> None:
    job = Copying(plane, "whole", what="*")
    for _ in range(3):
        job.send()
        job.check()
        job.sleeps()
    plane.done("ALTER JOB whole SUSPEND")
    plane.done("ALTER JOB whole RESUME")
    job.send()
    job.check()


def test_a_partition_that_is_added_to_a_dormant_source_is_read(plane: System) -> None:
    job = Copying(plane, "grown")
    job.sleeps()
    plane.admin.create_partitions([NewPartitions(job.source, 6)])[job.source].result(10)
    until(
        lambda: plane.admin.list_topics(job.source, 10).topics[job.source].partitions.keys() >= {5}, 10, "it has grown"
    )
    plane.produce(job.source, [(b"k", b'{"id": 0}')], partition=5)
    job.sent += 1
    job.check()


def test_a_source_that_is_made_anew_under_a_dormant_job(plane: System) -> None:
    job = Copying(plane, "remade")
    job.send()
    job.check()
    job.sleeps()
    plane.delete_topic(job.source)
    plane.topic("remade-in", 4)
    job.ends_as("DATA_LOST")


def test_a_sink_that_is_deleted_under_a_dormant_job(plane: System) -> None:
    job = Copying(plane, "sinkless")
    job.sleeps()
    plane.admin.delete_topics([job.sink])[job.sink].result(10)
    job.ends_as("SINK_LOST")


@pytest.mark.parametrize("guarantee", ["exactlyOnce", "atLeastOnce", "none"])
def test_dormant_tasks_of_a_worker_that_dies_go_on_elsewhere(plane: System, guarantee: str) -> None:
    job = Copying(plane, f"moved{guarantee.lower()}", f"OPTIONS (processingGuarantee '{guarantee}')")
    job.send()
    job.check()
    job.sleeps()
    old = plane.workers[-1]
    old.signal_all(signal.SIGKILL)
    old.process.wait()
    new = plane.worker()
    until(lambda: any(task["job"] == job.name for task in new.tasks), 60, "the new worker has the tasks")
    if guarantee == "none":  # begins at its start offsets
        plane.await_values(job.sink, 2 * job.sent)
        return
    job.sleeps()
    job.send()
    job.check()
