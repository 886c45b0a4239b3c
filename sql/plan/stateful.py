"""What the groups of a plan need: state that outlives a task, and all records of a group in one place."""

import math
from collections.abc import Iterable, Mapping
from hashlib import sha256

from msgspec.structs import replace

from jobplane.sql.analysis.record import PARTITION
from jobplane.sql.plan.graph import Branch, Plan, keys_of_operators
from jobplane.sql.plan.operators import GROUP_TIME, FilterOperator, GroupOperator, ProjectOperator, WatermarkOperator
from jobplane.sql.plan.recording import dump
from jobplane.sql.types.typed import Field, strip_view

NO_TOPICS: Mapping[str, str] = {}


def grouped_branches(plan: Plan) -> tuple[Branch, ...]:
    return tuple(branch for branch in plan.branches if branch.group is not None)


def groupings(plan: Plan) -> tuple[tuple[Branch, ...], ...]:
    """The branches of the plan's groups: those that share one are together, in the order of their numbers."""
    return grouped_together(plan.branches)


def grouped_together(branches: Iterable[Branch]) -> tuple[tuple[Branch, ...], ...]:
    """As `groupings`, of some branches of a plan."""
    found: dict[int, list[Branch]] = {}
    for branch in branches:
        if branch.group is not None:
            found.setdefault(branch.group_number, []).append(branch)
    return tuple(map(tuple, found.values()))


def needs_one_task(plan: Plan) -> bool:
    """Whether records of one group may be in several partitions."""
    return any(
        len({one.source for one in branches}) > 1 or not all(one.group and one.group.bound for one in branches)
        for branches in groupings(plan)
    )


def needs_record_key(group: GroupOperator) -> bool:
    """Whether the rows of a group are in one partition because Kafka has all records of a key in one.

    Groups of `__partition` are in one whatever the keys of the records are.
    """
    values = (strip_view(one.value) for one in group.keys)
    return group.bound and not any(isinstance(one, Field) and one.key == PARTITION for one in values)


def idle_rules(plan: Plan, topics: Mapping[str, str] = NO_TOPICS) -> dict[str, float]:
    """By source: after how many seconds of silence a partition holds back no window; none where it does for ever.

    With the `topics` of sources the rules are by topic: where several sources are one topic, all have their rule.
    """
    rules: dict[str, float] = {}
    for branch in grouped_branches(plan):
        if branch.group is not None and branch.group.window:
            idle = sum(step.idle for step in branch.steps if isinstance(step, WatermarkOperator))
            of = topics.get(branch.source, branch.source)
            before = rules.get(of, 0.0)
            rules[of] = max(before, idle / 1_000_000 if idle else math.inf)
    return {source: seconds for source, seconds in rules.items() if seconds < math.inf}


def replaces_rows(group: GroupOperator) -> bool:
    """Whether a row of a group replaces the one before."""
    return group.changes or not group.window


def is_timed(branch: Branch) -> bool:
    """Whether a row of a group has the newest timestamp of its records."""
    return GROUP_TIME in keys_of_operators((*branch.after, ProjectOperator(branch.columns)))


def retracts(branch: Branch, group: GroupOperator) -> bool:
    """Whether a row that was written may be filtered out later."""
    return replaces_rows(group) and any(isinstance(step, FilterOperator) for step in branch.after)


def members(branch: Branch, group: GroupOperator) -> tuple[str, ...]:
    """What a group keeps besides its aggregates, in this order."""
    return (*(["time"] if is_timed(branch) else []), *(["held"] if retracts(branch, group) else []))


def digest_of_before(plan: Plan) -> str:
    """What manifests had for a signature in the first version with groups: those are read for ever.

    Filters make no difference, nor does when silence counts as time.
    """
    kept = [
        replace(operator, idle=0) if isinstance(operator, WatermarkOperator) else operator
        for branch in grouped_branches(plan)
        for operator in (branch.scan, *branch.steps, branch.group)
        if operator is not None and not isinstance(operator, FilterOperator)
    ]
    return sha256(dump(Plan(tuple(kept), ())).encode()).hexdigest()
