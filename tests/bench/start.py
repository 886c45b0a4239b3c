"""How long it takes until something runs: a worker that is started, a job that is created."""

import time
from collections.abc import Iterator

from confluent_kafka import Message

from tests.bench import records
from tests.bench.bench import Bench, progress
from tests.bench.commander import Commander, commander
from tests.bench.cost import cpu_seconds, tree
from tests.bench.report import Row, median
from tests.support.system import System, until

WORKER_S, JOB_S = 5.0, 1.5
PARTITIONS, RECORDS = 4, 10_000


def start(bench: Bench) -> Iterator[Row]:
    """Seconds from the start of a worker's process, on a control plane that exists, until it says it is ready."""
    with bench.plane() as plane:
        plane.worker().stop()
        wall, cpu = [], []
        for _ in range(bench.repeat):
            began = time.monotonic()
            worker = plane.worker()
            wall.append(time.monotonic() - began)
            cpu.append(cpu_seconds(tree(worker.process.pid)))
            progress(f"worker ready after {wall[-1]:.2f} s, {cpu[-1]:.2f} CPU-s")
            worker.stop()
    yield median("start: worker ready", wall, "s", WORKER_S)
    yield median("start: worker ready, CPU with its hosts", cpu, "CPU-s")


def create(bench: Bench) -> Iterator[Row]:
    """Seconds from the append of CREATE JOB until its first output is committed, at the default interval."""
    with bench.plane() as plane:
        worker = plane.worker()
        source = plane.topic("in", PARTITIONS)
        records.fill(plane, source, PARTITIONS, RECORDS)
        wall, cpu = [], []
        with commander(plane) as commands:
            for i in range(bench.repeat):
                pids = tree(worker.process.pid)
                before = cpu_seconds(pids)
                wall.append(_first_output(plane, commands, source, f"j{i}"))
                cpu.append(cpu_seconds(pids) - before)
                progress(f"first output after {wall[-1]:.2f} s, {cpu[-1]:.2f} CPU-s")
                plane.done(f"DROP JOB j{i}")
    yield median("create: first committed output", wall, "s", JOB_S)
    yield median("create: CPU of worker and hosts until then", cpu, "CPU-s")


def _first_output(plane: System, commands: Commander, source: str, job: str) -> float:
    sink = plane.topic(job, PARTITIONS)
    with plane.consumer(sink, range(PARTITIONS)) as consumer:
        consumer.poll(1)
        began = time.monotonic()
        commands.append(f'CREATE JOB {job} AS INSERT INTO "{sink}" SELECT * FROM "{source}"')
        until(lambda: _is_record(consumer.poll(0.2)), 30, "the first output is committed")
        return time.monotonic() - began


def _is_record(message: Message | None) -> bool:
    return message is not None and message.error() is None
