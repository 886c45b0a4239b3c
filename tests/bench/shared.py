"""What ten filter jobs over one topic cost when the tasks of a host share its fetch, and when each fetches for itself.

The jobs rest when the records begin to come, so that all of them begin at the same place, and read while more come.
"""

import time
from collections.abc import Iterator
from statistics import median

from tests.bench import records
from tests.bench.bench import Bench, progress
from tests.bench.cost import cpu_seconds, memory_mib
from tests.bench.report import Row
from tests.bench.throughput import CREATE, LIMIT_S, WORKS, committed
from tests.support.system import Worker, until

JOBS, PARTITIONS = 10, 2
WARM, SETTLED_S = 20_000, 7.0
"""Records after which all tasks have clients of their own, and how long they then wait: less than until they rest."""
MOST = {1: 0.7, 2: 0.8}
"""By the number of hosts: each of two has half of a partition's tasks, and a fetch of its own."""
FIGURES, UNITS = ("CPU of the hosts", "CPU of the broker", "memory"), ("CPU-s/M records", "CPU-s/M records", "MiB")
FILTER = next(work for work in WORKS if work.name == "filter")
UNSHARED = {"JOBPLANE_HOST_MODULE": "tests.support.unshared_host"}


def shared(bench: Bench) -> Iterator[Row]:
    """`bench.records` are those that all jobs read together."""
    for hosts in (1, 2):
        runs: dict[str, list[tuple[float, float, float]]] = {"alone": [], "shared": []}
        for number in range(bench.repeat):
            for name in ("alone", "shared") if number % 2 == 0 else ("shared", "alone"):
                runs[name].append(_run(bench, name, hosts))
        title = f"{JOBS} jobs of one topic in {hosts} host{'s' if hosts > 1 else ''}"
        for name, found in runs.items():
            for what, unit, figures in zip(FIGURES, UNITS, zip(*found, strict=True), strict=True):
                yield Row(f"{title}, {name}: {what}", median(figures), unit, None, figures)
        ratios = tuple(now[0] / before[0] for before, now in zip(runs["alone"], runs["shared"], strict=True))
        yield Row(f"{title}: CPU of the hosts, shared to alone", median(ratios), "times", MOST[hosts], ratios)


def _run(bench: Bench, name: str, hosts: int) -> tuple[float, float, float]:
    """CPU-seconds of hosts and broker for a million records that a job reads, and MiB of the hosts at the end."""
    each = bench.records // JOBS
    with bench.plane() as plane:
        plane.environment |= UNSHARED if name == "alone" else {}
        plane.hosts = hosts
        worker = plane.worker()
        source = plane.topic("in", PARTITIONS)
        sinks = [plane.topic(f"out{i}", PARTITIONS) for i in range(JOBS)]
        uids = []
        for i, sink in enumerate(sinks):
            text = CREATE.replace("JOB load", f"JOB load{i}")
            result = plane.done(text.format(sink=sink, query=FILTER.query.format(source=source), formats=""))
            assert result.reply is not None
            uids.append(result.reply.uid)
        pids = worker.host_pids()

        def move(count: int) -> None:
            """Fills the topic; returns when all jobs have committed everything."""
            records.fill(plane, source, PARTITIONS, count)
            end = sum(plane.ends(source).values())

            def all_are_done() -> bool:
                return all(committed(plane, uid, source, PARTITIONS) == end for uid in uids)

            until(all_are_done, LIMIT_S, "all jobs have committed all records")

        move(WARM)
        time.sleep(SETTLED_S)
        taken = _shared_by(worker)
        before, broker_before, began = cpu_seconds(pids), cpu_seconds([bench.broker.pid]), time.monotonic()
        move(each)
        million = each * JOBS / 1e6
        cost = (cpu_seconds(pids) - before) / million
        broker = (cpu_seconds([bench.broker.pid]) - broker_before) / million
        seconds, memory = time.monotonic() - began, memory_mib(pids)
        share = (_shared_by(worker) - taken) / (each * JOBS)
        progress(
            f"{name}: {cost:.2f} CPU-s/M, broker {broker:.2f}, {seconds:.1f} s, {memory:.0f} MiB, {share:.0%} shared"
        )
        for sink in sinks:
            expected = [records.passing(count) for count in (WARM, each)]
            both = records.Expected(sum(one.records for one in expected), sum(one.ids for one in expected))
            assert records.found(plane, sink, both.records, records.id_of) == both
        for i in range(JOBS):
            plane.done(f"DROP JOB load{i}")
        worker.stop()
        for topic in (source, *sinks):
            plane.delete_topic(topic)
    return cost, broker, memory


def _shared_by(worker: Worker) -> int:
    """Records of all tasks that came from a shared fetch."""
    time.sleep(1)  # until the worker knows the counters
    return sum(task.get("records_shared", 0) for task in worker.tasks)
