"""Bad records where it is hardest: many of them, in jobs that keep no checkpoints, larger than a topic takes."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.broker import KafkaBroker
from tests.support.system import System, system, until

LIMIT = 100_000


@pytest.fixture(scope="module")
def plane(broker: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with system(broker.bootstrap, "edges.", tmp_path_factory.mktemp("edges")) as made:
        made.worker()
        yield made


def task_of(plane: System, job: str) -> dict[str, Any]:
    """What its worker shows of a task; nothing before its host has told."""
    return next((task for task in plane.workers[0].tasks if task["job"] == job), {})


def test_good_records_between_bad_ones_are_counted(plane: System) -> None:
    source, sink = plane.topic("count-in", 1), plane.topic("count-out", 1)
    plane.produce(source, [(b"k", b"{" if i % 7 == 0 else b'{"id": %d}' % i) for i in range(700)])
    plane.done(f'CREATE JOB counts OPTIONS (onError \'skip\') AS INSERT INTO "{sink}" SELECT id FROM "{source}"')
    plane.await_values(sink, 600)
    until(lambda: task_of(plane, "counts").get("records_in") == 700, 10, "all are counted")
    counted = task_of(plane, "counts")
    assert (counted["records_out"], counted["records_refused"]) == (600, 100)
    until(lambda: plane.about("DESCRIBE JOB counts")["refused"] == {"BAD_RECORD": 100}, 10, "DESCRIBE JOB says so")
    plane.done("DROP JOB counts")


@pytest.mark.parametrize("on_error", ["skip", "fail"])
def test_a_job_without_checkpoints_finds_a_record_far_from_its_beginning(plane: System, on_error: str) -> None:
    """A compacted topic takes no record without a key: the broker says so of a whole batch."""
    source = plane.topic(f"far-in-{on_error}", 1)
    sink = plane.topic(f"far-out-{on_error}", 1)
    values = [b"%d" % i for i in range(2000)]
    plane.done(
        f"""CREATE JOB far_{on_error} OPTIONS (onError '{on_error}', processingGuarantee 'none')
            AS INSERT INTO "{sink}" SELECT * FROM "{source}" """
    )
    plane.compact(sink)  # the task does not know of it
    plane.produce(source, [(None if i == 1234 else value, value) for i, value in enumerate(values)])
    if on_error == "skip":
        until(lambda: values[-1] in plane.values(sink), 60, "it is passed")
        assert set(plane.values(sink)) == {*values} - {b"1234"}
    else:
        until(lambda: plane.jobs()["far_fail"]["status"] == "SUSPENDED", 60, "the job is suspended")
        assert plane.jobs()["far_fail"]["failure"].endswith(f"({source}-0@1234)")
    plane.done(f"DROP JOB far_{on_error}")


def test_many_records_too_large_are_passed_in_time(plane: System) -> None:
    """The client refuses each at once: none needs a new life of the producer."""
    source = plane.topic("many-in", 1, max_message_bytes="2000000")
    sink = plane.topic("many-out", 1, max_message_bytes=str(LIMIT))
    pad = "x" * (LIMIT + 1000)
    records = [json.dumps({"id": i, "pad": pad if i % 50 == 7 else ""}).encode() for i in range(1000)]
    plane.produce(source, [(b"k", one) for one in records])
    plane.done(f'CREATE JOB many OPTIONS (onError \'skip\') AS INSERT INTO "{sink}" SELECT id, pad FROM "{source}"')
    found = plane.await_values(sink, 980, limit=20)
    assert Counter(json.loads(one or b"")["id"] for one in found) == Counter(i for i in range(1000) if i % 50 != 7)
    plane.done("DROP JOB many")


def test_a_record_too_large_for_the_sink_becomes_a_dead_letter(plane: System) -> None:
    source = plane.topic("big-in", 1, max_message_bytes="2000000")
    sink, own = plane.topic("big-out", 1, max_message_bytes=str(LIMIT)), plane.topic("big-letters", 1)
    large = json.dumps({"id": 3, "pad": "x" * LIMIT}).encode()
    plane.produce(source, [(b"k", large if i == 3 else b'{"id": %d}' % i) for i in range(6)])
    plane.done(
        f"""CREATE JOB big OPTIONS (onError 'deadLetter', deadLetterTopic '{own}')
            AS INSERT INTO "{sink}" SELECT id, pad FROM "{source}" """
    )
    assert plane.await_values(own, 1) == [large]
    assert [json.loads(one or b"")["id"] for one in plane.await_values(sink, 5)] == [0, 1, 2, 4, 5]
    plane.done("DROP JOB big")


def test_a_dead_letter_that_its_topic_does_not_take_stops_the_job_and_says_which(plane: System) -> None:
    source = plane.topic("over-in", 1, max_message_bytes="2000000")
    sink, own = plane.topic("over-out", 1), plane.topic("over-letters", 1, max_message_bytes=str(LIMIT))
    plane.produce(source, [(b"k", b'{"id": 1}'), (b"k", b"{" * (LIMIT + 1)), (b"k", b'{"id": 2}')])
    plane.sql(
        f"""CREATE JOB over OPTIONS (onError 'deadLetter', deadLetterTopic '{own}')
            AS INSERT INTO "{sink}" SELECT id FROM "{source}" """
    )
    until(lambda: plane.jobs()["over"]["status"] == "SUSPENDED", 60, "the job is suspended")
    failure = plane.jobs()["over"]["failure"]
    assert failure.startswith("RECORD_TOO_LARGE")
    assert own in failure
    assert failure.endswith(f"({source}-0@1)")
    plane.done("ALTER JOB over OPTIONS (onError 'skip') RESUME")
    assert [json.loads(one or b"")["id"] for one in plane.await_values(sink, 2)] == [1, 2]
    assert plane.values(own) == []
    plane.done("DROP JOB over")


def test_of_a_record_that_gives_several_none_is_written_where_one_is_too_large(plane: System) -> None:
    name = "several"
    source = plane.topic(f"{name}-in", 1, max_message_bytes="2000000")
    sink, own = plane.topic(f"{name}-out", 1, max_message_bytes=str(LIMIT)), plane.topic(f"{name}-letters", 1)
    records = [json.dumps({"parts": [f"{i}a", "x" * (LIMIT + 1) if i == 1 else f"{i}b"]}).encode() for i in range(3)]
    plane.produce(source, [(b"k", one) for one in records])
    plane.done(
        f"""CREATE JOB {name} OPTIONS (onError 'deadLetter', deadLetterTopic '{own}')
            AS INSERT INTO "{sink}" SELECT p FROM "{source}" CROSS JOIN UNNEST(parts) AS t (p)"""
    )
    assert plane.await_values(own, 1) == [records[1]]
    assert [json.loads(one or b"")["p"] for one in plane.await_values(sink, 4)] == ["0a", "0b", "2a", "2b"]
    plane.done(f"DROP JOB {name}")
