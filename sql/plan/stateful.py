"""What the groups of a plan need: state that outlives a task, and all records of a group in one place."""

from hashlib import sha256

from jobplane.sql.analysis.record import PARTITION
from jobplane.sql.plan.graph import Branch, Plan
from jobplane.sql.plan.operators import FilterOperator, GroupOperator
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


def signature(plan: Plan) -> str:
    """Says what groups are: only state with the same signature can be gone on with. Filters make no difference."""
    kept = [
        operator
        for branch in grouped_branches(plan)
        for operator in (branch.scan, *branch.steps, branch.group)
        if operator is not None and not isinstance(operator, FilterOperator)
    ]
    return sha256(dump(Plan(tuple(kept), ())).encode()).hexdigest()
