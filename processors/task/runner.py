"""One task, exactly once: source records in, output, offsets and checkpoint out, in one Kafka transaction.

The steps are numbered as in the design and must not be reordered:
1 fence · 2 read the task record, then the checkpoint · 3 assign at its offsets · 4 poll a batch · 5 begin ·
6 and 7 evaluate and produce · 8 write the checkpoint and flush: its offset is known · 9 send the offsets with a pointer
to it · 10 confirm that the topics are still those of the job · 11 commit · 12 copy and report what waited for it.
After any doubt the producer is discarded and all begins again at 1. Who is fenced ends. An error that nobody foresaw
suspends the job and leaves its host alone.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

from jobplane.processors.guard import noted
from jobplane.processors.kafka.cluster import Doubt, Fenced, KafkaException
from jobplane.processors.kafka.hanging import task_place, topics_written
from jobplane.processors.kafka.judging import judging
from jobplane.processors.kafka.plain_output import PlainOutput
from jobplane.processors.kafka.transactions import Abandoned, TransactionalProducer
from jobplane.processors.pipeline import Pipeline, pipeline_of
from jobplane.processors.task.context import End, House, Narrowed, Released, Run
from jobplane.processors.task.counters import Counters
from jobplane.processors.task.session import Life
from jobplane.schemas.errors import Refused
from jobplane.schemas.failures import InternalFailure, JobFailure, WorkerLost
from jobplane.schemas.options import Guarantee
from jobplane.schemas.records.failure import Failure
from jobplane.schemas.records.reports import ReportKind
from jobplane.schemas.records.state import Phase
from jobplane.schemas.records.tasks import Task

TRANSACTION_SLACK_MS = 60_000
MAX_BACKOFF_S = 5.0
IN_FLIGHT = 5
LARGEST_BATCH = 900_000
QUEUED = 50_000
LINGER_MS = {Guarantee.EXACTLY_ONCE: 1_000, Guarantee.AT_LEAST_ONCE: 200, Guarantee.NONE: 200}
"""Records of a transaction are seen when it is committed, which sends them; others when they leave."""
CONSUMER_SETTINGS: dict[str, Any] = {
    "fetch_wait_max_ms": 1_000,
    "queued_min_messages": 100_000,
    "queued_max_messages_kbytes": 8_192,
    "fetch_queue_backoff_ms": 2,
    "fetch_message_max_bytes": 1_048_576,
}
"""The fetch queue must be large enough, and refilled soon enough, or it stalls."""


def producer_settings(limits: Sequence[int], partitions: int, linger_ms: int) -> dict[str, Any]:
    """For topics that take records of so many bytes, and have so many partitions together.

    A record larger than all take fails at produce(), where it can be named; no batch is larger than any takes.

    An idempotent producer may have five batches in flight; with five there and one more ready, librdkafka's thread
    waits without sleeping. So no more is queued than five batches of the largest size, and a batch is ready when it is
    full, not for its age: a commit's flush overrides the linger. One of so many partitions is full when the queue is.
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
    """Runs one generation of a task in the calling thread until it ends. `step` is told each numbered step."""

    def __init__(self, house: House, task: Task, step: Callable[[int], None]) -> None:
        self._house, self._task = house, task
        self.about = Run(house, task, step, Counters(), task.attempt)

    def run(self) -> End:
        """Blocks until the task has ended."""
        backoff = 0.1
        while True:
            began = time.monotonic()
            try:
                with judging():
                    return self._life()
            except Fenced:
                return End.FENCED
            except Released:
                return End.RELEASED
            except JobFailure as failure:
                return self._fail(failure)
            except Narrowed:
                self.about.step(0)
            except Doubt as doubt:
                self.about.counters.doubt(str(doubt))
                self.about.flushed.clear()
                if isinstance(doubt, Abandoned):
                    self._house.leave_behind("send_offsets")
                backoff = 0.1 if time.monotonic() - began > 30 else min(backoff * 2, MAX_BACKOFF_S)
                self.about.step(0)
                self.about.release.wait(backoff)
            except Exception as error:  # noqa: BLE001  # the guard of a task's life, docs/decisions/0016
                return self._fault(error)

    def _life(self) -> End:
        """One life of a transactional producer: steps 1 to 3, then the loop."""
        house = self._house
        self.about.alive()
        self._await_touch()
        with house.gate.passing(self.about.alive) as passed:
            return self._start(passed)

    def _start(self, passed: Callable[[], None]) -> End:
        house, task = self._house, self._task
        self.about.step(1)
        pipeline = pipeline_of(task)
        names = topics_written(task, house.prefix)
        taken = house.kafka.taken(names, self.about.alive)
        topics = house.kafka.topics(names, self.about.alive)
        partitions = sum(count for _, count in topics.values())
        guarantee = pipeline.options.processing_guarantee
        settings = producer_settings([one.limit for one in taken], partitions, LINGER_MS[guarantee])
        producer = TransactionalProducer(
            house.kafka,
            f"{house.prefix}{task.transactional_id}",
            pipeline.interval_ms + TRANSACTION_SLACK_MS,
            pipeline.sink.topic,
            self.about.alive,
            task_place(task, house.prefix, topics),
            **settings,
        )
        output = producer if guarantee is Guarantee.EXACTLY_ONCE else PlainOutput(house.kafka, **settings)
        self.about.step(2)
        consumer = house.kafka.consumer(f"{house.prefix}job.{task.uid}", **CONSUMER_SETTINGS)
        try:
            record = house.control.task(task.key, task.partition, self.about.alive)
            if record is None or record.generation != task.generation or record.layout != task.layout:
                return End.GONE
            self._check_worker(record, pipeline)
            return self._live(
                Life(self.about, record, pipeline, producer, output, consumer, taken[0], taken[-1]), passed
            )
        finally:
            house.close(consumer)

    def _await_touch(self) -> None:
        """Until the worker knows its place in the group: to write before would only be fenced."""
        while True:
            try:
                return self._house.in_touch()
            except Doubt as doubt:
                self.about.counters.last_doubt = str(doubt)
                self.about.alive()
                self.about.release.wait(0.1)

    def _check_worker(self, record: Task, pipeline: Pipeline) -> None:
        """Raises WorkerLost where the task ran elsewhere and the job wants to be asked before it goes on here."""
        here = self._house.reporter.worker
        moved = record.run and record.phase is Phase.RUNNING and record.worker not in ("", here)
        if moved and not pipeline.options.auto_scaling:
            raise WorkerLost(f"task {record.key} ran on {record.worker}, which lost it; RESUME runs it on {here}")

    def _live(self, life: Life, started: Callable[[], None]) -> End:
        try:
            life.restore()
            if not life.task.run:
                return life.stop()
            self.about.step(3)
            life.assign()
            started()
            return life.loop()
        except KafkaException as error:
            cause = life.judged(error)
            if isinstance(cause, JobFailure):
                life.abandon()
            raise cause from error
        except (Doubt, Fenced, Narrowed):
            raise  # the next producer of this id ends the transaction
        except Exception:
            life.abandon()
            raise

    def _fault(self, error: Exception) -> End:
        """A fault of jobplane suspends the job: to begin again would most likely meet it again."""
        self.about.faults += 1
        fault = noted(error, f"task {self._task.key} of job '{self._task.job}'")
        if isinstance(error, Refused):
            text = f"this version of jobplane refuses the job's statement ({error.code}: {error.message})"
            return self._fail(InternalFailure(f"{text}; DROP the job and create it anew"))
        text = f"the task met a fault of jobplane ({fault}); the log of its worker has more under this reference"
        return self._fail(InternalFailure(f"{text}: report it; RESUME tries again"))

    def _fail(self, failure: JobFailure) -> End:
        cause = Failure(failure.code, failure.message, failure.at)
        progress = self.about.last_progress()
        self._house.reporter.phase(self._task, self.about.attempt, ReportKind.FAILED, failure=cause, progress=progress)
        return End.FAILED
