"""Sets of INSERTs on a broker: each record is read once, and all that it gives is written, once, or nothing of it."""

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from confluent_kafka import Message
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource

from jobplane.processors.evaluation.dead_letters import REASON, SOURCE
from tests.support.broker import KafkaBroker
from tests.support.orders import Orders
from tests.support.system import System, jobplane, system, until

ORDERS, BAD = 1_500, 100
"""Every hundredth order cannot be evaluated by one of the INSERTs."""


@pytest.fixture(scope="module")
def plane(broker: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    environment = {"JOBPLANE_DORMANT_AFTER": "2"}
    with system(broker.bootstrap, "sets.", tmp_path_factory.mktemp("sets"), environment=environment) as made:
        made.worker()
        yield made


def order(i: int) -> bytes:
    return json.dumps({"id": i, "user": f"u{i % 7}", "amount": "none" if i % BAD == 0 else i % 10}).encode()


GOOD = [i for i in range(ORDERS) if i % BAD]


def ids(values: list[bytes | None]) -> Counter[int]:
    return Counter(json.loads(value or b"")["id"] for value in values)


def counted(plane: System, job: str, metric: str) -> int:
    """A counter of a job, over its tasks, as the worker publishes it."""
    lines = plane.workers[0].get("/metrics")[1].splitlines()
    name = f'jobplane_task_{metric}_total{{job="{job}"'
    return round(sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name)))


def await_letters(plane: System, topic: str, count: int) -> list[Message]:
    plane.await_values(topic, count)
    return plane.read(topic)


def test_all_sinks_get_each_record_once_though_hosts_are_killed(plane: System) -> None:
    source, users = plane.topic("once-in", 3), plane.topic("once-users")
    copies, big, names, people = (
        plane.topic(f"once-{name}", count) for name, count in (("copies", 3), ("big", 2), ("names", 1), ("people", 2))
    )
    letters = plane.topic("once-letters")
    plane.produce(source, [(b"%d" % (i % 50), order(i)) for i in range(500)])
    plane.done(
        f"""CREATE JOB once
            OPTIONS (snapshotIntervalMillis '20', parallelism '2', onError 'deadLetter', deadLetterTopic '{letters}')
            AS BEGIN
                INSERT INTO "{copies}" SELECT * FROM "{source}";
                INSERT INTO "{big}" SELECT id, amount * 2 AS twice FROM "{source}" WHERE amount > 5;
                INSERT INTO "{names}" SELECT id, UPPER(user) AS name FROM "{source}" WHERE amount >= 0;
                INSERT INTO "{people}" SELECT id FROM "{users}";
            END"""
    )
    for at in range(500, ORDERS, 100):
        plane.produce(source, [(b"%d" % (i % 50), order(i)) for i in range(at, at + 100)])
        plane.produce(users, [(b"%d" % i, b'{"id": %d}' % i) for i in range(at - 500, at - 500 + 40)])
        if at % 300 == 200:
            plane.await_values(copies, at - 200, 120)
            for pid in plane.workers[0].host_pids():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
    plane.await_values(copies, len(GOOD), 120)
    plane.await_values(people, 400, 120)
    plane.await_values(letters, ORDERS // BAD)
    plane.done("DROP JOB once")
    by_id = {json.loads(one.value() or b"")["id"]: one for one in plane.read(source)}
    copied = plane.read(copies)
    assert ids([one.value() for one in copied]) == Counter(GOOD)
    for one in copied:
        read = by_id[json.loads(one.value() or b"")["id"]]
        assert (one.value(), one.key(), one.partition()) == (read.value(), read.key(), read.partition())
    assert ids(plane.values(big)) == Counter(i for i in GOOD if i % 10 > 5)
    assert ids(plane.values(names)) == Counter(GOOD)
    assert ids(plane.values(people)) == Counter(i for at in range(0, 1_000, 100) for i in range(at, at + 40))
    told = Counter(dict(one.headers() or ())[SOURCE] for one in plane.read(letters))
    bad = [by_id[i] for i in range(0, ORDERS, BAD)]
    assert told == Counter(f"{source}-{one.partition()}@{one.offset()}".encode() for one in bad)


def test_twenty_inserts_read_their_source_once(plane: System) -> None:
    source, sinks = plane.topic("twenty-in", 1), [plane.topic(f"twenty-{i}", 1) for i in range(20)]
    plane.produce(source, [(b"k", b'{"id": %d}' % i) for i in range(200)])
    listed = "; ".join(f'INSERT INTO "{sink}" SELECT id + {i} AS id FROM "{source}"' for i, sink in enumerate(sinks))
    plane.done(f"CREATE JOB twenty AS BEGIN {listed}; END")
    for i, sink in enumerate(sinks):
        assert ids(plane.await_values(sink, 200)) == Counter(range(i, i + 200))
    until(lambda: counted(plane, "twenty", "records_out") == 20 * 200, 20, "all are counted")
    assert counted(plane, "twenty", "records_in") == 200
    assert plane.jobs()["twenty"]["sinks"] == sinks
    plane.done("DROP JOB twenty")


def test_a_hundred_sinks(plane: System) -> None:
    source, sinks = plane.topic("hundred-in", 1), [plane.topic(f"hundred-{i}", 1) for i in range(100)]
    plane.produce(source, [(b"k", b'{"id": %d}' % i) for i in range(100)])
    listed = "; ".join(f'INSERT INTO "{sink}" SELECT * FROM "{source}" WHERE id >= {i}' for i, sink in enumerate(sinks))
    plane.done(f"CREATE JOB hundred AS BEGIN {listed}; END")
    for i, sink in enumerate(sinks):
        assert ids(plane.await_values(sink, 100 - i)) == Counter(range(i, 100))
    plane.done("DROP JOB hundred")


def test_a_set_goes_on_through_suspend_alter_and_snapshots(plane: System) -> None:
    source, first, second = plane.topic("life-in", 3), plane.topic("life-first"), plane.topic("life-second", 1)
    set_of = f"""BEGIN
        INSERT INTO "{first}" SELECT id FROM "{source}";
        SINK INTO "{second}" (id) SELECT id FROM "{source}" WHERE id >= 0; END"""

    def send(*numbers: int) -> None:
        plane.produce(source, [(b"%d" % i, b'{"id": %d}' % i) for i in numbers])

    def await_both(*numbers: int) -> None:
        for sink in (first, second):
            assert ids(plane.await_values(sink, len(numbers))) == Counter(numbers)

    plane.done(f"CREATE JOB life OPTIONS (parallelism '1') AS {set_of}")
    send(1, 2, 3)
    await_both(1, 2, 3)
    plane.done("ALTER JOB life SUSPEND")
    send(4, 5)
    plane.done("ALTER JOB life OPTIONS (parallelism '3') RESUME")
    await_both(1, 2, 3, 4, 5)
    plane.done("DROP JOB life WITH SNAPSHOT kept")
    about = plane.about("DESCRIBE SNAPSHOT kept")
    assert list(about["sinks"]) == [first, second]
    assert [sum(plane.ends(sink, committed=True).values()) for sink in (first, second)] == [
        sum(plane.ends(sink).values()) for sink in (first, second)
    ]
    assert about["sink_ends"] == about["sinks"][first] == list(plane.ends(first).values())
    send(6)
    plane.done(f"CREATE JOB life OPTIONS (initialSnapshotName 'kept') AS {set_of}")
    await_both(1, 2, 3, 4, 5, 6)
    created = plane.rows("SHOW CREATE JOB life")[0]["statement"]
    assert created.count("INTO") == 2
    assert created.endswith("; END")
    plane.done("DROP JOB life")


def test_a_resting_task_moves_a_record_to_all_sinks(plane: System) -> None:
    source, first, second = plane.topic("rest-in", 1), plane.topic("rest-first", 2), plane.topic("rest-second", 3)
    plane.done(
        f"""CREATE JOB rests AS BEGIN INSERT INTO "{first}" SELECT id FROM "{source}";
            INSERT INTO "{second}" SELECT id FROM "{source}" CROSS JOIN UNNEST(ARRAY[1, 2]) AS n; END"""
    )

    def shown() -> Any:
        return {row["status"] for row in plane.rows("DESCRIBE JOB rests")} == {"DORMANT"}

    for i in range(3):
        until(shown, 30, "the task rests")
        plane.produce(source, [(b"k%d" % i, b'{"id": %d}' % i)])
        assert ids(plane.await_values(first, i + 1)) == Counter(range(i + 1))
        assert ids(plane.await_values(second, 2 * i + 2)) == Counter([*range(i + 1), *range(i + 1)])
    plane.delete_topic(second)
    job = until(lambda: one if (one := plane.jobs()["rests"])["status"] == "SUSPENDED" else None, 60, "it has stopped")
    assert second in job["failure"]
    assert "SINK_LOST" in job["failure"]


def test_a_record_that_one_sink_does_not_take_is_in_none(plane: System) -> None:
    """Once the sink takes it, a retry gives it to all."""
    source, wide = plane.topic("size-in", 1), plane.topic("size-wide", 1)
    narrow, letters = plane.topic("size-narrow", 1, max_message_bytes="2000"), plane.topic("size-letters", 1)
    keyed = plane.topic("size-keyed", 1, cleanup_policy="compact")
    plane.produce(
        source,
        [
            (b"k", b'{"id": 1, "text": "a"}'),
            (b"k", json.dumps({"id": 2, "text": "b" * 3_000}).encode()),
            (None, b'{"id": 3, "text": "c"}'),
            (b"k", b'{"id": 4, "text": "d"}'),
        ],
    )
    plane.done(
        f"""CREATE JOB sizes OPTIONS (onError 'deadLetter', deadLetterTopic '{letters}') AS BEGIN
            INSERT INTO "{wide}" SELECT * FROM "{source}"; INSERT INTO "{narrow}" SELECT * FROM "{source}";
            INSERT INTO "{keyed}" SELECT id FROM "{source}"; END"""
    )
    said = [str(dict(one.headers() or ())[REASON]) for one in await_letters(plane, letters, 2)]
    assert f"the record is larger than the 2000 bytes '{narrow}' takes" in said[0]
    assert f"'{keyed}' is compacted and takes only records with a key" in said[1]
    for sink in (wide, narrow, keyed):
        assert ids(plane.await_values(sink, 2)) == Counter([1, 4])
    larger = ConfigEntry("max.message.bytes", "100000", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.TOPIC, narrow, incremental_configs=[larger])
    plane.admin.incremental_alter_configs([resource])[resource].result(10)
    told = json.loads(jobplane(plane, "deadletters", "retry", "sizes", "-o", "json").stdout)
    assert (told["retried"], told["failed_again"]) == (2, 1)
    for sink in (wide, narrow, keyed):
        assert ids(plane.values(sink)) == Counter([1, 2, 4])


def test_scripts_and_dry_runs_take_sets(plane: System) -> None:
    source, first, second = plane.topic("cli-in", 1), plane.topic("cli-first", 1), plane.topic("cli-second", 1)
    plane.produce(source, [(b"k", b'{"id": 7, "amount": 60}')])
    script = f"""
        CREATE JOB cli AS BEGIN
            INSERT INTO "{first}" SELECT id FROM "{source}"; -- all; of them
            INSERT INTO "{second}" SELECT id FROM "{source}" WHERE amount > 50;
        END;
        SHOW CREATE JOB cli;"""
    tried = jobplane(plane, "sql", "--dry-run", "-f", "-", said=script.split("SHOW", maxsplit=1)[0])
    assert tried.returncode == 0, tried.stderr
    assert [line.split("\t")[1] for line in tried.stdout.splitlines() if line.startswith(f"{source}-0@0")] == [
        first,
        second,
    ]
    done = jobplane(plane, "sql", "-f", "-", said=script)
    assert done.returncode == 0, done.stderr
    assert "; END;" in done.stdout
    assert ids(plane.await_values(first, 1)) == ids(plane.await_values(second, 1)) == Counter([7])
    explained = jobplane(plane, "sql", f"EXPLAIN {script.partition('SHOW')[0].strip()}")
    assert f'topic "{second}": id JSON' in explained.stdout, explained


def test_groups_of_a_set_are_exact_through_kills_and_snapshots(plane: System) -> None:
    """Windows, totals that replace one another, and copies: all from one reading of the orders."""
    orders = Orders(plane, "grouped")
    windows, totals = plane.topic("grouped-windows"), plane.topic("grouped-totals", 1)
    copies = plane.topic("grouped-copies", 3)
    set_of = f"""BEGIN {orders.windows(windows)}; {orders.totals(totals)};
        INSERT INTO "{copies}" SELECT * FROM "{orders.topic}"; END"""
    options = "parallelism '1', onLate 'skip', stateIntervalMillis '300', snapshotIntervalMillis '20'"
    plane.done(f"CREATE JOB grouped OPTIONS ({options}) AS {set_of}")
    for _ in range(4):
        orders.send(200)
        plane.await_values(copies, orders.sent)
        for pid in plane.workers[0].host_pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    plane.done("ALTER JOB grouped SUSPEND")
    orders.send(100)
    plane.done("ALTER JOB grouped RESUME")
    orders.send(100)
    plane.await_values(copies, orders.sent)
    plane.done("DROP JOB grouped WITH SNAPSHOT grouped")
    orders.send(200)
    plane.done(f"CREATE JOB grouped OPTIONS ({options}, initialSnapshotName 'grouped') AS {set_of}")
    orders.close()
    assert orders.check(windows) > 0
    orders.check_changes(totals)
    wanted = Counter((one.key(), one.value()) for one in plane.read(orders.topic))
    plane.await_values(copies, wanted.total())
    assert Counter((one.key(), one.value()) for one in plane.read(copies)) == wanted
    until(lambda: plane.about("DESCRIBE JOB grouped")["groups"] > 0, 30, "the groups are counted")
    refused = plane.sql(
        f"CREATE JOB grouped2 OPTIONS (initialSnapshotName 'grouped') AS BEGIN {orders.totals(totals)}; "
        f'INSERT INTO "{copies}" SELECT * FROM "{orders.topic}"; END'
    )
    assert refused.reply is not None
    assert refused.reply.verdict == "refused", refused.reply
    plane.done("DROP JOB grouped")
