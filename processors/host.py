"""A task host: one process, with a thread for each task. It obeys the lines on its standard input until that closes.

Its standard output tells the worker of the tasks: their status every half second, and each runner that ends.
"""

import gc
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO, assert_never

from jobplane.processors import user_functions
from jobplane.processors.kafka.cluster import Doubt, Kafka
from jobplane.processors.kafka.control_topics import ControlTopics
from jobplane.processors.protocol.messages import (
    MUST_RESTART,
    ForgetTask,
    FromHost,
    HostStatus,
    InTouch,
    Opening,
    ReleaseTask,
    RunnerEnded,
    RunTask,
    TaskStatus,
    ToHost,
    UpdateTask,
    decode_opening,
    decode_to_host,
    encode_line,
)
from jobplane.processors.protocol.steps import Step, TaskEnd
from jobplane.processors.registry.client import registry_of
from jobplane.processors.task.context import TaskServices
from jobplane.processors.task.records import ControlRecords
from jobplane.processors.task.reports import Reporter
from jobplane.processors.task.runner import Runner
from jobplane.schemas.records.progress import Progress

STATUS_S, LONG_STEP_S = 0.5, 2.0
"""How often the worker hears of the tasks, and from what age on of a step without other changes."""
SILENT_S = 2.0
"""The worker hears of a host this often though nothing has changed: it shows that the host lives."""
PROGRESS_S = 5.0
STOP_S = 5.0
StepHook = Callable[[str, Step], None]
"""Called with the job's name at each step of each task; a test may end the process there."""


@dataclass(slots=True)
class TaskRun:
    """A runner with its thread. `step` is the step it is in, since `since` of the monotonic clock."""

    runner: Runner
    thread: threading.Thread
    step: Step = Step.FENCE
    since: float = field(default_factory=time.monotonic)
    progress: Progress | None = None
    reported: TaskStatus | None = None

    def enter(self, step: Step | None) -> None:
        self.step, self.since = step or self.step, time.monotonic()

    def news(self, now: float) -> TaskStatus | None:
        """The status, unless the worker knows it. News are other counters, and a step that lasts or has just ended."""
        counters, age, before = self.runner.context.counters.as_dict(), now - self.since, self.reported
        quiet = age < LONG_STEP_S and before is not None and before.age < LONG_STEP_S
        if quiet and before is not None and counters == before.counters:
            return None
        self.reported = TaskStatus(self.step, age, counters)
        return self.reported


class Host:
    """The runners of this process, by task key."""

    def __init__(self, opening: Opening, out: BinaryIO, hook: StepHook) -> None:
        kafka = Kafka(opening.bootstrap, opening.properties)
        topics = ControlTopics(kafka, opening.prefix)
        self._reporter = Reporter(topics, opening.worker)
        self._services = TaskServices(
            kafka,
            topics,
            ControlRecords(topics),
            self._reporter,
            self._require_in_touch,
            registry_of(opening.registry),
        )
        self._hook, self._out = hook, out
        self._in_touch_s, self._in_touch_at = opening.in_touch_s, time.monotonic()
        self._runs: dict[str, TaskRun] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()

    def obey(self, message: ToHost) -> None:
        match message:
            case InTouch():
                self._in_touch_at = time.monotonic()
            case RunTask():
                self._start(message)
            case UpdateTask(goal):
                self._reporter.forget_known(goal)
                if run := self._runs.get(goal.key):
                    run.runner.context.latest_goal = goal
            case ReleaseTask(key):
                if run := self._runs.get(key):
                    run.runner.context.release.set()
            case ForgetTask(key):
                self._reporter.forget(key)
            case never:
                assert_never(never)

    def _start(self, order: RunTask) -> None:
        key = order.goal.key

        def enter(step: Step | None) -> None:
            run.enter(step)
            if step is not None:
                self._hook(order.job, step)

        def tell_status() -> None:
            if status := run.news(time.monotonic()):
                self._tell(HostStatus({key: status}))

        runner = Runner(self._services, order, enter, tell_status)
        run = TaskRun(runner, threading.Thread(target=self._run, args=(order, runner), name=key, daemon=True))
        self._runs[key] = run
        run.thread.start()

    def _run(self, order: RunTask, runner: Runner) -> None:
        key, end, context = order.goal.key, TaskEnd.CRASHED, runner.context
        try:
            end = runner.run()
        finally:
            del self._runs[key]
            copied = frozenset(context.copied)
            self._tell(RunnerEnded(key, order.goal.generation, end, copied, context.faults))

    def _require_in_touch(self) -> None:
        if time.monotonic() - self._in_touch_at > self._in_touch_s:
            raise Doubt("the worker of this host is out of touch with its group")

    def _tell(self, message: FromHost) -> None:
        with self._lock:
            self._out.write(encode_line(message))
            self._out.flush()

    def tick(self) -> None:
        """Sends status lines and repeats reports until the host closes, or must be replaced and ends."""
        told, due = 0.0, time.monotonic() + PROGRESS_S
        while not self._closed.wait(STATUS_S):
            self._reporter.repeat()
            now = time.monotonic()
            if now >= due:
                due = now + PROGRESS_S
                self._report_progress()
            news = {key: one for key, run in list(self._runs.items()) if (one := run.news(now))}
            if news or now - told >= SILENT_S:
                told = now
                self._tell(HostStatus(news))
            if self._services.must_restart.is_set():
                self.close()
                os._exit(MUST_RESTART)

    def _report_progress(self) -> None:
        """Reports how far each running task is."""
        for run in list(self._runs.values()):
            context = run.runner.context
            if context.counters.partitions or context.counters.last_doubt:
                run.progress = context.counters.progress(time.time(), run.progress)
                self._reporter.progress(run.runner.goal, context.attempt, run.progress)

    def close(self) -> None:
        """Lets every task commit what it has and end, within 5 s."""
        runs = list(self._runs.values())
        for run in runs:
            run.runner.context.release.set()
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


def main(hook: StepHook = lambda job, step: None) -> None:
    lines, out = _own_pipes()
    host = Host(decode_opening(lines.readline()), out, hook)
    threading.Thread(target=host.tick, daemon=True).start()
    user_functions.load()  # while the host shows that it lives: what packages import may take its time
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)  # a batch of 5,000 records makes no cycles: it is no reason to look for them
    for line in lines:
        host.obey(decode_to_host(line))
    host.close()
    os._exit(0)  # runners still blocked in a call to Kafka must not keep the process


if __name__ == "__main__":
    main()
