"""A partition that is empty holds back all windows: what a checkpoint says of them becomes larger than a megabyte."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.broker import KafkaBroker
from tests.support.system import System, system, until

START = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
COUNT = 22_000


@pytest.fixture(scope="module")
def plane(broker: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with system(broker.bootstrap, "held.", tmp_path_factory.mktemp("held"), hosts=1) as made:
        made.worker()
        yield made


def test_a_job_saves_many_open_windows_and_finds_them_again(plane: System) -> None:
    source, sink = plane.topic("many-in", 2), plane.topic("many-out", 1)
    plane.done(
        f"""CREATE MAPPING many EXTERNAL NAME "{source}" (
                ts TIMESTAMP WITH TIME ZONE, WATERMARK FOR ts AS ts
            ) TYPE Kafka"""
    )
    plane.done(
        f"""CREATE JOB many OPTIONS (parallelism '1', snapshotIntervalMillis '2000') AS INSERT INTO "{sink}"
            SELECT window_end, COUNT(*) AS n FROM TUMBLE(TABLE many, DESCRIPTOR(ts), INTERVAL '1' SECOND)
            GROUP BY window_start, window_end"""
    )

    def send(partition: int, seconds: range) -> None:
        times = ((START + timedelta(seconds=one)).isoformat() for one in seconds)
        plane.produce(source, [(None, json.dumps({"ts": one}).encode()) for one in times], partition=partition)

    send(0, range(COUNT))
    until(lambda: plane.about("DESCRIBE JOB many").get("open_windows") == COUNT, 60, "all windows are open")
    plane.done("CREATE SNAPSHOT many1 FOR JOB many")
    plane.done("ALTER JOB many RESTART")
    for partition in (0, 1):
        send(partition, range(COUNT, COUNT + 1))
    until(lambda: len(plane.values(sink)) >= COUNT, 60, "all windows are written")
    assert len(plane.values(sink)) == COUNT
