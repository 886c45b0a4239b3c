"""The task hosts of a worker: child processes that run tasks, watched, and started again when they die.

A task whose host died starts again, with growing pauses (`deaths`); its job is suspended (HOST_DIED) only where the
task died alone, three times in a row without progress. A task that makes no step for 10 s takes its host with it, and
is the one to blame; one that waits for Kafka has 60 s, and is not. A fenced task starts again only after the broker,
asked afterwards, says that this worker still holds its partition.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from jobplane.controlplane.core.host_policy import GIVE_UP, MOST_ALONE, PROVEN_S, Deaths
from jobplane.controlplane.settings import Settings
from jobplane.processors.host import CRASHED, WORN, Opening, Order, task_text
from jobplane.processors.kafka.cluster import Kafka
from jobplane.processors.task.context import IN_KAFKA, End
from jobplane.processors.task.reports import Reporter
from jobplane.schemas.failures import HostDied
from jobplane.schemas.records.failure import Failure
from jobplane.schemas.records.progress import Progress
from jobplane.schemas.records.reports import ReportKind
from jobplane.schemas.records.tasks import Task

LOG = logging.getLogger("jobplane.supervisor")
STUCK_S, STUCK_IN_KAFKA_S = 10.0, 60.0
STOP_S = 8.0
SPEECHLESS_S = 1.0
"""A host that ends without a word would end so again: the next one is not started at once."""


@dataclass(slots=True)
class _Host:
    process: subprocess.Popen[bytes]
    alone: bool
    blameless: bool = False
    stuck: frozenset[str] = frozenset()
    """The tasks for which it was killed; where there are any, no other is to blame."""
    started: float = field(default_factory=time.monotonic)
    tasks: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    status: dict[str, dict[str, Any]] = field(default_factory=dict)
    heard: float = field(default_factory=time.monotonic)
    spoke: bool = False


@dataclass(frozen=True, slots=True)
class _Ended:
    """How the last runner of a task ended; it starts again only for something new."""

    generation: int
    why: str
    copied: frozenset[int]
    at: float

    def done_with(self, task: Task) -> bool:
        served = all(request.version in self.copied for request in task.snapshots)
        final = self.why in (End.STOPPED, End.COMPLETED, End.FAILED)
        return final and task.generation <= self.generation and served


def _is_stuck(status: Mapping[str, Any]) -> bool:
    return bool(status["age"] > (STUCK_IN_KAFKA_S if status["step"] in IN_KAFKA else STUCK_S))


class Supervisor:
    """Thread-safe. `want` says what must run; the hosts follow."""

    def __init__(self, settings: Settings, kafka: Kafka, worker: str) -> None:
        self._settings, self._worker = settings, worker
        self._reporter = Reporter(kafka, settings.prefix, worker)
        self._lock = threading.RLock()
        self._hosts: list[_Host] = []
        self._wanted: dict[str, Task] = {}
        self._ended: dict[str, _Ended] = {}
        self._deaths: dict[str, Deaths] = {}
        self._not_before: dict[str, float] = {}
        """When a task may start again whose host died."""
        self.faults = 0
        """Runs of tasks that an error ended which nobody foresaw."""
        self._closing = False

    def start(self) -> None:
        """Starts the shared hosts ahead of any task. The thread that calls it must outlive them."""
        with self._lock:
            self._complete()

    def want(self, key: str, task: Task | None) -> None:
        with self._lock:
            if task is None:
                self._let_go(key)
                return
            self._wanted[key] = task
            self._reporter.heard(task)
            host = self._host_of(key)
            for one in self._hosts:
                if one is host or key in one.ended:
                    self._tell(one, Order("update", task=task_text(task)))
            if host is None:
                self._consider(key)

    def touched(self, asked: float, held: frozenset[int]) -> None:
        """The broker's word that this worker is in its group and holds these `tasks` partitions, asked at `asked`."""
        with self._lock:
            for host in self._hosts:
                self._tell(host, Order("touch"))
            for key, task in self._wanted.items():
                ended = self._ended.get(key)
                if ended and ended.why in (End.FENCED, End.RELEASED) and ended.at < asked and task.partition in held:
                    del self._ended[key]
                    self._consider(key)

    def watch(self) -> None:
        """Kills hosts that are stuck, starts tasks whose pause is over, repeats reports; called every second."""
        now = time.monotonic()
        with self._lock:
            for key in [key for key, due in self._not_before.items() if due <= now]:
                del self._not_before[key]
                if key in self._wanted and self._host_of(key) is None:
                    self._consider(key)
            self._complete()
            for host in self._hosts:
                if host.alone and now - host.started > PROVEN_S:
                    self._clear(host)
            for host in self._hosts:
                stuck = {key: one["step"] for key, one in host.status.items() if key in host.tasks and _is_stuck(one)}
                if stuck or now - host.heard > STUCK_S:
                    LOG.error("host %s makes no step (%s): killed", host.process.pid, stuck or "silent")
                    host.blameless = bool(stuck) and IN_KAFKA.issuperset(stuck.values())
                    host.stuck = frozenset(key for key, step in stuck.items() if step not in IN_KAFKA)
                    host.process.kill()
                    host.heard = now
        self._reporter.repeat()

    def view(self) -> list[dict[str, Any]]:
        """Hosts and their tasks, for the web server."""
        with self._lock:
            return [
                {
                    "pid": host.process.pid,
                    "alone": host.alone,
                    "tasks": [
                        {"task": key, "job": self._wanted[key].job, **host.status.get(key, {})}
                        for key in sorted(host.tasks)
                        if key in self._wanted
                    ],
                }
                for host in self._hosts
            ]

    def options(self, key: str) -> Mapping[str, str]:
        """The options of a task's job."""
        task = self._wanted.get(key)
        return task.options if task else {}

    def close(self) -> None:
        """Hosts commit what they have and end; what has not ended after 8 s is killed."""
        with self._lock:
            self._closing = True
            hosts = list(self._hosts)
            for host in hosts:
                if host.process.stdin:
                    host.process.stdin.close()
        deadline = time.monotonic() + STOP_S
        for host in hosts:
            try:
                host.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                host.process.kill()
                host.process.wait()
        self._reporter.close()

    def _consider(self, key: str) -> None:
        """Start a runner for the task, unless there is nothing for it to do or it must wait for the broker's word."""
        task, ended = self._wanted[key], self._ended.get(key)
        if self._closing or not task.wanted or key in self._not_before:
            return
        if ended is not None and (ended.done_with(task) or ended.why in (End.FENCED, End.RELEASED)):
            return
        host = self._choose(key)
        if host is None:
            self._not_before[key] = time.monotonic() + SPEECHLESS_S
            return
        host.tasks.add(key)
        host.ended.discard(key)
        host.status.pop(key, None)
        self._ended.pop(key, None)
        self._tell(host, Order("run", task=task_text(task), deaths=self._deaths.get(key, Deaths()).total))

    def _choose(self, key: str) -> _Host | None:
        """The host that is to run the task; None where the machine gives none now."""
        if self._deaths.get(key, Deaths()).suspected and sum(host.alone for host in self._hosts) < MOST_ALONE:
            return self._spawn(alone=True)
        shared = [host for host in self._hosts if not host.alone and host.process.poll() is None]
        job = self._wanted[key].uid
        return min(
            shared or [made for made in (self._spawn(alone=False),) if made],
            default=None,
            key=lambda host: (
                sum(self._wanted[k].uid == job for k in host.tasks if k in self._wanted),
                len(host.tasks),
            ),
        )

    def _clear(self, host: _Host) -> None:
        """A task that has lived alone for long enough goes back among the others, once it has committed."""
        for key in host.tasks:
            self._deaths[key] = self._deaths.get(key, Deaths()).cleared()
            self._tell(host, Order("release", key=key))

    def _host_of(self, key: str) -> _Host | None:
        return next((host for host in self._hosts if key in host.tasks), None)

    def _let_go(self, key: str) -> None:
        self._wanted.pop(key, None)
        self._ended.pop(key, None)
        self._deaths.pop(key, None)
        self._not_before.pop(key, None)
        self._reporter.forget(key)
        for host in self._hosts:
            if key in host.tasks:
                self._tell(host, Order("release", key=key))
            self._tell(host, Order("forget", key=key))

    def _complete(self) -> None:
        """Starts the shared hosts that are missing: at the start, and where the machine had no process to give."""
        missing = (self._settings.hosts or os.cpu_count() or 1) - sum(not host.alone for host in self._hosts)
        if not self._closing:
            for _ in range(missing):
                self._spawn(alone=False)

    def _spawn(self, *, alone: bool) -> _Host | None:
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", self._settings.host_module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            LOG.warning("no task host can be started, it is tried again: %s", error)
            return None
        host = _Host(process, alone)
        self._hosts.append(host)
        settings = self._settings
        opening = Opening(
            *(settings.bootstrap, settings.kafka, settings.prefix, self._worker, settings.session_timeout),
            settings.registry,
        )
        self._send(host, msgspec.json.encode(opening))
        threading.Thread(target=self._listen, args=(host,), name=f"host-{process.pid}", daemon=True).start()
        return host

    def _tell(self, host: _Host, order: Order) -> None:
        self._send(host, msgspec.json.encode(order))

    def _send(self, host: _Host, line: bytes) -> None:
        if host.process.stdin is None or host.process.stdin.closed:
            return
        try:
            host.process.stdin.write(line + b"\n")
            host.process.stdin.flush()
        except BrokenPipeError:
            LOG.info("host %s is gone", host.process.pid)  # its listener does what follows

    def _listen(self, host: _Host) -> None:
        """Reads a host's lines until it ends."""
        for line in host.process.stdout or ():
            said = msgspec.json.decode(line)
            with self._lock:
                host.heard, host.spoke = time.monotonic(), True
                if "status" in said:
                    host.status |= said["status"]
                else:
                    self._runner_ended(host, said)
        host.process.wait()
        if not host.spoke:
            time.sleep(SPEECHLESS_S)
        with self._lock:
            self._host_ended(host)

    def _runner_ended(self, host: _Host, said: dict[str, Any]) -> None:
        key = said["ended"]
        host.tasks.discard(key)
        host.ended.add(key)
        status = host.status.pop(key, {})
        self.faults += said["faults"]
        if key not in self._wanted:
            return
        now = time.monotonic()
        self._ended[key] = _Ended(said["generation"], said["why"], frozenset(said["copied"]), now)
        if said["why"] == CRASHED:
            LOG.error("the runner of task %s crashed; its host's standard error says why", key)
            self._died(key, host, status, "its runner crashed")
        else:
            self._consider(key)
        if host.alone and not host.tasks and host.process.stdin:
            host.process.stdin.close()

    def _host_ended(self, host: _Host) -> None:
        self._hosts.remove(host)
        if self._closing:
            return
        host.blameless |= host.process.returncode == WORN
        if host.blameless:
            LOG.warning("task host %s is replaced: calls of its Kafka clients did not come back", host.process.pid)
        elif host.tasks or not host.alone:
            LOG.error("task host %s ended with %s", host.process.pid, host.process.returncode)
        self._complete()
        for key in host.ended & self._wanted.keys():
            if self._host_of(key) is None:  # what it reported may not have been heard
                self._ended.pop(key, None)
                self._consider(key)
        for key in host.tasks & self._wanted.keys():
            if host.blameless or (host.stuck and key not in host.stuck):
                self._consider(key)
            else:
                self._died(key, host, host.status.get(key, {}), _how(host))

    def _died(self, key: str, host: _Host, status: Mapping[str, Any], how: str) -> None:
        task, progress = self._wanted[key], status.get("records_committed", 0) > 0
        deaths = self._deaths[key] = self._deaths.get(key, Deaths()).another(alone=host.alone, progress=progress)
        if deaths.given_up:
            self._give_up(task, how)
            return
        if deaths.pause_s:
            self._not_before[key] = time.monotonic() + deaths.pause_s
            trouble = (
                f"its host has died {deaths.total} times, the last time {how}; it starts again in {deaths.pause_s:g} s"
            )
            progress_now = Progress(round(time.time() * 1000), (), 0.0, 0.0, 0, 0, trouble=trouble)
            self._reporter.progress(task, task.attempt, progress_now)
        self._consider(key)

    def _give_up(self, task: Task, how: str) -> None:
        message = (
            f"the process that ran task {task.key}, and nothing else, died {GIVE_UP} times in a row "
            f"without a record committed between, the last time {how}"
        )
        self._ended[task.key] = _Ended(task.generation, End.FAILED, frozenset(), time.monotonic())
        self._deaths.pop(task.key, None)
        self._reporter.phase(task, task.attempt, ReportKind.FAILED, failure=Failure(HostDied.code, message))


def _how(host: _Host) -> str:
    """How a host ended, for people."""
    code = host.process.returncode
    if host.stuck:
        return "killed because it made no step"
    return f"by signal {-code} ({signal.strsignal(-code)})" if code < 0 else f"with exit code {code}"
