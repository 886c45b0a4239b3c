"""The dormant tasks of a host: each rests until there is something to read, to judge, or to answer the decider."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable

from jobplane.processors.dormancy.surroundings import observe
from jobplane.processors.dormancy.watcher import Watcher
from jobplane.processors.guard import log_fault
from jobplane.processors.kafka.cluster import Doubt
from jobplane.processors.protocol.steps import TaskEnd
from jobplane.processors.task.context import Rest, TaskServices
from jobplane.processors.task.endings import copy_for_snapshots, stop
from jobplane.processors.task.runner import Runner
from jobplane.schemas.failures import JobFailure

LOG = logging.getLogger("jobplane.dormancy")
CHECK_S, SHARE = 10.0, 100
"""How often the topics of dormant tasks are checked, and what part of a core that may take at most: the SHARE-th."""
HOST_GROUP = "dormant"


class Sleepers:
    """`run` is called with a task that goes on with clients of its own, `ended` with one that ends. Thread-safe."""

    def __init__(
        self, services: TaskServices, run: Callable[[Runner], None], ended: Callable[[Runner, TaskEnd], None]
    ) -> None:
        self._services, self._run, self._ended = services, run, ended
        self._watcher = Watcher(services.kafka, f"{services.topics.prefix}{HOST_GROUP}", self._wake)
        self._lock = threading.Lock()
        self._resting: dict[str, tuple[Runner, Rest]] = {}
        self._asked = queue.SimpleQueue[str]()
        self._keeper = threading.Thread(target=self._keep, name="dormant", daemon=True)

    def __len__(self) -> int:
        return len(self._resting)

    def add(self, runner: Runner, rest: Rest) -> None:
        """Lets a task rest, unless there is something to do for it meanwhile."""
        key = runner.goal.key
        with self._lock:
            self._resting[key] = runner, rest
            if not self._keeper.is_alive():
                self._keeper.start()
        self._watcher.watch(key, rest.positions)
        if key not in self._resting:
            self._watcher.forget(key, rest.positions)
        self.consider(key)

    def consider(self, key: str) -> None:
        """Looks at a dormant task again, whose goal has changed or that is to be released. Does not block."""
        held = self._resting.get(key)
        if held is None:
            return
        runner = held[0]
        context, latest = runner.context, runner.context.latest_goal
        if context.release.is_set():
            self._end(key, TaskEnd.RELEASED)
        elif latest.generation != runner.goal.generation:
            self._end(key, TaskEnd.GONE)
        elif not latest.run or context.snapshots_due(latest):
            self._asked.put(key)

    def _take(self, key: str) -> Runner | None:
        """The task, which does not rest any more; None if another thread has taken it."""
        with self._lock:
            held = self._resting.pop(key, None)
        if held is None:
            return None
        runner, rest = held
        self._watcher.forget(key, rest.positions)
        runner.known = rest.task
        return runner

    def _end(self, key: str, end: TaskEnd) -> None:
        if runner := self._take(key):
            self._ended(runner, end)

    def _wake(self, keys: Iterable[str]) -> None:
        for key in keys:
            if runner := self._take(key):
                self._run(runner)

    def _keep(self) -> None:
        """Answers what is asked of dormant tasks, and checks their topics now and then."""
        due = time.monotonic() + CHECK_S
        while True:
            try:
                key = self._asked.get(timeout=max(0.0, due - time.monotonic()))
            except queue.Empty:
                began = time.monotonic()
                self._check()
                now = time.monotonic()
                due = now + max(CHECK_S, SHARE * (now - began))
            else:
                self._answer(key)

    def _answer(self, key: str) -> None:
        """Copies for snapshots, and stops. A task for which that does not go through wakes, and finds out why."""
        held = self._resting.get(key)
        if held is None:
            return
        runner, rest = held
        context, goal = runner.context, runner.goal
        latest = context.latest_goal
        try:
            if latest.run:
                copy_for_snapshots(context, goal, rest.checkpoint, context.snapshots_due(latest))
            elif self._take(key):
                self._ended(runner, stop(context, goal, rest.checkpoint))
        except (Doubt, JobFailure) as reason:
            LOG.debug("dormant task %s wakes: %s", key, reason)
            self._take(key)
            self._run(runner)
        except Exception as error:  # noqa: BLE001  # the guard of dormant tasks, docs/decisions/0016
            self._take(key)
            self._ended(runner, runner.fail_with_fault(error))

    def _check(self) -> None:
        """Wakes the tasks whose topics are not as they were: their own sessions judge that."""
        resting = dict(self._resting)
        if not resting:
            return
        try:
            seen = observe(self._services.kafka, [rest for _, rest in resting.values()], lambda: None)
            self._wake([key for key, (_, rest) in resting.items() if not seen.let_rest(rest)])
        except (Doubt, JobFailure) as reason:
            LOG.debug("the topics of dormant tasks are checked later: %s", reason)
        except Exception as error:  # noqa: BLE001  # the guard of dormant tasks, docs/decisions/0016
            log_fault(error, "dormant tasks")
