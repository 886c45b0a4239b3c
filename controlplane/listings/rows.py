"""Rows of the state for people and programs, in columns that are named in one place. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from jobplane.controlplane.core.state import State, jobs_using_mapping
from jobplane.schemas.options import JobOptions
from jobplane.schemas.records.offsets import SourceOffsets
from jobplane.schemas.records.progress import Progress
from jobplane.schemas.records.state import TASK_ENDED, Job, Snapshot
from jobplane.schemas.records.tasks import task_key
from jobplane.sql.syntax.render.insert_text import insert_text

if TYPE_CHECKING:
    from jobplane.sql.functions import FunctionCatalogue

Row = dict[str, Any]


class Screen(StrEnum):
    """How a terminal shows a listing that is not a single table: see controlplane/listings/page.py."""

    TABLE = "table"
    JOBS = "jobs"
    JOB = "job"
    HISTORY = "history"
    FUNCTIONS = "functions"
    PLAN = "plan"
    STATEMENT = "statement"
    RECORDS = "records"


@dataclass(frozen=True, slots=True)
class Listing:
    """An answer to SHOW or DESCRIBE: rows in named columns; `about` has facts about the described object.

    `others` are further listings by title. `summary`, if any, says for people what `about` says. A row may have more
    fields than `columns`: JSON shows all of them. `notices` are printed separately.
    """

    columns: tuple[str, ...]
    rows: list[Row]
    about: Row = field(default_factory=dict)
    others: dict[str, "Listing"] = field(default_factory=dict)
    summary: str = ""
    screen: Screen = Screen.TABLE
    notices: tuple[str, ...] = ()

    def json_row(self) -> Row:
        """The listing as a JSON object."""
        about = {"about": self.about} if self.about else {}
        noticed = {"notices": list(self.notices)} if self.notices else {}
        return {**about, "rows": self.rows, **{name: other.rows for name, other in self.others.items()}, **noticed}


JOB_COLUMNS = ("name", "status", "uid", "tasks", "query", "failure", "lag", "rate", "created", "closed")
SNAPSHOT_COLUMNS = ("name", "job", "version", "offsets", "state", "time")
MAPPING_COLUMNS = ("name", "topic", "columns", "jobs")
TOPIC_COLUMNS = ("name", "partitions", "mappings")
FUNCTION_COLUMNS = ("name", "signature", "meaning", "package")
PLAN_COLUMNS = ("part", "detail")


def jobs(state: State, progress: Mapping[str, Progress] = MappingProxyType({})) -> list[Row]:
    """Live jobs by name, then ended ones, the newest first. `progress` is the newest of each task, by task key.

    `lag`, in records, and `rate`, in records read per second, are None until every task that writes has reported.
    """
    ended = sorted((job for job in state.jobs.values() if not job.holds_name), key=lambda job: -job.created)
    live = sorted((job for job in state.jobs.values() if job.holds_name), key=lambda job: job.name)
    return [_show_jobs_row(job, progress) for job in (*live, *ended)]


def _show_jobs_row(job: Job, progress: Mapping[str, Progress]) -> Row:
    failure = job.failure
    lag, rate = _lag_and_rate(job, progress)
    return job_row(job) | {
        "lag": lag,
        "rate": rate,
        "created": job.created,
        "closed": job.closed or None,
        "sources": [source.topic for source in job.sources],
        "sink": job.sink.topic,
        "sinks": list(dict.fromkeys(sink.topic for sink in job.sinks)),
        "failure_code": failure.code if failure else "",
        "failure_at": failure.at if failure else "",
    }


def _lag_and_rate(job: Job, progress: Mapping[str, Progress]) -> tuple[int | None, float | None]:
    """Lag and rate over all tasks that still write; None until each of them has reported."""
    writing = [task_key(job.uid, i) for i, task in enumerate(job.tasks) if task.phase not in TASK_ENDED]
    reported = [one for key in writing if (one := progress.get(key)) and (one.partitions or one.dormant)]
    if job.closed or not reported or len(reported) < len(writing):
        return None, None
    return sum(at.lag for one in reported for at in one.partitions), round(sum(one.rate_in for one in reported), 1)


def job_row(job: Job) -> Row:
    return {
        "name": job.name,
        "status": str(job.status),
        "uid": job.uid,
        "tasks": len(job.tasks),
        "query": insert_text(job.statement),
        "failure": str(job.failure) if job.failure else "",
    }


def statuses(state: State) -> list[tuple[str, str]]:
    """Name and status of every live job whose metrics are published."""
    live = (job for job in state.jobs.values() if job.holds_name)
    return [(job.name, str(job.status)) for job in live if JobOptions.of(job.options).metrics_enabled]


def kept_metrics(state: State) -> list[tuple[str, str, Mapping[str, float]]]:
    """(job, task key, counters) of ended jobs with the option metrics enabled."""
    return [
        (job.name, task_key(job.uid, index), task.metrics)
        for job in state.jobs.values()
        if job.closed and JobOptions.of(job.options).metrics_enabled
        for index, task in enumerate(job.tasks)
        if task.metrics
    ]


def snapshots(state: State) -> list[Row]:
    """Valid snapshots by name."""
    return [snapshot_row(state.snapshots[name]) for name in sorted(state.snapshots)]


def snapshot_row(snapshot: Snapshot) -> Row:
    return {
        "name": snapshot.name,
        "job": snapshot.job,
        "version": snapshot.version,
        "offsets": offsets_text(snapshot.sources),
        "state": snapshot.state_bytes,
        "time": snapshot.time,
    }


def mappings(state: State) -> list[Row]:
    return [
        {
            "name": one.name,
            "topic": one.topic,
            "columns": ", ".join(f"{column.name} {column.type}" for column in one.columns),
            "jobs": ", ".join(jobs_using_mapping(state, one.name)),
        }
        for one in (state.mappings[name] for name in sorted(state.mappings))
    ]


def topics(state: State, partitions: Mapping[str, int], prefix: str) -> list[Row]:
    """Topics that jobs can read or write, without those of the control plane and of Kafka."""
    return [
        {
            "name": name,
            "partitions": partitions[name],
            "mappings": ", ".join(sorted(one.name for one in state.mappings.values() if one.topic == name)),
        }
        for name in sorted(partitions)
        if not name.startswith((prefix, "__"))
    ]


def functions(catalogue: "FunctionCatalogue") -> list[Row]:
    from jobplane.sql.functions.listing import list_functions

    return [dict(zip(FUNCTION_COLUMNS, row, strict=True)) for row in list_functions(catalogue)]


def offsets_text(sources: Iterable[SourceOffsets]) -> str:
    """The offsets of each source, as `topic[0:12 1:7]`."""
    return " ".join(
        f"{source.topic}[{' '.join(f'{one.partition}:{one.offset}' for one in source.offsets)}]" for source in sources
    )


def text_of(data: bytes | str | None) -> str | None:
    """Bytes of a record as text; bytes that are not UTF-8 become `0x` and hexadecimal digits."""
    if data is None or isinstance(data, str):
        return data
    try:
        return data.decode()
    except UnicodeDecodeError:
        return f"0x{data.hex()}"
