"""Answers SHOW, DESCRIBE and EXPLAIN from the topics: writes nothing and asks no worker.

The planner is imported only by the statements that need it: this halves the time of SHOW JOBS.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

import msgspec

from jobplane.controlplane.core.state import State
from jobplane.controlplane.listings import rows
from jobplane.controlplane.listings.rows import Listing, Screen
from jobplane.controlplane.log import state_topic
from jobplane.controlplane.log.progress import committed_progress, read_progress, read_state_and_progress
from jobplane.controlplane.query.newest_records import LAST
from jobplane.processors.kafka.cluster import Kafka
from jobplane.schemas.errors import BadSyntax, JobNotFound, OffsetNotFound
from jobplane.schemas.options import parse_instant
from jobplane.schemas.setup_errors import BeyondTheEnd
from jobplane.schemas.suggestions import did_you_mean
from jobplane.sql.syntax import statements

if TYPE_CHECKING:
    from jobplane.controlplane.query.dry_run import DryRun
    from jobplane.processors.registry.client import Registry


def read(
    kafka: Kafka,
    prefix: str,
    statement: statements.ReadingStatement,
    registry: "Registry | None" = None,
    last: int = LAST,
    dry: "DryRun | None" = None,
) -> Listing:
    """Answers a statement. Raises Refused with its place if a name is unknown. EXPLAIN ANALYZE reads `last` records.

    With `dry`, EXPLAIN knows the mappings of that dry run.
    """
    match statement:
        case statements.Show(like=statements.LikeName() as like):
            return _filter_by_name(_show(kafka, prefix, statement), like)
        case statements.Show():
            return _show(kafka, prefix, statement)
        case statements.ShowHistory(name):
            return _history(kafka, prefix, name)
        case statements.ShowCreate() | statements.Describe():
            return _describe(kafka, prefix, statement)
        case statements.Explain(explained, mode):
            from jobplane.controlplane.query.dry_run import DryRun

            dry = dry or DryRun(kafka, prefix, registry)
            if mode is statements.ExplainMode.ANALYZE:
                return dry.run(explained, last)
            return _explain(dry, explained, shows_code=mode is statements.ExplainMode.CODE)
        case never:
            assert_never(never)


def _describe(kafka: Kafka, prefix: str, statement: statements.ShowCreate | statements.Describe) -> Listing:
    from jobplane.controlplane.listings import describe

    state = _state(kafka, prefix)
    match statement:
        case statements.ShowCreate(name):
            return Listing(
                ("statement",), [{"statement": describe.find_job(state, name).statement}], screen=Screen.STATEMENT
            )
        case statements.Describe(statements.DescribeKind.JOB, name):
            job = describe.find_job(state, name)
            latest = read_progress(kafka, prefix, job)
            return describe.describe_job(job, latest, committed_progress(kafka, prefix, job))
        case statements.Describe(statements.DescribeKind.MAPPING, name):
            return describe.describe_mapping(state, name)
        case statements.Describe(statements.DescribeKind.SNAPSHOT, name):
            return describe.describe_snapshot(state, name)
        case never:
            assert_never(never)  # type: ignore[arg-type]  # kinds are all named


def _explain(dry: "DryRun", explained: statements.CreateJob | statements.Insert, *, shows_code: bool) -> Listing:
    from jobplane.controlplane.core.request import options_of
    from jobplane.controlplane.query.dry_run import job_of_insert
    from jobplane.controlplane.query.group_explanation import explain_groups
    from jobplane.processors import copy_path, user_functions
    from jobplane.schemas.records.sources import mappings_by_name
    from jobplane.sql.explain import explain_plan
    from jobplane.sql.plan.recording import read, text_of

    create = explained if isinstance(explained, statements.CreateJob) else job_of_insert(explained)
    wired = dry.sources_and_sinks(create)
    sources, sinks = wired.sources, wired.sinks
    planned = read(wired.plan)
    functions, options = user_functions.load(), options_of(create)
    read_by, written_by = mappings_by_name(sources), mappings_by_name(sinks)
    plan_rows = explain_plan(
        planned, create.inserts, read_by, written_by, functions, options.tombstones, shows_code=shows_code
    )
    if copy_path.copies_records(planned):
        path = copy_path.path(planned, options, sources, sinks)
        plan_rows.insert(len(planned.operators), ("copy", path))
    plan_rows[len(planned.operators) : len(planned.operators)] = explain_groups(planned, sources, options)
    plan = msgspec.json.decode(text_of(wired.plan))
    recorded = {"planner": wired.plan.planner, "digest": wired.plan.digest, "plan": plan}
    return Listing(
        rows.PLAN_COLUMNS,
        [{"part": part, "detail": detail} for part, detail in plan_rows],
        recorded,
        screen=Screen.PLAN,
        notices=dry.notices_of(create.inserts, wired),
    )


def _show(kafka: Kafka, prefix: str, show: statements.Show) -> Listing:
    match show.subject:
        case statements.ShowSubject.JOBS:
            return _jobs(kafka, prefix, show)
        case statements.ShowSubject.SNAPSHOTS:
            return Listing(rows.SNAPSHOT_COLUMNS, rows.snapshots(_state(kafka, prefix, show.as_of)))
        case statements.ShowSubject.MAPPINGS:
            return Listing(rows.MAPPING_COLUMNS, rows.mappings(_state(kafka, prefix, show.as_of)))
        case statements.ShowSubject.TOPICS:
            return Listing(rows.TOPIC_COLUMNS, rows.topics(_state(kafka, prefix), kafka.topic_partitions(), prefix))
        case statements.ShowSubject.FUNCTIONS:
            from jobplane.processors import user_functions

            functions = rows.functions(user_functions.load_and_tell())
            return Listing(rows.FUNCTION_COLUMNS, functions, screen=Screen.FUNCTIONS)
        case never:
            assert_never(never)


def _filter_by_name(listing: Listing, like: statements.LikeName) -> Listing:
    from jobplane.sql.functions.patterns import compile_like

    try:
        matches = compile_like(like.pattern.lower(), None)
    except ValueError as unfit:
        raise BadSyntax(str(unfit), like.place) from unfit
    return replace(listing, rows=[row for row in listing.rows if matches(row["name"].lower())])


def _jobs(kafka: Kafka, prefix: str, show: statements.Show) -> Listing:
    if show.as_of is None:
        found = rows.jobs(*read_state_and_progress(kafka, prefix))
    else:
        found = rows.jobs(_state(kafka, prefix, show.as_of))
    return Listing(rows.JOB_COLUMNS, found, screen=Screen.JOBS)


def _state(kafka: Kafka, prefix: str, as_of: statements.AsOfOffset | statements.AsOfTime | None = None) -> State:
    """The current state, or the state as of an offset or instant. Raises OffsetNotFound, EventsTruncated."""
    if as_of is None:
        return state_topic.read_current_state(kafka, prefix, state_topic.is_listed)
    from jobplane.controlplane.log import history

    try:
        match as_of:
            case statements.AsOfOffset(offset):
                return history.state_as_of(kafka, prefix, offset=offset)
            case statements.AsOfTime(text):
                return history.state_as_of(kafka, prefix, time=parse_instant(text))
    except BeyondTheEnd as beyond:
        raise OffsetNotFound(beyond.message, as_of.place) from beyond


def _history(kafka: Kafka, prefix: str, name: statements.Name) -> Listing:
    from jobplane.controlplane.log import history

    try:
        events = history.history_of(kafka, prefix, name.text)
        return Listing(history.HISTORY_COLUMNS, events, screen=Screen.HISTORY)
    except JobNotFound as unknown:
        known = {job.name for job in _state(kafka, prefix).jobs.values()}
        raise JobNotFound(unknown.message + did_you_mean(name.text, known), name.place) from unknown
