"""The progress of jobs: the newest reports of tasks, and committed offsets. Read from Kafka; no task is asked."""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing

from jobplane.controlplane.core.state import State
from jobplane.controlplane.log import state_topic
from jobplane.processors.kafka.cluster import CALL_S, Consumer, Kafka, Message, TopicPartition, judged
from jobplane.processors.kafka.control_topics import ControlTopics
from jobplane.processors.kafka.judging import judging
from jobplane.processors.kafka.questions import At
from jobplane.schemas.records.progress import PartitionProgress, Progress
from jobplane.schemas.records.reports import ReportKind
from jobplane.schemas.records.sources import sources_by_topic
from jobplane.schemas.records.state import Job, Phase, Target
from jobplane.schemas.records.tasks import task_key

PROGRESS_MS, DORMANT_MS = 15_000, 660_000
"""Progress older than this says nothing about now: tasks report it every 5 s, and every 10 min while they rest."""


def read_progress(kafka: Kafka, prefix: str, job: Job) -> dict[str, Progress]:
    """What each running task of a job has reported last, by task key: of one that rests, minutes ago."""
    topics, now = ControlTopics(kafka, prefix), _now()
    if job.closed:
        return {}
    with closing(topics.state_reader()) as consumer:
        reports = list(kafka.read_from(consumer, _reports_since(topics, now - DORMANT_MS)))
    return _newest(reports, {job.uid: job}, now)


def read_state_and_progress(kafka: Kafka, prefix: str) -> tuple[State, dict[str, Progress]]:
    """What is listed of the state, and the newest progress of all running tasks, by task key.

    One consumer reads both: a second one would connect again. A task that has reported nothing lately rests, if its
    worker says that tasks rest there: it has read everything.
    """
    topics, now, reports = ControlTopics(kafka, prefix), _now(), list[Message]()
    starts = kafka.first_offsets([(topics.state, 0)]) | _reports_since(topics, now - PROGRESS_MS)

    def states() -> Iterator[Message]:
        for message in kafka.read_from(consumer, starts):
            if message.topic() == topics.state:
                yield message
            else:
                reports.append(message)

    with closing(topics.state_reader()) as consumer:
        state = state_topic.fold_state(states(), state_topic.is_listed)
    return state, _newest(reports, state.jobs, now)


def _now() -> int:
    return round(time.time() * 1000)


def _reports_since(topics: ControlTopics, instant: int) -> dict[At, int]:
    """Where the reports since an instant begin; empty if there are none."""
    found = topics.kafka.offsets_since([(topics.reports, 0)], instant)
    return {at: start for at, start in found.items() if start >= 0}


def _newest(reports: Sequence[Message], jobs: Mapping[str, Job], now: int) -> dict[str, Progress]:
    """The newest progress of each running task of the live ones among `jobs`, which are by uid."""
    heard: set[bytes] = set()
    resting: set[str] = set()
    found: dict[str, Progress] = {}
    for message in reversed(reports):
        key = message.key() or b""
        if key in heard:  # the newest is decoded, and those before it are not
            continue
        uid = key.partition(b"/")[0].decode(errors="replace")
        if uid and uid not in jobs:
            continue
        report = state_topic.read_report(message)
        is_new = message.timestamp()[1] >= now - PROGRESS_MS
        if report is not None and report.said is ReportKind.RESTING and is_new:
            resting.add(report.worker)
        if report is None or report.said is not ReportKind.PROGRESS or report.progress is None:
            continue
        heard.add(key)
        if not is_new and not report.progress.dormant:
            continue
        job = jobs.get(report.uid)
        if job is not None and not job.closed and report.generation == job.generation:
            found[task_key(report.uid, report.task)] = report.progress
    return _resting(jobs, resting, now) | found


def _resting(jobs: Mapping[str, Job], workers: Collection[str], now: int) -> dict[str, Progress]:
    """What tasks that run at these workers would report if they rested."""
    progress = Progress(now, (), 0.0, 0.0, 0, 0, dormant=True)
    return {
        task_key(job.uid, index): progress
        for job in jobs.values()
        if workers and not job.closed and job.target is Target.RUN
        for index, task in enumerate(job.tasks)
        if task.phase is Phase.RUNNING and task.worker in workers
    }


def committed_progress(kafka: Kafka, prefix: str, job: Job) -> list[PartitionProgress]:
    """The committed offsets of a job and the present ends of its sources; start offsets if nothing is committed."""
    sources = sources_by_topic(job.sources)
    partitions = [(topic, p) for topic, (_, count) in kafka.topics(sources).items() for p in range(count)]
    ends = kafka.last_offsets(partitions)
    with closing(kafka.consumer(f"{prefix}job.{job.uid}", committed=False)) as consumer:
        found = committed_offsets(consumer, partitions, job)
    return [PartitionProgress(*at, place, ends[at], max(0, ends[at] - place)) for at, place in found.items()]


def committed_offsets(consumer: Consumer, partitions: Collection[At], job: Job) -> dict[At, int]:
    """Offsets that the job's group, which is the consumer's, has committed; start offsets if it has none.

    Raises Doubt if Kafka does not answer, JobFailure if it does not allow to read them.
    """
    starts = {source.topic: source.start for source in job.sources}
    with judging():
        committed = consumer.committed([TopicPartition(*at) for at in partitions], CALL_S) if partitions else []
    found: dict[At, int] = {}
    for one in committed:
        if one.error is not None:
            raise judged(one.error)
        start = starts[one.topic]
        begin = start[one.partition] if one.partition < len(start) else 0
        found[one.topic, one.partition] = one.offset if one.offset >= 0 else begin
    return found
