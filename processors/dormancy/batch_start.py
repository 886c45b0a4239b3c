"""Starts many tasks that have nothing to read, without clients of their own, each the whole way of law 6.

All are fenced, then their records are read, then their checkpoints; those that have none yet commit one, with their
own transactional ids. Then they rest. A task with input, and one with anything else to it, starts with clients of its
own instead: that way is always right.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace
from typing import Any, Protocol

from jobplane.processors import user_functions
from jobplane.processors.dormancy.checkpoint_commit import commit_checkpoint
from jobplane.processors.dormancy.checkpoint_index import CheckpointIndex
from jobplane.processors.dormancy.sparse import MOST_RECORDS, may_step
from jobplane.processors.dormancy.surroundings import observe
from jobplane.processors.kafka.cluster import Doubt, Fenced
from jobplane.processors.kafka.hanging import keys_held_back
from jobplane.processors.kafka.wire.producer import WireProducer, fence
from jobplane.processors.kafka.wire.settings import WireUnavailable
from jobplane.processors.pipeline import pipeline_of
from jobplane.processors.protocol.steps import Step, TaskEnd
from jobplane.processors.task.commits import TRANSACTION_SLACK_MS
from jobplane.processors.task.context import Rest, TaskServices
from jobplane.processors.task.restore import checkpoint_of
from jobplane.processors.task.runner import Runner
from jobplane.schemas.failures import JobFailure
from jobplane.schemas.options import Guarantee
from jobplane.schemas.records.plans import keeps_state
from jobplane.schemas.records.reports import ReportKind
from jobplane.schemas.records.tasks import Task

AT_ONCE = 32
"""Transactions of a batch at the same time."""


class StartedTasks(Protocol):
    """What becomes of the tasks of a batch."""

    def run(self, runner: Runner) -> None:
        """The task goes on with clients of its own."""

    def sleep(self, runner: Runner, rest: Rest) -> None:
        """The task rests."""

    def wake(self, keys: Iterable[str]) -> None:
        """Tasks that rest have something to read."""

    def end(self, runner: Runner, end: TaskEnd) -> None: ...


class BatchStart:
    """`left` are the tasks, by key, of which nothing has become yet."""

    def __init__(
        self, services: TaskServices, index: CheckpointIndex, started: StartedTasks, left: dict[str, Runner]
    ) -> None:
        self._services, self._index, self._started = services, index, started
        self.left = left
        self._has_input: set[str] = set()
        self._rests: dict[str, Rest] = {}
        """Where those may rest that still may."""

    def run(self) -> None:
        """Raises Doubt where Kafka does not answer, JobFailure where it refuses: then tasks are left."""
        self._await_touch()
        self._read_records()
        self._run_unless(lambda rest: _is_plain(rest.task))
        self._run_disturbed(lambda rest: not rest.task.started)
        self._run_held_back()
        producers = self._each(self._fence)
        self._read_records()
        self._find_checkpoints()
        self._run_disturbed(lambda rest: rest.task.run)
        self._each(lambda key: self._commit_first(key, producers[key]))
        for key, rest in self._rests.items():
            self._started.sleep(self.left.pop(key), replace(rest, producer=producers[key]))
        self._started.wake(self._has_input & self._rests.keys())

    def _alive(self) -> None:
        for runner in self.left.values():
            runner.context.enter(None)

    def _await_touch(self) -> None:
        """As for a task that starts alone: one that writes before its worker knows its place would only be fenced."""
        while True:
            try:
                return self._services.require_in_touch()
            except Doubt as doubt:
                for runner in self.left.values():
                    runner.context.counters.last_doubt = str(doubt)
                self._alive()
                time.sleep(0.1)

    def _read_records(self) -> None:
        """Takes the records as they are now. A task without one of its generation ends."""
        records = self._services.records.tasks([runner.at for runner in self.left.values()], self._alive)
        for key, runner in [*self.left.items()]:
            task, before = records.get(key), self._rests.get(key)
            if (
                task is None
                or task.generation != runner.goal.generation
                or (before and before.task.layout != task.layout)
            ):
                self._rests.pop(key, None)
                self._started.end(self.left.pop(key), TaskEnd.GONE)
            elif before is None or before.task != task:
                pipeline = pipeline_of(task, user_functions.load(), self._services.schemas)
                beginning = checkpoint_of(task, pipeline, pipeline.starts)
                self._rests[key] = Rest(task, pipeline, beginning, beginning.positions)

    def _run_unless(self, rests: Callable[[Rest], bool]) -> None:
        for key in [key for key, rest in self._rests.items() if not rests(rest)]:
            self._run(key)

    def _run(self, key: str) -> None:
        runner, runner.known = self.left.pop(key), self._rests.pop(key).task
        self._started.run(runner)

    def _run_disturbed(self, among: Callable[[Rest], bool]) -> None:
        """Those that have something to judge, or more to read than a few records."""
        asked = {key: rest for key, rest in self._rests.items() if among(rest)}
        seen = observe(self._services.kafka, asked.values(), self._alive)
        for key, rest in asked.items():
            lag = seen.lag(rest)
            few = MOST_RECORDS if may_step(self._services, rest.task, rest.pipeline) else 0
            if lag is None or lag > few:
                self._run(key)
            elif lag:
                self._has_input.add(key)

    def _run_held_back(self) -> None:
        """Those whose last transaction Kafka may have left open for ever."""
        topic = self._services.topics.checkpoints
        partitions = {rest.task.partition for rest in self._rests.values()}
        found = keys_held_back(self._services.kafka, topic, partitions, self._alive)
        held_back = {key for keys in found.values() for key in keys}
        self._run_unless(lambda rest: rest.task.checkpoint_key.encode() not in held_back)

    def _each(self, work: Callable[[str], Coroutine[Any, Any, Any]]) -> dict[str, Any]:
        """What the work gives for each task. Where it fails, the task starts alone, and finds out why."""
        keys = [*self._rests]
        found = dict(zip(keys, self._services.wire.run(_gather(map(work, keys))).result(), strict=True))
        for key, value in found.items():
            match value:
                case Fenced():
                    del self._rests[key]
                    self._started.end(self.left.pop(key), TaskEnd.FENCED)
                case Doubt() | JobFailure() | WireUnavailable():
                    self._run(key)
                case Exception():
                    self.left[key].log_fault(value)
                    self._run(key)
        return found

    async def _fence(self, key: str) -> WireProducer:
        rest, context = self._rests[key], self.left[key].context
        context.enter(Step.FENCE)
        timeout_ms = rest.pipeline.interval_ms + TRANSACTION_SLACK_MS
        producer = await fence(self._services.wire, self._services.topics.transactional_id(rest.task), timeout_ms)
        context.enter(Step.READ)
        return producer

    def _find_checkpoints(self) -> None:
        """Where each task continues; one for which that is not plain starts alone."""
        kept = {
            rest.task.checkpoint_key: rest.task.partition
            for rest in self._rests.values()
            if rest.pipeline.options.processing_guarantee is not Guarantee.NONE
        }
        found = self._index.find(kept, self._alive)
        for key, rest in [*self._rests.items()]:
            task = rest.task
            checkpoint = found.get(task.checkpoint_key, rest.checkpoint)
            missing = task.started and task.checkpoint_key in kept.keys() - found.keys()
            if missing or checkpoint is None or not self._may_run_here(self.left[key], rest):
                self._run(key)
                continue
            context = self.left[key].context
            if not context.wakes_at(checkpoint):
                context.rest = None
                context.attempt = max(task.attempt, checkpoint.attempt, context.attempt) + 1
            self._rests[key] = replace(rest, checkpoint=checkpoint, positions=checkpoint.positions)

    def _may_run_here(self, runner: Runner, rest: Rest) -> bool:
        try:
            runner.check_worker(rest.task, rest.pipeline)
        except JobFailure:
            return False
        return True

    async def _commit_first(self, key: str, producer: WireProducer) -> None:
        """The task's first checkpoint, which proves that it can be written. Then the task is running."""
        rest, runner, topics = self._rests[key], self.left[key], self._services.topics
        task, enter, attempt = rest.task, runner.context.enter, runner.context.attempt
        if not task.run or runner.context.wakes_at(rest.checkpoint):
            return
        if rest.checkpoint.number == 0 and rest.pipeline.options.processing_guarantee is not Guarantee.NONE:
            enter(Step.BEGIN)
            checkpoint = replace(rest.checkpoint, number=1, attempt=attempt)
            await commit_checkpoint(producer, topics, task, checkpoint, enter)
            self._rests[key] = replace(rest, checkpoint=checkpoint)
        enter(Step.REPORT)
        self._services.reporter.phase(runner.goal, attempt, ReportKind.RUNNING)


def _is_plain(task: Task) -> bool:
    """Whether nothing has to be found out, or compiled, before the task may rest."""
    bounded = any(source.end for source in task.sources)
    carried = not task.started and (task.restore is not None or task.former)
    return not (bounded or carried or task.packages or keeps_state(task.plan))


async def _gather(works: Iterable[Coroutine[Any, Any, Any]]) -> list[Any]:
    """What each gives, or the exception that it raised; AT_ONCE of them at the same time."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(work: Coroutine[Any, Any, Any]) -> Any:
        async with room:
            return await work

    return await asyncio.gather(*map(one, works), return_exceptions=True)
