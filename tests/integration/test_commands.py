"""The command log on a real broker: whatever is sent gets its one answer, and the log goes on."""

import json
from collections.abc import Iterator

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import NewTopic

from jobplane.controlplane.client.client import Client
from jobplane.controlplane.log.control_topics import ensure_topics
from jobplane.processors.kafka.cluster import Kafka
from jobplane.schemas.records.events import CommandRefused, CommandRepeated, Outcome
from jobplane.schemas.setup_errors import KafkaUnreachable, NotSetUp, TopicMisconfigured
from tests.support.broker import KafkaBroker
from tests.support.system import System, system, until


@pytest.fixture(scope="module")
def plane(broker: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with system(broker.bootstrap, "commands.", tmp_path_factory.mktemp("commands"), hosts=1) as made:
        made.worker()
        made.topic("in", 2)
        made.topic("out", 2)
        yield made


def send(plane: System, value: bytes | None, headers: list[tuple[str, str | bytes | None]] | None = None) -> int:
    """One record on the command log from a plain producer; its offset."""
    offsets: list[int] = []
    producer = Producer({"bootstrap.servers": plane.bootstrap, "message.max.bytes": 8_000_000})
    producer.produce(
        f"{plane.prefix}commands",
        value,
        headers=headers,
        on_delivery=lambda error, message: offsets.append(message.offset() or 0),
    )
    assert producer.flush(10) == 0
    return offsets[0]


def outcome(plane: System, offset: int) -> Outcome:
    def found() -> list[Outcome]:
        return [
            event.body
            for event in plane.events()
            if event.cause.topic == "commands" and event.cause.offset == offset and isinstance(event.body, Outcome)
        ]

    outcomes = until(found, 20, f"the outcome of offset {offset}")
    assert len(outcomes) == 1
    return outcomes[0]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (b"", "syntax"),
        (None, "syntax"),
        (b"DROP JOB \xff\xfe", "not-utf8"),
        (b"{]", "bad-envelope"),
        (b"x" * 1_000_000, "statement-too-large"),
        (b"CREATE JOB a AS INSERT INTO b SELECT " + b"(" * 1000 + b"1" + b")" * 1000 + b" FROM c", "nested-too-deep"),
        (b"SELECT * FROM t", "select-not-allowed"),
        (b"SHOW JOBS", "read-statement"),
        (b"DROP JOB nobody; DROP JOB nobody", "syntax"),
    ],
    ids=["empty", "null", "not UTF-8", "bad JSON", "1 MB", "nested 1000", "select", "show", "two statements"],
)
def test_poison_is_refused_and_blocks_nothing(plane: System, value: bytes | None, code: str) -> None:
    refused = outcome(plane, send(plane, value))
    assert isinstance(refused, CommandRefused)
    assert (refused.code, refused.length) == (code, len(value or b""))
    assert len(refused.message) < 1000
    assert plane.sql("DROP JOB IF EXISTS nobody").reply is not None


def test_json_commands_and_ids(plane: System) -> None:
    create = f'CREATE JOB viajson AS INSERT INTO "{plane.name("out")}" SELECT * FROM "{plane.name("in")}"'
    first = send(plane, json.dumps({"sql": create, "command_id": "once"}).encode())
    again = send(plane, create.encode(), [("command-id", b"once")])
    other = send(plane, b"DROP JOB viajson", [("command-id", b"once")])
    assert type(outcome(plane, first)).__name__ == "JobCreated"
    repeated = outcome(plane, again)
    assert isinstance(repeated, CommandRepeated)
    assert repeated.first.offset == first
    refused = outcome(plane, other)
    assert isinstance(refused, CommandRefused)
    assert refused.code == "command-id-reused"
    seqs = [event.seq for event in plane.events()]
    assert seqs == list(range(1, len(seqs) + 1))
    plane.done("DROP JOB viajson")


def test_an_unknown_topic_is_refused_with_a_hint(plane: System) -> None:
    result = plane.sql(f'CREATE JOB nowhere AS INSERT INTO "{plane.name("oat")}" SELECT * FROM "{plane.name("in")}"')
    assert result.reply is not None
    assert result.reply.code == "topic-not-found"
    assert f"did you mean '{plane.name('out')}'?" in result.reply.message


def test_the_web_server_tells(plane: System) -> None:
    worker = plane.workers[0]
    assert worker.get("/healthz")[0] == 200
    assert worker.get("/readyz")[0] == 200
    plane.done(f'CREATE JOB seen AS INSERT INTO "{plane.name("out")}" SELECT * FROM "{plane.name("in")}"')
    until(
        lambda: 'jobplane_job_status{job="seen",status="RUNNING"} 1.0' in worker.get("/metrics")[1],
        20,
        "the job's metric",
    )
    metrics = worker.get("/metrics")[1]
    for name in (
        "jobplane_task_records_in_total",
        "jobplane_task_records_out_total",
        "jobplane_task_lag",
        "jobplane_task_transactions_total",
        "jobplane_task_commit_seconds_total",
        "jobplane_task_producer_reinits_total",
        'jobplane_commands_total{verdict="accepted"}',
    ):
        assert name in metrics, name
    assert [job["name"] for job in worker.json("/api/jobs") if job["status"] == "RUNNING"] == ["seen"]
    plane.done("DROP JOB seen")


def test_topics_are_made_once_and_verified(plane: System, prefix: str) -> None:
    kafka = Kafka(plane.bootstrap)
    ensure_topics(kafka, plane.settings)
    plane.admin.create_topics([NewTopic(f"{prefix}commands", 2, 1)])[f"{prefix}commands"].result(10)
    with pytest.raises(TopicMisconfigured, match="has 2 partitions, it must have 1"):
        ensure_topics(kafka, System(plane.bootstrap, prefix, plane.folder).settings)


def test_a_client_says_when_there_is_no_kafka_or_no_plane(plane: System, prefix: str) -> None:
    with pytest.raises(KafkaUnreachable, match=r"127\.0\.0\.1:1: the connection was refused"):
        Client(System("127.0.0.1:1", prefix, plane.folder).settings).emit("DROP JOB a")
    with pytest.raises(NotSetUp, match=f"there is no topic '{prefix}commands'"):
        Client(System(plane.bootstrap, prefix, plane.folder).settings).emit("DROP JOB a")
