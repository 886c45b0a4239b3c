"""The task hosts of a worker: child processes that run tasks. This module performs what `host_policy` decides."""

import logging
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, Any, assert_never, cast

from jobplane.controlplane.core.host_policy import host_policy
from jobplane.controlplane.core.host_view import (
    Action,
    CloseHost,
    Closing,
    ConfirmInTouch,
    ForgetReports,
    HeldConfirmed,
    HostEnded,
    HostHeard,
    HostInput,
    HostNotStarted,
    HostUnreachable,
    HostView,
    KillHost,
    Log,
    Release,
    ReportHostDied,
    ReportTrouble,
    RunEnded,
    StartHost,
    StartTask,
    TaskNotWanted,
    TaskWanted,
    Tick,
    Update,
)
from jobplane.controlplane.settings import Settings
from jobplane.controlplane.worker.task_records import HeldTask
from jobplane.processors.kafka.cluster import Kafka
from jobplane.processors.kafka.control_topics import ControlTopics
from jobplane.processors.protocol.messages import (
    ForgetTask,
    HostStatus,
    InTouch,
    Opening,
    ReleaseTask,
    RunnerEnded,
    RunTask,
    ToHost,
    UpdateTask,
    decode_from_host,
    encode_line,
)
from jobplane.processors.task.reports import Reporter
from jobplane.schemas.failures import HostDied
from jobplane.schemas.records.failure import Failure
from jobplane.schemas.records.progress import Progress
from jobplane.schemas.records.reports import ReportKind

LOG = logging.getLogger("jobplane.supervisor")
STOP_S = 8.0
LOOK_S = 0.01
"""How often at most to look whether the processes of hosts have ended: a start of a worker brings many events."""
SPEECHLESS_S = 1.0
"""If a host ends before its first line, the next one would probably end too, so it starts after this pause."""


@dataclass(slots=True)
class HostProcess:
    """A child process. `spoke`: it has sent a line. `lines` wait to be written to it; None closes its input.

    A thread of its own writes them: a host that does not read never holds up the decisions about the others.
    """

    number: int
    process: subprocess.Popen[bytes]
    spoke: bool = False
    lines: queue.SimpleQueue[bytes | None] = field(default_factory=queue.SimpleQueue)


class Supervisor:
    """Starts and stops hosts for the tasks that `want` names. Thread-safe."""

    def __init__(self, settings: Settings, kafka: Kafka, worker: str) -> None:
        self._settings, self._worker = settings, worker
        self._reporter = Reporter(ControlTopics(kafka, settings.prefix), worker)
        self._lock = threading.RLock()
        self._view = HostView(settings.hosts or os.cpu_count() or 1)
        self._hosts: dict[int, HostProcess] = {}
        self._tasks: dict[str, HeldTask] = {}
        self._look_at = 0.0
        self.faults = 0
        """The number of task runs that ended with an internal error of jobplane."""

    def start(self) -> None:
        """Starts the shared hosts ahead of any task. The thread that calls it must outlive them."""
        self._decide(Tick())

    def want(self, key: str, held: HeldTask | None) -> None:
        """Sets the newest record of a task; None once the record is deleted or its partition is no longer held."""
        with self._lock:
            if held is None:
                self._tasks.pop(key, None)
                self._reporter.forget(key)
                self._decide(TaskNotWanted(key))
                return
            task = self._tasks[key] = held
            self._reporter.forget_known(task.goal)
            self._decide(_wanted(held))

    def confirm_held(self, asked_at: float, partitions: frozenset[int]) -> None:
        """Takes the broker's answer to a question at `asked_at`: the worker is in its group and has `partitions`."""
        self._decide(HeldConfirmed(asked_at, partitions))

    def watch(self) -> None:
        """Called every second: hosts that are stuck are killed, tasks start after their pause, reports repeat."""
        self._decide(Tick())
        self._reporter.repeat()

    def view(self) -> list[dict[str, Any]]:
        """Hosts and their tasks, for the web server."""
        with self._lock:
            return [
                {
                    "pid": self._hosts[number].process.pid,
                    "alone": host.alone,
                    "tasks": [self._shown(key, host.statuses) for key in sorted(host.tasks) if key in self._tasks],
                }
                for number, host in self._view.hosts.items()
                if number in self._hosts
            ]

    def _shown(self, key: str, statuses: Mapping[str, Any]) -> dict[str, Any]:
        status = statuses.get(key)
        step = "dormant" if status and status.dormant else status and status.step
        known = {"step": step, "age": status.age, **status.counters} if status else {}
        return {"task": key, "job": self._tasks[key].job, **known}

    def has_metrics(self, key: str) -> bool:
        """Whether the metrics of a task are published."""
        task = self._tasks.get(key)
        return task is None or task.metrics_enabled

    def close(self) -> None:
        """Lets the hosts commit and end; kills those that have not ended after 8 s."""
        with self._lock:
            hosts = list(self._hosts.values())
            self._decide(Closing())
        deadline = time.monotonic() + STOP_S
        for host in hosts:
            try:
                host.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                host.process.kill()
                host.process.wait()
        self._reporter.close()

    def _decide(self, event: HostInput) -> None:
        """Passes an event to the policy and performs its actions."""
        with self._lock:
            now = time.monotonic()
            if now >= self._look_at:
                self._look_at = now + LOOK_S
                for number, host in self._hosts.items():
                    if host.process.poll() is not None:
                        host_policy(self._view, HostUnreachable(number), now)
            for action in host_policy(self._view, event, now):
                self._do(action)

    def _do(self, action: Action) -> None:
        match action:
            case StartHost(host):
                self._start(host)
            case KillHost(host, why):
                process = self._hosts[host].process
                LOG.error("host %s makes no progress (%s) and is killed", process.pid, why)
                process.kill()
            case CloseHost(host):
                self._hosts[host].lines.put(None)
            case ConfirmInTouch(host):
                self._send(host, InTouch())
            case StartTask(host, key, deaths):
                task = self._tasks[key]
                order = RunTask(task.goal, task.job, task.partition, task.offset, deaths)
                self._send(host, order)
            case Update(host, key):
                self._send(host, UpdateTask(self._tasks[key].goal))
            case Release(host, key):
                self._send(host, ReleaseTask(key))
            case ForgetReports(host, key):
                self._send(host, ForgetTask(key))
            case ReportTrouble(key, trouble):
                task = self._tasks[key]
                progress = Progress(round(time.time() * 1000), (), 0.0, 0.0, 0, 0, trouble=trouble)
                self._reporter.progress(task.goal, task.goal.attempt, progress)
            case ReportHostDied(key, message):
                task, failure = self._tasks[key], Failure(HostDied.code, message)
                self._reporter.phase(task.goal, task.goal.attempt, ReportKind.FAILED, failure=failure)
            case Log(message, is_error):
                LOG.log(logging.ERROR if is_error else logging.WARNING, "%s", message)
            case never:
                assert_never(never)

    def _start(self, number: int) -> None:
        settings = self._settings
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", settings.host_module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            LOG.warning("a task host could not be started, and will be tried again: %s", error)
            self._decide(HostNotStarted(number))
            return
        host = self._hosts[number] = HostProcess(number, process)
        opening = Opening(
            *(settings.bootstrap, settings.kafka, settings.prefix, self._worker, settings.session_timeout),
            settings.registry,
            settings.dormant_after,
            settings.state_budget,
        )
        self._send(number, opening)
        for does, name in ((self._listen, "host"), (_speak, "to-host")):
            threading.Thread(target=does, args=(host,), name=f"{name}-{process.pid}", daemon=True).start()

    def _send(self, number: int, message: Opening | ToHost) -> None:
        if host := self._hosts.get(number):
            host.lines.put(encode_line(message))

    def _listen(self, host: HostProcess) -> None:
        """Reads a host's lines until it ends."""
        number = host.number
        for line in host.process.stdout or ():
            message = decode_from_host(line)
            host.spoke = True
            match message:
                case HostStatus(tasks):
                    self._decide(HostHeard(number, tasks))
                case RunnerEnded(key, generation, end, copied, faults):
                    with self._lock:
                        self.faults += faults
                        self._decide(RunEnded(number, key, generation, end, copied))
                case never:
                    assert_never(never)
        code = host.process.wait()
        host.lines.put(None)
        if not host.spoke:
            time.sleep(SPEECHLESS_S)
        with self._lock:
            del self._hosts[number]
            self._decide(HostEnded(number, host.process.pid, code))


def _speak(host: HostProcess) -> None:
    """Writes lines to a host until its input is to be closed, or it has ended."""
    try:
        with cast("IO[bytes]", host.process.stdin) as stdin:
            while (line := host.lines.get()) is not None:
                stdin.write(line)
                if host.lines.empty():
                    stdin.flush()
    except BrokenPipeError:
        LOG.info("host %s has ended", host.process.pid)  # the thread that reads from the host handles its end


def _wanted(held: HeldTask) -> TaskWanted:
    goal = held.goal
    snapshots = frozenset(request.version for request in goal.snapshots)
    return TaskWanted(goal.key, goal.uid, held.partition, goal.generation, held.has_work, snapshots)
