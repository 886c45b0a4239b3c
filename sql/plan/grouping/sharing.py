"""Branches of UNION ALL whose rows come to the same groups: they share one group, and all that follows it.

Each branch is planned alone, from its source to the target, so its values have keys of its own. Here the group and what
follows get the same keys in all branches. A value that is another expression in one of them gets a key too: each branch
computes it, and the group names it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from msgspec.structs import replace as changed

from jobplane.schemas.errors import NotSupported, Place, TypeMismatch
from jobplane.sql.functions import FunctionCatalogue
from jobplane.sql.plan.graph import Branch
from jobplane.sql.plan.grouping.group_windows import window_of
from jobplane.sql.plan.grouping.rewriting import rename_keys
from jobplane.sql.plan.operators import (
    AggregateColumn,
    GroupOperator,
    ProjectedColumn,
    ProjectOperator,
    UnnestOperator,
    WatermarkOperator,
)
from jobplane.sql.types.typed import GENERATED, Field, Typed

_WINDOWS = (
    "the branches of UNION ALL have different windows, and a group is of one: give the union its windows: WITH u AS "
    "(SELECT … UNION ALL SELECT …) SELECT … FROM TUMBLE(TABLE u, …) GROUP BY …"
)
_WATERMARKS = (
    "two branches of UNION ALL read '{}' with different watermarks, and a partition has one for a group: give both the "
    "same WATERMARK or IMPOSE_ORDER, or copy one of them to a topic of its own by another job"
)
_CONSTANTS = (
    "{} needs the same constant in all branches of UNION ALL: write it in the SELECT that has the aggregate, not in "
    "the branches"
)
_TYPES = "a value of the groups is {} in one branch of UNION ALL and {} in another: CAST it in one of them"
_UNLIKE = "the branches of UNION ALL make groups that differ: write a job for each branch"


def share_group(
    branches: Sequence[Branch], topics: Sequence[str], functions: FunctionCatalogue, place: Place
) -> list[Branch]:
    """The branches with one and the same group; `topics` are what they read. Raises NotSupported or TypeMismatch."""
    renamed = [_with_common_keys(branch) for branch in branches]
    groups = [branch.group for branch in renamed if branch.group is not None]
    _check_windows(renamed, groups, topics, place)
    sharing = _Sharing(renamed, groups, functions, place)
    group = sharing.group()
    made = [replace(branch, steps=(*branch.steps, *sharing.steps(i)), group=group) for i, branch in enumerate(renamed)]
    for one in made[1:]:
        if (one.after, one.columns, one.sink) != (made[0].after, made[0].columns, made[0].sink):
            raise NotSupported(_UNLIKE, place)
    return made


def _with_common_keys(branch: Branch) -> Branch:
    """The branch with keys for the group and what follows that are the same in all branches."""
    names = list(dict.fromkeys(_names(branch)))
    return rename_keys(branch, {name: f"{GENERATED}g{i}" for i, name in enumerate(names)})


def _names(branch: Branch) -> Iterator[str]:
    group = branch.group
    if group is None:
        return
    window = window_of(branch.steps, group)
    if window is not None:
        yield from (window.start, window.end, window.slice)
    yield from (one.name for one in group.keys)
    yield from (one.name for one in group.aggregates)
    for step in branch.after:
        if isinstance(step, ProjectOperator):
            yield from (one.name for one in step.columns)
        elif isinstance(step, UnnestOperator):
            yield from filter(None, (step.element, step.second, step.ordinal))


def _check_windows(
    branches: Sequence[Branch], groups: Sequence[GroupOperator], topics: Sequence[str], place: Place
) -> None:
    first = window_of(branches[0].steps, groups[0])
    for branch, group in zip(branches, groups, strict=True):
        window = window_of(branch.steps, group)
        if (window is None) != (first is None) or (first and window and first.windows != window.windows):
            raise NotSupported(_WINDOWS, place)
    of_topic: dict[str, list[WatermarkOperator]] = {}
    for branch, topic in zip(branches, topics, strict=True):
        watermarks = [step for step in branch.steps if isinstance(step, WatermarkOperator)]
        if of_topic.setdefault(topic, watermarks) != watermarks:
            raise NotSupported(_WATERMARKS.format(topic), place)


class _Sharing:
    """The one group of several, value by value."""

    def __init__(
        self,
        branches: Sequence[Branch],
        groups: Sequence[GroupOperator],
        functions: FunctionCatalogue,
        place: Place,
    ) -> None:
        self._branches, self._groups, self._functions, self._place = branches, groups, functions, place
        self._computed: list[list[Typed]] = []
        """The values of each branch that the group names by a key, which has their number."""

    def steps(self, branch: int) -> Iterator[ProjectOperator]:
        """What a branch computes for the group."""
        for number, values in enumerate(self._computed):
            value = values[branch]
            yield ProjectOperator((ProjectedColumn(f"{GENERATED}u{number}", value, value.type),), keeps=True)

    def group(self) -> GroupOperator:
        first = self._groups[0]
        if any(len({len(part) for part in parts}) > 1 for parts in (self._parts("keys"), self._parts("aggregates"))):
            raise NotSupported(_UNLIKE, self._place)
        keys = tuple(map(self._key, zip(*(one.keys for one in self._groups), strict=True)))
        aggregates = tuple(map(self._aggregate, zip(*(one.aggregates for one in self._groups), strict=True)))
        alone = len({branch.source for branch in self._branches}) == 1
        bound = alone and keys == first.keys and all(one.bound for one in self._groups)
        made = changed(first, keys=keys, aggregates=aggregates, bound=bound)
        if any(changed(one, keys=keys, aggregates=aggregates, bound=bound) != made for one in self._groups):
            raise NotSupported(_UNLIKE, self._place)
        return made

    def _parts(self, name: str) -> list[tuple[object, ...]]:
        return [getattr(one, name) for one in self._groups]

    def _key(self, columns: tuple[ProjectedColumn, ...]) -> ProjectedColumn:
        return changed(columns[0], value=self._value([one.value for one in columns]))

    def _aggregate(self, columns: tuple[AggregateColumn, ...]) -> AggregateColumn:
        first = columns[0]
        arguments = tuple(self._value(list(values)) for values in zip(*(one.arguments for one in columns), strict=True))
        wheres = [one.where for one in columns if one.where is not None]
        where = self._value(wheres) if wheres else None
        sorted_by = zip(*(one.order for one in columns), strict=True)
        order = tuple(changed(items[0], value=self._value([one.value for one in items])) for items in sorted_by)
        taken = next(one for one in self._functions.aggregates[first.function] if one.function.takes(len(arguments)))
        if arguments[taken.values :] != first.arguments[taken.values :]:
            raise NotSupported(_CONSTANTS.format(first.function), self._place)
        return changed(first, arguments=arguments, where=where, order=order)

    def _value(self, values: list[Typed]) -> Typed:
        first = values[0]
        if all(one == first for one in values):
            return first
        other = next((one for one in values if one.type != first.type), None)
        if other is not None:
            raise TypeMismatch(_TYPES.format(first.type.words, other.type.words), self._place)
        if values not in self._computed:
            self._computed.append(values)
        return Field(f"{GENERATED}u{self._computed.index(values)}", first.type)
