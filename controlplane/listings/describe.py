"""The listings of DESCRIBE JOB, MAPPING and SNAPSHOT. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping

from jobplane.controlplane.core.state import State, jobs_using_mapping
from jobplane.controlplane.listings.rows import Listing, Row, Screen, job_row
from jobplane.schemas.errors import JobNotFound, MappingNotFound, SnapshotNotFound
from jobplane.schemas.failures import LateRecord
from jobplane.schemas.formats import JSON_FLAT, KEY_FORMAT, VALUE_FORMAT
from jobplane.schemas.options import JobOptions
from jobplane.schemas.records.plans import keeps_state
from jobplane.schemas.records.progress import PartitionProgress, Progress, refusals_by_code
from jobplane.schemas.records.state import TASK_ENDED, Job, Snapshot
from jobplane.schemas.records.tasks import task_key
from jobplane.schemas.suggestions import did_you_mean
from jobplane.sql.syntax import statements

TASK_COLUMNS = (
    *("task", "status", "worker", "partition", "position", "end", "lag"),
    *("rate_in", "rate_out", "committed", "state_bytes", "trouble"),
)
WATERMARK, WATERMARK_SPREAD, SILENT_SINCE = "watermark", "watermark_spread", "silent_since"
"""Shown of a job with groups: what its windows wait for, how far partitions are apart, since when nothing came."""
DORMANT = "DORMANT"
"""Shown as the status of a task that rests, which is one that runs."""
GROUP_COLUMNS = (WATERMARK, SILENT_SINCE)
ABOUT_GROUPS = (
    *("groups", "state_bytes", "late", "open_windows", "oldest_window_end"),
    *(WATERMARK, WATERMARK_SPREAD, "held_back_by", "held_back_since"),
)
"""What is known of a job with groups; of one without windows only the first two."""
OFFSET_COLUMNS = ("topic", "partition", "offset")
COLUMN_COLUMNS = ("column", "type", "path")


def find_job(state: State, name: statements.Name) -> Job:
    """The live job with this name, else the newest ended one, else the job with this uid. Raises JobNotFound."""
    job = state.live_job(name.text) or state.jobs.get(name.text)
    same = [one for one in state.jobs.values() if one.name == name.text]
    job = job or max(same, key=lambda one: one.created, default=None)
    if job is None:
        known = [one.name for one in state.jobs.values()]
        raise JobNotFound(f"no job is called '{name}'{did_you_mean(name.text, known)}", name.place)
    return job


def describe_job(job: Job, progress: Mapping[str, Progress], committed: Iterable[PartitionProgress]) -> Listing:
    """A row for each partition of each task. `progress` is by task key; a task without progress shows `committed`."""
    options = JobOptions.of(job.options)
    about = {
        **job_row(job),
        "guarantee": str(options.processing_guarantee),
        "tombstones": str(options.tombstones),
        "options": job.options,
        "created": job.created,
        "closed": job.closed or None,
        "generation": job.generation,
        "layout": job.layout,
        "packages": [str(one) for one in job.packages],
        "refused": _count_refused(job, progress),
        "snapshots_pending": [one.request.name for one in job.pending],
        **_about_groups(job, progress),
    }
    if job.failure is not None:
        about |= {"failure_code": job.failure.code, "failure_at": job.failure.at}
    resting = list(committed)
    rows = [row for i in range(len(job.tasks)) for row in _task_rows(job, i, progress, resting)]
    columns = (*TASK_COLUMNS, *GROUP_COLUMNS) if keeps_state(job.plan) else TASK_COLUMNS
    return Listing(columns, rows, about, screen=Screen.JOB)


def _about_groups(job: Job, progress: Mapping[str, Progress]) -> Row:
    """The groups of the tasks, and how far time is, as they have reported; nothing about a query without groups."""
    if not keeps_state(job.plan):
        return {}
    now = [one for i in range(len(job.tasks)) if (one := _live_progress(job, i, progress))]
    found: list[object] = [sum(int(one.metrics.get("groups", 0)) for one in now), sum(one.state_bytes for one in now)]
    windows = [one.windows for one in now if one.windows is not None]
    if windows:
        marks = [at.watermark for one in now for at in one.partitions if at.watermark is not None]
        ends = [one.oldest_end for one in windows if one.oldest_end is not None]
        least = [one.watermark for one in windows if one.watermark is not None]
        held_by = next((one.held_by for one in windows), "")
        silent = {f"{at.topic}-{at.partition}": at.silent_since for one in now for at in one.partitions}
        found += [
            _count_refused(job, progress).get(LateRecord.code, 0),
            sum(one.open for one in windows),
            min(ends, default=None),
            min(least) if len(least) == len(windows) else None,
            max(marks) - min(marks) if marks else None,
            held_by,
            silent.get(held_by),
        ]
    return dict(zip(ABOUT_GROUPS, found, strict=False))


def _count_refused(job: Job, progress: Mapping[str, Progress]) -> dict[str, int]:
    """The number of refused records by error code, as the tasks have reported."""
    counts = Counter[str]()
    for i, task in enumerate(job.tasks):
        now = _live_progress(job, i, progress)
        counts.update(refusals_by_code(now.metrics if now else task.metrics))
    return dict(sorted(counts.items()))


def _live_progress(job: Job, index: int, progress: Mapping[str, Progress]) -> Progress | None:
    """The progress of a task that still writes, if it has reported any."""
    return progress.get(task_key(job.uid, index)) if job.tasks[index].phase not in TASK_ENDED else None


def _task_rows(job: Job, index: int, progress: Mapping[str, Progress], committed: list[PartitionProgress]) -> list[Row]:
    task = job.tasks[index]
    now = _live_progress(job, index, progress)
    held = (
        now.partitions
        if now and now.partitions
        else [one for one in committed if one.partition % len(job.tasks) == index]
    )
    return [
        {
            "task": index,
            "status": DORMANT if now and now.dormant else str(task.phase),
            "worker": task.worker,
            "partition": f"{one.topic}-{one.partition}",
            "position": one.position,
            "end": one.end,
            "lag": one.lag,
            "rate_in": round(now.rate_in, 1) if now else None,
            "rate_out": round(now.rate_out, 1) if now else None,
            "committed": (now.committed or None) if now else None,
            "state_bytes": now.state_bytes if now else None,
            "trouble": now.trouble if now else "",
            **({WATERMARK: one.watermark, SILENT_SINCE: one.silent_since} if keeps_state(job.plan) else {}),
            **({"metrics": task.metrics} if task.metrics else {}),
        }
        for one in held
    ] or [dict.fromkeys(TASK_COLUMNS) | {"task": index, "status": str(task.phase), "worker": task.worker}]


def describe_mapping(state: State, name: statements.Name) -> Listing:
    mapping = state.mappings.get(name.text)
    if mapping is None:
        hint = did_you_mean(name.text, state.mappings)
        raise MappingNotFound(f"no mapping is called '{name}'{hint}", name.place)
    about = {
        "name": mapping.name,
        "topic": mapping.topic,
        KEY_FORMAT: mapping.options.get(KEY_FORMAT, "bytes"),
        VALUE_FORMAT: mapping.options.get(VALUE_FORMAT, JSON_FLAT),
        "jobs": jobs_using_mapping(state, mapping.name),
        "statement": mapping.statement,
    }
    rows = [{"column": one.name, "type": one.type, "path": ".".join(one.path)} for one in mapping.columns]
    return Listing(COLUMN_COLUMNS, rows, about)


def _groups_of(snapshot: Snapshot) -> list[str]:
    """What the groups in a snapshot are; empty where there are none, or an older version has made it."""
    from jobplane.sql.plan.grouping.going_on import describe_groups
    from jobplane.sql.plan.grouping.signature import decode_signatures

    return describe_groups(decode_signatures(snapshot.groups) or ())


def describe_snapshot(state: State, name: statements.Name) -> Listing:
    snapshot = state.snapshots.get(name.text)
    if snapshot is None:
        hint = did_you_mean(name.text, state.snapshots)
        raise SnapshotNotFound(f"no snapshot is called '{name}'{hint}", name.place)
    about = {
        "name": snapshot.name,
        "job": snapshot.job,
        "uid": snapshot.uid,
        "version": snapshot.version,
        "time": snapshot.time,
        "parts": len(snapshot.parts),
        "state": snapshot.state_bytes,
        "groups": _groups_of(snapshot),
        "digest": snapshot.digest,
        "sink": snapshot.sink,
        "sink_ends": list(snapshot.sink_ends),
        "sinks": {one.topic: list(one.ends) for one in snapshot.sinks},
        "statement": snapshot.statement,
    }
    rows = [
        {"topic": source.topic, "partition": one.partition, "offset": one.offset}
        for source in snapshot.sources
        for one in source.offsets
    ]
    return Listing(OFFSET_COLUMNS, rows, about)
