"""Records that cannot be read, evaluated or written, on a real broker: what onError promises is what happens."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Message
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource

from jobplane.controlplane.client.client import Client
from jobplane.controlplane.query.dead_letters import retry_statement
from jobplane.processors.evaluation.dead_letters import CODE, JOB, REASON, SOURCE, TIME
from tests.support.broker import KafkaBroker
from tests.support.system import System, jobplane, system, until

BAD = 7
"""Every seventh record is bad."""
COUNT = 700


@pytest.fixture(scope="module")
def plane(broker: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with system(broker.bootstrap, "bad.", tmp_path_factory.mktemp("bad")) as made:
        made.worker()
        yield made


def value(i: int) -> bytes:
    return b"no json %d" % i if i % BAD == 0 else b'{"id": %d}' % i


def fill(plane: System, topic: str) -> None:
    plane.produce(topic, [(b"k%d" % i, value(i)) for i in range(COUNT)], headers=[("trace", b"t")], timestamp=1234)


GOOD = [i for i in range(COUNT) if i % BAD]


def headers(message: Message) -> dict[str, bytes]:
    held: Any = message.headers() or ()
    return dict(held)


def ids(plane: System, sink: str) -> list[int]:
    return sorted(json.loads(one or b"")["id"] for one in plane.await_values(sink, len(GOOD)))


def counted_in(plane: System, labels: str) -> float:
    lines = plane.workers[0].get("/metrics")[1].splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if labels in line)


def test_skip_leaves_them_out_and_counts_them(plane: System) -> None:
    source, sink = plane.topic("skip-in"), plane.topic("skip-out")
    fill(plane, source)
    plane.done(f'CREATE JOB skips OPTIONS (onError \'skip\') AS INSERT INTO "{sink}" SELECT id FROM "{source}"')
    assert ids(plane, sink) == GOOD
    counted = f'job="skips",reason="BAD_RECORD",task="{plane.jobs()["skips"]["uid"]}'
    until(lambda: counted_in(plane, counted) == COUNT - len(GOOD), 10, "they are counted")


def test_a_dead_letter_is_the_record_and_says_what_was_wrong(plane: System) -> None:
    source, sink = plane.topic("letters-in"), plane.topic("letters-out")
    fill(plane, source)
    plane.done(f'CREATE JOB writes OPTIONS (onError \'deadLetter\') AS INSERT INTO "{sink}" SELECT id FROM "{source}"')
    assert ids(plane, sink) == GOOD
    letters = [one for one in plane.read(f"{plane.prefix}dead-letters") if headers(one)[JOB] == b"writes"]
    assert sorted(one.value() or b"" for one in letters) == sorted(value(i) for i in range(0, COUNT, BAD))
    of_value = {one.value(): one for one in plane.read(source)}
    for one in letters:
        said, record = headers(one), of_value[one.value()]
        assert said["trace"] == b"t"
        assert said[TIME] == b"1234"
        assert one.timestamp()[1] > 1_700_000_000_000, "Kafka keeps it for seven days from now, not from 1970"
        assert one.key() == record.key()
        assert said[CODE] == b"BAD_RECORD"
        assert b"not JSON" in said[REASON]
        assert said[SOURCE].decode() == f"{source}-{record.partition()}@{record.offset()}"


def test_a_job_that_is_stuck_goes_on_with_another_option(plane: System) -> None:
    source, sink, own = plane.topic("stuck-in"), plane.topic("stuck-out"), plane.topic("stuck-letters")
    fill(plane, source)
    plane.sql(f'CREATE JOB stuck AS INSERT INTO "{sink}" SELECT id FROM "{source}"')
    job = until(lambda: one if (one := plane.jobs()["stuck"])["status"] == "SUSPENDED" else None, 30, "it is suspended")
    assert "BAD_RECORD" in job["failure"]
    assert f"{source}-" in plane.about("DESCRIBE JOB stuck")["failure_at"]
    plane.done(f"ALTER JOB stuck OPTIONS (onError 'deadLetter', deadLetterTopic '{own}') RESUME")
    assert ids(plane, sink) == GOOD
    assert len(plane.await_values(own, COUNT - len(GOOD))) == COUNT - len(GOOD)


def test_create_and_resume_are_done_when_the_job_reads_on(plane: System) -> None:
    """Every task runs again before the record that stopped one of them is read again."""
    source, sink = plane.topic("again-in", 2), plane.topic("again-out", 2)
    plane.produce(source, [(None, b'{"id": 1}'), (None, b"never json"), (None, b'{"id": 2}')], partition=1)
    create = f'JOB again AS INSERT INTO "{sink}" SELECT id FROM "{source}"'
    step = "to skip such records: ALTER JOB again OPTIONS (onError 'skip') RESUME; docs/bad-records.md\n"
    for text in (f"CREATE {create}", "ALTER JOB again RESUME", "ALTER JOB again OPTIONS (parallelism '1') RESUME"):
        done = jobplane(plane, "sql", "-e", text)
        cause = plane.jobs()["again"]["failure"]
        assert cause.startswith("BAD_RECORD: the value is not JSON: ")
        assert cause.endswith(f"({source}-1@1)")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"-e:1: accepted, but failed: {cause}; job 'again' is SUSPENDED\n{step}"
    cause = plane.jobs()["again"]["failure"]
    told = json.loads(jobplane(plane, "sql", "-o", "json", "-e", "ALTER JOB again RESUME").stdout)
    assert (told["failure"], told["job"]["status"]) == (cause, "SUSPENDED")
    exists = jobplane(plane, "sql", "-e", f"CREATE {create}".replace("JOB", "JOB IF NOT EXISTS", 1))
    assert (exists.returncode, exists.stdout) == (0, "unchanged job again SUSPENDED: job 'again' exists\n")
    assert f"job 'again' is SUSPENDED ({cause}) and stays so; to run it: ALTER JOB again RESUME" in exists.stderr
    done = jobplane(plane, "sql", "-e", "ALTER JOB again OPTIONS (onError 'skip') RESUME")
    assert (done.returncode, done.stdout, done.stderr) == (0, "accepted job again RUNNING\n", "")
    assert sorted(json.loads(one or b"")["id"] for one in plane.await_values(sink, 2)) == [1, 2]
    plane.done("ALTER JOB again SUSPEND")
    plane.done("ALTER JOB again RESUME")  # nothing is left to read


@pytest.mark.parametrize("guarantee", ["exactlyOnce", "none"])
def test_a_record_that_the_sink_does_not_take_is_passed_too(plane: System, guarantee: str) -> None:
    """It is found by ever smaller batches, and left out in the life after."""
    source = plane.topic(f"large-in-{guarantee}", 1, max_message_bytes="2000000")
    sink = plane.topic(f"large-out-{guarantee}", 1, max_message_bytes="100000")
    large = json.dumps({"id": 3, "pad": "x" * 150_000}).encode()
    plane.produce(source, [(None, b'{"id": %d}' % i if i != 3 else large) for i in range(6)])
    plane.done(
        f"CREATE JOB large_{guarantee} OPTIONS (onError 'skip', processingGuarantee '{guarantee}') AS "
        f'INSERT INTO "{sink}" SELECT id, pad FROM "{source}"'
    )
    found = until(
        lambda: one if len(one := {json.loads(v or b"")["id"] for v in plane.values(sink)}) == 5 else None, 60, "5 ids"
    )
    assert found == {0, 1, 2, 4, 5}
    assert plane.jobs()[f"large_{guarantee}"]["status"] == "RUNNING"


def test_dead_letters_cannot_go_where_they_would_be_read_again(plane: System) -> None:
    source, sink = plane.topic("refused-in"), plane.topic("refused-out")
    for topic, code in (
        (source, "bad-option-value"),
        (sink, "bad-option-value"),
        (f"{plane.prefix}events", "topic-reserved"),
        ("nowhere", "topic-not-found"),
    ):
        result = plane.sql(
            f"CREATE JOB refused OPTIONS (onError 'deadLetter', deadLetterTopic '{topic}') AS "
            f'INSERT INTO "{sink}" SELECT id FROM "{source}"'
        )
        assert result.reply is not None
        assert (result.reply.verdict, result.reply.code, result.reply.column) == ("refused", code, 67)


def listed(plane: System, job: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(jobplane(plane, "deadletters", "list", job, "-o", "json").stdout)["rows"]
    return rows


def test_dead_letters_are_listed_shown_and_retried_once(plane: System) -> None:
    """The mended query is the same: here the sink takes larger records by then."""
    source = plane.topic("retry-in", 2, max_message_bytes="2000000")
    sink = plane.topic("retry-out", 2, max_message_bytes="50000")
    pad = "x" * 60_000
    plane.produce(source, [(b"%d" % i, json.dumps({"id": i, "pad": pad if i < 3 else ""}).encode()) for i in range(20)])
    plane.produce(source, [(b"bad", b"never json")])
    plane.done(
        f'CREATE JOB retried OPTIONS (onError \'deadLetter\') AS INSERT INTO "{sink}" SELECT id, pad FROM "{source}"'
    )
    until(lambda: len(plane.values(sink)) == 17, 60, "what the sink takes")
    rows = until(lambda: found if len(found := listed(plane, "retried")) == 4 else None, 60, "four dead letters")
    assert sorted(row["code"] for row in rows) == ["BAD_RECORD", *["RECORD_TOO_LARGE"] * 3]
    bad = next(row for row in rows if row["code"] == "BAD_RECORD")
    shown = json.loads(jobplane(plane, "deadletters", "show", "retried", bad["letter"], "-o", "json").stdout)
    assert (shown["key"], shown["value"], shown["source"]) == ("bad", "never json", bad["source"])
    assert jobplane(plane, "deadletters", "show", "retried", "9@9").returncode == 3
    assert jobplane(plane, "deadletters", "list", "nobody").returncode == 3
    larger = ConfigEntry("max.message.bytes", "1000000", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.TOPIC, sink, incremental_configs=[larger])
    plane.admin.incremental_alter_configs([resource])[resource].result(10)
    first = jobplane(plane, "deadletters", "retry", "retried", "-o", "json")
    assert first.returncode == 0, first.stderr
    assert {name: json.loads(first.stdout)[name] for name in ("retried", "failed_again")} == {
        "retried": 4,
        "failed_again": 1,
    }
    assert sorted(json.loads(one or b"")["id"] for one in plane.values(sink)) == list(range(20))
    second = json.loads(jobplane(plane, "deadletters", "retry", "retried", "-o", "json").stdout)
    assert (second["retried"], second["failed_again"]) == (1, 1), "only the letter that failed again is read again"
    assert sorted(json.loads(one or b"")["id"] for one in plane.values(sink)) == list(range(20))
    assert plane.jobs()["retried"]["status"] == "RUNNING"


def test_a_retry_puts_records_back_where_the_others_are_and_one_at_work_is_waited_for(plane: System) -> None:
    """A copy keeps partition and timestamp; a retry that was begun and forgotten is not begun again."""
    source = plane.topic("mirror-in", 3, max_message_bytes="2000000")
    sink = plane.topic("mirror-out", 3, max_message_bytes="50000")
    for p in range(3):
        plane.produce(source, [(None, b"%d" % p * 60_000)], partition=p, timestamp=1000 + p, headers=[("h", b"1")])
    plane.done(f'CREATE JOB mirror OPTIONS (onError \'deadLetter\') AS INSERT INTO "{sink}" SELECT * FROM "{source}"')
    until(lambda: len(listed(plane, "mirror")) == 3, 60, "three dead letters")
    job = Client(plane.settings).state()
    plane.sql(retry_statement(job.jobs[job.names["mirror"]]))
    until(lambda: plane.jobs()["mirror.retry"]["status"] == "COMPLETED", 60, "the letters fail again")
    larger = ConfigEntry("max.message.bytes", "1000000", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.TOPIC, sink, incremental_configs=[larger])
    plane.admin.incremental_alter_configs([resource])[resource].result(10)
    plane.sql(retry_statement(job.jobs[job.names["mirror"]]), timeout=0.1)
    told = json.loads(jobplane(plane, "deadletters", "retry", "mirror", "-o", "json").stdout)
    found = sorted((m.partition(), m.value(), m.timestamp()[1], m.headers()) for m in plane.read(sink))
    assert found == [(p, b"%d" % p * 60_000, 1000 + p, [("h", b"1")]) for p in range(3)]
    assert told["failed_again"] == 0
