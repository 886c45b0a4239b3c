"""Rows of windows that end later than now: Kafka takes no timestamps from the future."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.broker import KafkaBroker
from tests.support.system import System, system, until

DAYS = """CREATE JOB {job} OPTIONS (parallelism '1'{options}) AS INSERT INTO "{sink}"
    SELECT who, COUNT(*) AS n{own} FROM TUMBLE(TABLE {mapping}, DESCRIPTOR(ts), INTERVAL '2' DAY)
    GROUP BY window_start, window_end, who"""


@pytest.fixture(scope="module")
def plane(broker: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with system(broker.bootstrap, "future.", tmp_path_factory.mktemp("future")) as made:
        made.worker()
        yield made


def ready(plane: System, mapping: str, times: list[datetime]) -> str:
    """A topic with a record of each time, and its mapping; returns a topic to write to."""
    source, sink = plane.topic(f"{mapping}-in", 1), plane.topic(f"{mapping}-out", 1)
    plane.done(
        f"""CREATE MAPPING {mapping} EXTERNAL NAME "{source}" (who VARCHAR, ts TIMESTAMP WITH TIME ZONE,
            WATERMARK FOR ts AS ts) TYPE Kafka"""
    )
    plane.produce(source, [(b"k", json.dumps({"who": "a", "ts": one.isoformat()}).encode()) for one in times])
    return sink


def written(plane: System, sink: str) -> list[int]:
    """The timestamps of its records."""
    return [one.timestamp()[1] for one in plane.read(sink)]


def test_a_window_that_is_not_over_is_written_with_the_time_of_writing(plane: System) -> None:
    began, now = time.time() * 1000, datetime.now(UTC)
    sink = ready(plane, "today", [now, now - timedelta(days=9)])
    plane.done(DAYS.format(job="today", mapping="today", sink=sink, own="", options=", stopAt 'latest', onLate 'skip'"))
    until(lambda: plane.jobs()["today"]["status"] == "COMPLETED", 60, "the job has ended")
    assert began <= written(plane, sink)[-1] <= time.time() * 1000


def test_a_record_from_the_future_does_not_stop_the_job(plane: System) -> None:
    began, now = time.time() * 1000, datetime.now(UTC)
    sink = ready(plane, "ahead", [now - timedelta(days=9), now + timedelta(days=99), now + timedelta(days=199)])
    plane.done(DAYS.format(job="ahead", mapping="ahead", sink=sink, own="", options=""))
    until(lambda: len(written(plane, sink)) == 2, 60, "two windows have closed")
    past, future = written(plane, sink)
    assert past < began <= future <= time.time() * 1000
    plane.done("DROP JOB ahead")


def test_a_timestamp_of_the_querys_own_is_written_as_it_is(plane: System) -> None:
    now = datetime.now(UTC)
    sink = ready(plane, "own", [now + timedelta(days=99), now + timedelta(days=199)])
    plane.done(DAYS.format(job="own", mapping="own", sink=sink, own=", window_end AS __timestamp", options=""))
    until(lambda: plane.jobs()["own"]["status"] == "SUSPENDED", 60, "the job is suspended")
    assert "INVALID_TIMESTAMP" in plane.jobs()["own"]["failure"]
    plane.done("DROP JOB own")
