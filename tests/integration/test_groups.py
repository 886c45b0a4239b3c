"""Jobs with groups: results are exact and written once, through restarts, other splits and snapshots."""

import json
import os
import re
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import NewPartitions

from jobplane.schemas.errors import SnapshotMismatch
from tests.support.broker import KafkaBroker
from tests.support.orders import START, Orders, text, totals_in
from tests.support.system import System, system, until

OFTEN = "stateIntervalMillis '300', snapshotIntervalMillis '20'"
"""Commits and state checkpoints are near each other."""


@pytest.fixture(scope="module")
def plane(broker: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    environment = {"JOBPLANE_DORMANT_AFTER": "2"}
    with system(broker.bootstrap, "groups.", tmp_path_factory.mktemp("groups"), environment=environment) as made:
        made.worker()
        yield made


def test_a_bounded_job_gives_what_the_topic_holds(plane: System) -> None:
    orders, sink, late_ones = Orders(plane, "bounded"), plane.topic("bounded-out"), plane.topic("bounded-late")
    orders.send(2_000)
    plane.done(
        f"""CREATE JOB bounded OPTIONS (stopAt 'latest', parallelism '1', deadLetterTopic '{late_ones}')
            AS {orders.windows(sink)}"""
    )
    until(lambda: plane.jobs()["bounded"]["status"] == "COMPLETED", 60, "the job has ended")
    late = orders.check(sink)
    assert late > 0
    assert Counter(dict(one.headers() or ())["jobplane-code"] for one in plane.read(late_ones)) == {b"LATE": late}
    uid = plane.about("DESCRIBE JOB bounded")["uid"]
    until(lambda: f"groups.job.{uid}.state" not in plane.admin.list_topics(timeout=10).topics, 20, "no state is left")


def test_windows_stay_open_through_restarts_rests_and_other_splits(plane: System) -> None:
    """Three tasks by the key of the records; then one worker after the other; then two tasks; then a rest."""
    orders, sink, late_ones = Orders(plane, "open"), plane.topic("open-out"), plane.topic("open-late")
    plane.done(
        f"""CREATE JOB open OPTIONS (parallelism '3', deadLetterTopic '{late_ones}', {OFTEN})
            AS {orders.windows(sink)}"""
    )
    for _ in range(5):
        orders.send(150)
    plane.done("ALTER JOB open RESTART")
    orders.send(400)
    await_read(plane, orders, "open")
    worker = plane.workers.pop()
    worker.stop()
    orders.send(400)
    plane.worker()
    orders.send(100)
    plane.done("ALTER JOB open SUSPEND")
    plane.done("ALTER JOB open OPTIONS (parallelism '2') RESUME")
    orders.send(300)
    until(lambda: all(row["status"] == "DORMANT" for row in plane.rows("DESCRIBE JOB open")), 60, "the tasks rest")
    orders.send(300)
    await_read(plane, orders, "open")
    rows = plane.rows("DESCRIBE JOB open")
    assert [row["task"] for row in rows] == [0, 0, 1]
    assert all(START.timestamp() * 1000 < row["watermark"] < orders.clock.timestamp() * 1000 for row in rows)
    orders.close()
    late = orders.check(sink)
    assert len(plane.read(late_ones)) == late
    plane.done("DROP JOB open")


def await_read(plane: System, orders: Orders, job: str) -> None:
    """Waits until a job has committed all that was sent."""

    def read() -> bool:
        return sum(row["position"] or 0 for row in plane.rows(f"DESCRIBE JOB {job}")) >= orders.sent

    until(read, 60, "the job has read all")


def test_a_snapshot_holds_the_groups(plane: System) -> None:
    """Of a job that runs, is suspended, and is dropped; each time another goes on where it was made."""
    orders = Orders(plane, "kept")
    options = f"parallelism '1', onLate 'skip', {OFTEN}"
    first, *others = [plane.topic(f"kept-{i}") for i in range(4)]
    plane.done(f"CREATE JOB kept OPTIONS ({options}) AS {orders.windows(first)}")
    orders.send(500)
    before = []
    for i in range(3):
        if i == 1:
            plane.done("ALTER JOB kept SUSPEND")
        last = i == 2
        plane.done("DROP JOB kept WITH SNAPSHOT kept2" if last else f"CREATE SNAPSHOT kept{i} FOR JOB kept")
        before.append(plane.read(first))
        if i == 1:
            plane.done("ALTER JOB kept RESUME")
        orders.send(500)
    for i, sink in enumerate(others):
        plane.done(f"CREATE JOB kept{i} OPTIONS ({options}, initialSnapshotName 'kept{i}') AS {orders.windows(sink)}")
    orders.close()
    totals, _ = orders.expected()
    for earlier, sink in zip(before, others, strict=True):
        plane.await_values(sink, len(totals) - len(earlier))
        assert totals_in([*earlier, *plane.read(sink)]) == totals
    for i in range(3):
        plane.done(f"DROP JOB kept{i}")
        plane.done(f"DROP SNAPSHOT kept{i}")
    until(
        lambda: not any(name.startswith("groups.job.") for name in plane.admin.list_topics(timeout=10).topics),
        20,
        "no state is left",
    )


def test_groups_without_a_window_are_upserts(plane: System) -> None:
    """The last record of a key is its total, whatever came between; a group that HAVING leaves out has none."""
    source, sink = plane.topic("totals-in"), plane.topic("totals-out", 2, cleanup_policy="compact")
    plane.done(
        f"""CREATE JOB totals OPTIONS (parallelism '1', {OFTEN}) AS INSERT INTO "{sink}"
            SELECT who, COUNT(*) AS orders, SUM(x) AS total FROM "{source}" GROUP BY who HAVING SUM(x) > 0"""
    )
    sent: dict[str, list[int]] = {}
    for step in range(6):
        values = [(f"user-{step * i % 11}", (i * 37 + step) % 101 - 55) for i in range(200)]
        for who, x in values:
            sent.setdefault(who, []).append(x)
        plane.produce(source, [(b"%d" % x, json.dumps({"who": who, "x": x}).encode()) for who, x in values])
        if step == 2:
            plane.done("ALTER JOB totals RESTART")
        if step == 4:
            plane.workers.pop().stop()
            plane.worker()
    expected = {who: (len(xs), sum(xs)) for who, xs in sent.items() if sum(xs) > 0}

    def last() -> dict[str, tuple[int, int]]:
        values = {one.key(): one.value() for one in plane.read(sink)}
        rows = {(key or b"").decode(): json.loads(value) for key, value in values.items() if value}
        return {who: (row["orders"], row["total"]) for who, row in rows.items()}

    until(lambda: last() == expected, 60, "the totals are there")
    groups = 2 * len(sent)  # those of each partition
    until(lambda: plane.about("DESCRIBE JOB totals")["groups"] == groups, 20, "the groups are counted")
    plane.done("DROP JOB totals")


def test_a_neighbours_open_transaction_does_not_hide_the_groups(plane: System) -> None:
    """Of a task that has died, in the state topic that all tasks of a job share."""
    orders, sink = Orders(plane, "hidden"), plane.topic("hidden-out")
    plane.done(f"CREATE JOB hidden OPTIONS (parallelism '1', onLate 'skip', {OFTEN}) AS {orders.windows(sink)}")
    uid = plane.about("DESCRIBE JOB hidden")["uid"]
    neighbour = Producer({"bootstrap.servers": plane.bootstrap, "transactional.id": "neighbour"})
    neighbour.init_transactions(10)
    neighbour.begin_transaction()
    neighbour.produce(f"groups.job.{uid}.state", b"", b"of a neighbour", 0)
    neighbour.flush(10)
    orders.send(300)
    await_read(plane, orders, "hidden")
    plane.done("ALTER JOB hidden RESTART")
    orders.close()
    orders.check(sink)
    neighbour.abort_transaction(10)
    plane.done("DROP JOB hidden")


def await_failure(plane: System, job: str, code: str) -> str:
    until(lambda: plane.jobs()[job]["status"] == "SUSPENDED", 40, f"{job} is suspended")
    failure = str(plane.jobs()[job]["failure"])
    assert failure.startswith(code), failure
    return failure


def test_a_task_that_holds_too_many_groups_stops_and_can_go_on(plane: System) -> None:
    orders, sink = Orders(plane, "full"), plane.topic("full-out")
    plane.done(
        f"""CREATE JOB limited OPTIONS (parallelism '1', onLate 'skip', maxProcessorAccumulatedRecords '3')
            AS {orders.windows(sink)}"""
    )
    orders.send(300)
    assert "maxProcessorAccumulatedRecords allows 3" in await_failure(plane, "limited", "STATE_FULL")
    plane.done("ALTER JOB limited OPTIONS (maxProcessorAccumulatedRecords '-1') RESUME")
    orders.close()
    orders.check(sink)
    plane.done("DROP JOB limited")


def test_a_job_goes_on_with_fewer_aggregates_and_no_others(plane: System) -> None:
    """Whatever cannot go on is refused at CREATE JOB, and EXPLAIN says the same."""
    orders, sink = Orders(plane, "others"), plane.topic("others-out")
    query = orders.windows(sink)
    plane.done(f'CREATE JOB plain AS INSERT INTO "{sink}" SELECT x FROM others')
    plane.done(f"CREATE JOB counting OPTIONS (parallelism '1', onLate 'skip', {OFTEN}) AS {query}")
    orders.send(300)
    plane.done("CREATE SNAPSHOT plain_part FOR JOB plain")
    plane.done("CREATE SNAPSHOT part FOR JOB counting")
    assert {row["name"]: row["state"] > 0 for row in plane.rows("SHOW SNAPSHOTS")} == {
        "plain_part": False,
        "part": True,
    }
    assert plane.about("DESCRIBE SNAPSHOT plain_part")["groups"] == []
    assert plane.about("DESCRIBE SNAPSHOT part")["groups"] == [
        "by __key; windows of PT1M of ts; EMIT FINAL; aggregates: COUNT(*), SUM(x)"
    ]
    for snapshot, other, why in (
        ("plain_part", query, "holds no groups"),
        ("part", query.replace("SUM(x)", "MAX(x)"), "it has COUNT(*), SUM(x), not MAX(x)"),
        ("part", query.replace("60", "120"), "it has windows of PT1M of ts, the query has windows of PT2M of ts"),
    ):
        create = f"CREATE JOB changed OPTIONS (parallelism '1', initialSnapshotName '{snapshot}') AS {other}"
        reply = plane.sql(create).reply
        assert reply is not None
        assert (reply.code, why in reply.message) == ("snapshot-mismatch", True), reply
        with pytest.raises(SnapshotMismatch, match=re.escape(why)):
            plane.rows(f"EXPLAIN {create}")
    fewer, part = plane.topic("others-fewer"), OFTEN + ", onLate 'skip', parallelism '2', initialSnapshotName 'part'"
    without = orders.windows(fewer).replace("COUNT(*) AS orders, ", "")
    plane.done(f"CREATE JOB changed OPTIONS ({part}) AS {without}")
    filtered = query.replace("GROUP BY", "WHERE x > 1 GROUP BY")
    plane.done(f"CREATE JOB filtered OPTIONS ({part}) AS {filtered}")
    before = len(plane.read(sink))
    orders.send(300)
    plane.done("ALTER JOB changed RESTART")
    orders.close()
    totals, _ = orders.expected()
    rows = [json.loads(one or b"") for one in plane.await_values(fewer, len(totals) - before)]
    found = {(row["who"], row["since"]): row["total"] for row in rows}
    assert len(found) == len(rows)
    assert found.items() <= {key: total for key, (_, total) in totals.items()}.items()
    for job in ("plain", "counting", "changed", "filtered"):
        plane.done(f"DROP JOB {job}")


@pytest.mark.parametrize("first", ["rested", "read"])
def test_partitions_that_are_added_are_read_or_stop_the_job(plane: System, first: str) -> None:
    """One task reads them as well. Groups of `__partition` are in no other; where keys make groups, keys have moved."""
    orders = Orders(plane, f"grown-{first}", 2)
    sink, other = plane.topic(f"grown-{first}-out"), plane.topic(f"grown-{first}-too")
    plane.done(f"CREATE JOB bound OPTIONS (parallelism '2', onLate 'skip', {OFTEN}) AS {orders.windows(sink)}")
    unbound = orders.windows(other).replace("GROUP BY __key", "GROUP BY COALESCE(__key, '')")
    unbound = unbound.replace("SELECT __key AS who", "SELECT COALESCE(__key, '') AS who")
    plane.done(f"CREATE JOB all_keys OPTIONS (onLate 'skip', {OFTEN}) AS {unbound}")
    assert plane.jobs()["all_keys"]["tasks"] == 1
    each = plane.topic(f"grown-{first}-each")
    apart = orders.windows(each).replace("GROUP BY __key", "GROUP BY __partition")
    apart = apart.replace("SELECT __key AS who", "SELECT __partition AS who")
    plane.done(f"CREATE JOB apart OPTIONS (parallelism '2', onLate 'skip', {OFTEN}) AS {apart}")
    orders.send(200)
    plane.done("CREATE SNAPSHOT before FOR JOB bound")
    if first == "rested":
        until(lambda: all(row["status"] == "DORMANT" for row in plane.rows("DESCRIBE JOB all_keys")), 60, "it rests")
    plane.admin.create_partitions([NewPartitions(orders.topic, 3)])[orders.topic].result(10)
    orders.partitions = 3
    assert "had 2 at CREATE JOB" in await_failure(plane, "bound", "PARTITIONS_CHANGED")
    again = f"CREATE JOB again OPTIONS (initialSnapshotName 'before') AS {orders.windows(sink)}"
    assert "keys have moved" in str(plane.sql(again).reply)
    plane.done("DROP SNAPSHOT before")
    orders.clock += timedelta(minutes=10)  # in the new partition too, no order is of a window that has closed
    orders.send(300)
    orders.close()
    orders.check(other)
    totals = orders.expected()[0].values()
    counts, sums = sum(n for n, _ in totals), sum(x for _, x in totals)
    until(lambda: sum(n for n, _ in totals_in(plane.read(each)).values()) >= counts, 60, "groups of each partition")
    found = totals_in(plane.read(each))
    assert (sum(n for n, _ in found.values()), sum(x for _, x in found.values())) == (counts, sums)
    assert {str(who) for who, _ in found} == {"0", "1", "2"}
    plane.done("DROP JOB apart")
    plane.done("DROP JOB bound")
    plane.done("DROP JOB all_keys")


def test_records_that_are_gone_before_they_are_saved_stop_the_job(plane: System) -> None:
    """After a crash they cannot be read again: the sums would be wrong."""
    orders, sink = Orders(plane, "lost", 1), plane.topic("lost-out")
    plane.done(f"CREATE JOB lost OPTIONS (parallelism '1', stateIntervalMillis '3600000') AS {orders.windows(sink)}")
    orders.send(100)
    await_read(plane, orders, "lost")
    plane.admin.delete_records([TopicPartition(orders.topic, 0, 50)])[TopicPartition(orders.topic, 0)].result(10)
    for pid in plane.workers[0].host_pids():
        os.kill(pid, signal.SIGKILL)
    assert "begins at offset 50 now" in await_failure(plane, "lost", "DATA_LOST")
    plane.done("DROP JOB lost")


def test_sessions_go_on_through_restarts(plane: System) -> None:
    """Users come and go; their records are in both partitions. No record is late, and the last sessions stay open."""
    source, sink = plane.topic("visits-in"), plane.topic("visits-out")
    ordered = f"""IMPOSE_ORDER(TABLE (SELECT who, CAST(ts AS TIMESTAMP WITH TIME ZONE) AS ts FROM "{source}"),
        DESCRIPTOR(ts), INTERVAL '5' SECOND)"""
    plane.done(
        f"""CREATE JOB visits OPTIONS (parallelism '1', onLate 'fail', {OFTEN}) AS INSERT INTO "{sink}"
            SELECT who, window_start AS since, window_end AS until, COUNT(*) AS records
            FROM SESSION(TABLE({ordered}) PARTITION BY who, DESCRIPTOR(ts), INTERVAL '10' SECOND)
            GROUP BY who, window_start, window_end"""
    )
    times: dict[str, list[int]] = {}
    for step in range(6):
        visits = [(f"user-{i * i % 13}", step * 300 + i) for i in range(300)]
        for who, second in visits:
            times.setdefault(who, []).append(second)
        values = [(who, {"who": who, "ts": text(START + timedelta(seconds=second))}) for who, second in visits]
        plane.produce(source, [(b"%d" % (i % 5), json.dumps(one).encode()) for i, (_, one) in enumerate(values)])
        if step == 2:
            plane.done("ALTER JOB visits RESTART")
        if step == 4:
            plane.workers.pop().stop()
            plane.worker()
    end = text(START + timedelta(hours=1))
    plane.produce(source, [(b"%d" % i, json.dumps({"who": "end", "ts": end}).encode()) for i in range(8)])
    expected = Counter[tuple[str, str, str, int]]()
    for who, seconds in times.items():
        first = last = seconds[0]
        count = 0
        for second in [*seconds, 10_000]:
            if second > last + 10:
                since, finish = (text(START + timedelta(seconds=one)) for one in (first, last + 10))
                expected[who, since, finish, count] += 1
                first, count = second, 0
            last, count = second, count + 1
    rows = [json.loads(one or b"") for one in plane.await_values(sink, expected.total())]
    assert Counter((row["who"], row["since"], row["until"], row["records"]) for row in rows) == expected
    plane.done("DROP JOB visits")
