"""The dormant tasks of a host: each rests until there is something to read, to judge, or to answer the decider."""

import asyncio
import logging
import math
import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from heapq import heappop, heappush

from jobplane.processors.dormancy.batch_start import StartedTasks
from jobplane.processors.dormancy.sink_limits import SinkLimits
from jobplane.processors.dormancy.sparse import OFTEN, SparseStep, may_step
from jobplane.processors.dormancy.surroundings import observe
from jobplane.processors.dormancy.watcher import Watcher
from jobplane.processors.evaluation.verdict import Interrupted
from jobplane.processors.guard import log_fault
from jobplane.processors.kafka.abandoning import returns
from jobplane.processors.kafka.cluster import Doubt, Fenced
from jobplane.processors.kafka.hanging import keys_held_back
from jobplane.processors.kafka.wire.batches import NotUnderstood
from jobplane.processors.kafka.wire.settings import WireUnavailable
from jobplane.processors.protocol.steps import TaskEnd
from jobplane.processors.task.context import Rest, TaskServices
from jobplane.processors.task.endings import copy_for_snapshots, stop
from jobplane.processors.task.runner import Runner
from jobplane.schemas.failures import JobFailure

LOG = logging.getLogger("jobplane.dormancy")
CHECK_S, SHARE = 10.0, 100
"""How often the topics of dormant tasks are checked, and what part of a core that may take at most: the SHARE-th."""
HOST_GROUP = "dormant"
STEPS_AT_ONCE = 16
STOP_S = 4.0
"""How long steps that have begun may take when the host closes."""


class Sleepers:
    """Keeps tasks that rest, and gives them back when there is more to do than a step. Thread-safe."""

    def __init__(self, services: TaskServices, started: StartedTasks, fence: Callable[[Runner], None]) -> None:
        """`fence` is called with a task that has to fence its transactional id before it goes on."""
        self._services, self._started, self._fence = services, started, fence
        self._limits = SinkLimits(services.kafka)
        self._steps = ThreadPoolExecutor(STEPS_AT_ONCE, "sparse-step")
        self._watcher = Watcher(services.kafka, f"{services.topics.prefix}{HOST_GROUP}", self.wake)
        self._lock = threading.Lock()
        self._resting: dict[str, tuple[Runner, Rest]] = {}
        self._later = set[str]()
        """Tasks that are woken when their interval is over."""
        self._alarms: list[tuple[float, str]] = []
        """When tasks wake though nothing has come, the first at the front."""
        self._is_closing = False
        self._asked = queue.SimpleQueue[str]()
        self._held_back = set[bytes]()
        """The keys of checkpoints that held back others when that was last looked at."""
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
            if rest.until < math.inf:
                heappush(self._alarms, (rest.until, key))
                self._asked.put("")  # the keeper looks at the alarms
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
            self._started.end(runner, end)

    def wake(self, keys: Iterable[str]) -> None:
        """There may be something to read, or to judge, for these tasks. Does not block."""
        if self._is_closing:
            return
        now = time.monotonic()
        for key in keys:
            held = self._resting.get(key)
            if held is None:
                continue
            rest = held[1]
            if not may_step(self._services, rest.task, rest.pipeline) or rest.often > OFTEN:
                if runner := self._take(key):
                    self._started.run(runner)
            elif rest.producer is None:
                if runner := self._take(key):
                    self._fence(runner)
            elif (pause := rest.stepped_at + rest.pipeline.interval_ms / 1000 - now) <= 0:
                self._step(key)
            elif key not in self._later:
                self._later.add(key)
                self._services.wire.run(self._wake_later(key, pause))

    async def _wake_later(self, key: str, pause_s: float) -> None:
        """Commits of a task are an interval apart."""
        await asyncio.sleep(pause_s)
        self._later.discard(key)
        self.wake([key])

    def _step(self, key: str) -> None:
        with self._lock:
            held = self._resting.pop(key, None)
        if held is not None:  # watched on: where nothing more comes, its place stays the same
            self._steps.submit(self._make_step, *held)

    def _make_step(self, runner: Runner, rest: Rest) -> None:
        """Moves what has come. A task for which that does not go through goes on with clients of its own."""
        key = runner.goal.key
        try:
            moved = SparseStep(self._services, runner.context, rest, self._limits).run()
        except Fenced:
            self._watcher.forget(key, rest.positions)
            self._started.end(runner, TaskEnd.FENCED)
            return
        except (Doubt, JobFailure, Interrupted, NotUnderstood, WireUnavailable) as reason:
            LOG.debug("dormant task %s goes on with clients of its own: %s", key, reason)
        except Exception as error:  # noqa: BLE001  # the guard of dormant tasks, docs/decisions/0016
            runner.log_fault(error)
        else:
            self._started.sleep(runner, moved)
            return
        self._watcher.forget(key, rest.positions)
        runner.known = rest.task
        self._started.run(runner)

    def close(self) -> None:
        """Lets steps that have begun end, for some seconds: what they leave open would hold back readers."""
        self._is_closing = True
        returns(lambda: self._steps.shutdown(cancel_futures=True), STOP_S)

    def _keep(self) -> None:
        """Answers what is asked of dormant tasks, wakes them in time, and checks their topics now and then."""
        due = time.monotonic() + CHECK_S
        while True:
            alarm = self._wake_in_time()
            try:
                key = self._asked.get(timeout=max(0.0, min(due, alarm) - time.monotonic()))
            except queue.Empty:
                if (began := time.monotonic()) >= due:
                    self._check()
                    now = time.monotonic()
                    due = now + max(CHECK_S, SHARE * (now - began))
            else:
                self._answer(key)

    def _wake_in_time(self) -> float:
        """Wakes the tasks whose time has come; returns when that of the next comes, of the monotonic clock."""
        now, keys = time.monotonic(), list[str]()
        with self._lock:
            while self._alarms and self._alarms[0][0] <= now:
                _, key = heappop(self._alarms)
                held = self._resting.get(key)
                if held is not None and held[1].until <= now:  # else it has rested again since
                    keys.append(key)
            alarm = self._alarms[0][0] if self._alarms else math.inf
        self.wake(keys)
        return alarm

    def _answer(self, key: str) -> None:
        """Copies for snapshots, and stops. A task for which that does not go through wakes, and finds out why."""
        held = self._resting.get(key)
        if held is None:
            return
        runner, rest = held
        context, goal = runner.context, runner.goal
        latest, taken = context.latest_goal, None
        try:
            if latest.run:
                copy_for_snapshots(context, goal, rest.checkpoint, context.snapshots_due(latest))
            elif taken := self._take(key):
                self._started.end(runner, stop(context, goal, rest.checkpoint))
        except (Doubt, JobFailure) as reason:
            LOG.debug("dormant task %s wakes: %s", key, reason)
        except Exception as error:  # noqa: BLE001  # the guard of dormant tasks, docs/decisions/0016
            runner.log_fault(error)
        else:
            return
        if taken or self._take(key):  # else another thread has it, which comes back to what was asked
            self._started.run(runner)

    def _end_hanging(self, rests: Mapping[str, Rest]) -> None:
        """A task whose last transaction holds back the records behind it, at two checks, ends it: ADR 18."""
        partitions = {rest.task.partition for rest in rests.values()}
        topic = self._services.topics.checkpoints
        found = keys_held_back(self._services.kafka, topic, partitions, lambda: None)
        first = {keys[0] for keys in found.values()}
        again, self._held_back = first & self._held_back, first
        for key in [key for key, rest in rests.items() if rest.task.checkpoint_key.encode() in again]:
            if runner := self._take(key):
                self._started.run(runner)

    def _check(self) -> None:
        """Wakes the tasks whose topics are not as they were: their own sessions judge that."""
        resting = dict(self._resting)
        if not resting:
            return
        try:
            rests = {key: rest for key, (_, rest) in resting.items()}
            self._end_hanging(rests)
            seen = observe(self._services.kafka, rests.values(), lambda: None)
            self.wake([key for key, rest in rests.items() if not seen.let_rest(rest)])
        except (Doubt, JobFailure) as reason:
            LOG.debug("the topics of dormant tasks are checked later: %s", reason)
        except Exception as error:  # noqa: BLE001  # the guard of dormant tasks, docs/decisions/0016
            log_fault(error, "dormant tasks")
