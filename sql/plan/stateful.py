"""What the groups of a plan need: state that outlives a task, and all records of a group in one place."""

import zlib
from functools import lru_cache
from hashlib import sha256

from jobplane.schemas.records.plans import RecordedPlan
from jobplane.sql.plan.graph import Branch, Plan
from jobplane.sql.plan.operators import FilterOperator, GroupOperator
from jobplane.sql.plan.recording import dump

FIRST_PLANNER = 3
"""The version of the planner that first made groups."""
_TAG = f'"{GroupOperator.__struct_config__.tag_field}":"{GroupOperator.__struct_config__.tag}"'.encode()
"""No text of a user has it: quotation marks in one are escaped."""


@lru_cache(maxsize=4096)
def keeps_state(recorded: RecordedPlan | None) -> bool:
    """Whether a job with this plan has groups. It does not read the plan: this is asked of every job."""
    if recorded is None or recorded.planner < FIRST_PLANNER:
        return False
    try:
        return _TAG in zlib.decompress(recorded.deflated)
    except zlib.error:
        return False  # nobody can read it, and who compiles it says so


def grouped_branches(plan: Plan) -> tuple[Branch, ...]:
    return tuple(branch for branch in plan.branches if branch.group is not None)


def needs_one_task(plan: Plan) -> bool:
    """Whether records of one group may be in several partitions."""
    grouped = grouped_branches(plan)
    sources = {branch.source for branch in plan.branches}
    return bool(grouped) and not (len(sources) == 1 and all(one.group and one.group.bound for one in grouped))


def signature(plan: Plan) -> str:
    """Says what groups are: only state with the same signature can be gone on with. Filters make no difference."""
    kept = [
        operator
        for branch in grouped_branches(plan)
        for operator in (branch.scan, *branch.steps, branch.group)
        if operator is not None and not isinstance(operator, FilterOperator)
    ]
    return sha256(dump(Plan(tuple(kept), ())).encode()).hexdigest()
