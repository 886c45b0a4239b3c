"""Memory of the task hosts while they work off a backlog, and while Kafka takes nothing for a time.

Half as many records as asked for, of 10 kB each: 10 GB by default. Of each, three fields are written. Half way the
broker is stopped for STILL_S: what the hosts have fetched and written stays in their queues, which are bounded.
"""

import os
import signal
import statistics
import time
from collections.abc import Iterator, Sequence

import psutil

from tests.bench import records
from tests.bench.bench import Bench, progress
from tests.bench.report import Row
from tests.bench.throughput import PARTITIONS, committed
from tests.support.system import System

SIZE = 10_000
STILL_S, LIMIT_S = 20.0, 1_800.0
GROWTH, PEAK_MIB = 1.1, 250.0
QUERY = 'SELECT id, user, amount FROM "{source}"'


def backlog(bench: Bench) -> Iterator[Row]:
    count = bench.records // 2
    with bench.plane() as plane:
        source, sink = plane.topic("in", PARTITIONS), plane.topic("out", PARTITIONS)
        progress(f"filling {source} with {count:,} records of {SIZE:,} bytes")
        records.fill(plane, source, PARTITIONS, count, _records(count))
        worker = plane.worker()
        hosts = worker.host_pids()
        result = plane.done(f'CREATE JOB load AS INSERT INTO "{sink}" {QUERY.format(source=source)}')
        assert result.reply is not None
        began = time.monotonic()
        sizes = list(_sizes(bench, plane, result.reply.uid, source, count, hosts))
        seconds = time.monotonic() - began
        assert worker.host_pids() == hosts, "a host died"
        assert records.found(plane, sink, count) == records.everything(count), "records were lost or doubled"
    third = len(sizes) // 3
    early, late = statistics.median(sizes[third : 2 * third]), statistics.median(sizes[2 * third :])
    gigabytes = count * SIZE / 1e9
    yield Row(f"backlog of {gigabytes:.1f} GB: time, {STILL_S:g} s without Kafka among it", seconds, "s")
    yield Row("backlog: memory of the hosts, the last third to the second", late / early, "times", GROWTH)
    yield Row("backlog: most memory of all hosts together", max(sizes), "MiB", PEAK_MIB * len(hosts))


def _sizes(bench: Bench, plane: System, uid: str, source: str, count: int, hosts: Sequence[int]) -> Iterator[float]:
    """MiB of the hosts together, every half second until all is committed."""
    has_stood_still, deadline = False, time.monotonic() + LIMIT_S
    while (done := committed(plane, uid, source)) < count:
        assert time.monotonic() < deadline, f"only {done:,} records in {LIMIT_S:g} s"
        yield _mib(hosts)
        time.sleep(0.5)
        if done > count / 2 and not has_stood_still:
            has_stood_still = True
            progress(f"{done:,} records; Kafka stands still for {STILL_S:g} s")
            yield from _while_still(bench.broker.pid, hosts)


def _while_still(broker: int, hosts: Sequence[int]) -> Iterator[float]:
    os.kill(broker, signal.SIGSTOP)
    try:
        until_then = time.monotonic() + STILL_S
        while time.monotonic() < until_then:
            yield _mib(hosts)
            time.sleep(0.5)
    finally:
        os.kill(broker, signal.SIGCONT)


def _mib(pids: Sequence[int]) -> float:
    return float(sum(psutil.Process(pid).memory_info().rss for pid in pids)) / 2**20


def _records(count: int) -> Iterator[tuple[bytes, bytes]]:
    pad = b"x" * (SIZE - records.SIZE)
    for key, value in records.values(count):
        yield key, value[:-2] + pad + value[-2:]
