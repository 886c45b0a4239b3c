"""Records that cannot be read, evaluated or written, on a real broker: what onError promises is what happens."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Message

from processors.bad_records import CODE, JOB, REASON, SOURCE
from tests.support.broker import KafkaBroker
from tests.support.system import System, system, until

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
        assert one.timestamp()[1] == 1234
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
