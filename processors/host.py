"""A task host: one process, a thread a task. It obeys the lines on its standard input and ends when that closes.

Lines are JSON objects. In: the house first, then {"do": run | update | release | forget | touch}. Out: a status every
half second, and {"ended": key} for each runner that ends.
"""

import base64
import gc
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import msgspec

from jobplane.processors import user_functions
from jobplane.processors.kafka.cluster import Doubt, Kafka
from jobplane.processors.registry.client import registry_of
from jobplane.processors.task.context import End, House
from jobplane.processors.task.records import Control
from jobplane.processors.task.reports import Reporter
from jobplane.processors.task.runner import Runner
from jobplane.schemas.records.progress import Progress
from jobplane.schemas.records.tasks import Task
from jobplane.schemas.wire.codec import decode, encode

WORN = 75
"""Exit code of a host that wants to be replaced: EX_TEMPFAIL of sysexits.h."""
STATUS_S, NEWS_S = 0.5, 2.0
"""How often the worker hears of the tasks, and from what age on of a step."""
PROGRESS_S = 5.0
STOP_S = 5.0
CRASHED = "crashed"
"""How a runner ended that raised what it should not have."""
StepHook = Callable[[Task, int], None]
"""Called at each numbered step of each task; a test may end the process there."""


def task_text(task: Task) -> str:
    """A task record as it travels in a line."""
    return base64.b64encode(encode(task)).decode()


class Opening(msgspec.Struct):
    """The first line: where Kafka is and whose host this is. `touch_s`: how long a word from the worker holds."""

    bootstrap: str
    properties: dict[str, str]
    prefix: str
    worker: str
    touch_s: float
    registry: dict[str, str] = {}


class Order(msgspec.Struct):
    do: str
    task: str = ""
    key: str = ""
    deaths: int = 0


@dataclass(slots=True)
class _Run:
    runner: Runner
    thread: threading.Thread
    task: Task
    step: int = 0
    at: float = field(default_factory=time.monotonic)
    progress: Progress | None = None
    said: dict[str, Any] = field(default_factory=dict)

    def news(self, now: float) -> dict[str, Any]:
        """Its status, where the worker does not know it: new counters, or a step that lasts, or did when last said."""
        counters, age = self.runner.about.counters.as_dict(), now - self.at
        quiet = age < NEWS_S and self.said.get("age", NEWS_S) < NEWS_S
        if quiet and counters.items() <= self.said.items():
            return {}
        self.said = {"step": self.step, "age": age, **counters}
        return self.said


class Host:
    """The runners of this process, by task key."""

    def __init__(self, opening: Opening, out: BinaryIO, hook: StepHook) -> None:
        kafka = Kafka(opening.bootstrap, opening.properties)
        self._reporter = Reporter(kafka, opening.prefix, opening.worker)
        self._house = House(
            kafka,
            opening.prefix,
            Control(kafka, opening.prefix),
            self._reporter,
            self._in_touch,
            registry_of(opening.registry),
        )
        self._hook, self._out = hook, out
        self._touch_s, self._touched = opening.touch_s, time.monotonic()
        self._runs: dict[str, _Run] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()

    def obey(self, order: Order) -> None:
        match order.do:
            case "touch":
                self._touched = time.monotonic()
            case "run":
                self._start(decode(base64.b64decode(order.task), Task), order.deaths)
            case "update":
                task = decode(base64.b64decode(order.task), Task)
                self._reporter.heard(task)
                if run := self._runs.get(task.key):
                    run.runner.about.told = task
            case "release":
                if run := self._runs.get(order.key):
                    run.runner.about.release.set()
            case "forget":
                self._reporter.forget(order.key)

    def _start(self, task: Task, deaths: int) -> None:
        def step(number: int) -> None:
            run.step, run.at = number or run.step, time.monotonic()
            self._hook(task, number)

        runner = Runner(self._house, task, step)
        runner.about.counters.host_deaths = deaths
        runner.about.counters.moved = lambda: self._say({"status": {task.key: run.news(time.monotonic())}})
        run = _Run(runner, threading.Thread(target=self._run, args=(task, runner), name=task.key, daemon=True), task)
        self._runs[task.key] = run
        run.thread.start()

    def _run(self, task: Task, runner: Runner) -> None:
        why: End | str = CRASHED
        try:
            why = runner.run()
        finally:
            del self._runs[task.key]
            about = runner.about
            copied = sorted(about.copied)
            self._say(
                {"ended": task.key, "generation": task.generation, "why": why, "copied": copied, "faults": about.faults}
            )

    def _in_touch(self) -> None:
        if time.monotonic() - self._touched > self._touch_s:
            raise Doubt("the worker of this host is out of touch with its group")

    def _say(self, line: dict[str, Any]) -> None:
        with self._lock:
            self._out.write(msgspec.json.encode(line) + b"\n")
            self._out.flush()

    def tick(self) -> None:
        """Status lines and repeated reports until the host closes, or is worn and ends."""
        due = time.monotonic() + PROGRESS_S
        while not self._closed.wait(STATUS_S):
            self._reporter.repeat()
            now = time.monotonic()
            if now >= due:
                due = now + PROGRESS_S
                self._progress()
            self._say({"status": {key: status for key, run in list(self._runs.items()) if (status := run.news(now))}})
            if self._house.worn.is_set():
                self.close()
                os._exit(WORN)

    def _progress(self) -> None:
        """Say how far each running task is."""
        for run in list(self._runs.values()):
            about = run.runner.about
            if about.counters.partitions or about.counters.last_doubt:
                run.progress = about.counters.progress(time.time(), run.progress)
                self._reporter.progress(run.task, about.attempt, run.progress)

    def close(self) -> None:
        """Let every task commit what it has and end, within 5 s."""
        runs = list(self._runs.values())
        for run in runs:
            run.runner.about.release.set()
        deadline = time.monotonic() + STOP_S
        for run in runs:
            run.thread.join(max(0.0, deadline - time.monotonic()))
        self._closed.set()
        self._reporter.close()


def _own_pipes() -> tuple[BinaryIO, BinaryIO]:
    """The worker's pipes, for the host alone: functions of users read nothing, and print to standard error."""
    lines, out = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return lines, out


def main(hook: StepHook = lambda task, step: None) -> None:
    lines, out = _own_pipes()
    host = Host(msgspec.json.decode(lines.readline(), type=Opening), out, hook)
    threading.Thread(target=host.tick, daemon=True).start()
    user_functions.load()  # while the host shows that it lives: what packages import may take its time
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)  # 5,000 records a batch are no reason to look for cycles: none are made of them
    read = msgspec.json.Decoder(Order).decode
    for line in lines:
        host.obey(read(line))
    host.close()
    os._exit(0)  # runners still blocked in a call to Kafka must not keep the process


if __name__ == "__main__":
    main()
