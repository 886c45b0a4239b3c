"""The log as an asset, on a real broker: what was, what happened to a job, and the events themselves."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import NewTopic

from jobplane.controlplane.core.state import State
from jobplane.controlplane.decider.batch import POSITION_INTERVAL
from jobplane.controlplane.log import history, state_topic
from jobplane.controlplane.log.verify import verify_log
from jobplane.controlplane.topics import TOPICS
from jobplane.processors.kafka.cluster import Kafka
from jobplane.processors.kafka.control_topics import ControlTopics
from jobplane.schemas.errors import JobNotFound
from jobplane.schemas.records.state import Status, encode_key
from jobplane.schemas.setup_errors import BeyondTheEnd, NotSetUp
from jobplane.schemas.wire.codec import encode
from tests.support.broker import KafkaBroker
from tests.support.system import System, jobplane, system, until


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
    consumer = ControlTopics(kafka, plane.prefix).state_reader()
    try:
        return state_topic.read_state(kafka, consumer, plane.prefix)
    finally:
        consumer.close()


def test_the_state_as_of_the_end_is_the_state(plane: System) -> None:
    kafka = kafka_of(plane)
    assert history.state_as_of(kafka, plane.prefix) == now(plane)
    last = plane.ends(f"{plane.prefix}events")[0] - 1
    assert history.state_as_of(kafka, plane.prefix, offset=last) == now(plane)
    with pytest.raises(BeyondTheEnd, match=f"offset {last + 1} does not exist yet"):
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


def test_the_events_fold_to_the_state(plane: System) -> None:
    found = verify_log(kafka_of(plane), plane.prefix)
    assert (found.differences, found.state) == ((), now(plane))
    assert found.events == found.seq == len(plane.events())
    ran = jobplane(plane, "replay")
    assert (ran.returncode, ran.stdout.splitlines()[-1]) == (0, "the events and the state are equal")


def test_a_state_that_was_meddled_with_is_told(plane: System) -> None:
    """A record more, one less and one that is another, by whoever may write to the topic; then all is put right."""
    topic, state = f"{plane.prefix}state", now(plane)
    job = state.live_job("kept")
    assert job is not None
    position = (encode_key(("position",)), encode(state.position))
    meddled = replace(job, status=Status.RUNNING)
    other = replace(job, uid="other-1")
    good = [(encode_key(key), encode(record)) for key, record in state.records().items()]
    plane.produce(topic, [(encode_key(("job", job.uid)), encode(meddled)), position])
    plane.produce(topic, [(encode_key(("job", "other-1")), encode(other)), position])
    plane.produce(topic, [(encode_key(("snapshot", "s")), None), position])
    plane.produce(topic, [(encode_key(("snapshot", "half a transaction")), encode(state.snapshots["s"]))])
    ran = jobplane(plane, "replay")
    assert ran.returncode == 1
    assert ran.stdout.splitlines()[2:] == [
        f"job {job.uid} status: events say {job.status!r}, state says {meddled.status!r}",
        "job other-1: events say nothing, state says Job",
        "snapshot s: events say Snapshot, state says nothing",
        "3 differences",
    ]
    told = json.loads(jobplane(plane, "replay", "-o", "json").stdout)
    assert (told["differing"], told["differences"][1]["key"]) == (3, ["job", "other-1"])
    undone = [(encode_key(key), None) for key in (("job", "other-1"), ("snapshot", "half a transaction"))]
    plane.produce(topic, [*undone, *good])
    assert verify_log(kafka_of(plane), plane.prefix).differences == ()


def test_events_are_listed(plane: System) -> None:
    events = plane.events()
    text = jobplane(plane, "events").stdout.splitlines()
    assert len(text) == len(events)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z 0 1 gone JobCreated \S+ CREATE JOB gone AS .*", text[0])
    told = [json.loads(line) for line in jobplane(plane, "events", "-o", "json").stdout.splitlines()]
    assert [one["seq"] for one in told] == [event.seq for event in events]
    assert told[0]["body"]["name"] == "gone"
    middle = told[len(told) // 2]
    later = jobplane(plane, "events", "--from", str(middle["offset"])).stdout.splitlines()
    assert later == text[len(told) // 2 :]
    since = datetime.fromtimestamp(middle["time"] / 1000, UTC).isoformat()
    assert set(later) <= set(jobplane(plane, "events", "--from", since).stdout.splitlines())
    assert {line.split()[3] for line in jobplane(plane, "events", "--job", "kept").stdout.splitlines()} == {"kept"}
    assert jobplane(plane, "events", "--from", "yesterday").returncode == 2
    beyond = jobplane(plane, "events", "--from", "999999")
    assert (beyond.returncode, "beyond-the-end" in beyond.stderr) == (3, True)
    nobody = jobplane(plane, "events", "--job", "nobody")
    assert (nobody.returncode, nobody.stdout, "job-not-found" in nobody.stderr) == (3, "", True)


def test_events_are_followed(plane: System) -> None:
    """What comes is printed as it comes; Ctrl-C ends it, and so does a reader that goes away."""
    command = [
        sys.executable,
        "-m",
        "jobplane",
        "events",
        "-f",
        "--from",
        str(plane.ends(f"{plane.prefix}events")[0]),
    ]
    with subprocess.Popen([*command, *where(plane)], stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        plane.sql("DROP JOB follows")
        assert "CommandRefused" in following.stdout.readline()
        following.send_signal(signal.SIGINT)
        assert following.wait(10) == 0
    with subprocess.Popen(
        [*command, *where(plane)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as piped:
        assert piped.stdout is not None
        assert piped.stderr is not None
        plane.sql("DROP JOB follows")
        piped.stdout.readline()
        piped.stdout.close()
        plane.sql("DROP JOB follows")
        assert (piped.wait(10), piped.stderr.read()) == (0, "")


def test_what_caused_no_event_is_not_read_again_for_ever(plane: System) -> None:
    """Records that are no reports stand for those that change nothing: the position passes them all the same."""
    before = now(plane).position
    plane.produce(f"{plane.prefix}reports", ((b"nobody/0", b"no report") for _ in range(POSITION_INTERVAL + 500)))
    passed = until(
        lambda: found if (found := now(plane).position).reports > before.reports else None, 20, "it is passed"
    )
    assert passed == replace(before, reports=passed.reports)
    assert passed.reports >= before.reports + POSITION_INTERVAL
    assert verify_log(kafka_of(plane), plane.prefix).differences == ()


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_compressed_commands_are_answered(plane: System, codec: str) -> None:
    """Faust's client reads the topic too, by codecs of its own: one that is missing would end the worker."""
    producer = Producer({"bootstrap.servers": plane.bootstrap, "compression.type": codec, "linger.ms": 100})
    for _ in range(50):
        producer.produce(f"{plane.prefix}commands", b"DROP JOB nobody_whose_name_is_long_enough_to_be_compressed")
    assert producer.flush(10) == 0
    end = plane.ends(f"{plane.prefix}commands")[0]
    until(lambda: now(plane).position.commands >= end, 20, "all are judged")
    assert plane.sql("DROP JOB nobody").reply is not None
    assert plane.workers[0].ready


def test_control_topics_that_others_made_may_be_compressed(
    broker: KafkaBroker, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever a producer did, all that lies in them is compressed then: what workers say to each other, too."""
    with system(broker.bootstrap, "zstd.", tmp_path_factory.mktemp("zstd"), hosts=1) as made:
        codec = {"compression.type": "zstd"}
        new = [
            NewTopic(f"{made.prefix}{one.name}", one.partitions, 1, config={**one.creation_config, **codec})
            for one in TOPICS
        ]
        for future in made.admin.create_topics(new).values():
            future.result(20)
        made.worker()
        source, sink = made.topic("in", 2), made.topic("out", 2)
        made.done(f'CREATE JOB packed AS INSERT INTO "{sink}" SELECT * FROM "{source}"')
        made.produce(source, ((b"k", f'{{"i": {i}}}'.encode()) for i in range(10)))
        until(lambda: len(made.read(sink)) == 10, 20, "the job has written")
        made.done("ALTER JOB packed SUSPEND")
        made.done("ALTER JOB packed RESUME")
        assert made.workers[0].ready


def where(plane: System) -> list[str]:
    return ["--bootstrap", plane.bootstrap, "--prefix", plane.prefix]
