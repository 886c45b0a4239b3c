"""What a task host reports: phases, snapshots and progress of its tasks. All tasks of a host share one producer."""

import threading
import time
from dataclasses import replace

from jobplane.processors.kafka.cluster import (
    CALL_S,
    Doubt,
    KafkaError,
    Message,
    Producer,
    delivered_offset,
    judged,
)
from jobplane.processors.kafka.control_topics import ControlTopics
from jobplane.processors.kafka.judging import judging
from jobplane.processors.protocol.messages import TaskGoal
from jobplane.processors.protocol.topic_names import MAX_STATE_BYTES
from jobplane.schemas.records.failure import Failure
from jobplane.schemas.records.progress import Progress
from jobplane.schemas.records.reports import Report, ReportKind
from jobplane.schemas.records.snapshots import SnapshotPart, SnapshotRequest
from jobplane.schemas.records.state import TASK_ENDED, Phase
from jobplane.schemas.wire.codec import encode

REPEAT_S = 30.0
"""A report is repeated this long after the last time, until the task record takes it into account."""
DELIVERY_S = 30.0
"""How long a snapshot record may take to be acknowledged."""


class Reporter:
    """Sends the reports of tasks, and repeats each report until the task record takes the report into account."""

    def __init__(self, topics: ControlTopics, worker: str) -> None:
        self._producer: Producer = topics.kafka.producer(message_max_bytes=MAX_STATE_BYTES)
        self._topics, self.worker = topics, worker
        self._lock = threading.Lock()
        self._unknown: dict[str, dict[int, tuple[float, Report]]] = {}
        """By task key and snapshot version (0: the task's phase), with the time of the last sending."""

    def phase(
        self,
        goal: TaskGoal,
        attempt: int,
        said: ReportKind,
        *,
        failure: Failure | None = None,
        progress: Progress | None = None,
    ) -> None:
        report = self._report(goal, attempt, said)
        self._send_until_known(goal.key, 0, replace(report, failure=failure, progress=progress))

    def snapshot(
        self,
        goal: TaskGoal,
        attempt: int,
        said: ReportKind,
        request: SnapshotRequest,
        *,
        failure: Failure | None = None,
        part: SnapshotPart | None = None,
    ) -> None:
        report = self._report(goal, attempt, said)
        self._send_until_known(goal.key, request.version, replace(report, snapshot=request, failure=failure, part=part))

    def progress(self, goal: TaskGoal, attempt: int, progress: Progress) -> None:
        """Sent once: the next one comes in seconds."""
        self._send(replace(self._report(goal, attempt, ReportKind.PROGRESS), progress=progress))

    def resting(self) -> None:
        """Says that tasks rest at this worker, and that it lives: no task that rests says so itself."""
        self._send(Report("", 0, 0, 0, ReportKind.RESTING, self.worker))

    def _report(self, goal: TaskGoal, attempt: int, said: ReportKind) -> Report:
        return Report(goal.uid, goal.task, goal.generation, attempt, said, self.worker)

    def keep(self, key: str, value: bytes) -> int:
        """Writes a snapshot record; returns its offset once it is acknowledged. Raises Doubt or a JobFailure."""
        delivered: list[tuple[KafkaError | None, Message]] = []
        with judging():
            self._producer.produce(
                self._topics.snapshots,
                value,
                key,
                0,
                on_delivery=lambda error, message: delivered.append((error, message)),
            )
        deadline = time.monotonic() + DELIVERY_S
        while not delivered and time.monotonic() < deadline:
            self._producer.poll(0.01)
        if not delivered:
            raise Doubt(f"the snapshot record was not acknowledged within {DELIVERY_S:.0f} s")
        error, message = delivered[0]
        if error is not None:
            raise judged(error)
        return delivered_offset(message)

    def forget_known(self, goal: TaskGoal) -> None:
        """Forgets the reports that the task record takes into account."""
        versions = {request.version for request in goal.snapshots}
        with self._lock:
            left = {
                version: (sent, report)
                for version, (sent, report) in self._unknown.pop(goal.key, {}).items()
                if (version in versions if version else not _is_known(goal, report))
            }
            if left:
                self._unknown[goal.key] = left

    def forget(self, key: str) -> None:
        """Forgets all reports of a task."""
        with self._lock:
            self._unknown.pop(key, None)

    def repeat(self) -> None:
        """Repeats the reports that are due. Called about once a second."""
        now = time.monotonic()
        with self._lock:
            due = [
                (reports, version, report)
                for reports in self._unknown.values()
                for version, (sent, report) in reports.items()
                if now - sent >= REPEAT_S
            ]
            for reports, version, report in due:
                reports[version] = (now, report)
        for _, _, report in due:
            self._send(report)
        self._producer.poll(0)

    def _send_until_known(self, key: str, version: int, report: Report) -> None:
        with self._lock:
            self._unknown.setdefault(key, {})[version] = (time.monotonic(), report)
        self._send(report)

    def _send(self, report: Report) -> None:
        self._producer.produce(self._topics.reports, encode(report), f"{report.uid}/{report.task}", 0)
        self._producer.poll(0)

    def close(self) -> None:
        self._producer.flush(CALL_S)


_PHASE = {
    ReportKind.RUNNING: Phase.RUNNING,
    ReportKind.STOPPED: Phase.STOPPED,
    ReportKind.FAILED: Phase.STOPPED,
    ReportKind.COMPLETED: Phase.COMPLETED,
}


def _is_known(goal: TaskGoal, report: Report) -> bool:
    return goal.generation > report.generation or (
        goal.attempt >= report.attempt and goal.phase in (_PHASE[report.said], *TASK_ENDED)
    )
