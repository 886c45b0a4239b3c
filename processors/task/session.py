"""One session of a task: what it does with one producer and one consumer after its fence, from ASSIGN to its end."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from jobplane.processors.evaluation.batch import Evaluation, RecordBatch, discard
from jobplane.processors.evaluation.dead_letters import DeadLetterWriter, letters_of
from jobplane.processors.evaluation.place import Place, place_of, position
from jobplane.processors.evaluation.sink import into_sinks
from jobplane.processors.evaluation.verdict import RecordPolicy, Treatment, Verdict
from jobplane.processors.guard import fault_of, log_fault
from jobplane.processors.kafka.cluster import (
    Doubt,
    KafkaException,
    Message,
    OutOfRange,
    Taken,
    judged,
)
from jobplane.processors.pipeline import Pipeline
from jobplane.processors.protocol.messages import TaskGoal, goal_of
from jobplane.processors.protocol.steps import Step, TaskEnd
from jobplane.processors.task.commits import Commits, TaskClients
from jobplane.processors.task.context import BATCH, SMALL_BATCH, Narrowed, Released, Rest, TaskContext
from jobplane.processors.task.endings import complete, copy_for_snapshots, stop
from jobplane.processors.task.packages import compile_here
from jobplane.processors.task.sources import SourcePositions
from jobplane.processors.task.topic_checks import check_end, check_held
from jobplane.processors.task.turns import next_batch, open_seconds
from jobplane.schemas.failures import JobFailure, RecordFailure
from jobplane.schemas.records.checkpoints import Checkpoint
from jobplane.schemas.records.progress import PartitionProgress
from jobplane.schemas.records.reports import ReportKind
from jobplane.schemas.records.tasks import Task
from jobplane.sql.codegen.compile import Step as EvaluationStep

GATHER_S, IDLE_S = 0.02, 0.2
"""How long records gather in an open transaction; how long a task without one waits for the first record at once."""
LOOK_S, CONFIRM_S = 2.0, 10.0
"""How often a quiet task looks how far it is, and asks whether its topics are the same and have more partitions."""


@dataclass(slots=True)
class TaskSession:
    """`letters` writes dead letters. `open_since` is when the open transaction began, 0 while none is open.

    `committed_at` is when the last transaction of this session with input ended, 0 before. `read_at` is when the task
    has last read something, or found out that it cannot rest yet. `most` is how many records may be read at once,
    `size` how many are at the next turn.

    `culprit` is the failure that ends the task after the next commit. `last_treated` is the last record that was
    treated as onError says.
    """

    context: TaskContext
    task: Task
    pipeline: Pipeline
    clients: TaskClients
    commits: Commits
    sources: SourcePositions
    policy: RecordPolicy
    letters: DeadLetterWriter
    evaluation: Evaluation
    goal: TaskGoal
    most: int
    size: int = SMALL_BATCH
    open_since: float = 0.0
    committed_at: float = 0.0
    looked_at: float = field(default_factory=time.monotonic)
    read_at: float = field(default_factory=time.monotonic)
    culprit: JobFailure | None = None
    last_read: Message | None = None
    last_treated: Place | None = None

    @classmethod
    def step_for(cls, pipeline: Pipeline, partitions: Iterable[tuple[str, int]]) -> EvaluationStep:
        """The compiled query, for records of these partitions."""
        return pipeline.step_for(partitions)

    def start(self) -> None:
        """Assigns, and commits once: that proves that the checkpoint can be written. Then the task is running.

        A task that wakes where it has rested has proved that, and has reported that it is running.
        """
        check_held(self.context.services.kafka, self.sources.offsets)
        self.clients.reader.assign(self.sources.offsets)
        if self.context.wakes_at(self.commits.checkpoint):
            return
        self._begin()
        self._commit()
        self.context.services.reporter.phase(self.goal, self.context.attempt, ReportKind.RUNNING)

    def loop(self) -> TaskEnd:
        """The steps from POLL on, until the task is asked to stop, reaches its end, fails or is fenced."""
        context, interval = self.context, self.pipeline.interval_ms / 1000
        while True:
            context.enter(None)
            if context.release.is_set():
                if self.open_since:
                    self._commit()
                self._settle()
                raise Released
            context.services.require_in_touch()
            latest = context.latest_goal
            if latest.generation != self.goal.generation:
                return TaskEnd.GONE
            snapshots = context.snapshots_due(latest)
            due = self._due(interval)
            if self.open_since and (due <= 0 or snapshots or not latest.run or self._must_commit):
                self._commit()
                self.committed_at = time.monotonic()
                if self.culprit is not None:
                    raise self.culprit
                if self.clients.producer.suspect:
                    raise Doubt(self.clients.producer.suspect)
                context.widen()
                continue
            if snapshots or not latest.run or self.sources.at_end:
                self._settle()
            copy_for_snapshots(context, self.goal, self.commits.checkpoint, snapshots)
            if not latest.run:
                return stop(context, self.goal, self.commits.checkpoint)
            if self.culprit is not None:
                raise self.culprit
            if self.sources.at_end:
                return complete(context, self.goal)
            self._look_round()
            self.clients.reader.settle()
            if not self._poll_and_produce():
                self._wait(due)
            if self._may_rest():
                return TaskEnd.DORMANT

    def _due(self, interval: float) -> float:
        """Seconds until the commit of the open transaction begins: it then ends an interval after the one before.

        A record that comes after a pause does not wait for longer than others need to gather beside it.
        """
        if not self.open_since:
            return interval
        soonest = self.open_since + min(GATHER_S, interval)
        return max(self.committed_at + open_seconds(interval, self.commits.took), soonest) - time.monotonic()

    @property
    def _must_commit(self) -> bool:
        """A record is to blame, or is being looked for, or all records are read."""
        return self.culprit is not None or self.context.batch < BATCH or self.sources.at_end

    def _settle(self) -> None:
        """Commits what is not committed though no record is: of a task that keeps nothing but offsets, nothing."""

    def _may_rest(self) -> bool:
        """Whether nothing came for so long that the task gives back its clients; where it rests is in the context.

        The broker must say that there is nothing more, be it committed or not, and all that was read must be committed.
        A bounded job ends instead.
        """
        services, now = self.context.services, time.monotonic()
        if self.open_since or now - self.read_at < services.dormant_after_s or self.sources.bounded:
            return False
        if self.culprit is not None or self.context.batch < BATCH:
            return False
        self.read_at = now
        self.sources.advance()
        positions = dict(self.sources.offsets)
        if positions != self.commits.checkpoint.positions:  # markers, which the source need not keep for the task
            self._begin()
            self._commit()
        self._settle()
        ends = services.kafka.last_offsets(positions, self.context.alive)
        if any(ends[at] > offset for at, offset in positions.items()):
            return False
        self.context.counters.looked(self._progress())
        self.context.rest = Rest(self.task, self.pipeline, self.commits.checkpoint, positions)
        return True

    def _wait(self, due: float) -> None:
        """Waits for the first record; in an open transaction until more records have gathered or the commit is due.

        What has come until then is part of the commit: it would wait for the whole next interval.
        """
        if self.open_since:
            self.context.release.wait(min(due, GATHER_S))
            if due < GATHER_S:
                self._poll_and_produce()
            return
        with self._checking_offsets():
            first = self.clients.reader.poll_one(IDLE_S)
        if first:  # at once: the consumer's position is behind it already
            self._poll_and_produce(first)

    def _look_round(self) -> None:
        """Now and then: how far the task is, and whether a source has more partitions than before."""
        now = time.monotonic()
        if now - self.looked_at > LOOK_S:
            self._look()
        if self.open_since:
            return
        if now - self.commits.confirmed_at > CONFIRM_S:
            self.commits.confirm()
        if self.sources.has_more(self.commits.partitions):
            self._adopt()

    def _adopt(self) -> None:
        """Reads the partitions too that a source has got."""
        added = self.sources.adopt(self.commits.partitions)
        self.evaluation = replace(self.evaluation, step=self.pipeline.step_for(self.sources.offsets))
        if added:
            self.clients.reader.assign_more(added)

    def _look(self) -> None:
        """Counts how far the task is. Positions pass the markers of transactions, which no record shows."""
        self.looked_at = time.monotonic()
        if not self.open_since and self.culprit is None:
            self.sources.advance()
        self.context.counters.looked(self._progress())

    def _progress(self) -> tuple[PartitionProgress, ...]:
        return self.sources.progress()

    def _poll_and_produce(self, first: Sequence[Message] = ()) -> bool:
        """The steps POLL to ADVANCE for `first` and what has been fetched. Returns whether more is likely to be there.

        Tasks of a host take turns: threads that contend for the interpreter in these steps cost half as much again.
        """
        with self.context.turn():
            began = time.thread_time()  # what other processes take of the core must not make batches smaller
            self.context.enter(Step.POLL)
            asked = min(self.context.batch, self.size)
            messages = [*first]
            if asked > len(messages):  # a task that looks for a record that Kafka refuses reads one at a time
                with self._checking_offsets():
                    messages += self.clients.reader.poll(asked - len(messages))
            count = len(messages)
            if count:
                self.read_at = time.monotonic()
            messages = self.sources.before_ends(messages)
            if messages:
                self._evaluate(messages)
            elif count:
                self.sources.advance()
            self.clients.output.poll(0)
            if count >= asked:
                self.size = next_batch(asked, self.most, time.thread_time() - began)
            return count > asked // 2

    @contextmanager
    def _checking_offsets(self) -> Iterator[None]:
        """Raises DataLost where the client says that an offset does not exist, and the broker says so as well."""
        try:
            yield
        except OutOfRange:
            self.commits.confirm()
            check_held(self.context.services.kafka, self.sources.offsets)
            check_end(self.context.services.kafka, self.sources.offsets, self.context.alive)
            raise

    def _begin(self) -> None:
        self.commits.begin()
        self.open_since = time.monotonic()

    def _commit(self) -> None:
        self.commits.commit()
        self.open_since = 0.0
        self._look()

    def _evaluate(self, messages: list[Message]) -> None:
        if not self.open_since:
            self._begin()
        self.context.enter(Step.EVALUATE)
        if letters := self.pipeline.letters:
            messages = letters_of(letters.uid, messages)
        self.last_read = messages[-1] if messages else None
        batch = RecordBatch(messages)
        for verdict in self.evaluation.verdicts(batch):
            failure = self._carry_out(verdict)
            if failure is not None:
                self.culprit = self.policy.at_record(failure, verdict.record)
                break
        self.context.enter(Step.ADVANCE)
        self.sources.advance()
        self.sources.go_back(batch.unread)
        self.context.counters.batch(batch.done, batch.written, batch.skipped, time.thread_time())

    def _carry_out(self, verdict: Verdict) -> RecordFailure | None:
        """Does what a verdict says. Returns the failure that stops the task, None if it continues.

        Raises Narrowed where the record is left out in a new session.
        """
        record, failure = verdict.record, verdict.failure
        if verdict.fault is not None:
            self._log(verdict.fault, record)
        match verdict.treatment:
            case Treatment.STOP:
                return failure
            case Treatment.LEAVE_OUT:
                self.context.refused[position(record)] = failure
                raise Narrowed(failure.message)
            case Treatment.DEAD_LETTER:
                try:
                    self.letters.write(record, failure)
                except RecordFailure as too_large:
                    return too_large
            case Treatment.SKIP:
                pass
        self.context.counters.refused(failure.code)
        self.last_treated = position(record)
        return None

    def _log(self, fault: Exception, record: Message) -> None:
        """A fault of jobplane is in the log once, however many records meet it."""
        reference = fault_of(fault).reference
        if reference not in self.context.logged:
            self.context.logged.add(reference)
            log_fault(fault, f"record {place_of(record)}, on its way to {self.policy.topics}")

    def cause_of(self, error: KafkaException) -> Exception:
        """What an error of the client means.

        If Kafka has refused a record, batches become smaller until the record is alone in its batch, and is found.
        """
        cause = judged(self.commits.failed_with(error))
        if not isinstance(cause, RecordFailure):
            return cause
        if self.context.narrow() or self.last_read is None:
            return Narrowed(str(cause))
        verdict = self.policy.verdict_on_refusal(cause, self.last_read, self.last_treated, self.context.refused)
        if verdict.treatment is Treatment.STOP:
            return verdict.failure
        self.context.refused[position(self.last_read)] = verdict.failure
        return Narrowed(verdict.failure.message)


def open_session(
    context: TaskContext,
    task: Task,
    pipeline: Pipeline,
    clients: TaskClients,
    checkpoint: Checkpoint,
    taken: list[Taken],
    kind: type[TaskSession] = TaskSession,
) -> TaskSession:
    """The session that continues at a checkpoint. `taken` is what each topic takes: first the sinks, last dead letters.

    Raises FunctionMissing, DataLost or SinkLost.
    """
    services, options = context.services, pipeline.options
    of_sinks = dict(zip(pipeline.sink_topics, taken, strict=False))
    notice = compile_here(task, pipeline, services.reporter.worker)
    by_rows = f"copies record by record: {context.rows_because}" if context.rows_because else ""
    context.counters.notice = "; ".join(filter(None, (notice, by_rows)))
    sources = SourcePositions(clients.reader, task, pipeline, dict(context.flushed) or checkpoint.positions)
    commits = Commits(context, task, pipeline, clients, sources, checkpoint, {})
    commits.confirm()
    sources.adopt(commits.partitions)
    letters_topic, letter_limit = options.letters_topic(services.topics.prefix), taken[-1].limit
    limits = {topic: one.limit for topic, one in of_sinks.items()}
    policy = RecordPolicy(options.on_error, limits, letters_topic, options.on_late)
    when_full = _waiting_for_room(context, clients)
    retried = pipeline.letters  # a record that fails again is a dead letter of its first job, not of the retry
    job, uid = (retried.job, retried.uid) if retried else (task.job, task.uid)
    letters = DeadLetterWriter(clients.output.produce, when_full, letters_topic, letter_limit, job, uid)
    evaluation = Evaluation(
        kind.step_for(pipeline, sources.offsets),
        into_sinks(clients.output.produce, of_sinks, max(one.limit for one in taken)),
        when_full,
        services.registry,
        policy,
        commits.atomic,
        context.refused,
        check=into_sinks(discard, of_sinks, max(one.limit for one in taken) + 1),
    )
    most = SMALL_BATCH if task.packages else BATCH
    return kind(*(context, task, pipeline, clients, commits, sources, policy, letters, evaluation, goal_of(task), most))


def _waiting_for_room(context: TaskContext, clients: TaskClients) -> Any:
    """Called when the client's queue is full: waits for room, while other tasks take their turn, then produces."""
    turn, output = context.services.interpreter_turn, clients.output

    def produce_when_there_is_room(*record: Any) -> None:
        while True:
            context.alive()
            turn.release()
            try:
                output.poll(0.05)
            finally:
                turn.acquire()
            with suppress(BufferError):
                return output.produce(*record)

    return produce_when_there_is_room
