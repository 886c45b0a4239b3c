"""Whether the groups of a plan are right only if one task reads all partitions."""

from jobplane.sql.plan.graph import Plan


def grouped_alone(plan: Plan) -> str:
    """Why one task must read all partitions, and what to do; empty where no group has rows of two partitions."""
    if all(branch.group is None or branch.group.bound for branch in plan.branches):
        return ""
    return (
        "rows of one group may come from several partitions, so one task must read all: write OPTIONS (parallelism "
        "'1'), or GROUP BY the whole key of the records too"
    )
