"""A control plane on the tests' broker: worker processes, a client, and topics to read and write."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import psutil
from confluent_kafka import Consumer, IsolationLevel, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from jobplane.controlplane.client.client import Client, Result
from jobplane.controlplane.ports import free_port
from jobplane.controlplane.settings import Settings
from jobplane.schemas.records.events import Event
from jobplane.schemas.wire.codec import decode
from jobplane.sql.syntax.parser import parse

T = TypeVar("T")


def until(condition: Callable[[], T | None], limit: float, what: str) -> T:
    """The first true value of `condition`; fails after `limit` seconds, naming what was awaited."""
    deadline = time.monotonic() + limit
    pause = threading.Event()
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {limit:g} s: {what}"
        pause.wait(0.05)
    return value


@contextmanager
def repeated(action: Callable[[], object], pause: float) -> Iterator[None]:
    """Does it again and again in a thread of its own, with `pause` seconds between, until the block ends."""
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(pause):
            action()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@dataclass(slots=True)
class Worker:
    """One `jobplane worker` process."""

    process: subprocess.Popen[bytes]
    web: str
    log: Path

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(self.web + path, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def json(self, path: str) -> Any:
        status, body = self.get(path)
        return json.loads(body) if body.startswith(("{", "[")) else {"status": status}

    @property
    def ready(self) -> bool:
        assert self.process.poll() is None, (
            f"the worker ended with {self.process.returncode}:\n{self.log.read_text()[-3000:]}"
        )
        return self.get("/readyz")[0] == 200

    @property
    def leads(self) -> bool:
        return bool(self.json("/readyz").get("leads"))

    @property
    def tasks(self) -> list[dict[str, Any]]:
        hosts = self.json("/api/hosts")
        return [task for host in hosts for task in host["tasks"]] if isinstance(hosts, list) else []

    def host_pids(self) -> list[int]:
        return [host["pid"] for host in self.json("/api/hosts")]

    def signal_all(self, number: int) -> None:
        """To the worker and its hosts, as a machine that freezes or dies. A host may end as its worker is told."""
        worker = psutil.Process(self.process.pid)
        hosts = worker.children(recursive=True)
        worker.send_signal(number)
        for host in hosts:
            with suppress(psutil.NoSuchProcess):
                host.send_signal(number)

    def stop(self) -> float:
        """SIGTERM; seconds until it has ended."""
        began = time.monotonic()
        self.process.terminate()
        self.process.wait(20)
        return time.monotonic() - began


@dataclass
class System:
    bootstrap: str
    prefix: str
    folder: Path
    hosts: int = 2
    environment: dict[str, str] = field(default_factory=dict)
    workers: list[Worker] = field(default_factory=list)
    _askers: dict[str, Consumer] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        return Settings(bootstrap=self.bootstrap, prefix=self.prefix)

    @cached_property
    def admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.bootstrap})

    def name(self, short: str) -> str:
        """A topic's name of this system's own, outside the prefix of the control plane."""
        return f"d-{self.prefix.rstrip('.')}-{short}"

    def worker(self) -> Worker:
        """Starts one more worker, and waits until it is ready."""
        port, log = free_port(), self.folder / f"worker-{len(self.workers)}.log"
        command = [
            sys.executable,
            "-m",
            "jobplane",
            "worker",
            "--loglevel",
            "info",
            "--hosts",
            str(self.hosts),
        ]
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*command, "--bootstrap", self.bootstrap, "--prefix", self.prefix, "--web-port", str(port)],
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, "JOBPLANE_DATA": str(self.folder), **self.environment},
                start_new_session=True,
            )
        worker = Worker(process, f"http://127.0.0.1:{port}", log)
        self.workers.append(worker)
        until(lambda: worker.ready, 40, "the worker is ready")
        return worker

    def close(self) -> None:
        for asker in self._askers.values():
            asker.close()
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.signal_all(signal.SIGCONT)
                worker.process.terminate()
        for worker in self.workers:
            try:
                worker.process.wait(15)
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()

    def sql(self, text: str, timeout: float = 60) -> Result:
        return Client(self.settings).execute(text, parse(text), timeout)

    def done(self, text: str, timeout: float = 60) -> Result:
        """A statement that must be accepted and take effect."""
        result = self.sql(text, timeout)
        assert result.reply is not None, f"no outcome: {text}"
        assert result.reply.verdict == "accepted", f"{text}: {result.reply}"
        assert (result.failure, result.timed_out) == ("", False), f"{text}: {result}"
        return result

    def jobs(self) -> dict[str, dict[str, Any]]:
        """SHOW JOBS by name, the newest of a name."""
        rows = Client(self.settings).show("SHOW JOBS")
        return {row["name"]: row for row in reversed(rows)}

    def rows(self, text: str) -> list[dict[str, Any]]:
        """The rows of a SHOW or DESCRIBE."""
        return Client(self.settings).read(text).rows

    def about(self, text: str) -> dict[str, Any]:
        return Client(self.settings).read(text).about

    def topic(self, short: str, partitions: int = 2, **config: str) -> str:
        name = self.name(short)
        settings = {key.replace("_", "."): value for key, value in config.items()}
        self.admin.create_topics([NewTopic(name, partitions, 1, config=settings)])[name].result(10)
        until(lambda: name in self.admin.list_topics(timeout=10).topics, 10, f"{name} is there")
        return name

    def compact(self, name: str) -> None:
        """Sets cleanup.policy=compact, which tasks that run already do not know."""
        entry = ConfigEntry("cleanup.policy", "compact", incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=[entry])
        self.admin.incremental_alter_configs([resource])[resource].result(10)

        def known() -> bool:
            asked = ConfigResource(ResourceType.TOPIC, name)
            return str(self.admin.describe_configs([asked])[asked].result(10)["cleanup.policy"].value) == "compact"

        until(known, 10, f"{name} is compacted")

    def delete_topic(self, name: str) -> None:
        self.admin.delete_topics([name])[name].result(10)
        until(lambda: name not in self.admin.list_topics(timeout=10).topics, 10, f"{name} is gone")

    def produce(self, topic: str, records: Iterable[tuple[bytes | None, bytes | None]], **details: Any) -> None:
        """(key, value) records, acknowledged when this returns."""
        producer = Producer({"bootstrap.servers": self.bootstrap, "message.max.bytes": 8_000_000, "linger.ms": 5})
        errors: list[Any] = []
        for key, value in records:
            producer.produce(
                topic, value, key, on_delivery=lambda error, _: errors.append(error) if error else None, **details
            )
            producer.poll(0)
        assert producer.flush(30) == 0
        assert not errors

    def ends(self, topic: str, *, committed: bool = False) -> dict[int, int]:
        """Last stable offsets, or high watermarks; asked again of a new client where a broker has just come back."""
        level = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED

        def asked() -> dict[int, int] | None:
            try:
                partitions = self.admin.list_topics(topic, timeout=10).topics[topic].partitions
                futures = self.admin.list_offsets(
                    {TopicPartition(topic, p): OffsetSpec.latest() for p in partitions},  # type: ignore[no-untyped-call]
                    isolation_level=level,
                )
                return {at.partition: future.result(10).offset for at, future in futures.items()}
            except KafkaException:
                del self.admin
                return None

        return until(asked, 30, f"the ends of {topic}")

    def read(self, topic: str) -> list[Message]:
        """Every committed record up to the last stable offsets as they are now."""
        ends = self.ends(topic, committed=True)
        with self.consumer(topic, [p for p, end in ends.items() if end]) as consumer:
            found: list[Message] = []
            left = {p for p, end in ends.items() if end}
            while left:
                found += [message for message in consumer.consume(1000, 0.1) if message.error() is None]
                for at in consumer.position([TopicPartition(topic, p) for p in left]):
                    if at.offset >= ends[at.partition]:
                        left.discard(at.partition)
            return found

    @contextmanager
    def consumer(self, topic: str, partitions: Sequence[int]) -> Iterator[Consumer]:
        consumer = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": f"{self.prefix}test",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
            }
        )
        try:
            consumer.assign([TopicPartition(topic, p, 0) for p in partitions])
            yield consumer
        finally:
            consumer.close()

    def committed(self, group: str, topic: str, partitions: int) -> list[TopicPartition]:
        """What a group has committed of a topic; offsets are negative where that is nothing.

        A consumer asks. librdkafka's admin client ends the process where a coordinator answers that it is none
        (confluentinc/librdkafka#5040).
        """
        if group not in self._askers:
            settings = {"bootstrap.servers": self.bootstrap, "group.id": group, "enable.auto.commit": False}
            self._askers[group] = Consumer(settings)
        return self._askers[group].committed([TopicPartition(topic, p) for p in range(partitions)], 10)

    def values(self, topic: str) -> list[bytes | None]:
        return [message.value() for message in self.read(topic)]

    def await_values(self, topic: str, count: int, limit: float = 60) -> list[bytes | None]:
        """The sink's values once there are `count`; the caller compares them."""
        return until(
            lambda: found if len(found := self.values(topic)) >= count else None, limit, f"{count} records in {topic}"
        )

    def await_kill(self, job: str, meanwhile: Callable[[], object]) -> None:
        """Does it again and again until the host of the job has killed itself, see killing_host.py."""

        def is_killed() -> bool:
            meanwhile()
            return (self.folder / job).exists()

        until(is_killed, 30, "the host was killed")

    def events(self) -> list[Event]:
        return [decode(message.value() or b"", Event) for message in self.read(f"{self.prefix}events")]


@contextmanager
def system(bootstrap: str, prefix: str, folder: Path, **details: Any) -> Iterator[System]:
    """A system whose workers are gone at the end."""
    made = System(bootstrap, prefix, folder, **details)
    try:
        yield made
    finally:
        made.close()


def jobplane(
    plane: System, *words: str, said: str = "", bootstrap: str = "", **settings: str
) -> subprocess.CompletedProcess[str]:
    """Runs the command line against a system; `said` is its standard input, `settings` are of its environment."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JOBPLANE_")}
    environment |= {"JOBPLANE_BOOTSTRAP": bootstrap or plane.bootstrap, "JOBPLANE_PREFIX": plane.prefix, **settings}
    command = [sys.executable, "-m", "jobplane", *words]
    return subprocess.run(
        command, input=said, env=environment, capture_output=True, text=True, timeout=90, check=False, cwd=plane.folder
    )
