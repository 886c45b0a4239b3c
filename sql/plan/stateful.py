"""What the groups of a plan need: state that outlives a task, and all records of a group in one place."""

import math
from hashlib import sha256

from msgspec.structs import replace

from jobplane.sql.analysis.record import PARTITION
from jobplane.sql.plan.graph import Branch, Plan
from jobplane.sql.plan.operators import FilterOperator, GroupOperator, WatermarkOperator
from jobplane.sql.plan.recording import dump
from jobplane.sql.types.typed import Field, strip_view


def grouped_branches(plan: Plan) -> tuple[Branch, ...]:
    return tuple(branch for branch in plan.branches if branch.group is not None)


def needs_one_task(plan: Plan) -> bool:
    """Whether records of one group may be in several partitions."""
    grouped = grouped_branches(plan)
    sources = {branch.source for branch in plan.branches}
    return bool(grouped) and not (len(sources) == 1 and all(one.group and one.group.bound for one in grouped))


def needs_record_key(group: GroupOperator) -> bool:
    """Whether the rows of a group are in one partition because Kafka has all records of a key in one.

    Groups of `__partition` are in one whatever the keys of the records are.
    """
    values = (strip_view(one.value) for one in group.keys)
    return group.bound and not any(isinstance(one, Field) and one.key == PARTITION for one in values)


def idle_rules(plan: Plan) -> dict[str, float]:
    """By source: after how many seconds of silence a partition holds back no window; none where it does for ever."""
    rules: dict[str, float] = {}
    for branch in grouped_branches(plan):
        if branch.group is not None and branch.group.window:
            idle = sum(step.idle for step in branch.steps if isinstance(step, WatermarkOperator))
            before = rules.get(branch.source, 0.0)
            rules[branch.source] = max(before, idle / 1_000_000 if idle else math.inf)
    return {source: seconds for source, seconds in rules.items() if seconds < math.inf}


def signature(plan: Plan) -> str:
    """Says what groups are: only state with the same signature can be gone on with.

    Filters make no difference, nor does when silence counts as time.
    """
    kept = [
        replace(operator, idle=0) if isinstance(operator, WatermarkOperator) else operator
        for branch in grouped_branches(plan)
        for operator in (branch.scan, *branch.steps, branch.group)
        if operator is not None and not isinstance(operator, FilterOperator)
    ]
    return sha256(dump(Plan(tuple(kept), ())).encode()).hexdigest()
