"""What windows and groups cost beside the stateless filter query over the same records, and how soon state is back.

COUNT and SUM by user in windows of half a million records, written once when they close. Records of a user are in one
partition, so the groups need no exchange. The filter query runs right before each of them.
"""

import os
import random
import signal
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from statistics import median

import msgspec

from jobplane.schemas.msgspec_types import json_decoder
from tests.bench import records
from tests.bench.bench import Bench, progress
from tests.bench.cost import peak_mib
from tests.bench.report import Row
from tests.bench.throughput import CREATE, LIMIT_S, PARTITIONS, PEAK_MIB, WORKS, Work, committed, measured
from tests.support.system import System, until

FILTER = next(work for work in WORKS if work.name == "filter")
TARGETS = {1_000: 0.9, 100_000: 1.5, 1_000_000: 2.0}
"""By the number of users: CPU of the hosts, as a multiple of the filter query's."""
BACK_S = 5.0
RATE, WINDOW_MS, JITTER_MS = 200_000, 2_500, 2_000
"""Records a second of event time; a record may be late by the jitter, for which the watermark waits."""
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
MAPPING = """CREATE MAPPING timed EXTERNAL NAME "{source}" (__key VARCHAR, id BIGINT, amount BIGINT,
             at TIMESTAMP WITH TIME ZONE, WATERMARK FOR at AS at - INTERVAL '{lag}' SECOND) TYPE Kafka
             OPTIONS (keyFormat 'varchar')"""
GROUPED = """SELECT window_start, __key AS user, COUNT(*) AS orders, SUM(amount) AS total
             FROM TUMBLE(TABLE timed, DESCRIPTOR(at), INTERVAL '{size}' SECOND)
             GROUP BY window_start, window_end, __key"""


class _Final(msgspec.Struct):
    orders: int


def groups(bench: Bench) -> Iterator[Row]:
    for users, target in TARGETS.items():
        with bench.plane() as plane:
            source = _fill(plane, bench.records, users)
            expected = finals(bench.records, users)
            work = Work("groups", GROUPED.format(size=WINDOW_MS / 1_000), target)
            ratios, peaks = list[float](), list[float]()
            for _ in range(bench.repeat):
                stateless = measured(bench, plane, source, FILTER, _passing(bench.records, users))
                grouped = measured(bench, plane, source, work, expected, count_of)
                ratios.append(grouped.hosts / stateless.hosts)
                peaks.append(grouped.peak)
        name = f"groups of {users:,} users"
        yield Row(f"{name}: CPU of the hosts, to the filter query", median(ratios), "times", target, tuple(ratios))
        yield Row(f"{name}: peak memory of a host", max(peaks), "MiB", PEAK_MIB, tuple(peaks))
    yield from _restored(bench)


def _restored(bench: Bench) -> Iterator[Row]:
    """As many open groups as there are records; then the hosts are killed."""
    count = 1_000_000
    with bench.plane() as plane:
        source, sink = _fill(plane, count, count, each_once=True), plane.topic("out", PARTITIONS)
        worker = plane.worker()
        result = plane.done(CREATE.format(sink=sink, query=GROUPED.format(size=86_400), formats=""))
        assert result.reply is not None
        uid = result.reply.uid
        until(lambda: committed(plane, uid, source) == count, LIMIT_S, "all groups are there")
        memory = max(map(peak_mib, worker.host_pids()))
        time.sleep(12)  # until the state is saved: what a restart then reads
        began = time.monotonic()
        for pid in worker.host_pids():
            os.kill(pid, signal.SIGKILL)
        records.fill(plane, source, PARTITIONS, PARTITIONS, orders(PARTITIONS, PARTITIONS))
        until(lambda: committed(plane, uid, source) == count + PARTITIONS, LIMIT_S, "the tasks run again")
        back = time.monotonic() - began
    progress(f"{count:,} groups: {memory:.0f} MiB a host, back after {back:.2f} s")
    yield Row(f"groups: {count:,} open, peak memory of a host", memory, "MiB", PEAK_MIB)
    yield Row(f"groups: {count:,} open, until they are back after a kill", back, "s", BACK_S)


def _fill(plane: System, count: int, users: int, *, each_once: bool = False) -> str:
    source = plane.topic("in", PARTITIONS)
    progress(f"filling {source} with {count:,} records of {users:,} users")
    records.fill(plane, source, PARTITIONS, count, orders(count, users, each_once=each_once))
    worker = plane.worker()
    plane.done(MAPPING.format(source=source, lag=JITTER_MS // 1_000))
    worker.stop()
    return source


def orders(count: int, users: int, *, each_once: bool = False) -> Iterator[tuple[bytes, bytes]]:
    """(key, value) of 200 bytes; record i goes to partition i modulo PARTITIONS, and so do all of its user."""
    for i, user, amount, at_ms in _drawn(count, users):
        at = BEGIN + timedelta(milliseconds=at_ms)
        key = b"u%07d" % (i if each_once else user)
        text = at.isoformat(timespec="milliseconds").replace("+00:00", "Z").encode()
        head = b'{"id": %d, "user": "%b", "amount": %d, "at": "%b", "pad": "' % (i, key, amount, text)
        yield key, head.ljust(records.SIZE - 2, b"x") + b'"}'


def _drawn(count: int, users: int) -> Iterator[tuple[int, int, int, int]]:
    """Number, user, amount and milliseconds since BEGIN of each record; the same each time."""
    chance = random.Random(1)
    for i in range(count):
        user = chance.randrange(users // PARTITIONS) * PARTITIONS + i % PARTITIONS
        yield i, user, chance.randrange(1, 101), i * 1_000 // RATE - chance.randrange(JITTER_MS)


def _passing(count: int, users: int) -> records.Expected:
    ids = [i for i, _, amount, _ in _drawn(count, users) if amount > records.PASSES]
    return records.Expected(len(ids), sum(ids))


def finals(count: int, users: int, *, but_last: int = 0) -> records.Expected:
    """How many groups of closed windows there are, and how many records are in them.

    `but_last` leaves out so many of the windows that each partition closes last.
    """
    newest = [-JITTER_MS] * PARTITIONS
    grouped: dict[tuple[int, int], int] = defaultdict(int)
    for i, user, _, at_ms in _drawn(count, users):
        newest[i % PARTITIONS] = max(newest[i % PARTITIONS], at_ms)
        grouped[at_ms // WINDOW_MS, user] += 1
    closed = {
        (window, user): records_in
        for (window, user), records_in in grouped.items()
        if (window + 1 + but_last) * WINDOW_MS <= newest[user % PARTITIONS] - JITTER_MS
    }
    return records.Expected(len(closed), sum(closed.values()))


_decoder = json_decoder(_Final)


def count_of(value: bytes) -> int:
    return _decoder.decode(value).orders
