"""Metrics in the Prometheus text format, from the counters of a worker. Pure except for the library's formatting."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from jobplane.schemas.records.progress import OPEN_WINDOWS, WATERMARK, refusals_by_code

_TASK_COUNTERS = {
    "records_in": "Source records read and committed or about to be.",
    "records_shared": "Source records that came from a fetch that several tasks of the host share.",
    "records_out": "Records written to the sink.",
    "records_skipped": "Records without a value, skipped by a query that needs columns.",
    "host_deaths": "Times the process that ran the task died.",
    "producer_reinits": "Transactional producers created again after a call to Kafka without a clear answer.",
    "commit_seconds": "Seconds spent ending transactions, flush included.",
    "busy_seconds": "CPU seconds of the task's thread.",
}
_GROUP_GAUGES = {
    "groups": "Groups that a task of a query with groups holds.",
    "state_bytes": "An estimate of the memory that the groups of a task take.",
}
_RESULTS = {"transactions_committed": "committed", "transactions_aborted": "aborted"}
_LABELS = ["job", "task"]
FAULT_PLACES = ("command", "report", "decider", "task", "page", "worker")


@dataclass(frozen=True, slots=True)
class WorkerMetrics:
    """The counters of one worker: its tasks (job, task key, counters), the jobs it knows, the verdicts of its decider.

    `faults` are unexpected exceptions by place: one of FAULT_PLACES. `now` is in epoch milliseconds.
    """

    tasks: Iterable[tuple[str, str, Mapping[str, Any]]] = ()
    jobs: Iterable[tuple[str, str]] = ()
    verdicts: Mapping[str, int] = field(default_factory=dict)
    leading: bool = False
    decider_restarts: int = 0
    hosts: int = 0
    faults: Mapping[str, int] = field(default_factory=dict)
    now: float = 0.0


class _Collector:
    def __init__(self, measured: WorkerMetrics) -> None:
        self._measured = measured

    def collect(self) -> Iterable[Metric]:
        seen, tasks = self._measured, list(self._measured.tasks)
        for name, text in _TASK_COUNTERS.items():
            family = CounterMetricFamily(f"jobplane_task_{name}", text, labels=_LABELS)
            for job, task, counters in tasks:
                family.add_metric([job, task], counters.get(name, 0))
            yield family
        transactions = CounterMetricFamily(
            "jobplane_task_transactions", "Transactions by result.", labels=[*_LABELS, "result"]
        )
        refused = CounterMetricFamily(
            "jobplane_task_records_refused",
            "Records left out, or written as dead letters, by the code of the error.",
            labels=[*_LABELS, "reason"],
        )
        lag = GaugeMetricFamily("jobplane_task_lag", "Records behind the ends of the sources.", labels=_LABELS)
        for job, task, counters in tasks:
            lag.add_metric([job, task], counters.get("lag", 0))
            for name, result in _RESULTS.items():
                transactions.add_metric([job, task, result], counters.get(name, 0))
            for code, count in refusals_by_code(counters).items():
                refused.add_metric([job, task, code], count)
        yield transactions
        yield refused
        yield lag
        yield from self._groups(tasks)
        state = GaugeMetricFamily("jobplane_job_status", "1 for the status a job has.", labels=["job", "status"])
        for job, status in seen.jobs:
            state.add_metric([job, status], 1)
        yield state
        verdicts = CounterMetricFamily("jobplane_commands", "Commands judged here, by verdict.", labels=["verdict"])
        for verdict in ("accepted", "unchanged", "refused"):
            verdicts.add_metric([verdict], seen.verdicts.get(verdict, 0))
        yield verdicts
        yield GaugeMetricFamily("jobplane_decider_leading", "1 if this worker is the decider.", value=seen.leading)
        yield CounterMetricFamily(
            "jobplane_decider_restarts", "Times the decider restarted.", value=seen.decider_restarts
        )
        faults = CounterMetricFamily(
            "jobplane_internal_errors",
            "Faults of jobplane itself, by the part in which they occurred.",
            labels=["where"],
        )
        for where in FAULT_PLACES:
            faults.add_metric([where], seen.faults.get(where, 0))
        yield faults
        yield GaugeMetricFamily("jobplane_task_hosts", "Task host processes of this worker.", value=seen.hosts)

    def _groups(self, tasks: Iterable[tuple[str, str, Mapping[str, Any]]]) -> Iterable[Metric]:
        """Of tasks that have groups, or windows to come."""
        grouped = [one for one in tasks if one[2].get("groups") or OPEN_WINDOWS in one[2]]
        for name, text in _GROUP_GAUGES.items():
            family = GaugeMetricFamily(f"jobplane_task_{name}", text, labels=_LABELS)
            for job, task, counters in grouped:
                family.add_metric([job, task], counters.get(name, 0))
            yield family
        opened = GaugeMetricFamily("jobplane_task_open_windows", "Windows that wait for their end.", labels=_LABELS)
        behind = GaugeMetricFamily(
            "jobplane_task_watermark_lag_seconds",
            "How far the watermark that windows wait for is behind the clock.",
            labels=_LABELS,
        )
        for job, task, counters in grouped:
            if OPEN_WINDOWS in counters:
                opened.add_metric([job, task], counters[OPEN_WINDOWS])
            if mark := counters.get(WATERMARK):
                behind.add_metric([job, task], (self._measured.now - mark) / 1000)
        yield opened
        yield behind


def exposition(measured: WorkerMetrics) -> tuple[str, bytes]:
    """Content type and text."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(measured))
    return CONTENT_TYPE_LATEST.partition("; charset")[0], generate_latest(registry)
