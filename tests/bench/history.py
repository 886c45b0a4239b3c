"""A log of a million commands: what it takes to fold it anew, to start a worker on it, and to add to it quickly."""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator

from confluent_kafka import Message, Producer, TopicPartition

from jobplane.schemas.records.commands import COMMAND_ID
from jobplane.schemas.records.events import CommandRepeated, Event, JobDropped, Outcome
from jobplane.schemas.records.reports import Report, ReportKind
from jobplane.schemas.wire.codec import decode, encode
from tests.bench.bench import Bench, progress
from tests.bench.cost import cpu_seconds, peak_mib
from tests.bench.past import Headers, Past
from tests.bench.report import Row, median, percentile
from tests.support.system import System, until

COMMANDS = 1_000_000
EVENT_US, WORKER_S, WORKER_MIB = 25.0, 10.0, 400.0
A_SECOND, SECONDS, OUTCOME_MS = 300, 20, 250.0
MIX = (
    "CREATE JOB {job} AS INSERT INTO {sink} SELECT * FROM {source}",
    "ALTER JOB {job} SUSPEND",
    "ALTER JOB {job} SUSPEND",
    "ALTER JOB {job} RESUME",
    "repeat",
    "DROP JOB {job}",
    "DROP JOB IF EXISTS {job}",
    "this is no statement",
)
"""Accepted, refused, repeated and unchanged; `repeat` is the first one again, with its id."""


def history(bench: Bench) -> Iterator[Row]:
    with bench.plane() as plane:
        began = time.monotonic()
        past = Past(plane)
        past.live(COMMANDS)
        progress(f"{past.commands:,} commands in {time.monotonic() - began:.0f} s")
        yield from _replay(plane)
        yield from _start(bench, plane)
        yield from _burst(plane)
        yield from _replay(plane)


def _replay(plane: System) -> Iterator[Row]:
    """`jobplane replay`, as anyone runs it."""
    command = [sys.executable, "-m", "jobplane", "replay", "-o", "json"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ran = subprocess.run(
        [*command, "--bootstrap", plane.bootstrap, "--prefix", plane.prefix], capture_output=True, text=True, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = json.loads(ran.stdout)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert told["differing"] == 0
    progress(f"replay: {told['events']:,} events in {told['seconds']:.1f} s, {told['rate']:,.0f}/s, {cpu:.1f} CPU-s")
    yield Row("history: replay, an event", told["seconds"] / told["events"] * 1e6, "us", EVENT_US)
    yield Row("history: replay, CPU of an event", cpu / told["events"] * 1e6, "us")


def _start(bench: Bench, plane: System) -> Iterator[Row]:
    wall, peak, cpu = [], [], []
    for _ in range(bench.repeat):
        began = time.monotonic()
        worker = plane.worker()
        wall.append(time.monotonic() - began)
        worker.get("/api/jobs")
        peak.append(peak_mib(worker.process.pid))
        cpu.append(cpu_seconds([worker.process.pid]))
        progress(f"worker ready after {wall[-1]:.1f} s, {cpu[-1]:.1f} CPU-s, {peak[-1]:.0f} MiB")
        worker.stop()
    yield median("history: worker ready", wall, "s", WORKER_S)
    yield median("history: worker ready, its CPU", cpu, "CPU-s")
    yield Row("history: peak memory of the worker", max(peak), "MiB", WORKER_MIB, tuple(peak))


def _burst(plane: System) -> Iterator[Row]:
    """So many commands a second, one after the other; their outcomes as a reader of the events sees them."""
    names = {role: f'"{plane.topic(role, 1)}"' for role in ("source", "sink")}
    judge = subprocess.Popen([sys.executable, "-m", "tests.bench.judge", plane.bootstrap, plane.prefix])
    try:
        took = list(_Burst(plane, names).outcomes())
    finally:
        judge.kill()
        judge.wait()
    yield median(f"history: outcome at {A_SECOND} commands/s", took, "ms", OUTCOME_MS)
    yield percentile(f"history: outcome at {A_SECOND} commands/s", took, 95, "ms")


class _Burst:
    """Appends by the clock, whatever has come back; what a dropped job's task would report, it reports."""

    def __init__(self, plane: System, names: dict[str, str]) -> None:
        self._plane, self._names = plane, names
        self._producer = Producer({"bootstrap.servers": plane.bootstrap, "linger.ms": 0})
        self._sent: dict[str, float] = {}

    def outcomes(self) -> Iterator[float]:
        """Milliseconds from the append of each command to its outcome."""
        topic, end = f"{self._plane.prefix}events", self._plane.ends(f"{self._plane.prefix}events")[0]
        with self._plane.consumer(topic, [0]) as consumer:
            consumer.assign([TopicPartition(topic, 0, end)])
            self._append("warm-up", "DROP JOB nobody")
            until(lambda: any(self._came(consumer.consume(500, 0.1))), 60, "the decider judges")
            began, count, left = time.monotonic(), 0, A_SECOND * SECONDS
            while left:
                while count < A_SECOND * SECONDS and time.monotonic() >= began + count / A_SECOND:
                    self._append(*self._command(count))
                    count += 1
                for took in self._came(consumer.consume(500, 0.002)):
                    left -= 1
                    yield took
            took = time.monotonic() - began
            progress(f"{count:,} commands in {took:.1f} s, {count / took:.0f} a second")

    def _command(self, count: int) -> tuple[str, str]:
        life, at = divmod(count, len(MIX))
        first = f"burst-{life}-0"
        text = MIX[0] if MIX[at] == "repeat" else MIX[at]
        return first if MIX[at] == "repeat" else f"burst-{life}-{at}", text.format(job=f"b{life}", **self._names)

    def _append(self, command_id: str, text: str) -> None:
        self._sent[f"{command_id}:{'again' if command_id in self._sent else ''}"] = time.monotonic()
        self._sent.setdefault(command_id, time.monotonic())
        headers: Headers = [(COMMAND_ID, command_id.encode())]
        self._producer.produce(f"{self._plane.prefix}commands", text.encode(), partition=0, headers=headers)
        self._producer.poll(0)

    def _came(self, messages: list[Message]) -> Iterator[float]:
        now = time.monotonic()
        for message in messages:
            event = decode(message.value() or b"", Event)
            if isinstance(event.body, JobDropped):
                report = Report(event.body.uid, 0, 2, 0, ReportKind.STOPPED, "bench")
                self._producer.produce(f"{self._plane.prefix}reports", encode(report), f"{event.body.uid}/0", 0)
            if isinstance(event.body, Outcome):
                again = "again" if isinstance(event.body, CommandRepeated) else ""
                yield (now - self._sent[f"{event.cause.command_id}:{again}"]) * 1000
