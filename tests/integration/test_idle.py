"""IDLE AFTER: windows close where nothing comes, but not where a partition is read slowly; each result comes once."""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from confluent_kafka import Producer

from tests.support.broker import KafkaBroker
from tests.support.system import System, system, until

START = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
"""Kafka deletes records with old timestamps, and a window's row has the time of its end."""
IDLE_S, WINDOW_S = 2, 10
RULE = f"IDLE AFTER INTERVAL '{IDLE_S}' SECOND"


@pytest.fixture(scope="module")
def plane(broker: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("idle")
    environment = {
        "JOBPLANE_DORMANT_AFTER": "2",
        "JOBPLANE_HOST_MODULE": "tests.support.killing_host",
        "KILL_FOLDER": str(folder),
    }
    with system(broker.bootstrap, "idle.", folder, environment=environment) as made:
        made.worker()
        yield made


class Readings:
    """A topic, its mapping, and a job that counts and sums in windows of ten seconds."""

    def __init__(self, plane: System, name: str, partitions: int = 2, rule: str = RULE) -> None:
        self.plane, self.name = plane, name
        self.topic, self.sink = plane.topic(f"{name}-in", partitions), plane.topic(f"{name}-out", 1)
        self.letters = plane.topic(f"{name}-late", 1)
        self.map(rule)

    def map(self, rule: str) -> None:
        self.plane.done(
            f"""CREATE OR REPLACE MAPPING "{self.name}" EXTERNAL NAME "{self.topic}" (
                    ts TIMESTAMP WITH TIME ZONE, x BIGINT, WATERMARK FOR ts AS ts {rule}
                ) TYPE Kafka"""
        )

    def start(self, options: str = "") -> None:
        self.plane.done(
            f"""CREATE JOB "{self.name}" OPTIONS (parallelism '1', deadLetterTopic '{self.letters}'{options}) AS
                INSERT INTO "{self.sink}" SELECT window_start AS since, COUNT(*) AS n, SUM(x) AS total
                FROM TUMBLE(TABLE "{self.name}", DESCRIPTOR(ts), INTERVAL '{WINDOW_S}' SECOND)
                GROUP BY window_start, window_end"""
        )

    def send(self, partition: int, *seconds: int) -> None:
        """Records so many seconds after START; the number is their `x` as well."""
        self.plane.produce(self.topic, [(None, reading(second)) for second in seconds], partition=partition)

    def windows(self) -> dict[int, tuple[int, int]]:
        """By second of the start: what was written, each once."""
        rows: list[Any] = [json.loads(value or b"") for value in self.plane.values(self.sink)]
        found = {second_of(row["since"]): (row["n"], row["total"]) for row in rows}
        assert len(found) == len(rows), "a window was written twice"
        return found

    def await_windows(self, *starts: int, limit: float = 30) -> dict[int, tuple[int, int]]:
        return until(
            lambda: found if (found := self.windows()).keys() >= {*starts} else None, limit, f"{starts} are written"
        )

    def read(self) -> int:
        return sum(row["position"] or 0 for row in self.plane.rows(f'DESCRIBE JOB "{self.name}"'))


def reading(second: int) -> bytes:
    time = START + timedelta(seconds=second)
    return json.dumps({"ts": time.isoformat(), "x": second}).encode()


def second_of(text: str) -> int:
    return round((datetime.fromisoformat(text) - START).total_seconds())


def test_a_silent_partition_holds_back_no_window(plane: System) -> None:
    """The other goes on; what then comes in the silent one for a closed window is late, and the next is not."""
    readings = Readings(plane, "silent")
    readings.send(1, 3)
    readings.start()
    for second in range(0, 60, 5):
        readings.send(0, second)
    assert readings.await_windows(0, 10, 20, 30, 40)[0] == (3, 8)
    readings.send(1, 4, 44, 58)
    until(lambda: len(plane.read(readings.letters)) == 2, 20, "two records are late")
    readings.send(0, 60, 61)
    readings.send(1, 62)
    assert readings.await_windows(50)[50] == (3, 50 + 55 + 58)
    plane.done("DROP JOB silent")


def test_without_a_rule_it_does(plane: System) -> None:
    """A job that is created from a snapshot goes on with the rule that the mapping has got since."""
    readings = Readings(plane, "unruled", rule="")
    readings.send(0, *range(0, 60, 5))
    readings.start()
    until(lambda: readings.read() == 12, 30, "all is read")
    with suppress(AssertionError):
        until(readings.windows, 3 * IDLE_S, "no window closes")
    assert readings.windows() == {}
    about = plane.about("DESCRIBE JOB unruled")
    assert (about["held_back_by"], about["open_windows"]) == (f"{readings.topic}-1", 6)
    plane.done("DROP JOB unruled WITH SNAPSHOT unruled_open")
    readings.map(RULE)
    readings.start(", initialSnapshotName 'unruled_open'")
    assert readings.await_windows(0, 10, 20, 30, 40, 50)[50] == (2, 105)
    plane.done("DROP JOB unruled")


def test_all_windows_close_when_all_is_quiet(plane: System) -> None:
    """A task rests meanwhile, and wakes for it; then time stands for what is in the windows that are open."""
    readings = Readings(plane, "quiet", 3)
    readings.start()
    readings.send(0, 1, 2, 24)
    readings.send(1, 17)
    assert readings.await_windows(0, 10, 20) == {0: (2, 3), 10: (1, 17), 20: (1, 24)}
    readings.send(2, 5, 300)
    assert readings.await_windows(300)[300] == (1, 300)
    assert len(plane.read(readings.letters)) == 1
    plane.done("DROP JOB quiet")


def test_a_partition_with_more_to_read_is_not_silent(plane: System) -> None:
    """Its next records are behind a transaction that is open: nothing comes, and there is more."""
    readings = Readings(plane, "behind")
    readings.send(1, 1)
    readings.start()
    until(lambda: readings.read() == 1, 30, "the first is read")
    writer = Producer({"bootstrap.servers": plane.bootstrap, "transactional.id": "behind"})
    writer.init_transactions(10)
    writer.begin_transaction()
    for second in range(2, 30):
        writer.produce(readings.topic, reading(second), partition=1)
    writer.flush(10)
    readings.send(0, *range(40))
    until(lambda: readings.read() == 41, 30, "the other partition is read")
    with suppress(AssertionError):
        until(readings.windows, 4 * IDLE_S, "no window closes")
    assert readings.windows() == {}
    writer.commit_transaction(10)
    found = readings.await_windows(0, 10, 20)
    assert {start: n for start, (n, _) in found.items() if start < 30} == {0: 19, 10: 20, 20: 20}
    assert plane.read(readings.letters) == []
    plane.done("DROP JOB behind")


def test_a_backlog_makes_no_partition_idle(plane: System) -> None:
    """It is read for longer than the rule's time, one partition after the other, and every record counts."""
    readings = Readings(plane, "backlog", rule="IDLE AFTER INTERVAL '0.1' SECOND")
    for partition in (1, 0):
        readings.send(partition, *(number // 40 for number in range(80_000)))
    readings.start()
    found = readings.await_windows(*range(0, 2_000, WINDOW_S), limit=90)
    assert {n for n, _ in found.values()} == {2 * 40 * WINDOW_S}
    assert plane.read(readings.letters) == []
    plane.done("DROP JOB backlog")


@pytest.mark.parametrize(("step", "times"), [("emit", 3), ("save", 1), ("commit", 3), ("report", 3)])
def test_a_crash_around_a_decision_changes_no_result(plane: System, step: str, times: int) -> None:
    """Killed at the commit that has the decision, or right behind it; then more comes, some of it late."""
    readings = Readings(plane, f"kill_{step}_{times}_idle")
    readings.send(0, *range(25))
    readings.start(", stateIntervalMillis '60000', snapshotIntervalMillis '2000'")
    readings.await_windows(0, 10, 20)
    readings.send(1, 4, 70)
    readings.send(0, 71)
    assert readings.await_windows(70) == {0: (10, 45), 10: (10, 145), 20: (5, 110), 70: (2, 141)}
    assert len(plane.read(readings.letters)) == 1
    assert (plane.folder / readings.name).exists(), "the host was not killed"
    plane.done(f"DROP JOB {readings.name}")


def test_many_tasks_rest_while_their_windows_are_open_and_wake_for_them(plane: System) -> None:
    """Sixty jobs at once: no thread waits for the end of a window."""
    source, sink = plane.topic("many-in", 2), plane.topic("many-out", 1)
    plane.done(
        f"""CREATE MAPPING many EXTERNAL NAME "{source}" (ts TIMESTAMP WITH TIME ZONE, x BIGINT,
            WATERMARK FOR ts AS ts IDLE AFTER INTERVAL '{IDLE_S}' SECOND) TYPE Kafka"""
    )
    command(
        plane,
        f"""CREATE JOB {{job}} OPTIONS (parallelism '1') AS INSERT INTO "{sink}"
        SELECT '{{job}}' AS job, window_start, COUNT(*) AS n
        FROM TUMBLE(TABLE many, DESCRIPTOR(ts), INTERVAL '60' SECOND) GROUP BY window_start, window_end""",
    )
    until(lambda: tasks_at_rest(plane) == dict.fromkeys(MANY, 0), 90, "all run, and rest")
    plane.produce(source, [(None, reading(second)) for second in (2, 10, 15)], partition=0)
    until(lambda: tasks_at_rest(plane) == dict.fromkeys(MANY, 1), 40, "all have read, and rest")
    assert plane.values(sink) == []
    found = [json.loads(value or b"") for value in plane.await_values(sink, len(MANY), 90)]
    assert sorted((row["job"], row["n"]) for row in found) == [(job, 3) for job in sorted(MANY)]
    until(lambda: tasks_at_rest(plane) == dict.fromkeys(MANY, 0), 60, "all rest again")
    about = plane.about(f"DESCRIBE JOB {MANY[0]}")
    assert (about["groups"], about["open_windows"], about["oldest_window_end"], about["late"]) == (0, 0, None, 0)
    command(plane, "DROP JOB {job}")
    until(lambda: not tasks_at_rest(plane), 60, "all are dropped")


MANY = [f"many{number}" for number in range(60)]


def command(plane: System, statement: str) -> None:
    """Sends a statement for each of the jobs, all at once."""
    producer = Producer({"bootstrap.servers": plane.bootstrap})
    for job in MANY:
        producer.produce(f"{plane.prefix}commands", statement.format(job=job).encode())
    assert producer.flush(30) == 0


def tasks_at_rest(plane: System) -> dict[str, int]:
    """How many groups each task has that rests."""
    tasks = [task for worker in plane.workers for task in worker.tasks if task.get("step") == "dormant"]
    return {task["job"]: task.get("groups", 0) for task in tasks if task["job"] in MANY}
