"""Many jobs that mostly have nothing to do: how long they take to be created, what they cost, and how they are found.

`jobs` creates them from one file with `jobplane sql`, feeds a hundred of them, kills the worker and stops it. `plane`
sends the statements at once, and measures the start of a worker on a control plane of so many jobs.
"""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import psutil
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import NewTopic

from tests.bench.bench import Bench, progress
from tests.bench.cost import cpu_seconds, memory_mib, tree
from tests.bench.report import Row, median, percentile
from tests.support.system import System, Worker, until

JOBS, PLANE_JOBS = 1_000, 10_000
TOPICS, PARTITIONS = 50, 4
"""Source topics, and as many sinks; a job has a task for each partition."""
FED_JOBS, FED_S = 100, 60
IDLE_S = 30.0
STARTS = {"fence", "read", "assign"}
"""Steps of a task that is not yet running."""
KSQLDB_MIB = 100.0
"""What an idle query of ksqlDB takes, as its users report (confluentinc/ksql#7686)."""


def jobs(bench: Bench) -> Iterator[Row]:
    count = bench.jobs or JOBS
    with bench.plane() as plane:
        worker = _new_worker(plane)
        yield Row("jobs: a worker without jobs, CPU with its hosts", sum(_calm_use(worker)), "cores", 0.01)
        yield from _creation(plane, worker, count)
        yield from _idle(bench, worker, count)
        yield from _fed(plane, worker, count)
        yield median(f"jobs {count:,}: SHOW JOBS", [_show_jobs(plane, count) for _ in range(5)], "s", 0.4)
        worker, row = _killed(plane, worker, count)
        yield row
        yield Row(f"jobs {count:,}: SIGTERM until stopped", worker.stop(), "s", 10.0)


def plane_of(bench: Bench) -> Iterator[Row]:
    count = bench.jobs or PLANE_JOBS
    with bench.plane() as plane:
        worker = _new_worker(plane)
        began = time.monotonic()
        producer = Producer({"bootstrap.servers": plane.bootstrap, "linger.ms": 5})
        for text in _statements(plane, count):
            producer.produce(f"{plane.prefix}commands", text.encode(), partition=0)
            producer.poll(0)
        while producer.flush(1):
            pass
        until(lambda: _running(worker, count), 1_800, "all jobs run")
        yield Row(f"plane {count:,}: statements sent at once until all RUNNING", time.monotonic() - began, "s")
        until(lambda: _settled(worker, count), 600, "all tasks rest")
        yield Row(f"plane {count:,}: SIGTERM until stopped", worker.stop(), "s", 10.0)
        began = time.monotonic()
        worker = plane.worker()
        yield Row(f"plane {count:,}: worker ready", time.monotonic() - began, "s", 15.0)
        until(lambda: _settled(worker, count), 600, "all tasks rest")
        yield Row(f"plane {count:,}: all tasks run or rest", time.monotonic() - began, "s")
        yield from _memory(worker, f"plane {count:,}", count, 1_536.0)
        yield median(f"plane {count:,}: SHOW JOBS", [_show_jobs(plane, count) for _ in range(5)], "s")
        yield from _idle(bench, worker, count, f"plane {count:,}")


def _new_worker(plane: System) -> Worker:
    names = [plane.name(f"{kind}{i}") for kind in ("in", "out") for i in range(TOPICS)]
    for made in plane.admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in names]).values():
        made.result(60)
    return plane.worker()


def _statements(plane: System, count: int) -> list[str]:
    return [
        f'CREATE JOB j{i:05} AS INSERT INTO "{plane.name(f"out{i % TOPICS}")}" '
        f"SELECT sent, 'j{i:05}' AS job FROM \"{plane.name(f'in{i % TOPICS}')}\""
        for i in range(count)
    ]


def _creation(plane: System, worker: Worker, count: int) -> Iterator[Row]:
    """One file, as anyone would run it; and until the jobs are RUNNING."""
    file = plane.folder / "jobs.sql"
    file.write_text(";\n".join(_statements(plane, count)))
    began = time.monotonic()
    _jobplane(plane, "sql", "-f", str(file), "--timeout", "300")
    took = time.monotonic() - began
    progress(f"{count:,} jobs created in {took:.1f} s: {count / took:.1f} statements a second")
    until(lambda: _running(worker, count), 600, "all jobs run")
    ran = time.monotonic() - began
    yield Row(f"jobs {count:,}: a statement of one file", took / count * 1000, "ms", 50.0)
    yield Row(f"jobs {count:,}: first statement until all RUNNING", ran, "s", 90.0 * count / JOBS)


def _idle(bench: Bench, worker: Worker, count: int, name: str = "") -> Iterator[Row]:
    """Once all tasks rest, over half a minute."""
    name = name or f"jobs {count:,}"
    until(lambda: _settled(worker, count, "dormant"), 300, "all tasks rest")
    own, hosts = _processes(worker)
    used = _use(worker, IDLE_S)
    progress(f"idle: worker {used[0]:.3f}, hosts {used[1]:.3f} cores")
    yield Row(f"{name}: idle, CPU of the worker", used[0], "cores")
    yield Row(f"{name}: idle, CPU of the hosts", used[1], "cores")
    yield Row(f"{name}: idle, CPU together", sum(used), "cores", 0.1)
    yield from _memory(worker, f"{name}: idle", count, 1_024.0)
    yield Row(f"{name}: idle, threads", sum(psutil.Process(pid).num_threads() for pid in (*own, *hosts)), "")
    yield Row(f"{name}: idle, connections to the broker", _connections(bench, (*own, *hosts)), "")


def _calm_use(worker: Worker) -> tuple[float, float]:
    """The use of a worker that has started: once 5 s need no less than the 5 s before."""
    before = _use(worker, 5.0)
    for _ in range(12):
        after = _use(worker, 5.0)
        if sum(after) >= 0.9 * sum(before):
            break
        before = after
    return _use(worker, IDLE_S)


def _use(worker: Worker, seconds: float) -> tuple[float, float]:
    """The cores that the worker and its hosts use, over so many seconds."""
    own, hosts = _processes(worker)
    began, before = time.monotonic(), (cpu_seconds(own), cpu_seconds(hosts))
    _wait(seconds)
    took = time.monotonic() - began
    return (cpu_seconds(own) - before[0]) / took, (cpu_seconds(hosts) - before[1]) / took


def _memory(worker: Worker, name: str, count: int, most: float) -> Iterator[Row]:
    """Shared pages count once: each process has its part of them."""
    own, hosts = _processes(worker)
    mine, theirs = memory_mib(own), memory_mib(hosts)
    each = (mine + theirs) / count
    progress(f"memory: worker {mine:.0f}, hosts {theirs:.0f} MiB")
    progress(
        f"{each:.2f} MiB a job; a query of ksqlDB takes about {KSQLDB_MIB:.0f}: {KSQLDB_MIB / each:,.0f} times less"
    )
    yield Row(f"{name}, memory of the worker", mine, "MiB")
    yield Row(f"{name}, memory of the hosts", theirs, "MiB")
    yield Row(f"{name}, memory together", mine + theirs, "MiB", most)
    yield Row(f"{name}, memory a job (ksqlDB: about {KSQLDB_MIB:.0f})", each, "MiB", KSQLDB_MIB / 100)


@dataclass(slots=True)
class _Arrivals:
    """Milliseconds from append to read; the first record of a task, which wakes it, apart."""

    woken: list[float]
    later: list[float]


def _fed(plane: System, worker: Worker, count: int) -> Iterator[Row]:
    """A hundred jobs get a record a second each, in another partition every second."""
    each = max(1, count // TOPICS)
    fed = max(1, min(TOPICS, FED_JOBS // each))
    own, hosts = _processes(worker)
    before = cpu_seconds((*own, *hosts))
    feed = threading.Thread(target=_feed, args=(plane, fed), daemon=True)
    began = time.monotonic()
    with plane.consumer(plane.name("out0"), range(PARTITIONS)) as consumer:
        consumer.assign([TopicPartition(plane.name(f"out{i}"), p, 0) for i in range(fed) for p in range(PARTITIONS)])
        feed.start()
        found = _arrivals(consumer, fed * each * FED_S)
    feed.join()
    used = (cpu_seconds((*own, *hosts)) - before) / (time.monotonic() - began)
    name = f"jobs {count:,}: {fed * each} fed a record a second"
    progress(f"{len(found.woken):,} records woke a task, {len(found.later):,} came later")
    yield percentile(f"{name}, source to sink", found.later, 50, "ms")
    yield percentile(f"{name}, source to sink", found.later, 99, "ms", 300.0)
    yield percentile(f"{name}, first record of a task", found.woken, 50, "ms")
    yield percentile(f"{name}, first record of a task", found.woken, 99, "ms")
    yield Row(f"{name}, CPU of worker and hosts", used, "cores", 0.6)


def _feed(plane: System, fed: int) -> None:
    producer = Producer({"bootstrap.servers": plane.bootstrap, "linger.ms": 0})
    began = time.monotonic()
    for second in range(FED_S):
        for i in range(fed):
            _wait(began + second + i / fed - time.monotonic())
            record = json.dumps({"sent": time.monotonic_ns()})
            producer.produce(plane.name(f"in{i}"), record.encode(), partition=second % PARTITIONS)
            producer.poll(0)
    while producer.flush(1):
        pass


def _arrivals(consumer: Consumer, count: int) -> _Arrivals:
    found, woken = _Arrivals([], []), set[tuple[str, int]]()
    heard = time.monotonic()
    while len(found.woken) + len(found.later) < count:
        message = consumer.poll(1.0)
        now = time.monotonic()
        if message is None or message.error() is not None:
            assert now - heard < 60, f"only {len(found.woken) + len(found.later)} of {count} records came"
            continue
        heard, record = now, json.loads(message.value() or b"")
        task = record["job"], message.partition() or 0
        (found.later if task in woken else found.woken).append(now * 1000 - record["sent"] / 1e6)
        woken.add(task)
    return found


def _killed(plane: System, worker: Worker, count: int) -> tuple[Worker, Row]:
    began = time.monotonic()
    worker.signal_all(signal.SIGKILL)
    worker.process.wait(10)
    other = plane.worker()
    until(lambda: _settled(other, count), 300, "all tasks run or rest")
    return other, Row(f"jobs {count:,}: worker killed until all tasks run or rest", time.monotonic() - began, "s", 30.0)


def _show_jobs(plane: System, count: int) -> float:
    began = time.monotonic()
    shown = json.loads(_jobplane(plane, "sql", "-o", "json", "SHOW JOBS"))
    took = time.monotonic() - began
    assert len(shown["rows"]) == count
    return took


def _jobplane(plane: System, *words: str) -> str:
    flags = ("--bootstrap", plane.bootstrap, "--prefix", plane.prefix)
    ran = subprocess.run(
        [sys.executable, "-m", "jobplane", *words, *flags], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    return ran.stdout


def _running(worker: Worker, count: int) -> bool:
    listed = worker.json("/api/jobs")
    running = sum(job["status"] == "RUNNING" for job in listed) if isinstance(listed, list) else 0
    _wait(0.5)  # thousands of rows are not asked for all the time
    return running == count


def _settled(worker: Worker, count: int, step: str = "") -> bool:
    """Whether all tasks run or rest; with a step, whether all are in that step."""
    steps = [str(task.get("step", "fence")) for task in worker.tasks]
    _wait(0.5)
    return len(steps) == count * PARTITIONS and all(one == step if step else one not in STARTS for one in steps)


def _processes(worker: Worker) -> tuple[list[int], list[int]]:
    """The worker, and its hosts."""
    own, *hosts = tree(worker.process.pid)
    return [own], hosts


def _connections(bench: Bench, pids: tuple[int, ...]) -> int:
    port = int(bench.broker.bootstrap.rpartition(":")[2])
    return sum(
        one.status == psutil.CONN_ESTABLISHED and bool(one.raddr) and one.raddr.port == port
        for pid in pids
        for one in psutil.Process(pid).net_connections("tcp")
    )


def _wait(seconds: float) -> None:
    threading.Event().wait(max(0.0, seconds))
