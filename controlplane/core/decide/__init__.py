"""The verdicts: state, request and facts to event bodies. Judged once; the first body is the command's outcome.

Commands are judged by a job's target, never by what its tasks have reported, so no verdict depends on a race.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import assert_never

from jobplane.controlplane.core.decide.alter_job import alter_job, check_interval, check_parallelism
from jobplane.controlplane.core.decide.formats import written_through
from jobplane.controlplane.core.decide.mappings import create_mapping, drop_mapping
from jobplane.controlplane.core.decide.retries import RETRY_OF, letters_topic, retried
from jobplane.controlplane.core.decide.sources import Sources, begin, check_dead_letters, later_than_all, topics_named
from jobplane.controlplane.core.facts import Facts, live, no_live_job, value_place
from jobplane.controlplane.core.placement import place
from jobplane.controlplane.core.request import Request
from jobplane.controlplane.core.state import State
from jobplane.controlplane.core.transitions import Input, follow
from jobplane.schemas.errors import (
    CommandIdReused,
    JobDropping,
    JobExists,
    JobNotRunning,
    NoCheckpoints,
    Place,
    ReadStatement,
    Refused,
    SnapshotNotFound,
)
from jobplane.schemas.failures import JobWasDropped
from jobplane.schemas.options import DEAD_LETTER_TOPIC, Guarantee, JobOptions, option_notices
from jobplane.schemas.records.events import (
    Body,
    CommandRefused,
    CommandRepeated,
    CommandUnchanged,
    JobClosed,
    JobCreated,
    JobDropped,
    JobForgotten,
    SnapshotDropped,
    SnapshotFailed,
    SnapshotRequested,
)
from jobplane.schemas.records.failure import Failure
from jobplane.schemas.records.plans import RecordedPlan
from jobplane.schemas.records.snapshots import Restore, SnapshotRequest
from jobplane.schemas.records.sources import Sink
from jobplane.schemas.records.state import TASK_ENDED, Job, Snapshot, Status, Target
from jobplane.schemas.suggestions import did_you_mean
from jobplane.sql.packages import called_packages
from jobplane.sql.plan.plan import plan, source_names, with_target
from jobplane.sql.plan.recording import record
from jobplane.sql.syntax import statements

KEPT_ENDED_JOBS = 1_000
DEFAULT_PARALLELISM = 4


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
        case statements.CreateJob() as create:
            return _create_job(state, create, request, facts, prefix)
        case statements.DropJob() as drop:
            return _drop_job(state, drop, request.command.offset)
        case statements.AlterJob() as alter:
            return alter_job(state, alter, facts, prefix)
        case statements.CreateMapping() as create:
            return create_mapping(state, create, facts, prefix)
        case statements.DropMapping() as drop:
            return drop_mapping(state, drop)
        case statements.CreateSnapshot() as create:
            return _create_snapshot(state, create, request.command.offset)
        case statements.DropSnapshot() as drop:
            return _drop_snapshot(state, drop)
        case None:
            raise ReadStatement("not a statement of the command log")
        case never:
            assert_never(never)


def _create_job(
    state: State, create: statements.CreateJob, request: Request, facts: Facts, prefix: str
) -> tuple[Body, ...]:
    name = create.name.text
    holder = state.live(name)
    if holder is not None:
        if holder.target is Target.END:
            raise JobDropping(f"job '{name}' is on its way out ({holder.status}); wait for its end", create.name.place)
        if not create.if_not_exists:
            raise JobExists(
                f"a job '{name}' exists ({holder.status}); DROP it first, or choose another name", create.name.place
            )
        other = () if _same_job(holder, request) else ("the existing job has another definition",)
        return (CommandUnchanged(holder.uid, f"job '{name}' exists", other, holder.status),)
    wired = wire(state, create, request.options, facts, prefix)
    sources, sink = wired.sources, wired.sink
    most = max(len(source.start) for source in sources)
    count = request.options.parallelism or min(most, DEFAULT_PARALLELISM)
    return (
        JobCreated(
            uid=f"{facts.plane}-{request.command.offset}",
            name=name,
            statement=request.text,
            options={option.name.text: option.value for option in create.options},
            sources=sources,
            sink=sink,
            partitions=place(state, count),
            restore=wired.restore,
            waits_for=state.closing.get(name, ""),
            status=Status.NOT_RUNNING,
            notices=(
                *option_notices(option.name.text for option in create.options),
                *later_than_all(request.options, sources, facts),
            ),
            packages=called_packages(create.insert),
            plan=wired.plan,
        ),
    )


@dataclass(frozen=True, slots=True)
class WiredJob:
    """What a new job reads and writes, how, and the snapshot it goes on from."""

    sources: Sources
    sink: Sink
    plan: RecordedPlan
    restore: Restore | None


def wire(state: State, create: statements.CreateJob, options: JobOptions, facts: Facts, prefix: str) -> WiredJob:
    """The one time that a query is planned. Raises whatever refuses the job, but for its name."""
    given = {option.name.text: option.value for option in create.options}
    if options.retry_of:
        where = value_place(create.options, RETRY_OF, create.name.place)
        sources, sink, recorded = retried(state, create, options.retry_of, facts, prefix, where)
    else:
        sources, sink = topics_named(state, create.insert, given, facts, prefix)
        mappings = {source.name: source.mapping for source in sources if source.mapping}
        planned = plan(create.insert, mappings, sink.mapping)
        written = written_through(sink, planned, facts, create.insert.target.place)
        if written != sink:
            sink, planned = written, with_target(planned, create.insert, written.mapping)
        recorded = record(planned)
    named = {sink.topic, *(source.records_of for source in sources)}
    check_dead_letters(create.options, named, facts, prefix, create.name.place)
    check_interval(create.options, options.snapshot_interval_millis, facts, create.name.place)
    partitions = {source.topic: len(source.start) for source in sources}
    check_parallelism(create.options, options.parallelism, partitions, create.name.place)
    sources, restore = (sources, None) if options.retry_of else begin(state, create, options, sources, facts)
    return WiredJob(sources, sink, recorded, restore)


def _same_job(job: Job, request: Request) -> bool:
    return job.statement.replace(" IF NOT EXISTS", "", 1) == request.text.replace(" IF NOT EXISTS", "", 1)


def topics_needed(state: State, requests: Iterable[Request], prefix: str) -> tuple[set[str], set[tuple[str, int]]]:
    """Topics, and (topic, instant) pairs, of which a batch's verdicts need the facts.

    A mapping may be made by the same batch that uses it, so the topics of all mappings made are among them.
    """
    topics: set[str] = set()
    instants: set[tuple[str, int]] = set()
    for request in requests:
        match request.statement:
            case statements.CreateJob(insert=insert, options=options):
                topics |= _dead_letters(options)
                if (retry := request.options.retry_of) and (job := state.live(retry)):
                    topics.add(letters_topic(job, prefix))
                sources = {topic for name in source_names(insert) for topic in _behind(state, name.text)}
                topics |= sources | _behind(state, insert.target.text)
                if (instant := request.options.start_instant) is not None:
                    instants |= {(topic, instant) for topic in sources}
            case statements.CreateMapping() as create:
                topics.add(create.topic.text)
            case statements.AlterJob(name, statements.NewOptions(options)) if job := state.live(name.text):
                topics |= {source.topic for source in job.sources} | _dead_letters(options)
            case _:
                pass
    return topics, instants


def _dead_letters(options: Iterable[statements.Option]) -> set[str]:
    return {option.value for option in options if option.name.text == DEAD_LETTER_TOPIC}


def _behind(state: State, name: str) -> set[str]:
    mapping = state.mappings.get(name)
    return {name, mapping.topic} if mapping else {name}


def _drop_job(state: State, drop: statements.DropJob, offset: int) -> tuple[Body, ...]:
    name = drop.name.text
    job = state.live(name)
    if job is None and drop.if_exists:
        return (CommandUnchanged("", no_live_job(state, name)),)
    if job is not None and job.target is Target.END and drop.if_exists:
        return (CommandUnchanged(job.uid, f"job '{name}' is on its way out already", (), job.status),)
    job = live(state, drop.name)
    if drop.with_snapshot is not None:
        _check_snapshots(job, drop.with_snapshot.place)
    if drop.with_snapshot is not None and job.waits_for:
        raise JobNotRunning(f"job '{name}' has not run yet: there is nothing to keep", drop.with_snapshot.place)
    request = SnapshotRequest(drop.with_snapshot.text, offset) if drop.with_snapshot else None
    dropped = JobDropped(job.uid, request, follow(job.status, Input.DROP))
    lost = Failure(JobWasDropped.code, f"job '{name}' was dropped before the snapshot was complete")
    failed = tuple(
        SnapshotFailed(job.uid, pending.request, lost, Target.END, dropped.status) for pending in job.pending
    )
    ended = job.waits_for or all(task.phase in TASK_ENDED for task in job.tasks)
    return (dropped, *failed, *(close(state, job.uid, dropped.status) if ended and request is None else ()))


def close(state: State, uid: str, status: Status, happened: Input = Input.ALL_STOPPED) -> tuple[Body, ...]:
    """The end of a job whose tasks can write no more; the oldest ended job is forgotten when too many are kept."""
    oldest = next(iter(state.ended), None) if len(state.ended) >= KEPT_ENDED_JOBS else None
    forgotten = (JobForgotten(oldest),) if oldest is not None else ()
    return (JobClosed(uid, follow(status, happened)), *forgotten)


def _create_snapshot(state: State, create: statements.CreateSnapshot, offset: int) -> tuple[Body, ...]:
    job = live(state, create.job)
    _check_snapshots(job, create.job.place)
    if job.waits_for:
        raise JobNotRunning(f"job '{job.name}' waits for the end of the one before it", create.job.place)
    request = SnapshotRequest(create.snapshot.text, offset)
    held = None if create.or_replace else state.snapshots.get(request.name)
    notices = () if held is None else (_replaced(held, job),)
    return (SnapshotRequested(job.uid, request, follow(job.status, Input.EXPORT), notices),)


def _replaced(held: Snapshot, job: Job) -> str:
    """What is said where a snapshot of the name is there, and its replacement was not asked for in so many words."""
    owner = "" if held.uid == job.uid else f" of job '{held.job}'"
    return f"snapshot '{held.name}'{owner} is replaced once the new one is complete"


def _check_snapshots(job: Job, where: Place) -> None:
    if JobOptions.of(job.options).processing_guarantee is Guarantee.NONE:
        message = f"job '{job.name}' has processingGuarantee 'none': it keeps no checkpoints, there is nothing to copy"
        raise NoCheckpoints(message, where)


def _drop_snapshot(state: State, drop: statements.DropSnapshot) -> tuple[Body, ...]:
    name = drop.snapshot.text
    snapshot: Snapshot | None = state.snapshots.get(name)
    if snapshot is not None:
        return (SnapshotDropped(name, snapshot.version),)
    if drop.if_exists:
        return (CommandUnchanged("", f"no snapshot is called '{name}'"),)
    raise SnapshotNotFound(f"no snapshot is called '{name}'{did_you_mean(name, state.snapshots)}", drop.snapshot.place)
