"""Fences, in the background, the transactional ids of tasks that must stop and do not report that they did.

The changed `tasks` record is committed first (law 6), so a task that starts after the fence sees that it must not run.
A fenced task is reported as stopped, by an ordinary report: the decider's loop never waits for it.
"""

import logging
import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor

from jobplane.controlplane.fetch.groups import Groups
from jobplane.controlplane.topics import REPORTS
from jobplane.processors.kafka.cluster import CALL_S, Doubt, Fenced, Kafka
from jobplane.processors.kafka.control_topics import ControlTopics
from jobplane.processors.kafka.hanging import task_place, topics_written
from jobplane.processors.kafka.judging import judging
from jobplane.processors.kafka.transactions import TransactionalProducer
from jobplane.schemas.failures import JobFailure
from jobplane.schemas.options import Guarantee, JobOptions
from jobplane.schemas.records.reports import Report, ReportKind
from jobplane.schemas.records.tasks import Task
from jobplane.schemas.wire.codec import encode

LOG = logging.getLogger("jobplane.fencer")
GRACE_S = 10.0
FENCE_S = 30.0
TRANSACTION_MS = 60_000
AGAIN_S = 30.0
"""How long after it failed the deletion of a topic is tried again."""


class Fencer:
    """`watch` after each commit, `tick` often, both from the decider's thread."""

    def __init__(self, kafka: Kafka, prefix: str, groups: Groups, session_timeout: float) -> None:
        self._kafka, self._prefix, self._groups = kafka, prefix, groups
        self._unfenced_grace_s = max(GRACE_S, 2 * session_timeout)
        self._due: dict[str, dict[int, tuple[float, Task]]] = {}
        self._undeleted, self._delete_at = set[str](), 0.0
        self._background = ThreadPoolExecutor(1, "fencer")

    def watch(self, uid: str, unstopped: tuple[Task, ...]) -> None:
        """Takes the tasks of a job that must stop and have not reported that they did; each has ten seconds.

        Output outside a transaction cannot be fenced: its host ends by itself after its worker's session has expired.
        """
        had, now = self._due.pop(uid, {}), time.monotonic()
        if unstopped:
            fenced = JobOptions.of(unstopped[0].options).processing_guarantee is Guarantee.EXACTLY_ONCE
            due = now + (GRACE_S if fenced else self._unfenced_grace_s)
            self._due[uid] = {task.task: (had.get(task.task, (due,))[0], task) for task in unstopped}

    def forget_all(self) -> None:
        self._due.clear()

    def tick(self) -> None:
        now = time.monotonic()
        if self.is_deleting_again and now >= self._delete_at:
            self._delete_at = now + AGAIN_S
            self._background.submit(self._delete_again)
        for tasks in self._due.values():
            for index, (due, task) in tasks.items():
                if now >= due:
                    tasks[index] = (now + FENCE_S + GRACE_S, task)
                    self._background.submit(self._fence, task)

    def delete_group(self, uid: str) -> None:
        self._background.submit(self._delete_group, f"{self._prefix}job.{uid}")

    def delete_states(self, uids: Collection[str]) -> None:
        """Deletes the topics with the state of jobs' groups, those that there are."""
        if uids:
            topics = ControlTopics(self._kafka, self._prefix)
            self._background.submit(self._delete_topics, [topics.job_state(uid) for uid in uids])

    @property
    def is_deleting_again(self) -> bool:
        """Whether there are topics to delete that it could not delete before."""
        return bool(self._undeleted)

    def _delete_again(self) -> None:
        """The topics that were not deleted before."""
        topics = sorted(self._undeleted)
        self._undeleted.clear()
        self._delete_topics(topics)

    def _fence(self, task: Task) -> None:
        deadline, topics = time.monotonic() + FENCE_S, ControlTopics(self._kafka, self._prefix)

        def alive() -> None:
            if time.monotonic() > deadline:
                raise Doubt(f"fencing took more than {FENCE_S:.0f} s")

        try:
            TransactionalProducer(
                self._kafka,
                topics.transactional_id(task),
                TRANSACTION_MS,
                f"{self._prefix}{REPORTS}",
                alive,
                task_place(task, topics, self._kafka.topics(topics_written(task, topics), alive)),
            )
        except (Doubt, Fenced, JobFailure) as failed:
            LOG.warning("task %s could not be fenced; the decider tries again: %s", task.key, failed)
            return
        report = Report(task.uid, task.task, task.generation, task.attempt, ReportKind.STOPPED, "decider")
        producer = self._kafka.producer()
        producer.produce(f"{self._prefix}{REPORTS}", encode(report), task.key, 0)
        producer.flush(CALL_S)

    def _delete_group(self, group: str) -> None:
        try:
            self._groups.delete(group)
        except Doubt as failed:
            LOG.warning("group %s was not deleted: %s", group, failed)

    def _delete_topics(self, topics: list[str]) -> None:
        try:
            found = [*self._kafka.topics(topics)]
            with judging():
                asked = self._kafka.admin.delete_topics(found, operation_timeout=CALL_S) if found else {}
                for deleted in asked.values():
                    deleted.result(CALL_S * 2)
        except (Doubt, Fenced, JobFailure, TimeoutError) as failed:
            LOG.warning("%s: not deleted, tried again in %.0f s: %s", ", ".join(topics), AGAIN_S, failed)
            self._delete_at = time.monotonic() + AGAIN_S
            self._undeleted.update(topics)
