"""A task host: one process, with a thread for each task that has input. It obeys the lines on its standard input until
that closes.

A task is started among others, without clients of its own; it gets a thread and clients when there is something to
read, and gives them back when nothing has come for some seconds. The host's standard output tells the worker of the
tasks: their status every half second, and each runner that ends.
"""

import gc
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import BinaryIO, assert_never

from jobplane.processors import user_functions
from jobplane.processors.dormancy.quiet_starts import QuietStarts
from jobplane.processors.dormancy.sleepers import Sleepers
from jobplane.processors.fetch.shared_fetch import CONSUMER_SETTINGS, GROUP, SharedFetch
from jobplane.processors.kafka.cluster import Doubt, Kafka
from jobplane.processors.kafka.control_topics import ControlTopics
from jobplane.processors.kafka.wire.wire import Wire
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
from jobplane.processors.task.context import Rest, TaskServices
from jobplane.processors.task.groups.budget import MIB, StateBudget
from jobplane.processors.task.records import ControlRecords
from jobplane.processors.task.reports import Reporter
from jobplane.processors.task.runner import Runner
from jobplane.schemas.records.progress import Progress

STATUS_S, LONG_STEP_S = 0.5, 2.0
"""How often the worker hears of the tasks, and from what age on of a step without other changes."""
SILENT_S = 2.0
"""The worker hears of a host this often though nothing has changed: it shows that the host lives."""
PROGRESS_S, DORMANT_S = 5.0, 600.0
"""How often the progress of a task is reported, and that of one that rests and has read something."""
STOP_S = 5.0
StepHook = Callable[[str, Step], None]
"""Called with the job's name at each step of each task; a test may end the process there."""


@dataclass(slots=True)
class TaskRun:
    """A runner; `thread` is None while it needs none. `step` is the step it is in, `since` when."""

    runner: Runner
    thread: threading.Thread | None = None
    step: Step = Step.FENCE
    since: float = field(default_factory=time.monotonic)
    progress: Progress | None = None
    progress_at: float = 0.0
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

    def __init__(self, opening: Opening, out: BinaryIO, hook: StepHook, *, shares: bool = True) -> None:
        """`shares`: tasks at the same place of a partition share its fetch."""
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
            Wire(kafka),
            opening.dormant_after_s,
            StateBudget(opening.state_budget * MIB),
            SharedFetch(lambda: kafka.consumer(f"{opening.prefix}{GROUP}", **CONSUMER_SETTINGS)) if shares else None,
        )
        self._hook, self._out = hook, out
        self._in_touch_s, self._in_touch_at = opening.in_touch_s, time.monotonic()
        self._runs: dict[str, TaskRun] = {}
        self._fell_asleep: dict[str, TaskStatus] = {}
        """What the worker does not know yet of tasks that rest."""
        self._quiet_starts = QuietStarts(self._services, self)
        self._sleepers = Sleepers(self._services, self, self._quiet_starts.add)
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
                    self._sleepers.consider(goal.key)
            case ReleaseTask(key):
                if run := self._runs.get(key):
                    run.runner.context.release.set()
                    self._sleepers.consider(key)
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
        run = self._runs[key] = TaskRun(runner)
        self._quiet_starts.add(runner)

    def run(self, runner: Runner) -> None:
        """Runs a task in a thread, with clients of its own, until it rests or ends."""
        key = runner.goal.key
        run = self._runs[key]
        run.enter(None)
        run.reported = None
        self._fell_asleep.pop(key, None)  # else it would be told after what the task tells now
        if runner.context.rest is not None:
            self._tell_progress(run)
        run.thread = threading.Thread(target=self._run, args=(runner,), name=key, daemon=True)
        run.thread.start()

    def _run(self, runner: Runner) -> None:
        end, rest = TaskEnd.CRASHED, None
        try:
            end = runner.run()
            if end is TaskEnd.DORMANT:
                rest = runner.context.rest
        finally:
            if rest is None:
                self.end(runner, end)
            else:
                self.sleep(runner, rest)

    def sleep(self, runner: Runner, rest: Rest) -> None:
        """Lets a task rest, without a thread."""
        key = runner.goal.key
        run = self._runs[key]
        run.thread = None
        runner.context.rest = rest
        counters = runner.context.counters
        has_news = bool(run.progress or counters.records_in or counters.host_deaths or counters.last_doubt)
        shown = counters.as_dict() if has_news else {}
        told = run.progress
        if has_news and not rest.stepped_at:
            self._tell_progress(run, dormant=True)
        elif rest.stepped_at and (told is None or told.dormant or time.monotonic() - run.progress_at > PROGRESS_S):
            self._tell_progress(run)
        self._fell_asleep[key] = TaskStatus(run.step, 0.0, shown, dormant=True)
        self._sleepers.add(runner, rest)

    def wake(self, keys: Iterable[str]) -> None:
        self._sleepers.wake(keys)

    def end(self, runner: Runner, end: TaskEnd) -> None:
        """Forgets a task, and tells the worker how it has ended."""
        key, context = runner.goal.key, runner.context
        del self._runs[key]
        self._services.state_budget.forget(key)
        self._fell_asleep.pop(key, None)
        copied = frozenset(context.copied)
        self._tell(RunnerEnded(key, runner.goal.generation, end, copied, context.faults))

    def _require_in_touch(self) -> None:
        if time.monotonic() - self._in_touch_at > self._in_touch_s:
            raise Doubt("the worker of this host is out of touch with its group")

    def _tell(self, message: FromHost) -> None:
        with self._lock:
            self._out.write(encode_line(message))
            self._out.flush()

    def tick(self) -> None:
        """Sends status lines and repeats reports until the host closes, or must be replaced and ends."""
        told, due, resting_due = 0.0, time.monotonic() + PROGRESS_S, 0.0
        while not self._closed.wait(STATUS_S):
            self._reporter.repeat()
            now = time.monotonic()
            if now >= due:
                due = now + PROGRESS_S
                self._report_progress()
            if len(self._sleepers) and now >= resting_due:
                resting_due = now + PROGRESS_S
                self._reporter.resting()
            asleep, self._fell_asleep = self._fell_asleep, {}
            news = asleep | {key: one for key, run in self._awake() if (one := run.news(now))}
            if news or now - told >= SILENT_S:
                told = now
                self._tell(HostStatus(news))
            if self._services.must_restart.is_set():
                self.close()
                os._exit(MUST_RESTART)

    def _awake(self) -> list[tuple[str, TaskRun]]:
        return [(key, run) for key, run in list(self._runs.items()) if run.thread is not None]

    def _report_progress(self) -> None:
        """Reports how far each task is, now and then also of those that rest."""
        for _, run in self._awake():
            counters = run.runner.context.counters
            if counters.partitions or counters.last_doubt:
                self._tell_progress(run)
        now = time.monotonic()
        for run in list(self._runs.values()):
            told = run.progress
            if run.thread is None and told and now - run.progress_at > (DORMANT_S if told.dormant else PROGRESS_S):
                self._tell_progress(run, dormant=True)

    def _tell_progress(self, run: TaskRun, *, dormant: bool = False) -> None:
        context, run.progress_at = run.runner.context, time.monotonic()
        progress = context.counters.progress(time.time(), run.progress)
        run.progress = replace(progress, rate_in=0.0, rate_out=0.0, dormant=True) if dormant else progress
        self._reporter.progress(run.runner.goal, context.attempt, run.progress)

    def close(self) -> None:
        """Lets every task commit what it has and end, within 5 s."""
        for run in list(self._runs.values()):
            run.runner.context.release.set()
        self._sleepers.close()
        deadline = time.monotonic() + STOP_S
        for _, run in self._awake():
            if run.thread is not None:
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


def main(hook: StepHook = lambda job, step: None, *, shares: bool = True) -> None:
    lines, out = _own_pipes()
    host = Host(decode_opening(lines.readline()), out, hook, shares=shares)
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
