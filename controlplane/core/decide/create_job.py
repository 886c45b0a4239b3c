"""Decides CREATE JOB: what the job reads, what it writes and where it starts. The only place that plans a query."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jobplane.controlplane.core.decide.alter_job import check_interval, check_parallelism
from jobplane.controlplane.core.decide.formats import Writer, add_writer_schemas
from jobplane.controlplane.core.decide.groups import check_groups, check_restored_groups, choose_parallelism
from jobplane.controlplane.core.decide.retries import RETRY_OF, resolve_retry
from jobplane.controlplane.core.decide.sources import (
    Sinks,
    Sources,
    check_dead_letters,
    choose_offsets,
    future_start_notices,
    resolve_topics,
)
from jobplane.controlplane.core.decide.tombstones import check_tombstones
from jobplane.controlplane.core.facts import Facts, value_place
from jobplane.controlplane.core.placement import choose_partitions
from jobplane.controlplane.core.request import Request
from jobplane.controlplane.core.state import State
from jobplane.schemas.errors import (
    JobDropping,
    JobExists,
)
from jobplane.schemas.options import JobOptions, option_notices
from jobplane.schemas.records.events import (
    Body,
    CommandUnchanged,
    JobCreated,
)
from jobplane.schemas.records.plans import RecordedPlan
from jobplane.schemas.records.snapshots import Restore
from jobplane.schemas.records.sources import Sink, mappings_by_name
from jobplane.schemas.records.state import Job, Status, Target
from jobplane.sql.packages import called_packages
from jobplane.sql.plan.graph import Branch
from jobplane.sql.plan.inserts import branches_by_insert, plan_inserts, with_targets
from jobplane.sql.plan.recording import record
from jobplane.sql.syntax import statements


def create_job(
    state: State, create: statements.CreateJob, request: Request, facts: Facts, prefix: str
) -> tuple[Body, ...]:
    name = create.name.text
    holder = state.live_job(name)
    if holder is not None:
        if holder.target is Target.END:
            raise JobDropping(f"job '{name}' is ending ({holder.status}); wait until it has ended", create.name.place)
        if not create.if_not_exists:
            raise JobExists(
                f"a job '{name}' exists ({holder.status}); DROP it first, or choose another name", create.name.place
            )
        other = () if _is_same_job(holder, request) else ("the existing job has another definition",)
        return (CommandUnchanged(holder.uid, f"job '{name}' exists", other, holder.status),)
    wired = resolve_job(state, create, request.options, facts, prefix)
    sources = wired.sources
    count = choose_parallelism(request.options, wired.plan, {source.topic: len(source.start) for source in sources})
    return (
        JobCreated(
            uid=f"{facts.plane}-{request.command.offset}",
            name=name,
            statement=request.text,
            options={option.name.text: option.value for option in create.options},
            sources=sources,
            sink=wired.sinks[0],
            partitions=choose_partitions(state, count),
            restore=wired.restore,
            waits_for=state.closing.get(name, ""),
            status=Status.NOT_RUNNING,
            notices=(
                *option_notices(option.name.text for option in create.options),
                *wired.notices,
                *future_start_notices(request.options, sources, facts),
            ),
            packages=called_packages(create.inserts, facts.functions),
            plan=wired.plan,
            more_sinks=wired.sinks[1:],
        ),
    )


@dataclass(frozen=True, slots=True)
class ResolvedJob:
    """The sources, sinks and plan of a new job, and the snapshot that it restores from.

    `notices` are about options of the job, for its query.
    """

    sources: Sources
    sinks: Sinks
    plan: RecordedPlan
    restore: Restore | None
    notices: tuple[str, ...]


def resolve_job(
    state: State, create: statements.CreateJob, options: JobOptions, facts: Facts, prefix: str
) -> ResolvedJob:
    """Plans the query: this happens once. Raises every error that refuses the job, except those about its name."""
    given = {option.name.text: option.value for option in create.options}
    if options.retry_of:
        where = value_place(create.options, RETRY_OF, create.name.place)
        sources, sinks, recorded = resolve_retry(state, create, options.retry_of, facts, prefix, where)
    else:
        sources, sinks = resolve_topics(state, create.inserts, given, facts, prefix)
        planned = plan_inserts(create.inserts, mappings_by_name(sources), mappings_by_name(sinks), facts.functions)
        of_inserts = list(branches_by_insert(planned, create.inserts))
        written = tuple(add_writer_schemas(sink, _writers(of_inserts, sink), facts) for sink in sinks)
        if written != sinks:
            sinks, planned = written, with_targets(planned, create.inserts, mappings_by_name(written))
        recorded = record(planned)
    notices = check_tombstones(create.options, options, lambda: recorded, create.name.place)
    notices += check_groups(create.options, options, recorded, create.name.place)
    named = {*(sink.topic for sink in sinks), *(source.records_of for source in sources)}
    check_dead_letters(create.options, named, facts, prefix, create.name.place)
    check_interval(create.options, options.snapshot_interval_millis, facts, create.name.place)
    partitions = {source.topic: len(source.start) for source in sources}
    check_parallelism(create.options, options.parallelism, partitions, create.name.place)
    sources, restore = (sources, None) if options.retry_of else choose_offsets(state, create, options, sources, facts)
    if restore is not None:
        where = value_place(create.options, "initialSnapshotName", create.name.place)
        check_restored_groups(state.snapshots[restore.name], recorded, partitions, where)
    return ResolvedJob(sources, sinks, recorded, restore, notices)


def _writers(of_inserts: Iterable[tuple[statements.Insert, Sequence[Branch]]], sink: Sink) -> tuple[Writer, ...]:
    """The INSERTs into a sink; the branches of one have the same columns."""
    return tuple(
        (insert.target.place, branches[0]) for insert, branches in of_inserts if insert.target.text == sink.name
    )


def _is_same_job(job: Job, request: Request) -> bool:
    return job.statement.replace(" IF NOT EXISTS", "", 1) == request.text.replace(" IF NOT EXISTS", "", 1)
