"""What a task host reports: phases, snapshots and progress of its tasks. One producer serves all tasks of a host."""

import threading
import time

from jobplane.processors.kafka.cluster import (
    CALL_S,
    Doubt,
    Kafka,
    KafkaError,
    Message,
    Producer,
    delivered_offset,
    judged,
)
from jobplane.processors.kafka.judging import judging
from jobplane.schemas.records.progress import Progress
from jobplane.schemas.records.reports import Report, ReportKind
from jobplane.schemas.records.snapshots import SnapshotRequest
from jobplane.schemas.records.state import TASK_ENDED, Phase
from jobplane.schemas.records.tasks import Task
from jobplane.schemas.wire.codec import encode

REPEAT_S = 30.0


DELIVERY_S = 30.0


class Reporter:
    """Says what tasks of this host came to, and repeats each report until the task's record shows it was heard."""

    def __init__(self, kafka: Kafka, prefix: str, worker: str) -> None:
        self._producer: Producer = kafka.producer()
        self._prefix, self.worker = prefix, worker
        self._lock = threading.Lock()
        self._unheard: dict[tuple[str, int], tuple[float, Report]] = {}
        """By task key and snapshot version (0: the task's phase)."""

    def phase(self, task: Task, attempt: int, said: ReportKind, **details: object) -> None:
        self._say(
            task.key,
            0,
            Report(task.uid, task.task, task.generation, attempt, said, self.worker, **details),  # type: ignore[arg-type]
        )

    def snapshot(self, task: Task, attempt: int, said: ReportKind, request: SnapshotRequest, **details: object) -> None:
        report = Report(
            task.uid,
            task.task,
            task.generation,
            attempt,
            said,
            self.worker,
            snapshot=request,
            **details,  # type: ignore[arg-type]
        )
        self._say(task.key, request.version, report)

    def progress(self, task: Task, attempt: int, progress: Progress) -> None:
        """Said once: the next one comes in seconds."""
        said = Report(
            task.uid, task.task, task.generation, attempt, ReportKind.PROGRESS, self.worker, progress=progress
        )
        self._send(said)

    def keep(self, key: str, value: bytes) -> int:
        """Write a snapshot's record; returns its offset once it is acknowledged. Raises Doubt or a JobFailure."""
        delivered: list[tuple[KafkaError | None, Message]] = []
        with judging():
            self._producer.produce(
                f"{self._prefix}snapshots",
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

    def heard(self, task: Task) -> None:
        """Forget the reports that the task's record takes into account."""
        versions = {request.version for request in task.snapshots}
        with self._lock:
            for (key, version), (_, report) in list(self._unheard.items()):
                if key == task.key and (version not in versions if version else _answered(task, report)):
                    del self._unheard[key, version]

    def forget(self, key: str) -> None:
        with self._lock:
            for one in [one for one in self._unheard if one[0] == key]:
                del self._unheard[one]

    def repeat(self) -> None:
        """Say again what has not been heard for 30 s. Called every second or so."""
        now = time.monotonic()
        with self._lock:
            due = [report for said, report in self._unheard.values() if now - said >= REPEAT_S]
            self._unheard = {
                one: (now, report) if report in due else (said, report) for one, (said, report) in self._unheard.items()
            }
        for report in due:
            self._send(report)
        self._producer.poll(0)

    def _say(self, key: str, version: int, report: Report) -> None:
        with self._lock:
            self._unheard[key, version] = (time.monotonic(), report)
        self._send(report)

    def _send(self, report: Report) -> None:
        self._producer.produce(f"{self._prefix}reports", encode(report), f"{report.uid}/{report.task}", 0)
        self._producer.poll(0)

    def close(self) -> None:
        self._producer.flush(CALL_S)


_PHASE = {
    ReportKind.RUNNING: Phase.RUNNING,
    ReportKind.STOPPED: Phase.STOPPED,
    ReportKind.FAILED: Phase.STOPPED,
    ReportKind.COMPLETED: Phase.COMPLETED,
}


def _answered(task: Task, report: Report) -> bool:
    return task.generation > report.generation or (
        task.attempt >= report.attempt and task.phase in (_PHASE[report.said], *TASK_ENDED)
    )
