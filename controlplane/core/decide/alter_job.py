"""Decides ALTER JOB. SUSPEND and RESTART need a job whose target is RUN; RESUME and OPTIONS a suspended one."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import assert_never

from jobplane.controlplane.core.decide.groups import check_groups
from jobplane.controlplane.core.decide.sources import check_dead_letters
from jobplane.controlplane.core.decide.tombstones import check_tombstones
from jobplane.controlplane.core.facts import Facts, require_live_job, value_place
from jobplane.controlplane.core.placement import choose_partitions
from jobplane.controlplane.core.state import State
from jobplane.controlplane.core.transitions import JobInput, next_status
from jobplane.processors.old_jobs import plan_of
from jobplane.schemas.errors import (
    BadOptionValue,
    JobNotRunning,
    JobNotSuspended,
    OptionNotAlterable,
    Place,
)
from jobplane.schemas.options import JobOptions, is_alterable, option_notices
from jobplane.schemas.records.events import Body, CommandUnchanged, JobAltered, JobRestarted, JobResumed, JobSuspended
from jobplane.schemas.records.state import Job, Status, Target
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parser import parse_job
from jobplane.sql.syntax.render.statements import render

TRANSACTION_SLACK_MS = 60_000
"""A transaction may stay open this much longer than the commit interval before Kafka aborts it."""


def alter_job(state: State, alter: statements.AlterJob, facts: Facts, prefix: str) -> tuple[Body, ...]:
    job = require_live_job(state, alter.name)
    runs = job.target is Target.RUN
    match alter.change:
        case statements.NewOptions() as new:
            taken = {*(sink.topic for sink in job.sinks), *(source.topic for source in job.sources)}
            check_dead_letters(new.options, taken, facts, prefix, alter.name.place)
            return _new_options(state, job, alter.name, new, facts)
        case statements.Action.RESUME:
            if runs:
                return (CommandUnchanged(job.uid, f"job '{job.name}' is not suspended ({job.status})", (), job.status),)
            return (JobResumed(job.uid, job.generation + 1, next_status(job.status, JobInput.RESUME)),)
        case statements.Action.SUSPEND if not runs:
            already = "it is being suspended" if job.status is Status.SUSPENDING else "it is suspended"
            raise JobNotRunning(f"job '{job.name}' is {job.status}: {already} already", alter.name.place)
        case statements.Action.RESTART if not runs:
            raise JobNotRunning(f"job '{job.name}' is {job.status}; RESUME it first", alter.name.place)
        case statements.Action.SUSPEND:
            return (JobSuspended(job.uid, next_status(job.status, JobInput.SUSPEND)),)
        case statements.Action.RESTART:
            return (JobRestarted(job.uid, job.generation + 1, next_status(job.status, JobInput.RESTART)),)
        case never:
            assert_never(never)


def _new_options(
    state: State, job: Job, name: statements.Name, new: statements.NewOptions, facts: Facts
) -> tuple[Body, ...]:
    """Options are read before the state of the job is checked, so that a wrong option is reported in any state."""
    JobOptions.read((o.name.text, o.value, o.name.place, o.value_place) for o in new.options)
    for option in new.options:
        if not is_alterable(option.name.text):
            message = f"option '{option.name}' cannot be altered; DROP the job and create it with another value"
            raise OptionNotAlterable(message, option.name.place)
    if job.target is Target.RUN:
        raise JobNotSuspended(f"job '{job.name}' is {job.status}; SUSPEND it first", name.place)
    given = {option.name.text: option.value for option in new.options}
    options = {**job.options, **given}
    read = JobOptions.of(options)
    partitions: tuple[int, ...] = ()
    if "parallelism" in given:
        held = {one.topic: len(facts.topic(one.topic, name.place).earliest) for one in job.sources}
        check_parallelism(new.options, read.parallelism, held, name.place)
        partitions = _next_partitions(state, job, read.parallelism)
    check_interval(new.options, read.snapshot_interval_millis, facts, name.place)
    said = option_notices(given) + check_tombstones(
        new.options, read, lambda: plan_of(job, facts.functions), name.place
    )
    said += check_groups(new.options, read, job.plan, name.place)
    if options == job.options and not partitions and not new.resumes:
        return (CommandUnchanged(job.uid, f"job '{job.name}' already has these options", (), job.status),)
    status = next_status(job.status, JobInput.RESUME) if new.resumes else job.status
    statement = _rewrite_statement(job, options)
    generation = job.generation + new.resumes
    return (JobAltered(job.uid, options, statement, partitions, new.resumes, generation, status, said),)


def _next_partitions(state: State, job: Job, count: int) -> tuple[int, ...]:
    """The partitions of the next layout; tasks that remain keep theirs. Empty if the layout does not change."""
    if count == len(job.tasks) and not job.relayout:
        return ()
    stay = tuple(task.partition for task in job.tasks[:count])
    return (*stay, *choose_partitions(state, count - len(stay)))


def _rewrite_statement(job: Job, options: dict[str, str]) -> str:
    """The job's statement with new options."""
    written = tuple(statements.Option(statements.Name(name), value) for name, value in options.items())
    return render(replace(parse_job(job.statement), options=written))


def check_interval(options: Sequence[statements.Option], interval: int, facts: Facts, otherwise: Place) -> None:
    """Raises BadOptionValue if the broker would abort transactions of this length."""
    if interval + TRANSACTION_SLACK_MS > facts.max_transaction_ms:
        raise BadOptionValue(
            f"snapshotIntervalMillis {interval} needs transactions of {interval + TRANSACTION_SLACK_MS} ms; "
            f"the broker's transaction.max.timeout.ms is {facts.max_transaction_ms}",
            value_place(options, "snapshotIntervalMillis", otherwise),
        )


def check_parallelism(
    options: Sequence[statements.Option], count: int, partitions: Mapping[str, int], otherwise: Place
) -> None:
    """Raises BadOptionValue if a task would have no partition. `partitions` are the sources', by topic."""
    largest = max(partitions, key=partitions.__getitem__)
    if count > partitions[largest]:
        raise BadOptionValue(
            f"parallelism {count} is more than the {partitions[largest]} partitions of '{largest}'",
            value_place(options, "parallelism", otherwise),
        )
