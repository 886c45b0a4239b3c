"""The verdicts: state, request and facts to event bodies. Judged once; the first body is the command's outcome.

Commands are judged by a job's target, never by what its tasks have reported, so no verdict depends on a race.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import assert_never

from controlplane.evolve import State
from controlplane.jobs import Input, follow
from controlplane.topics import TASK_PARTITIONS
from controlplane.translate import Request
from schemas.errors import (
    BadOptionValue,
    CommandIdReused,
    FactsUnavailable,
    JobDropping,
    JobExists,
    JobNotFound,
    JobNotRunning,
    JobWasDropped,
    Place,
    ReadStatement,
    Refused,
    SinkIsSource,
    SnapshotMismatch,
    SnapshotNotFound,
    TopicNotFound,
    TopicReserved,
)
from schemas.events import (
    Body,
    CommandRefused,
    CommandRepeated,
    CommandUnchanged,
    JobClosed,
    JobCreated,
    JobDropped,
    JobForgotten,
    JobRestarted,
    JobResumed,
    JobSuspended,
    SnapshotDropped,
    SnapshotFailed,
    SnapshotRequested,
)
from schemas.state import Job, Phase, Snapshot, Status, Target
from schemas.values import Failure, Restore, Sink, SnapshotRequest, Source
from sql import nodes

KEPT_ENDED_JOBS = 1_000
TRANSACTION_SLACK_MS = 60_000
"""A transaction may stay open this much longer than the commit interval before Kafka aborts it."""
DEFAULT_PARALLELISM = 4
LONGEST_HINTED = 249
"""Characters of a topic's name at most; for longer names no neighbour is looked for."""
_APART = [p ^ turn for turn in range(4) for p in (0, 27, 9, 18, 4, 31, 13, 22)]
"""All `tasks` partitions in an order in which neighbours are held by different workers, whether those hold ranges of
partitions or every n-th: of the first two, four and eight there is one in each half, quarter and eighth, either way."""
_SPREAD = [_APART.index(p) for p in range(TASK_PARTITIONS)]


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """A topic as Kafka describes it; `earliest` and `latest` are offsets by partition (latest: the high watermark)."""

    topic_id: str
    earliest: tuple[int, ...]
    latest: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a batch of verdicts needs from outside, fetched before. `unavailable` says why some is missing."""

    plane: str
    topics: Mapping[str, TopicFacts] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    max_transaction_ms: int = 900_000
    unavailable: str = ""


def decide(state: State, request: Request, facts: Facts, prefix: str) -> tuple[Body, ...]:
    """The outcome of one command, and what follows from it at once."""
    command = request.command
    first = state.answers.get(command.given_id)
    try:
        if first is not None:
            if first.digest != command.digest:
                raise CommandIdReused(
                    f"command id '{command.given_id}' was used at offset {first.offset} with other text"
                )
            return (CommandRepeated(first),)
        if request.error is not None:
            raise request.error
        return _judge(state, request, facts, prefix)
    except Refused as refused:
        place = refused.place
        return (CommandRefused(refused.code, refused.message, place.line, place.column, command.length),)


def _judge(state: State, request: Request, facts: Facts, prefix: str) -> tuple[Body, ...]:
    match request.statement:
        case nodes.CreateJob() as create:
            return _create_job(state, create, request, facts, prefix)
        case nodes.DropJob() as drop:
            return _drop_job(state, drop, request.command.offset)
        case nodes.AlterJob() as alter:
            return _alter_job(state, alter)
        case nodes.CreateSnapshot() as create:
            job = _live(state, create.job)
            if job.waits_for:
                raise JobNotRunning(f"job '{job.name}' waits for the end of the one before it", create.job.place)
            request_ = SnapshotRequest(create.snapshot.text, request.command.offset)
            return (SnapshotRequested(job.uid, request_, follow(job.status, Input.EXPORT)),)
        case nodes.DropSnapshot() as drop:
            return _drop_snapshot(state, drop)
        case nodes.ShowJobs() | nodes.ShowSnapshots() | None:
            raise ReadStatement("not a statement of the command log")
        case never:
            assert_never(never)


def _create_job(state: State, create: nodes.CreateJob, request: Request, facts: Facts, prefix: str) -> tuple[Body, ...]:
    name = create.name.text
    holder = state.live(name)
    if holder is not None:
        if holder.target is Target.END:
            raise JobDropping(f"job '{name}' is being dropped with a snapshot; wait for its end", create.name.place)
        if not create.if_not_exists:
            raise JobExists(
                f"a job '{name}' exists ({holder.status}); DROP it first, or choose another name", create.name.place
            )
        notices = () if _same_job(holder, request) else ("the existing job has another definition",)
        return (CommandUnchanged(holder.uid, f"job '{name}' exists", notices, holder.status),)
    source, sink = _topics(create, facts, prefix)
    options, partitions = request.options, len(source.start)
    _check_interval(create, options.snapshot_interval_millis, facts.max_transaction_ms)
    if options.parallelism > partitions:
        raise BadOptionValue(
            f"parallelism {options.parallelism} is more than the {partitions} partitions of '{source.topic}'",
            _value_place(create, "parallelism"),
        )
    restore = None
    if options.initial_snapshot_name:
        place = _value_place(create, "initialSnapshotName")
        source, restore = _restore(state, options.initial_snapshot_name, source, facts, place)
    return (
        JobCreated(
            uid=f"{facts.plane}-{request.command.offset}",
            name=name,
            statement=request.text,
            options={option.name.text: option.value for option in create.options},
            sources=(source,),
            sink=sink,
            partitions=_place(state, options.parallelism or min(partitions, DEFAULT_PARALLELISM)),
            restore=restore,
            waits_for=state.closing.get(name, ""),
            status=Status.NOT_RUNNING,
        ),
    )


def _same_job(job: Job, request: Request) -> bool:
    return job.statement.replace(" IF NOT EXISTS", "", 1) == request.text.replace(" IF NOT EXISTS", "", 1)


def _topics(create: nodes.CreateJob, facts: Facts, prefix: str) -> tuple[Source, Sink]:
    target, origin = create.insert.target, create.insert.query.source
    for name, role in ((target, "write to"), (origin, "read")):
        if name.text.startswith(prefix):
            raise TopicReserved(
                f"a job may not {role} '{name.text}': topics that begin with '{prefix}' are the control plane's own",
                name.place,
            )
    if target.text == origin.text:
        raise SinkIsSource(
            f"'{target.text}' is source and sink; a job that reads its own output never ends", target.place
        )
    if facts.unavailable:
        raise FactsUnavailable(f"Kafka did not answer in time ({facts.unavailable}); send the command again")
    read, written = (_topic(name, facts) for name in (origin, target))
    return (
        Source(origin.text, read.topic_id, read.earliest),
        Sink(target.text, written.topic_id, len(written.earliest)),
    )


def _topic(name: nodes.Name, facts: Facts) -> TopicFacts:
    found = facts.topics.get(name.text)
    if found is None:
        hint = _did_you_mean(name.text, facts.names) or "; create it first"
        raise TopicNotFound(f"no topic is called '{name.text}'{hint}", name.place)
    return found


def _check_interval(create: nodes.CreateJob, interval: int, limit: int) -> None:
    if interval + TRANSACTION_SLACK_MS > limit:
        raise BadOptionValue(
            f"snapshotIntervalMillis {interval} needs transactions of {interval + TRANSACTION_SLACK_MS} ms; "
            f"the broker's transaction.max.timeout.ms is {limit}",
            _value_place(create, "snapshotIntervalMillis"),
        )


def _restore(state: State, name: str, source: Source, facts: Facts, place: Place) -> tuple[Source, Restore]:
    """The source with the snapshot's offsets, and its version pinned."""
    snapshot = state.snapshots.get(name)
    if snapshot is None:
        raise SnapshotNotFound(f"no snapshot is called '{name}'{_did_you_mean(name, state.snapshots)}", place)
    held = {one.topic: one for one in snapshot.sources}.get(source.topic)
    if held is None:
        topics = ", ".join(one.topic for one in snapshot.sources)
        raise SnapshotMismatch(f"snapshot '{name}' holds offsets of '{topics}', not of '{source.topic}'", place)
    if held.topic_id != source.topic_id:
        raise SnapshotMismatch(f"topic '{source.topic}' was deleted and recreated since snapshot '{name}'", place)
    start, earliest = list(source.start), source.start
    for one in held.offsets:
        if one.partition >= len(start):
            raise SnapshotMismatch(f"topic '{source.topic}' has fewer partitions than snapshot '{name}'", place)
        if earliest[one.partition] > one.offset:
            raise SnapshotMismatch(
                f"'{source.topic}' no longer holds offset {one.offset} of partition {one.partition} "
                f"(it begins at {earliest[one.partition]})",
                place,
            )
        start[one.partition] = one.offset
    return (
        Source(source.topic, source.topic_id, tuple(start)),
        Restore(name, snapshot.version, snapshot.parts),
    )


def _place(state: State, count: int) -> tuple[int, ...]:
    """A `tasks` partition for each task: those with the fewest, a job's tasks apart while there are enough.

    Those of equal load are taken from far apart, so that few workers share few tasks.
    """
    fewest = sorted(range(len(state.load)), key=lambda p: (state.load[p], _SPREAD[p]))
    return tuple(fewest[i % len(fewest)] for i in range(count))


def _drop_job(state: State, drop: nodes.DropJob, offset: int) -> tuple[Body, ...]:
    name = drop.name.text
    job = state.live(name)
    if job is None and drop.if_exists:
        return (CommandUnchanged("", f"no live job is called '{name}'"),)
    if job is not None and job.target is Target.END and drop.if_exists:
        return (CommandUnchanged(job.uid, f"job '{name}' is being dropped already", (), job.status),)
    job = _live(state, drop.name)
    if drop.with_snapshot is not None and job.waits_for:
        raise JobNotRunning(f"job '{name}' has not run yet: there is nothing to keep", drop.with_snapshot.place)
    request = SnapshotRequest(drop.with_snapshot.text, offset) if drop.with_snapshot else None
    dropped = JobDropped(job.uid, request, follow(job.status, Input.DROP))
    lost = Failure(JobWasDropped.code, f"job '{name}' was dropped before the snapshot was complete")
    failed = tuple(
        SnapshotFailed(job.uid, pending.request, lost, Target.END, dropped.status) for pending in job.pending
    )
    ended = job.waits_for or all(task.phase is Phase.STOPPED for task in job.tasks)
    return (dropped, *failed, *(close(state, job.uid, dropped.status) if ended and request is None else ()))


def close(state: State, uid: str, status: Status) -> tuple[Body, ...]:
    """The end of a job whose tasks can write no more; the oldest ended job is forgotten when too many are kept."""
    oldest = next(iter(state.ended), None) if len(state.ended) >= KEPT_ENDED_JOBS else None
    forgotten = (JobForgotten(oldest),) if oldest is not None else ()
    return (JobClosed(uid, follow(status, Input.ALL_STOPPED)), *forgotten)


def _alter_job(state: State, alter: nodes.AlterJob) -> tuple[Body, ...]:
    job = _live(state, alter.name)
    runs = job.target is Target.RUN
    match alter.action:
        case nodes.Action.RESUME:
            if runs:
                return (CommandUnchanged(job.uid, f"job '{job.name}' is not suspended ({job.status})", (), job.status),)
            return (JobResumed(job.uid, job.generation + 1, follow(job.status, Input.RESUME)),)
        case nodes.Action.SUSPEND | nodes.Action.RESTART if not runs:
            raise JobNotRunning(f"job '{job.name}' is {job.status}; RESUME it first", alter.name.place)
        case nodes.Action.SUSPEND:
            return (JobSuspended(job.uid, follow(job.status, Input.SUSPEND)),)
        case nodes.Action.RESTART:
            return (JobRestarted(job.uid, job.generation + 1, follow(job.status, Input.RESTART)),)
        case never:
            assert_never(never)


def _drop_snapshot(state: State, drop: nodes.DropSnapshot) -> tuple[Body, ...]:
    name = drop.snapshot.text
    snapshot: Snapshot | None = state.snapshots.get(name)
    if snapshot is not None:
        return (SnapshotDropped(name, snapshot.version),)
    if drop.if_exists:
        return (CommandUnchanged("", f"no snapshot is called '{name}'"),)
    raise SnapshotNotFound(f"no snapshot is called '{name}'{_did_you_mean(name, state.snapshots)}", drop.snapshot.place)


def _live(state: State, name: nodes.Name) -> Job:
    """The job a command is about. Raises JobNotFound, or JobDropping where it is on its way out."""
    job = state.live(name.text)
    if job is None:
        raise JobNotFound(f"no live job is called '{name.text}'{_did_you_mean(name.text, state.names)}", name.place)
    if job.target is Target.END:
        raise JobDropping(f"job '{name.text}' is being dropped with a snapshot", name.place)
    return job


def _value_place(create: nodes.CreateJob, option: str) -> Place:
    return next((o.value_place for o in create.options if o.name.text == option), create.name.place)


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), 1) if len(name) <= LONGEST_HINTED else []
    return f"; did you mean '{near[0]}'?" if near else ""
