"""A branch with other expressions, and other keys of its values."""

from collections.abc import Callable, Mapping
from typing import assert_never

from msgspec.structs import replace as changed

from jobplane.sql.plan.graph import Branch, Step
from jobplane.sql.plan.operators import (
    AggregateColumn,
    FilterOperator,
    GroupOperator,
    ProjectedColumn,
    ProjectOperator,
    UnnestOperator,
    WatermarkOperator,
    WindowOperator,
)
from jobplane.sql.plan.usage import ExpressionCleaner, substitute
from jobplane.sql.types.typed import Field, Typed

Rewrite = Callable[[Typed], Typed]
_SAME_KEYS: Mapping[str, str] = {}


def clean_branch(branch: Branch) -> Branch:
    """The branch without what only the analysis of its expressions needs."""
    return _rewritten(branch, ExpressionCleaner().clean, _SAME_KEYS)


def rename_keys(branch: Branch, keys: Mapping[str, str]) -> Branch:
    """The branch with other keys of values that its steps and its group make."""

    def renamed(one: Field) -> Typed:
        return changed(one, key=keys[one.key]) if one.key in keys else one

    return _rewritten(branch, lambda value: substitute(value, renamed), keys)


def _rewritten(branch: Branch, of: Rewrite, keys: Mapping[str, str]) -> Branch:
    def column(one: ProjectedColumn) -> ProjectedColumn:
        return changed(one, name=keys.get(one.name, one.name), value=of(one.value))

    def written(one: ProjectedColumn) -> ProjectedColumn:
        return changed(one, value=of(one.value))

    def step(one: Step) -> Step:
        match one:
            case FilterOperator(condition):
                return changed(one, condition=of(condition))
            case ProjectOperator(columns):
                return changed(one, columns=tuple(map(column, columns)))
            case UnnestOperator(value, element, second, ordinal):
                made = [keys.get(name, name) for name in (element, second, ordinal)]
                return changed(one, value=of(value), element=made[0], second=made[1], ordinal=made[2])
            case WindowOperator(value, start, end, slice=slice_):
                made = [keys.get(name, name) for name in (start, end, slice_)]
                return changed(one, value=of(value), start=made[0], end=made[1], slice=made[2])
            case WatermarkOperator(value):
                return changed(one, value=of(value))
            case never:
                assert_never(never)

    def aggregate(one: AggregateColumn) -> AggregateColumn:
        order = tuple(changed(item, value=of(item.value)) for item in one.order)
        where = None if one.where is None else of(one.where)
        arguments = tuple(map(of, one.arguments))
        return changed(one, name=keys.get(one.name, one.name), arguments=arguments, where=where, order=order)

    def group(one: GroupOperator) -> GroupOperator:
        return changed(
            one,
            keys=tuple(map(column, one.keys)),
            aggregates=tuple(map(aggregate, one.aggregates)),
            window=tuple(keys.get(name, name) for name in one.window),
            slice=keys.get(one.slice, one.slice),
        )

    steps, after = tuple(map(step, branch.steps)), tuple(map(step, branch.after))
    made = None if branch.group is None else group(branch.group)
    return Branch(branch.scan, steps, tuple(map(written, branch.columns)), branch.sink, made, after)
