"""Backup and restore on a real broker: what is restored goes on as if nothing had been, exactly once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from jobplane.controlplane.backup import file as backup_file
from jobplane.controlplane.backup.restore import restore
from jobplane.controlplane.backup.save import back_up
from jobplane.controlplane.client.client import Client
from jobplane.controlplane.log import history
from jobplane.controlplane.log.verify import verify_log
from jobplane.controlplane.topics import TOPICS
from jobplane.processors.kafka.cluster import Kafka
from jobplane.processors.kafka.transactions import TransactionalProducer
from jobplane.schemas.records.commands import COMMAND_ID
from jobplane.schemas.records.events import CommandRepeated
from jobplane.schemas.setup_errors import BadBackup, NotEmpty, NotSetUp, StillWritten
from jobplane.sql.syntax.parser import parse
from tests.support.broker import KafkaBroker
from tests.support.orders import Orders, totals_in
from tests.support.system import System, jobplane, system, until

EACH = 500
"""Records a round, of numbers that are never used twice."""


@pytest.fixture
def plane(broker: KafkaBroker, prefix: str, tmp_path: Path) -> Iterator[System]:
    with system(broker.bootstrap, prefix, tmp_path, hosts=1) as made:
        yield made


def numbers(first: int) -> list[tuple[bytes | None, bytes | None]]:
    return [(b"%d" % n, b'{"n": %d}' % n) for n in range(first, first + EACH)]


def lived(plane: System) -> dict[str, str]:
    """A plane that has seen much and stands still: its topics, by what they are for."""
    worker = plane.worker()
    names = {one: plane.topic(one, 4) for one in ("source", "sink", "other", "gone", "late")}
    plane.produce(names["source"], numbers(0))
    in_a_transaction(plane, "DROP JOB nobody", commit=False)
    in_a_transaction(plane, "DROP JOB nobody", commit=True)
    copy = 'CREATE JOB {} AS INSERT INTO "{}" SELECT * FROM "{}"'
    plane.done(copy.format("copy", names["sink"], names["source"]))
    plane.await_values(names["sink"], EACH)
    plane.done("CREATE SNAPSHOT early FOR JOB copy")
    plane.done(copy.format("other", names["other"], names["source"]))
    plane.await_values(names["other"], EACH)
    plane.done("ALTER JOB other SUSPEND")
    plane.done(copy.format("gone", names["gone"], names["source"]))
    plane.done("DROP JOB gone")
    plane.sql("ALTER JOB other SUSPEND")
    client = Client(plane.settings)
    client.emit("DROP JOB IF EXISTS never", "an id")
    plane.produce(names["source"], numbers(EACH))
    plane.await_values(names["sink"], 2 * EACH)
    worker.stop()
    plane.produce(names["source"], numbers(2 * EACH))
    client.emit("ALTER JOB other RESUME", "judged later")
    return names


def in_a_transaction(plane: System, text: str, *, commit: bool) -> None:
    """Its end takes an offset of the command log, and what is aborted takes more."""
    producer = Producer({"bootstrap.servers": plane.bootstrap, "transactional.id": f"{plane.prefix}someone"})
    producer.init_transactions(10)
    producer.begin_transaction()
    producer.produce(f"{plane.prefix}commands", text.encode(), headers=[(COMMAND_ID, b"in a transaction")])
    (producer.commit_transaction if commit else producer.abort_transaction)(10)


def values(first: int, last: int) -> list[bytes]:
    return sorted(b'{"n": %d}' % n for n in range(first, last))


def records(plane: System, topic: str) -> list[tuple[Any, ...]]:
    """What must survive of the records of a control topic, without fillers."""
    return [
        (one.partition(), one.key(), one.value(), one.headers(), one.timestamp()[1])
        for one in plane.read(f"{plane.prefix}{topic}")
        if one.value() is not None
    ]


@pytest.mark.parametrize("same", [False, True], ids=["another prefix", "the same prefix"])
def test_a_restored_plane_goes_on_exactly_once(plane: System, tmp_path: Path, same: bool) -> None:  # noqa: FBT001
    names, kafka, file = lived(plane), Kafka(plane.bootstrap), tmp_path / "plane.backup"
    before = {topic.name: records(plane, topic.name) for topic in TOPICS if topic.cleanup == "delete"}
    told: list[str] = []
    foot = back_up(kafka, plane.prefix, file, told.append)
    assert [one.partition(":")[0] for one in told] == [topic.name for topic in TOPICS]
    assert foot.records["commands"] == len(before["commands"])
    with pytest.raises(NotEmpty, match="choose another --prefix"):
        restore(kafka, plane.settings, file)
    last_command = plane.ends(f"{plane.prefix}commands")[0] - 1
    if same:
        for topic in TOPICS:
            plane.delete_topic(f"{plane.prefix}{topic.name}")
    else:
        plane.prefix = f"{plane.prefix}again."
    done = restore(kafka, plane.settings, file)
    assert done.elsewhere == ()
    for name, expected in before.items():  # a commit has happened some moments before all its partitions show it
        until(lambda n=name, all_=expected: records(plane, n) == all_, 20, f"{name} holds what it held")  # type: ignore[misc]
    assert verify_log(kafka, plane.prefix).differences == ()

    worker = plane.worker()
    until(lambda: plane.jobs()["other"]["status"] == "RUNNING", 30, "what was not judged is judged")
    for sink in ("sink", "other"):
        assert sorted(filter(None, plane.await_values(names[sink], 3 * EACH))) == values(0, 3 * EACH)
    again = Client(plane.settings).execute("DROP JOB IF EXISTS never", parse("DROP JOB IF EXISTS never"))
    assert again.sent.offset > last_command
    late = f"""CREATE JOB late OPTIONS (initialSnapshotName 'early') AS INSERT INTO "{names["late"]}" """
    result = plane.done(f'{late} SELECT * FROM "{names["source"]}"')
    assert result.reply is not None
    assert result.reply.uid not in {row["uid"] for row in plane.jobs().values() if row["name"] != "late"}
    assert sorted(filter(None, plane.await_values(names["late"], 2 * EACH))) == values(EACH, 3 * EACH)
    plane.done("CREATE SNAPSHOT early FOR JOB copy")

    worker.signal_all(9)
    worker.process.wait()
    plane.produce(names["source"], numbers(3 * EACH))
    plane.worker()
    for sink in ("sink", "other"):
        assert sorted(filter(None, plane.await_values(names[sink], 4 * EACH))) == values(0, 4 * EACH)
    repeated = Client(plane.settings).emit("DROP JOB IF EXISTS never", "an id").offset
    until(
        lambda: [
            one for one in plane.events() if one.cause.offset == repeated and isinstance(one.body, CommandRepeated)
        ],
        20,
        "a command id is known",
    )
    assert verify_log(kafka, plane.prefix).differences == ()
    told_of = [row["event"] for row in history.history_of(kafka, plane.prefix, "copy")]
    assert (told_of[0], told_of.count("JobCreated"), told_of.count("SnapshotClosed")) == ("JobCreated", 1, 2)


def move(plane: System, folder: Path) -> None:
    """To another prefix, by a backup, with the states of two jobs. The worker is started there."""
    kafka, file = Kafka(plane.bootstrap), folder / f"{plane.prefix}backup"
    foot = back_up(kafka, plane.prefix, file)
    states = [name for name in foot.records if name.endswith(".state")]
    assert len(states) == 2
    with pytest.raises(NotEmpty, match=states[0]):
        restore(kafka, plane.settings, file)
    plane.prefix = f"{plane.prefix}again."
    restore(kafka, plane.settings, file)
    assert verify_log(kafka, plane.prefix).differences == ()
    plane.worker()


def test_groups_go_on_in_a_restored_plane(plane: System, tmp_path: Path) -> None:
    """Of jobs that ran and were suspended, and of snapshots, also those from before the first of two restores."""
    plane.worker()
    orders = Orders(plane, "groups")
    running, rested, early, later = (plane.topic(name) for name in ("running", "rested", "early", "later"))
    often = "parallelism '2', onLate 'skip', stateIntervalMillis '200', snapshotIntervalMillis '20'"
    plane.done(f"CREATE JOB running OPTIONS ({often}) AS {orders.windows(running)}")
    plane.done(f"CREATE JOB rested OPTIONS ({often}) AS {orders.windows(rested)}")
    for _ in range(5):
        orders.send(100)
    plane.await_values(running, 1)
    plane.done("CREATE SNAPSHOT early FOR JOB running")
    before_early = plane.read(running)
    orders.send(300)
    plane.done("ALTER JOB rested SUSPEND")
    plane.workers.pop().stop()
    orders.send(300)
    move(plane, tmp_path)
    orders.send(300)
    plane.done("ALTER JOB rested RESUME")
    orders.send(300)
    plane.done("ALTER JOB rested SUSPEND")
    plane.done("CREATE SNAPSHOT later FOR JOB running")
    before_later = plane.read(running)
    plane.workers.pop().stop()
    move(plane, tmp_path)
    orders.send(300)
    plane.done("ALTER JOB rested RESUME")
    for name, sink in (("early", early), ("later", later)):
        options = f"{often}, initialSnapshotName '{name}'"
        plane.done(f"CREATE JOB from_{name} OPTIONS ({options}) AS {orders.windows(sink)}")
    orders.send(300)
    orders.close()
    orders.check(running)
    orders.check(rested)
    totals, _ = orders.expected()
    for name, before, sink in (("early", before_early, early), ("later", before_later, later)):
        earlier = totals_in(before)  # some of them perhaps from after the snapshot
        until(lambda s=sink, e=earlier: totals.keys() <= e.keys() | totals_in(plane.read(s)).keys(), 60, name)  # type: ignore[misc]
        assert (earlier | totals_in(plane.read(sink))).items() <= totals.items()


def test_a_plane_that_is_written_to_is_not_backed_up(plane: System, tmp_path: Path) -> None:
    kafka, file = Kafka(plane.bootstrap), tmp_path / "plane.backup"
    with pytest.raises(NotSetUp):
        back_up(kafka, plane.prefix, file)
    plane.worker().stop()
    client = Client(plane.settings)

    def emit(_: str) -> None:
        client.emit("DROP JOB nobody")

    with pytest.raises(StillWritten, match="commands"):
        back_up(kafka, plane.prefix, file, emit)
    assert list(tmp_path.glob("*.backup*")) == []


def test_a_restore_that_is_disturbed_leaves_nothing(plane: System, tmp_path: Path) -> None:
    """By a decider, which fences it; by a damaged file, before anything is done."""
    kafka, file = Kafka(plane.bootstrap), tmp_path / "plane.backup"
    plane.worker()
    plane.sql("DROP JOB nobody")
    plane.workers[0].stop()
    back_up(kafka, plane.prefix, file)
    original = plane.prefix

    def decider(text: str) -> None:
        if text.startswith("commands"):
            TransactionalProducer(kafka, f"{plane.prefix}decider", 10_000, f"{plane.prefix}commands", lambda: None)

    plane.prefix = f"{original}decider."
    with pytest.raises(StillWritten, match="started during the restore"):
        restore(kafka, plane.settings, file, decider)
    assert {topic.name: plane.values(f"{plane.prefix}{topic.name}") for topic in TOPICS} == {t.name: [] for t in TOPICS}

    whole = file.read_bytes()
    for damaged in (b"", b"no backup", whole[:-9], whole + b"x", whole[:60] + b"\0\0\0" + whole[63:]):
        file.write_bytes(damaged)
        with pytest.raises(BadBackup):
            restore(kafka, plane.settings, file)
    file.write_bytes(whole)
    assert backup_file.verify(file)[0].prefix == original


def test_an_empty_plane_from_the_command_line(plane: System, tmp_path: Path) -> None:
    file = str(tmp_path / "plane.backup")
    assert jobplane(plane, "backup", file).stderr.startswith("error (not-set-up): ")
    plane.worker().stop()
    ran = jobplane(plane, "backup", file)
    assert (ran.returncode, ran.stdout.split()[:4]) == (0, ["0", "records", "in", f"{file},"])
    assert ran.stderr.splitlines()[0] == "commands: 0 records"
    assert "exists" in jobplane(plane, "backup", file).stderr
    plane.prefix = f"{plane.prefix}again."
    assert jobplane(plane, "restore", file).returncode == 0
    plane.worker()
    assert plane.jobs() == {}
    assert jobplane(plane, "restore", str(tmp_path / "worker-0.log")).stderr.startswith("error (bad-backup): ")
    plane.sql("DROP JOB nobody")
    assert "error (not-empty): " in jobplane(plane, "restore", file).stderr
