"""What becomes of a record without a value, a tombstone, where a branch needs the value: the option `tombstones`.

With `forward` the branch writes a tombstone in its place, with all other parts of the record that the query does not
compute from the value. No filter applies: a delete must reach the target.
"""

from typing import assert_never

from msgspec.structs import replace as changed

from jobplane.schemas.options import Tombstones
from jobplane.sql.plan.graph import Branch, Plan, keys_of_operators, order_steps
from jobplane.sql.plan.operators import (
    KEY_PART,
    VALUE_PART,
    FilterOperator,
    ProjectedColumn,
    ProjectOperator,
    UnnestOperator,
    WatermarkOperator,
    WindowOperator,
)
from jobplane.sql.plan.usage import keys_of
from jobplane.sql.syntax.parts import KEY, THIS

_DECIDING = frozenset({KEY_PART, KEY, "__partition"})
"""The parts that decide which records a tombstone deletes."""


def tombstone_branch(branch: Branch) -> Branch:
    """The way of a record without a value, where tombstones are forwarded."""
    missing, parts = _missing(branch), _parts(branch)
    columns = tuple(one for one in branch.columns if parts[one.name] != VALUE_PART and not _needs(one, missing))
    there = [step for step in branch.steps if isinstance(step, ProjectOperator) and step.columns[0].name not in missing]
    steps = order_steps(there, [one.value for one in columns])
    used = keys_of_operators((*steps, ProjectOperator(columns)))
    scan = changed(branch.scan, fields=tuple(one for one in branch.reads if one.key in used))
    return Branch(scan, steps, columns, changed(branch.sink, star=branch.copies))


def columns_in_the_way(plan: Plan) -> tuple[str, ...]:
    """The columns for which tombstones cannot be forwarded: the key, or partition, computed from value or group."""
    return tuple(
        dict.fromkeys(
            column.name
            for branch in plan.branches
            if branch.opens_value
            for column in branch.columns
            if _parts(branch)[column.name] in _DECIDING
            and (branch.group is not None or _needs(column, _missing(branch)))
        )
    )


def needs_value(plan: Plan) -> bool:
    """Whether the option `tombstones` has an effect."""
    return any(branch.opens_value for branch in plan.branches)


def describe_tombstones(plan: Plan, tombstones: Tombstones) -> str:
    """What becomes of a record without a value, for EXPLAIN."""
    opens = [branch.opens_value for branch in plan.branches]
    like_any = "processed like any record"
    if not any(opens):
        return f"{like_any}: the query does not need the value"
    done = "skipped" if tombstones is Tombstones.SKIP else "forwarded: the key without a value"
    return done if all(opens) else f"{done}, by the branches that need the value; else {like_any}"


def _parts(branch: Branch) -> dict[str, str]:
    """The parts of the record that columns go to."""
    return {one.column: one.part for one in branch.sink.columns}


def _needs(column: ProjectedColumn, missing: set[str]) -> bool:
    return not missing.isdisjoint(keys_of(column.value))


def _missing(branch: Branch) -> set[str]:
    """The keys of all values that a record without a value does not have, or that are computed from those.

    It is in no window: those of a record lead to as many rows.
    """
    missing = {THIS, *(one.key for one in branch.reads if not one.of_key)}
    for step in branch.steps:
        match step:
            case UnnestOperator(element=element, second=second, ordinal=ordinal):
                missing |= {element, second, ordinal}
            case WindowOperator(start=start, end=end):
                missing |= {start, end}
            case ProjectOperator(columns):
                missing |= {column.name for column in columns if _needs(column, missing)}
            case FilterOperator() | WatermarkOperator():
                pass
            case never:
                assert_never(never)
    return missing
