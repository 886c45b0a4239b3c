"""Decides what a query with groups allows of a job's options, at CREATE JOB and ALTER JOB."""

from collections.abc import Mapping, Sequence

from jobplane.controlplane.core.facts import value_place
from jobplane.schemas.errors import BadOptionValue, Place, SnapshotMismatch
from jobplane.schemas.options import Guarantee, JobOptions, sql_name
from jobplane.schemas.records.plans import RecordedPlan, keeps_state
from jobplane.schemas.records.state import Snapshot
from jobplane.sql.plan.grouping.going_on import difference
from jobplane.sql.plan.grouping.signature import decode_signatures, encode_signatures, signatures
from jobplane.sql.plan.recording import UnreadablePlan, read
from jobplane.sql.plan.stateful import grouped_branches, needs_one_task, needs_record_key
from jobplane.sql.syntax import statements

DEFAULT_PARALLELISM = 4
_OF_GROUPS = tuple(map(sql_name, ("on_late", "state_interval_millis", "max_processor_accumulated_records")))
"""Options that say nothing to a job without groups."""


def choose_parallelism(options: JobOptions, plan: RecordedPlan, partitions: Mapping[str, int]) -> int:
    """The number of tasks. `partitions` are the sources', by topic."""
    if options.parallelism:
        return options.parallelism
    most = min(max(partitions.values()), DEFAULT_PARALLELISM)
    return 1 if most > 1 and keeps_state(plan) and needs_one_task(read(plan)) else most


def check_groups(
    given: Sequence[statements.Option], options: JobOptions, plan: RecordedPlan | None, otherwise: Place
) -> tuple[str, ...]:
    """Notices about options that are given and have no effect.

    Raises BadOptionValue for a guarantee without checkpoints, and for several tasks whose groups could not meet.
    """
    if plan is None or not keeps_state(plan):
        return tuple(
            f"{one.name}: it has no effect: the query has no groups" for one in given if one.name.text in _OF_GROUPS
        )
    if options.processing_guarantee is Guarantee.NONE:
        raise BadOptionValue(
            "a query with groups needs checkpoints: with processingGuarantee 'none' its groups would be lost with each "
            "restart; use 'exactlyOnce' or 'atLeastOnce'",
            value_place(given, "processingGuarantee", otherwise),
        )
    if options.parallelism > 1:
        place = value_place(given, "parallelism", otherwise)
        try:
            needs_one = needs_one_task(read(plan))
        except UnreadablePlan as reason:
            raise BadOptionValue(f"the plan of the job's query cannot be read here: {reason}", place) from None
        if needs_one:
            raise BadOptionValue(
                "records of one group may be in several partitions, so one task must read them all: use parallelism "
                "'1', or GROUP BY the record's whole key as well, with a single source",
                place,
            )
    return ()


def signature_text(plan: RecordedPlan | None) -> str:
    """What the groups of a job are, for its snapshots; empty where that cannot be known here."""
    try:
        return "" if plan is None else encode_signatures(signatures(read(plan)))
    except UnreadablePlan:
        return ""


def check_restored_groups(snapshot: Snapshot, plan: RecordedPlan, partitions: Mapping[str, int], where: Place) -> None:
    """Raises SnapshotMismatch for a query whose groups cannot go on with those in the snapshot.

    `partitions` are those of the sources now, by topic.
    """
    if not keeps_state(plan):
        return
    asked = read(plan)
    kept = decode_signatures(snapshot.groups)
    if kept is not None and not kept:
        raise SnapshotMismatch(
            f"snapshot '{snapshot.name}' holds no groups: the job would miss what came before it; create the job "
            "without initialSnapshotName",
            where,
        )
    if kept is not None and (why := difference(kept, signatures(asked))):
        raise SnapshotMismatch(
            f"the query cannot go on with the groups of snapshot '{snapshot.name}': {why}; create the job with the "
            "query of the snapshot, or without initialSnapshotName",
            where,
        )
    for one in snapshot.sources:
        count, before = partitions[one.topic], len(one.offsets)
        if count > before and any(b.group and needs_record_key(b.group) for b in grouped_branches(asked)):
            raise SnapshotMismatch(
                f"'{one.topic}' has {count} partitions now and had {before} when snapshot '{snapshot.name}' was made: "
                "keys have moved to other partitions than their groups; create the job without the snapshot, with "
                "startFrom at a time after that",
                where,
            )
