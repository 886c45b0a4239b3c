"""How old a record is when it can be read from the sink: from its append to the source, at a steady rate.

A job at the default interval (100 ms), then one at 10 ms, 5,000 records a second. The first seconds do not count: a
broker compiles itself in them, and answers in twice the time. Records wait for their commit: most of the age is that.
A plain loop beside it says what broker and machine take.

With groups each record changes a group of its own user, so that each gives a row, which has its time.
"""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

import msgspec
from confluent_kafka import Consumer, Producer

from jobplane.schemas.msgspec_types import json_decoder
from tests.bench.bench import Bench, progress
from tests.bench.peers import loop
from tests.bench.report import Row, percentile
from tests.support.system import System

PARTITIONS = 4
RATE, SECONDS, WARM_S = 5_000, 5, 25
TICK_S = 0.01
TARGETS = {100: 120.0, 10: 40.0}
"""Milliseconds within which 99 % of the records come out, by the milliseconds between commits."""
GROUPS_MS, USERS = 150.0, 50_000
"""The same of groups at the default interval. A user comes once in ten seconds."""


class _Sent(msgspec.Struct):
    at: int


_decoder = json_decoder(_Sent)
Job = Callable[[System, str, str, int], AbstractContextManager[None]]
"""Runs in its block: the plane, the source, the sink, the milliseconds between commits."""


def latency(bench: Bench) -> Iterator[Row]:
    for interval, target in TARGETS.items():
        yield from _measured(bench, "latency: source to sink", _job, interval, target)
        yield from _measured(bench, "latency: a plain loop", _loop, interval, None)


def groups_latency(bench: Bench) -> Iterator[Row]:
    yield from _measured(bench, "latency of groups: source to sink", _groups, 100, GROUPS_MS)
    yield from _measured(bench, "latency of groups: a plain loop that copies", _loop, 100, None)


def _measured(bench: Bench, title: str, job: Job, interval: int, most: float | None) -> Iterator[Row]:
    name = f"{title}, a commit every {interval} ms"
    with bench.plane() as plane, job(plane, plane.topic("in", PARTITIONS), plane.topic("out", PARTITIONS), interval):
        steady = _steady(bench, plane)
    progress(f"{name}: {len(steady):,} records")
    yield percentile(name, steady, 50, "ms")
    yield replace(percentile(name, steady, 99, "ms"), target=most)


@contextmanager
def _job(plane: System, source: str, sink: str, interval: int) -> Iterator[None]:
    plane.worker()
    options = f"OPTIONS (snapshotIntervalMillis '{interval}', copy 'rows')"
    plane.done(f'CREATE JOB flow {options} AS INSERT INTO "{sink}" SELECT * FROM "{source}"')
    yield


@contextmanager
def _groups(plane: System, source: str, sink: str, interval: int) -> Iterator[None]:
    plane.worker()
    options = f"OPTIONS (snapshotIntervalMillis '{interval}', parallelism '1')"
    plane.done(
        f"""CREATE JOB flow {options} AS INSERT INTO "{sink}"
            SELECT user, COUNT(*) AS records, MAX(at) AS at FROM "{source}" GROUP BY user"""
    )
    yield


@contextmanager
def _loop(plane: System, source: str, sink: str, interval: int) -> Iterator[None]:
    """The same by hand, with one transaction at a time instead of one a partition."""
    words = (plane.bootstrap, source, sink, f"{plane.prefix}loop", "copy", str(interval))
    with subprocess.Popen([sys.executable, "-m", loop.__name__, *words]) as process:
        try:
            yield
        finally:
            process.kill()


def _steady(bench: Bench, plane: System) -> list[float]:
    """The ages of the records that count."""
    seconds = WARM_S + SECONDS * bench.repeat
    feed = threading.Thread(target=_feed, args=(plane.bootstrap, plane.name("in"), seconds), daemon=True)
    with plane.consumer(plane.name("out"), range(PARTITIONS)) as consumer:
        feed.start()
        ages = _ages(consumer, RATE * seconds)
    feed.join()
    return ages[RATE * WARM_S :]


def _feed(bootstrap: str, topic: str, seconds: int) -> None:
    """Records that say when they were appended, on the clock of this process, and whose they are."""
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 1})
    pause, began = threading.Event(), time.monotonic()
    each = int(RATE * TICK_S)
    for tick in range(int(seconds / TICK_S)):
        pause.wait(max(0.0, began + tick * TICK_S - time.monotonic()))
        for i in range(tick * each, (tick + 1) * each):
            value = b'{"user":%d,"at":%d}' % (i % USERS, time.monotonic_ns())
            producer.produce(topic, value, partition=i % PARTITIONS)
        producer.poll(0)
    while producer.flush(1):
        pass


def _ages(consumer: Consumer, count: int) -> list[float]:
    """Milliseconds from append to read, of so many records, in the order of reading."""
    ages: list[float] = []
    heard = time.monotonic()
    while len(ages) < count:
        messages = consumer.consume(1_000, 0.005)
        now = time.monotonic()
        assert now - heard < 30, f"only {len(ages)} of {count} records came"
        heard = now if messages else heard
        ages += [now * 1000 - _decoder.decode(message.value() or b"").at / 1e6 for message in messages]
    return ages
