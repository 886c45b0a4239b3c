"""The log as an asset, on a real broker: what was, what happened to a job, and the events themselves."""

from collections.abc import Iterator

import pytest

from controlplane import history, log
from controlplane.evolve import State
from processors.kafka import Kafka
from schemas.errors import BeyondTheEnd, JobNotFound, NotSetUp
from tests.support.broker import KafkaBroker
from tests.support.system import System, system


@pytest.fixture(scope="module")
def plane(broker: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A plane with some history: a job that ran and is gone, one that is suspended, refusals of either."""
    with system(broker.bootstrap, "log.", tmp_path_factory.mktemp("log"), hosts=1) as made:
        made.worker()
        source, sink = made.topic("in", 2), made.topic("out", 2)
        made.done(f'CREATE JOB gone AS INSERT INTO "{sink}" SELECT * FROM "{source}"')
        made.done("DROP JOB gone")
        made.done(f'CREATE JOB kept AS INSERT INTO "{sink}" SELECT * FROM "{source}"')
        made.done("CREATE SNAPSHOT s FOR JOB kept")
        made.done("ALTER JOB kept SUSPEND")
        made.sql("ALTER JOB kept SUSPEND")
        made.sql("DROP JOB nobody")
        yield made


def kafka_of(plane: System) -> Kafka:
    return Kafka(plane.bootstrap)


def now(plane: System) -> State:
    kafka = kafka_of(plane)
    consumer = log.reader(kafka, plane.prefix)
    try:
        return log.read_state(kafka, consumer, plane.prefix)
    finally:
        consumer.close()


def test_the_state_as_of_the_end_is_the_state(plane: System) -> None:
    kafka = kafka_of(plane)
    assert history.state_as_of(kafka, plane.prefix) == now(plane)
    last = plane.ends(f"{plane.prefix}events")[0] - 1
    assert history.state_as_of(kafka, plane.prefix, offset=last) == now(plane)
    with pytest.raises(BeyondTheEnd, match=f"no offset {last + 1} yet"):
        history.state_as_of(kafka, plane.prefix, offset=last + 1)
    with pytest.raises(NotSetUp):
        history.state_as_of(kafka, "none.", offset=0)


def test_the_state_as_of_each_event(plane: System) -> None:
    """Offsets and times name the same moments; the first event is the job that is gone."""
    kafka = kafka_of(plane)
    messages = plane.read(f"{plane.prefix}events")
    first = messages[0]
    assert [job.name for job in history.state_as_of(kafka, plane.prefix, offset=0).jobs.values()] == ["gone"]
    for message in messages[:: max(1, len(messages) // 5)]:
        same = [one for one in messages if one.timestamp()[1] <= message.timestamp()[1]]
        by_offset = history.state_as_of(kafka, plane.prefix, offset=same[-1].offset())
        assert by_offset == history.state_as_of(kafka, plane.prefix, time=message.timestamp()[1])
    assert history.state_as_of(kafka, plane.prefix, time=first.timestamp()[1] - 1) == State()


def test_the_history_of_a_job(plane: System) -> None:
    kafka = kafka_of(plane)
    rows = history.history_of(kafka, plane.prefix, "kept")
    told = [row["event"] for row in rows]
    assert (told[0], told[-1]) == ("JobCreated", "CommandRefused")
    assert {"TaskStarted", "SnapshotRequested", "SnapshotClosed", "JobSuspended", "TaskStopped"} <= set(told)
    assert rows[-1]["detail"].startswith("job-not-running")
    assert rows[-2]["status"] == "SUSPENDED"
    assert [row["event"] for row in history.history_of(kafka, plane.prefix, "gone")][-1] == "JobClosed"
    assert history.history_of(kafka, plane.prefix, rows[0]["uid"]) == rows
    with pytest.raises(JobNotFound):
        history.history_of(kafka, plane.prefix, "nobody")
