"""One task, exactly once: source records in; output, offsets and checkpoint out, in one Kafka transaction.

A session takes the steps of `Step`, which must not be reordered, with one producer and one consumer. After any doubt
the producer is discarded, and a new session begins at FENCE. A task that is fenced ends. An error that nobody foresaw
suspends the job, and the other tasks of the host continue.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jobplane.processors import user_functions
from jobplane.processors.fetch.reader import SharingReader, SourceReader
from jobplane.processors.fetch.shared_fetch import CONSUMER_SETTINGS
from jobplane.processors.guard import Fault, log_fault
from jobplane.processors.kafka.cluster import Consumer, Doubt, Fenced, KafkaException, Taken
from jobplane.processors.kafka.hanging import task_place, topics_written
from jobplane.processors.kafka.judging import judging
from jobplane.processors.kafka.plain_output import PlainOutput
from jobplane.processors.kafka.transactions import Abandoned, TransactionalProducer
from jobplane.processors.pipeline import Pipeline, pipeline_of
from jobplane.processors.protocol.messages import RunTask, goal_of
from jobplane.processors.protocol.steps import Step, TaskEnd
from jobplane.processors.task.commits import TRANSACTION_SLACK_MS, TaskClients
from jobplane.processors.task.context import BATCH, Narrowed, NotCopied, Released, TaskContext, TaskServices
from jobplane.processors.task.copy_session import CopySession, copies_batches, copy_clients
from jobplane.processors.task.counters import Counters
from jobplane.processors.task.endings import report_end, stop
from jobplane.processors.task.groups.session import GroupSession
from jobplane.processors.task.groups.topic import ensure_state_topic
from jobplane.processors.task.records import RecordAt
from jobplane.processors.task.restore import restore
from jobplane.processors.task.session import TaskSession, open_session
from jobplane.schemas.errors import Refused
from jobplane.schemas.failures import InternalFailure, JobFailure, WorkerLost
from jobplane.schemas.options import Guarantee
from jobplane.schemas.records.failure import Failure
from jobplane.schemas.records.plans import keeps_state
from jobplane.schemas.records.reports import ReportKind
from jobplane.schemas.records.state import Phase
from jobplane.schemas.records.tasks import Task

LOG = logging.getLogger("jobplane.copying")
MAX_BACKOFF_S = 5.0
IN_FLIGHT = 5
LARGEST_BATCH = 900_000
QUEUED = 50_000
LINGER_MS = {Guarantee.EXACTLY_ONCE: 1_000, Guarantee.AT_LEAST_ONCE: 200, Guarantee.NONE: 200}
"""A commit sends the records of a transaction at once. Other records are visible when they are sent."""


def producer_settings(limits: Sequence[int], partitions: int, linger_ms: int) -> dict[str, Any]:
    """Settings for topics that take records of at most `limits` bytes each, and have `partitions` together.

    A record that no topic takes fails at produce(), where the record is known. No batch is larger than every topic
    takes.

    An idempotent producer may have five batches in flight; with five there and one more ready, librdkafka's thread
    waits without sleeping. So no more is queued than five batches of the largest size, and a batch is ready when it is
    full, not for its age: a commit's flush overrides the linger. With many partitions a batch counts as full when the
    queue is full.
    """
    batch, largest = min(LARGEST_BATCH, *limits), max(limits)
    return {
        "linger_ms": linger_ms,
        "batch_size": min(batch, IN_FLIGHT * batch // (partitions + 1)),
        "batch_num_messages": QUEUED // (partitions + 1),
        "queue_buffering_max_messages": QUEUED,
        "queue_buffering_max_kbytes": max(IN_FLIGHT * batch, largest) // 1000,
        "message_max_bytes": largest,
        "partitioner": "murmur2_random",
    }


class Runner:
    """Runs one generation of a task in the calling thread until it ends."""

    def __init__(
        self,
        services: TaskServices,
        order: RunTask,
        enter: Callable[[Step | None], None],
        on_first_commit: Callable[[], None],
    ) -> None:
        """`enter` is called with each step, and with None for a sign of life between steps."""
        self.goal = order.goal
        self._services, self._job = services, order.job
        self.at = RecordAt(order.goal.key, order.partition, order.offset)
        self.known: Task | None = None
        """The task record, if it has been read: the next session fences by it."""
        counters = Counters(host_deaths=order.deaths, on_first_commit=on_first_commit)
        self.context = TaskContext(services, order.goal, enter, counters, order.goal.attempt)

    def run(self) -> TaskEnd:
        """Blocks until the task has ended."""
        context, backoff = self.context, 0.1
        while True:
            began = time.monotonic()
            try:
                with judging():
                    return self._run_session()
            except Fenced:
                return TaskEnd.FENCED
            except Released:
                return TaskEnd.RELEASED
            except JobFailure as failure:
                return self._fail(failure)
            except Narrowed:
                context.enter(None)
            except NotCopied as reason:
                context.rows_because = str(reason)
                LOG.warning("task %s of job '%s' copies record by record: %s", self.goal.key, self._job, reason)
                context.enter(None)
            except Doubt as doubt:
                context.counters.doubt(str(doubt))
                context.flushed.clear()
                if isinstance(doubt, Abandoned):
                    self._services.leave_behind("send_offsets")
                backoff = 0.1 if time.monotonic() - began > 30 else min(backoff * 2, MAX_BACKOFF_S)
                context.enter(None)
                context.release.wait(backoff)
            except Exception as error:  # noqa: BLE001  # the guard of a task's sessions, docs/decisions/0016
                return self._fail_with_fault(error)

    def _run_session(self) -> TaskEnd:
        self.context.alive()
        self._await_touch()
        with self._services.gate.passing(self.context.alive) as passed:
            self.context.enter(Step.FENCE)
            task, self.known = self.known or self._services.records.task(self.at, self.context.alive), None
            if task is None or task.generation != self.goal.generation:
                return TaskEnd.GONE
            return self._fence(task, passed)

    def _fence(self, task: Task, passed: Callable[[], None]) -> TaskEnd:
        """The record read so far only says how to fence: the task runs by the one that is read after the fence."""
        services, alive = self._services, self.context.alive
        pipeline = pipeline_of(task, user_functions.load(), services.schemas)
        is_grouped = keeps_state(task.plan)
        if is_grouped:
            ensure_state_topic(services, task, alive)
        names = topics_written(task, services.topics)
        taken = services.kafka.taken(names, alive)
        topics = services.kafka.topics(names, alive)
        kind: type[TaskSession] = GroupSession if is_grouped else TaskSession
        if copies_batches(self.context, task, pipeline):
            clients, kind = copy_clients(self.context, task, pipeline, taken[0], topics), CopySession
        else:
            clients = self._row_clients(task, pipeline, taken, topics)
        try:
            return self._read_and_run(task, pipeline, clients, taken, passed, kind)
        finally:
            clients.reader.close()
            services.close(clients.consumer)

    def _row_clients(
        self, task: Task, pipeline: Pipeline, taken: Sequence[Taken], topics: Mapping[str, tuple[str, int]]
    ) -> TaskClients:
        services, guarantee = self._services, pipeline.options.processing_guarantee
        partitions = sum(count for _, count in topics.values())
        settings = producer_settings([one.limit for one in taken], partitions, LINGER_MS[guarantee])
        producer = TransactionalProducer(
            services.kafka,
            services.topics.transactional_id(task),
            pipeline.interval_ms + TRANSACTION_SLACK_MS,
            pipeline.sink_topics[0],
            self.context.alive,
            task_place(task, services.topics, topics),
            **settings,
        )
        output = producer if guarantee is Guarantee.EXACTLY_ONCE else PlainOutput(services.kafka, **settings)
        consumer = services.kafka.consumer(services.topics.job_group(task.uid), **CONSUMER_SETTINGS)
        return TaskClients(producer, output, consumer, self._reader(consumer, pipeline))

    def _reader(self, consumer: Consumer, pipeline: Pipeline) -> SourceReader:
        """A bounded job, a retry, and a task that looks for a record that Kafka refuses read alone."""
        shared_fetch = self._services.shared_fetch
        if shared_fetch is None or pipeline.ends or pipeline.letters or self.context.batch < BATCH:
            return SourceReader(consumer)
        return SharingReader(consumer, shared_fetch, self._services.close, self.context.counters.shared)

    def _await_touch(self) -> None:
        """Waits until the worker knows its place in the group: a task that writes before would only be fenced."""
        while True:
            try:
                return self._services.require_in_touch()
            except Doubt as doubt:
                self.context.counters.last_doubt = str(doubt)
                self.context.alive()
                self.context.release.wait(0.1)

    def check_worker(self, record: Task, pipeline: Pipeline) -> None:
        """Raises WorkerLost where the task ran elsewhere, and the job's options want a RESUME before it runs here."""
        here = self._services.reporter.worker
        moved = record.run and record.phase is Phase.RUNNING and record.worker not in ("", here)
        if moved and not pipeline.options.auto_scaling:
            raise WorkerLost(f"task {record.key} ran on {record.worker}, which lost it; RESUME runs it on {here}")

    def _read_and_run(
        self,
        task: Task,
        pipeline: Pipeline,
        clients: TaskClients,
        taken: list[Taken],
        passed: Callable[[], None],
        kind: type[TaskSession],
    ) -> TaskEnd:
        """From READ on. `task` is the record by which the transactional id was fenced."""
        context, services = self.context, self._services
        context.enter(Step.READ)
        record = services.records.task(self.at, context.alive)
        if record is None or record.generation != task.generation or record.layout != task.layout:
            return TaskEnd.GONE
        self.check_worker(record, pipeline)
        checkpoint = restore(services, record, pipeline, context.alive)
        if not context.wakes_at(checkpoint):
            context.rest = None
            context.attempt = max(record.attempt, checkpoint.attempt, context.attempt) + 1
        if not record.run:
            return stop(context, goal_of(record), checkpoint)
        context.enter(Step.ASSIGN)
        session = open_session(context, record, pipeline, clients, checkpoint, taken, kind)
        try:
            session.start()
            passed()
            return session.loop()
        except KafkaException as error:
            cause = session.cause_of(error)
            if isinstance(cause, JobFailure):
                session.commits.abandon()
            raise cause from error
        except (Doubt, Fenced, Narrowed, NotCopied):
            raise  # the next producer of this id ends the transaction
        except Exception:
            session.commits.abandon()
            raise

    def log_fault(self, error: Exception) -> Fault:
        """Logs and counts a fault of jobplane that this task has met."""
        self.context.faults += 1
        return log_fault(error, f"task {self.goal.key} of job '{self._job}'")

    def _fail_with_fault(self, error: Exception) -> TaskEnd:
        """A fault of jobplane suspends the job: to begin again would most likely meet it again."""
        fault = self.log_fault(error)
        if isinstance(error, Refused):
            text = f"this version of jobplane refuses the job's statement ({error.code}: {error.message})"
            return self._fail(InternalFailure(f"{text}; DROP the job and create it again"))
        text = f"the task met a fault of jobplane ({fault}); the log of its worker has more under this reference"
        return self._fail(InternalFailure(f"{text}: report it; RESUME tries again"))

    def _fail(self, failure: JobFailure) -> TaskEnd:
        cause = Failure(failure.code, failure.message, failure.at)
        return report_end(self.context, self.goal, ReportKind.FAILED, TaskEnd.FAILED, cause)
