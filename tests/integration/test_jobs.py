"""Jobs on a real broker: what goes in comes out, exactly once, through every turn of a job's life."""

import json
from collections.abc import Iterator

import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME, Consumer, TopicPartition

from jobplane.schemas.records.checkpoints import Checkpoint, Pointer
from jobplane.schemas.wire.codec import decode
from tests.support.broker import KafkaBroker
from tests.support.system import System, system, until


@pytest.fixture(scope="module")
def plane(broker: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with system(broker.bootstrap, "jobs.", tmp_path_factory.mktemp("jobs")) as made:
        made.worker()
        yield made


def rows(first: int, count: int) -> list[tuple[bytes, bytes]]:
    return [
        (b"k%d" % (i % 7), json.dumps({"id": i, "user": f"u{i}", "amount": i % 100, "note": None}).encode())
        for i in range(first, first + count)
    ]


def test_select_star_copies_everything(plane: System) -> None:
    source, sink = plane.topic("star-in", 4), plane.topic("star-out", 4)
    plane.produce(source, [(b"k%d" % (i % 5), b"v%d" % i) for i in range(200)], timestamp=1_700_000_000_123)
    plane.produce(source, [(None, b"no key"), (b"k", None), (None, None), (b"", b"")])
    plane.produce(source, [(b"h", b"with headers")], headers=[("a", b"1"), ("b", None), ("a", b"2")], partition=3)
    plane.done(f'CREATE JOB star AS INSERT INTO "{sink}" SELECT * FROM "{source}"')
    plane.await_values(sink, 205)

    def everything(topic: str) -> list[tuple[object, ...]]:
        return sorted(
            ((m.partition(), m.key(), m.value(), m.headers() or [], m.timestamp()) for m in plane.read(topic)),
            key=repr,
        )

    assert everything(sink) == everything(source)
    assert {m.timestamp() for m in plane.read(sink) if (m.value() or b"").startswith(b"v")} == {
        (TIMESTAMP_CREATE_TIME, 1_700_000_000_123)
    }
    for partition in range(4):
        order = [[m.value() for m in plane.read(topic) if m.partition() == partition] for topic in (source, sink)]
        assert order[0] == order[1]
    plane.done("DROP JOB star")


def test_a_query_filters_and_projects(plane: System) -> None:
    source, sink = plane.topic("query-in"), plane.topic("query-out", 3)
    plane.produce(source, [*rows(0, 300), (b"k", None), (b"k", b'{"id": 1}'), (b"k", b'{"amount": 99.5}')])
    plane.done(f"""CREATE JOB query AS INSERT INTO "{sink}"
                   SELECT id, user, amount * 2 AS doubled FROM "{source}" WHERE amount > 50""")
    expected = [{"id": i, "user": f"u{i}", "doubled": (i % 100) * 2} for i in range(300) if i % 100 > 50] + [
        {"id": None, "user": None, "doubled": 199.0}
    ]
    found = plane.await_values(sink, len(expected))
    assert sorted(map(repr, (json.loads(value or b"") for value in found))) == sorted(map(repr, expected))
    skipped = until(
        lambda: sum(task.get("records_skipped", 0) for task in plane.workers[0].tasks if task["job"] == "query"),
        10,
        "the record without a value is counted",
    )
    assert skipped == 1
    plane.done("DROP JOB query")


def test_a_query_reads_and_writes_the_parts_of_a_record(plane: System) -> None:
    source, sink = plane.topic("parts-in", 1), plane.topic("parts-out", 2)
    orders = [{"id": i, "items": [{"sku": f"s{n}", "qty": n} for n in range(i)]} for i in range(4)]
    plane.produce(source, [(b"k", json.dumps(one).encode()) for one in orders], headers=[("from", b"shop")])
    plane.done(f"""CREATE JOB parts AS INSERT INTO "{sink}" (__key, __partition, __headers, __timestamp, id, qty, at)
                   SELECT i.sku, id % 2, MAP['to', __headers['from']], TO_TIMESTAMP_TZ(id), id, i.qty * 2, __offset
                   FROM "{source}" CROSS JOIN UNNEST(items) AS i""")
    plane.await_values(sink, 6)
    found = [
        (m.key(), m.partition(), m.headers(), m.timestamp()[1], json.loads(m.value() or b"")) for m in plane.read(sink)
    ]
    assert sorted(found, key=repr) == sorted(
        (
            (b"s%d" % n, i % 2, [("to", b"shop")], i, {"id": i, "qty": n * 2, "at": i})
            for i in range(4)
            for n in range(i)
        ),
        key=repr,
    )
    plane.done("DROP JOB parts")


def test_suspend_resume_restart_go_on_exactly(plane: System) -> None:
    source, sink = plane.topic("life-in"), plane.topic("life-out")
    plane.produce(source, rows(0, 500))
    plane.done(f'CREATE JOB life AS INSERT INTO "{sink}" SELECT * FROM "{source}"')
    plane.done("ALTER JOB life SUSPEND")
    assert plane.jobs()["life"]["status"] == "SUSPENDED"
    before = len(plane.values(sink))
    plane.produce(source, rows(500, 500))
    assert len(plane.values(sink)) == before, "a suspended job writes nothing"
    plane.done("ALTER JOB life RESUME")
    plane.produce(source, rows(1000, 500))
    plane.done("ALTER JOB life RESTART")
    plane.produce(source, rows(1500, 500))
    assert sorted(plane.await_values(sink, 2000)) == sorted(value for _, value in rows(0, 2000))  # type: ignore[type-var]
    plane.done("DROP JOB life")


def test_a_group_that_has_forgotten_the_last_commit_changes_nothing(plane: System) -> None:
    """A broker's death may undo the commit of a group's offsets alone: the checkpoint of that transaction counts."""
    source, sink = plane.topic("forgot-in", 1), plane.topic("forgot-out", 1)
    created = plane.done(f'CREATE JOB forgot AS INSERT INTO "{sink}" SELECT * FROM "{source}"')
    assert created.reply is not None
    for first in (0, 100):
        plane.produce(source, rows(first, 100))
        plane.await_values(sink, first + 100)
    plane.done("ALTER JOB forgot SUSPEND")
    kept = [
        (message.partition() or 0, message.offset() or 0, decode(message.value() or b"", Checkpoint))
        for message in plane.read(f"{plane.prefix}checkpoints")
        if (message.key() or b"").decode().startswith(created.reply.uid)
    ]
    partition, offset, old = next(one for one in kept if 0 < one[2].sources[0].offsets[0].offset <= 100)
    group = Consumer({"bootstrap.servers": plane.bootstrap, "group.id": f"{plane.prefix}job.{created.reply.uid}"})
    place = TopicPartition(source, 0, old.sources[0].offsets[0].offset, str(Pointer(0, partition, offset)))
    group.commit(offsets=[place], asynchronous=False)
    group.close()
    plane.done("ALTER JOB forgot RESUME")
    plane.produce(source, rows(200, 100))
    assert sorted(plane.await_values(sink, 300)) == sorted(value for _, value in rows(0, 300))  # type: ignore[type-var]
    plane.done("DROP JOB forgot")


def test_a_job_starts_from_a_snapshot(plane: System) -> None:
    source, sink, second = plane.topic("snap-in"), plane.topic("snap-out"), plane.topic("snap-second")
    plane.produce(source, rows(0, 400))
    plane.done(f'CREATE JOB snap AS INSERT INTO "{sink}" SELECT * FROM "{source}"')
    plane.await_values(sink, 400)
    plane.done("CREATE SNAPSHOT s1 FOR JOB snap")
    plane.produce(source, rows(400, 100))
    plane.await_values(sink, 500)
    plane.done("DROP JOB snap WITH SNAPSHOT s2")
    plane.produce(source, rows(500, 100))
    create = """CREATE JOB {} OPTIONS (initialSnapshotName '{}', parallelism '1')
                AS INSERT INTO "{}" SELECT * FROM "{}" """
    plane.done(create.format("after", "s2", sink, source))
    plane.done(create.format("again", "s1", second, source))
    assert sorted(plane.await_values(sink, 600)) == sorted(value for _, value in rows(0, 600))  # type: ignore[type-var]
    assert sorted(plane.await_values(second, 200)) == sorted(value for _, value in rows(400, 200))  # type: ignore[type-var]
    plane.done("DROP SNAPSHOT s1")
    plane.done("DROP JOB after")
    plane.done("DROP JOB again")


def test_a_suspended_job_can_be_snapshot(plane: System) -> None:
    source, sink = plane.topic("rest-in"), plane.topic("rest-out")
    plane.produce(source, rows(0, 100))
    plane.done(f'CREATE JOB rest AS INSERT INTO "{sink}" SELECT * FROM "{source}"')
    plane.await_values(sink, 100)
    plane.done("ALTER JOB rest SUSPEND")
    plane.done("CREATE SNAPSHOT rested FOR JOB rest")
    assert plane.jobs()["rest"]["status"] == "SUSPENDED"
    plane.done("DROP JOB rest WITH SNAPSHOT rested")


def test_a_bad_record_suspends_the_job_and_is_named(plane: System) -> None:
    source, sink = plane.topic("bad-in", 1), plane.topic("bad-out", 1)
    plane.produce(source, [*rows(60, 3), (b"k", b"{not json"), *rows(70, 3)])
    result = plane.sql(f'CREATE JOB bad AS INSERT INTO "{sink}" SELECT id FROM "{source}"')
    until(lambda: plane.jobs()["bad"]["status"] == "SUSPENDED", 30, "the job is suspended")
    failure = plane.jobs()["bad"]["failure"]
    assert failure.startswith("BAD_RECORD: ")
    assert f"({source}-0@3)" in failure
    assert result.reply is not None
    assert result.reply.verdict == "accepted"
    assert [json.loads(value or b"") for value in plane.values(sink)] == [{"id": 60}, {"id": 61}, {"id": 62}]
    again = plane.sql("ALTER JOB bad RESUME")
    until(lambda: plane.jobs()["bad"]["status"] == "SUSPENDED", 30, "it meets the record again")
    assert again.reply is not None
    assert len(plane.values(sink)) == 3, "nothing is written twice"
    plane.done("DROP JOB bad")


def test_a_record_too_large_for_the_sink_is_named_and_goes_through_when_it_may(plane: System) -> None:
    source, sink = plane.topic("large-in", 1, max_message_bytes="4000000"), plane.topic("large-out", 1)
    big = b"x" * 2_000_000
    plane.produce(source, [(b"a", b"small"), (b"b", big), (b"c", b"last")])
    plane.sql(f'CREATE JOB large AS INSERT INTO "{sink}" SELECT * FROM "{source}"')
    until(lambda: plane.jobs()["large"]["status"] == "SUSPENDED", 30, "the job is suspended")
    assert "RECORD_TOO_LARGE" in plane.jobs()["large"]["failure"]
    assert f"({source}-0@1)" in plane.jobs()["large"]["failure"]
    assert plane.values(sink) == [b"small"]
    from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

    entry = ConfigEntry("max.message.bytes", "4000000", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, sink, incremental_configs=[entry])
    plane.admin.incremental_alter_configs([resource])[resource].result(10)
    plane.done("ALTER JOB large RESUME")
    assert plane.await_values(sink, 3) == [b"small", big, b"last"]
    plane.done("DROP JOB large")


OVERHEAD = 73
"""Bytes of a record batch round one record of 1 MiB with a key of one byte."""


@pytest.mark.parametrize("over", [0, 1, 30])
def test_the_largest_record_the_sink_takes_goes_through_and_one_byte_more_is_named(plane: System, over: int) -> None:
    """Here it is the broker that refuses, not the client: it says of a batch only that something in it is too large."""
    source, sink = plane.topic(f"edge-in-{over}", 1, max_message_bytes="4000000"), plane.topic(f"edge-out-{over}", 1)
    limit = 1_048_588
    values = [*(b"%d" % i for i in range(1234)), b"x" * (limit - OVERHEAD + over), b"last"]
    plane.produce(source, [(b"k", value) for value in values])
    plane.sql(f'CREATE JOB edge{over} AS INSERT INTO "{sink}" SELECT * FROM "{source}"')
    if over == 0:
        assert plane.await_values(sink, len(values)) == values
    else:
        until(lambda: plane.jobs()[f"edge{over}"]["status"] == "SUSPENDED", 60, "the job is suspended")
        assert plane.jobs()[f"edge{over}"]["failure"].startswith("RECORD_TOO_LARGE")
        assert plane.jobs()[f"edge{over}"]["failure"].endswith(f"({source}-0@1234)")
        assert plane.values(sink) == values[:1234]
    plane.done(f"DROP JOB edge{over}")


@pytest.mark.parametrize("compacted", ["before", "while-it-runs"])
def test_a_record_the_sink_does_not_take_is_named(plane: System, compacted: str) -> None:
    """A task knows the sink's policy as it was at its start; Kafka enforces a newer one, for a whole batch."""
    policy = "compact" if compacted == "before" else "delete"
    source, sink = (
        plane.topic(f"nokey-in-{compacted}", 1),
        plane.topic(f"nokey-out-{compacted}", 1, cleanup_policy=policy),
    )
    if policy == "delete":
        plane.done(f'CREATE JOB nokey AS INSERT INTO "{sink}" SELECT * FROM "{source}"')
        plane.compact(sink)
    plane.produce(
        source, [*((b"k", b"%d" % i) for i in range(1234)), (None, b"a compacted topic needs a key"), (b"k", b"")]
    )
    if policy == "compact":
        plane.sql(f'CREATE JOB nokey AS INSERT INTO "{sink}" SELECT * FROM "{source}"')
    until(lambda: plane.jobs()["nokey"]["status"] == "SUSPENDED", 60, "the job is suspended")
    assert "takes only records with a key: write … AS __key" in plane.jobs()["nokey"]["failure"]
    assert plane.jobs()["nokey"]["failure"].endswith(f"({source}-0@1234)")
    assert len(plane.values(sink)) == 1234
    plane.done("DROP JOB nokey")


@pytest.mark.parametrize(("what", "code"), [("in", "DATA_LOST"), ("out", "SINK_LOST")])
def test_a_recreated_topic_stops_the_job(plane: System, what: str, code: str) -> None:
    names = {role: plane.topic(f"gone-{what}-{role}", 1) for role in ("in", "out")}
    plane.produce(names["in"], rows(0, 50))
    plane.done(f'CREATE JOB "gone-{what}" AS INSERT INTO "{names["out"]}" SELECT * FROM "{names["in"]}"')
    plane.await_values(names["out"], 50)
    plane.done(f'ALTER JOB "gone-{what}" SUSPEND')
    plane.delete_topic(names[what])
    plane.topic(f"gone-{what}-{what}", 1)
    plane.produce(names["in"], rows(0, 60))
    plane.sql(f'ALTER JOB "gone-{what}" RESUME')
    until(lambda: plane.jobs()[f"gone-{what}"]["status"] == "SUSPENDED", 30, "the job is suspended")
    assert code in plane.jobs()[f"gone-{what}"]["failure"]
    plane.done(f'DROP JOB "gone-{what}"')


def test_jobs_go_on_after_their_worker_was_stopped(plane: System) -> None:
    source, sink = plane.topic("stop-in"), plane.topic("stop-out")
    plane.produce(source, rows(0, 300))
    plane.done(f'CREATE JOB stop AS INSERT INTO "{sink}" SELECT * FROM "{source}"')
    assert plane.workers[-1].stop() < 8
    plane.produce(source, rows(300, 300))
    plane.worker()
    assert sorted(plane.await_values(sink, 600)) == sorted(value for _, value in rows(0, 600))  # type: ignore[type-var]
    plane.done("DROP JOB stop")


def test_ordinary_tools_see_the_position_of_a_job(plane: System) -> None:
    source, sink = plane.topic("lag-in", 1), plane.topic("lag-out", 1)
    plane.produce(source, rows(0, 40))
    result = plane.done(f'CREATE JOB lag AS INSERT INTO "{sink}" SELECT * FROM "{source}"')
    plane.await_values(sink, 40)
    assert result.reply is not None
    (committed,) = plane.committed(f"{plane.prefix}job.{result.reply.uid}", source, 1)
    assert committed.offset == 40
    assert "@" in (committed.metadata or "")
    plane.done("DROP JOB lag")


def test_records_that_fill_the_queue_of_the_client_go_through(plane: System) -> None:
    """More than a task may have on its way at once: it waits for room."""
    source, sink = plane.topic("heavy-in", 1), plane.topic("heavy-out", 1)
    values = [bytes([65 + i % 26]) * (100_000 + i % 7) for i in range(200)]
    plane.produce(source, [(b"k", value) for value in values])
    plane.done(f'CREATE JOB heavy AS INSERT INTO "{sink}" SELECT * FROM "{source}"')
    assert plane.await_values(sink, len(values)) == values
    plane.done("DROP JOB heavy")
