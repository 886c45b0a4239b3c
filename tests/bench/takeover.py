"""How long tasks stand still when their worker dies: kill -9 of it and its hosts, until another runs them all.

A task runs again when it has fenced its predecessor, found its checkpoint and made a commit: then it reports so.
"""

import signal
import time
from collections.abc import Iterator

from confluent_kafka import Consumer

from jobplane.schemas.records.reports import Report, ReportKind
from jobplane.schemas.wire.codec import decode
from tests.bench import records
from tests.bench.bench import Bench, progress
from tests.bench.report import Row, median
from tests.support.system import Worker, until

TAKEOVER_S = 12.0
PARTITIONS, RECORDS = 4, 10_000


def takeover(bench: Bench) -> Iterator[Row]:
    took = []
    with bench.plane() as plane:
        source, sink = plane.topic("in", PARTITIONS), plane.topic("out", PARTITIONS)
        records.fill(plane, source, PARTITIONS, RECORDS)
        workers = [plane.worker(), plane.worker()]
        plane.done(f'CREATE JOB flow AS INSERT INTO "{sink}" SELECT * FROM "{source}"')
        with plane.consumer(f"{plane.prefix}reports", [0]) as reports:
            for _ in range(bench.repeat):
                victim, other = _settled(workers)
                took.append(_kill(victim, reports))
                workers = [other, plane.worker()]
        assert records.found(plane, sink, RECORDS) == records.everything(RECORDS)
    yield median("takeover: tasks of a killed worker run again", took, "s", TAKEOVER_S)


def _settled(workers: list[Worker]) -> tuple[Worker, Worker]:
    """Waits until every task runs somewhere; the worker with most of them, and the other."""
    until(lambda: sum(len(_tasks(worker)) for worker in workers) == PARTITIONS, 60, "all tasks run")
    victim, other = sorted(workers, key=lambda worker: len(_tasks(worker)), reverse=True)
    return victim, other


def _kill(victim: Worker, reports: Consumer) -> float:
    """Seconds from the death of a worker until all its tasks have reported from elsewhere that they run."""
    # 1 what is to be taken over
    lost, led = _tasks(victim), victim.leads
    count = len(lost)
    # 2 it dies, with its hosts
    began, killed_ms = time.monotonic(), int(time.time() * 1000)
    victim.signal_all(signal.SIGKILL)
    victim.process.wait(10)
    # 3 its tasks report
    until(lambda: _heard(reports, killed_ms, lost), 60, f"{count} tasks run on the other worker")
    took = time.monotonic() - began
    progress(f"{count} tasks{' and the decider' if led else ''} taken over after {took:.2f} s")
    return took


def _tasks(worker: Worker) -> set[str]:
    """The keys of tasks that run there, or rest."""
    tasks = worker.tasks
    return {task["task"] for task in tasks if task.get("step") == "dormant" or task.get("transactions_committed", 0)}


def _heard(reports: Consumer, killed_ms: int, lost: set[str]) -> bool:
    """Takes those tasks out of `lost` that have reported since that they run; true once there is none left."""
    message = reports.poll(0.1)
    if message is not None and message.error() is None and message.timestamp()[1] > killed_ms:
        report = decode(message.value() or b"", Report)
        if report.said is ReportKind.RUNNING:
            lost.discard(f"{report.uid}/{report.task}")
    return not lost
