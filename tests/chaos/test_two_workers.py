"""Two workers, one of which is killed or frozen while records and commands flow.

Output equals input as a multiset, every command has one outcome, and a dropped job writes nothing after its end.
"""

import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from confluent_kafka import Producer

from jobplane.schemas.records.events import Outcome
from tests.support.broker import KafkaBroker
from tests.support.system import System, Worker, system, until

FROZEN_S = 20.0
STATEMENTS = (
    "ALTER JOB side SUSPEND",
    "DROP JOB nobody",
    "ALTER JOB side RESUME",
    "not a statement",
    "ALTER JOB side RESTART",
)


@dataclass(slots=True)
class Flow:
    """Records to one topic and commands to the log, from a thread each, until stopped."""

    system: System
    source: str
    records: list[bytes] = field(default_factory=list)
    commands: list[int] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def feed(self) -> None:
        producer = Producer({"bootstrap.servers": self.system.bootstrap, "enable.idempotence": True, "linger.ms": 5})
        while not self._stop.wait(0.01):
            for _ in range(3):
                value = b"record %d" % len(self.records)
                producer.produce(self.source, value, b"k%d" % (len(self.records) % 11))
                self.records.append(value)
            producer.poll(0)
        assert producer.flush(30) == 0

    def command(self) -> None:
        producer = Producer({"bootstrap.servers": self.system.bootstrap, "enable.idempotence": True})
        count = 0
        while not self._stop.wait(0.1):
            producer.produce(
                f"{self.system.prefix}commands",
                STATEMENTS[count % len(STATEMENTS)].encode(),
                on_delivery=lambda error, message: self.commands.append(message.offset() or 0),
            )
            producer.poll(0)
            count += 1
        assert producer.flush(30) == 0

    @contextmanager
    def running(self) -> Iterator["Flow"]:
        threads = [threading.Thread(target=target) for target in (self.feed, self.command)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()


def choose(plane: System, role: str) -> tuple[Worker, Worker]:
    """(victim, other): the victim leads, or runs tasks without leading."""
    first, second = plane.workers
    leader = until(lambda: next((one for one in (first, second) if one.leads), None), 20, "one worker leads")
    other = second if leader is first else first
    return (leader, other) if role == "decider" else (other, leader)


def running(worker: Worker, job: str) -> int:
    """The tasks of a job that run there, or rest."""
    return sum(
        task["job"] == job and (task.get("step") == "dormant" or task.get("transactions_committed", 0) > 0)
        for task in worker.tasks
    )


@pytest.mark.parametrize("role", ["decider", "tasks"])
@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_one_of_two_workers_goes(broker: KafkaBroker, prefix: str, tmp_path: Path, role: str, how: str) -> None:
    with system(broker.bootstrap, prefix, tmp_path, hosts=1) as plane:
        source, sink, side, doomed = (plane.topic(name, 4) for name in ("in", "out", "side", "doomed"))
        plane.worker()
        plane.worker()
        create = 'CREATE JOB {} AS INSERT INTO "{}" SELECT * FROM "{}"'
        for name, target in (("flow", sink), ("side", side), ("doomed", doomed)):
            plane.done(create.format(name, target, source))
        until(lambda: all(running(worker, "flow") for worker in plane.workers), 30, "both workers run tasks")
        with Flow(plane, source).running() as flow:
            victim, other = choose(plane, role)
            until(lambda: len(plane.values(sink)) > 200, 30, "records flow")
            began = time.monotonic()
            victim.signal_all(signal.SIGKILL if how == "killed" else signal.SIGSTOP)
            plane.done("DROP JOB doomed", timeout=60)
            at_end = plane.values(doomed)
            until(lambda: running(other, "flow") == 4, 30, "the other worker runs all tasks")
            if how == "frozen":
                threading.Event().wait(max(0.0, FROZEN_S - (time.monotonic() - began)))
                victim.signal_all(signal.SIGCONT)
                until(lambda: victim.get("/readyz")[0] == 200, 60, "the victim is back")
            before = len(flow.records)
            until(lambda: len(flow.records) > before + 300, 30, "records go on")
        plane.await_values(sink, len(flow.records))
        until(lambda: outcomes(plane).keys() >= set(flow.commands), 60, "every command has its outcome")
        assert Counter(plane.values(sink)) == Counter(flow.records)
        assert set(outcomes(plane).values()) == {1}
        seqs = [event.seq for event in plane.events()]
        assert seqs == list(range(1, len(seqs) + 1))
        assert plane.values(doomed) == at_end, "nothing of a dropped job comes late"
        doubled = Counter(plane.values(side)) - Counter(flow.records)
        assert not doubled, "nothing is doubled by suspending and resuming all the while"
        for worker in (other, victim) if how == "frozen" else (other,):
            assert worker.get("/healthz")[0] == 200


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_without_auto_scaling_a_lost_worker_suspends_the_job(
    broker: KafkaBroker, prefix: str, tmp_path: Path, how: signal.Signals
) -> None:
    with system(broker.bootstrap, prefix, tmp_path, hosts=1) as plane:
        source, sink, other = (plane.topic(name, 4) for name in ("in", "out", "other"))
        plane.worker()
        plane.worker()
        create = 'CREATE JOB {} OPTIONS (autoScaling \'{}\') AS INSERT INTO "{}" SELECT * FROM "{}"'
        plane.done(create.format("fixed", "false", sink, source))
        plane.done(create.format("free", "true", other, source))
        until(lambda: all(running(worker, "fixed") for worker in plane.workers), 30, "both workers run tasks")
        with Flow(plane, source).running() as flow:
            until(lambda: len(plane.values(sink)) > 100, 30, "records flow")
            victim, left = choose(plane, "tasks")
            victim.signal_all(how)
            until(lambda: plane.jobs()["fixed"]["status"] == "SUSPENDED", 40, "the job is suspended")
            assert plane.jobs()["fixed"]["failure"].startswith("WORKER_LOST")
            until(lambda: running(left, "free") == 4, 30, "the other job goes on")
            plane.done("ALTER JOB fixed RESUME")
            until(lambda: running(left, "fixed") == 4, 30, "the job goes on where it is told to")
        for topic in (sink, other):
            plane.await_values(topic, len(flow.records))
            assert Counter(plane.values(topic)) == Counter(flow.records)


def outcomes(plane: System) -> Counter[int]:
    """Outcomes by the offset of their command."""
    return Counter(
        event.cause.offset
        for event in plane.events()
        if event.cause.topic == "commands" and isinstance(event.body, Outcome)
    )
