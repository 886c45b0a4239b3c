"""SHOW and DESCRIBE on a real broker: what is answered is what is so."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from jobplane.controlplane.client.client import Client
from jobplane.schemas.errors import JobNotFound, MappingNotFound, OffsetNotFound, TopicNotFound
from tests.support.broker import KafkaBroker
from tests.support.system import System, system, until


@pytest.fixture(scope="module")
def plane(broker: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with system(broker.bootstrap, "reads.", tmp_path_factory.mktemp("reads")) as made:
        made.worker()
        yield made


def test_describe_says_how_far_each_partition_is(plane: System) -> None:
    source, sink = plane.topic("far-in", 4), plane.topic("far-out", 4)
    plane.done(f'CREATE JOB far OPTIONS (parallelism \'2\') AS INSERT INTO "{sink}" SELECT * FROM "{source}"')
    plane.produce(source, [(b"k", b"v")] * 50, partition=1)

    def reported() -> list[dict[str, object]]:
        rows = plane.rows("DESCRIBE JOB far")
        running = all(row["rate_in"] is not None for row in rows)
        return rows if running and sum(row["position"] or 0 for row in rows) == 50 else []

    rows = until(reported, 30, "the tasks report how far they are")
    assert [row["partition"] for row in rows] == [f"{source}-{p}" for p in (0, 2, 1, 3)]
    assert {row["status"] for row in rows} <= {"RUNNING", "DORMANT"}
    assert all("reads.worker-" in str(row["worker"]) for row in rows)
    busy = next(row for row in rows if row["position"] == 50)
    assert busy["committed"]
    assert (busy["end"], busy["lag"], busy["task"]) == (50, 0, 1)
    (listed,) = plane.rows("SHOW JOBS LIKE 'FA_'")
    assert (listed["name"], listed["lag"], listed["closed"]) == ("far", 0, None)
    assert listed["rate"] is not None
    plane.done("ALTER JOB far SUSPEND")
    (listed,) = plane.rows("SHOW JOBS LIKE 'far'")
    assert (listed["lag"], listed["rate"]) == (None, None), "nobody knows"
    plane.produce(source, [(b"k", b"v")] * 7, partition=1)
    resting = next(row for row in plane.rows("DESCRIBE JOB far") if row["partition"] == f"{source}-1")
    assert (resting["status"], resting["position"], resting["end"], resting["lag"]) == ("STOPPED", 50, 57, 7)
    plane.done("DROP JOB far")
    assert plane.about("DESCRIBE JOB far")["status"] == "CANCELLED"
    with pytest.raises(JobNotFound, match="did you mean 'far'"):
        plane.rows("DESCRIBE JOB fare")


def test_describe_says_why_a_job_stopped_and_where(plane: System) -> None:
    source, sink = plane.topic("why-in", 1), plane.topic("why-out", 1)
    plane.produce(source, [(b"k", b'{"id": 1}'), (b"k", b'{"id": "x"}')])
    plane.sql(f'CREATE JOB why AS INSERT INTO "{sink}" SELECT id + 1 AS id FROM "{source}"')
    until(lambda: plane.jobs()["why"]["status"] == "SUSPENDED", 30, "the job is suspended")
    about = plane.about("DESCRIBE JOB why")
    assert (about["failure_code"], about["failure_at"]) == ("BAD_RECORD", f"{source}-0@1")
    assert plane.rows("DESCRIBE JOB why")[0]["position"] == 1, "it goes on at the record to blame"
    plane.done("DROP JOB why")


def test_what_was_is_shown_as_it_was(plane: System) -> None:
    source, sink = plane.topic("was-in", 1), plane.topic("was-out", 1)
    with Client(plane.settings) as client:
        create = f'CREATE JOB was AS INSERT INTO "{sink}" SELECT * FROM "{source}"'
        client.execute(create, command_id="was-1", issued_by="ann")
    plane.sql(f'CREATE JOB was AS INSERT INTO "{sink}" SELECT * FROM "{source}"')
    plane.done("ALTER JOB was SUSPEND")
    plane.done("DROP JOB was")
    told = plane.rows("SHOW HISTORY FOR JOB was")
    assert [row["event"] for row in told] == [
        *("JobCreated", "TaskStarted", "CommandRefused", "JobSuspended", "TaskStopped", "JobDropped", "JobClosed")
    ]
    assert (told[0]["issued_by"], told[0]["command_id"], told[0]["detail"]) == ("ann", "was-1", create)
    assert [row["status"] for row in told if row["status"]] == [
        *("NOT_RUNNING", "RUNNING", "SUSPENDING", "SUSPENDED", "CANCELLING", "CANCELLED")
    ]
    for row in told:
        if row["status"]:
            jobs = {job["name"]: job["status"] for job in plane.rows(f"SHOW JOBS AS OF OFFSET {row['offset']}")}
            assert jobs["was"] == row["status"]
    assert plane.rows("SHOW JOBS AS OF TIMESTAMP '2020-01-01'") == []
    now = datetime.now(UTC).isoformat()
    assert plane.rows(f"SHOW JOBS AS OF TIMESTAMP '{now}'") == plane.rows("SHOW JOBS")
    with pytest.raises(OffsetNotFound) as caught:
        plane.rows("SHOW JOBS AS OF OFFSET 1000000")
    assert str(caught.value.place) == "1:24"
    with pytest.raises(JobNotFound, match="no job was ever called 'wass'; did you mean 'was'") as unknown:
        plane.rows("SHOW HISTORY FOR JOB wass")
    assert str(unknown.value.place) == "1:22"


def test_explain_says_what_a_query_would_do(plane: System) -> None:
    source, sink = plane.topic("plan-in", 1), plane.topic("plan-out", 1)
    query = f'INSERT INTO "{sink}" SELECT id, user.name AS who FROM "{source}" WHERE amount > 50'
    rows = plane.rows(f"EXPLAIN CREATE JOB plan AS {query}")
    assert rows == plane.rows(f"EXPLAIN {query}")
    code = plane.rows(f"EXPLAIN CODE {query}")
    assert code[: len(rows)] == rows
    assert code[len(rows)] == {"part": "code", "detail": "def step(messages, produce, full):"}
    assert {str(row["part"]): str(row["detail"]) for row in rows[:4]} == {
        "0 scan": f'topic "{source}": amount NUMBER, id JSON, user ROW(name JSON)',
        "1 filter ← 0": "amount > 50",
        "2 project ← 1": "id JSON, who JSON",
        "3 sink ← 2": f'topic "{sink}": id JSON, who JSON',
    }
    assert "plan" not in plane.jobs()
    with pytest.raises(TopicNotFound, match="did you mean") as unknown:
        plane.rows(f'EXPLAIN INSERT INTO "{sink}" SELECT id FROM "{source}s"')
    assert unknown.value.place.line == 1


def test_a_job_through_mappings(plane: System) -> None:
    source, sink = plane.topic("mapped-in", 1), plane.topic("mapped-out", 1)
    plane.done(
        f"""CREATE MAPPING orders EXTERNAL NAME "{source}"
            (id BIGINT, city VARCHAR EXTERNAL NAME "address.city") TYPE Kafka OPTIONS (keyFormat 'varchar')"""
    )
    plane.done(
        f"""CREATE MAPPING cities EXTERNAL NAME "{sink}"
            (nr INT, name VARCHAR EXTERNAL NAME "place.name") TYPE Kafka"""
    )
    assert {row["name"]: row["mappings"] for row in plane.rows("SHOW TOPICS")}[source] == "orders"
    assert plane.rows("DESCRIBE MAPPING orders") == [
        {"column": "id", "type": "BIGINT", "path": "id"},
        {"column": "city", "type": "VARCHAR", "path": "address.city"},
    ]
    plane.done("CREATE JOB mapped AS INSERT INTO cities SELECT * FROM orders WHERE id > 1")
    plane.produce(
        source, [(b"k%d" % i, json.dumps({"id": i, "address": {"city": f"c{i}"}}).encode()) for i in range(4)]
    )
    found = [json.loads(value or b"") for value in plane.await_values(sink, 2)]
    assert found == [{"nr": i, "place": {"name": f"c{i}"}} for i in (2, 3)]
    assert {row["name"]: row["jobs"] for row in plane.rows("SHOW MAPPINGS")} == {"cities": "mapped", "orders": "mapped"}
    refused = plane.sql("DROP MAPPING orders")
    assert refused.reply is not None
    assert refused.reply.code == "mapping-in-use"
    plane.done("DROP JOB mapped")
    plane.done("DROP MAPPING orders")
    with pytest.raises(MappingNotFound):
        plane.rows("DESCRIBE MAPPING orders")
