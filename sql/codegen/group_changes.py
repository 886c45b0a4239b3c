"""Whether the row of a group that changed is another than the row written last, which is then not written again.

What was written last is the row of the group as it was at the last commit. The default timestamp, which is that of the
newest record, makes no other row.
"""

from jobplane.schemas.types import datatypes as t
from jobplane.sql.codegen.accumulating import GroupClass
from jobplane.sql.plan.graph import Branch
from jobplane.sql.plan.operators import GROUP_TIME, AggregateColumn, GroupOperator
from jobplane.sql.plan.stateful import replaces_rows, retracts
from jobplane.sql.plan.usage import keys_of
from jobplane.sql.types.typed import Field

_EXACT = frozenset((*t.INTEGERS, t.BOOLEAN, t.VARCHAR))
"""Of these types, equal values are written as the same bytes, and others as other bytes."""
_TELLING = _EXACT | {t.NUMBER}
"""Of these, other values are written as other bytes."""


def compares(branch: Branch, group: GroupOperator) -> bool:
    """Whether a group may change and its row not. It cannot where the row has the number of its records."""
    if not replaces_rows(group) or not (group.aggregates or retracts(branch, group)):
        return False
    return not any(_counts_all(one) and one.name in _written(branch) for one in group.aggregates)


def telling(branch: Branch, made: GroupClass) -> list[int]:
    """The aggregates whose results are other ones only if the row is, by their numbers."""
    written = _written(branch)
    return [i for i, one in enumerate(made.columns) if written.get(one.name) in _TELLING]


def is_told(branch: Branch, made: GroupClass) -> bool:
    """Whether the row is another one only if the result of an aggregate is."""
    written = _written(branch)
    return all(written.get(one.name) in _EXACT for one in made.columns)


def compared_parts(branch: Branch) -> list[str]:
    """The parts of a row, besides its value, by which it may be another one."""
    return [name for name, value in branch.parts.items() if GROUP_TIME not in keys_of(value)]


def _counts_all(one: AggregateColumn) -> bool:
    return one.function == "COUNT" and not one.arguments and one.where is None


def _written(branch: Branch) -> dict[str, t.Type]:
    """The values that are columns as they are, with their types."""
    return {one.value.key: one.value.type for one in branch.columns if isinstance(one.value, Field)}
