"""A plan with groups becomes two functions: one that adds messages to groups, one that makes records of groups.

Several branches may take the same messages: some fill groups of their own, others produce at once. A message to blame
in any of them changes no group, and gives no record: all branches look at it before the first one keeps something.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from jobplane.sql.codegen.absorb import Filling, absorb_code
from jobplane.sql.codegen.accumulating import GroupClass, group_class
from jobplane.sql.codegen.compile import (
    Rows,
    Step,
    Wiring,
    compile_topic,
    dispatch_by_topic,
    execute,
    rows_of_topic,
)
from jobplane.sql.codegen.group_changes import compares
from jobplane.sql.codegen.group_rows import emit_code
from jobplane.sql.plan.graph import Branch, NotFused, Plan
from jobplane.sql.plan.grouping.going_on import StateLayout
from jobplane.sql.plan.grouping.group_windows import are_apart, gap_of, slices_of
from jobplane.sql.plan.operators import GroupOperator
from jobplane.sql.plan.stateful import groupings, is_timed, retracts
from jobplane.sql.runtime.groups import Absorb, GroupState
from jobplane.sql.runtime.groups_due import GroupShape, Produce
from jobplane.sql.runtime.groups_parts import At, Groups, Partition
from jobplane.sql.runtime.operations import bad_record

Parts = Mapping[int, Partition]
"""The partitions of one topic, by their numbers."""
Bind = Callable[[Sequence[Parts]], Absorb]
"""From the partitions that each grouping has of a topic to what takes the messages of the topic."""
_Stage = Callable[[Any, dict[Any, Any]], Iterator[int]]


@dataclass(frozen=True, slots=True)
class CompiledGroups:
    """`source` is the functions' text with a legend of the values bound to them, for people.

    `count` is a Step that changes and produces nothing, and returns what `absorb` of a state would.
    """

    shapes: tuple[GroupShape, ...]
    count: Step
    source: str
    _made: tuple[GroupClass, ...]
    _topics: tuple[frozenset[str], ...]
    """Those whose messages fill the groups of each shape."""
    _binds: Mapping[str, Bind]

    def state(self, partitions: Iterable[At]) -> GroupState:
        """Empty groups of a task that reads these partitions."""
        owned = sorted(partitions)
        filled = [[at for at in owned if at[0] in topics] for topics in self._topics]
        return GroupState(list(zip(self.shapes, filled, strict=True)), owned, self._bind)

    def decoders(self, layouts: Sequence[StateLayout | None]) -> tuple[Callable[[bytes], Groups], ...]:
        """What reads chunks of each grouping, if they were written with these layouts."""
        return tuple(made.decoder(layout) for made, layout in zip(self._made, layouts, strict=True))

    def _bind(self, groupings: Sequence[Mapping[At, Partition]]) -> Absorb:
        def of_topic(topic: str) -> list[Parts]:
            return [{at[1]: part for at, part in parts.items() if at[0] == topic} for parts in groupings]

        steps = {topic: bind(of_topic(topic)) for topic, bind in self._binds.items()}
        return next(iter(steps.values())) if len(steps) == 1 else dispatch_by_topic(steps)


@dataclass(frozen=True, slots=True)
class _Grouping:
    """The branches that share a group, and what is made for it."""

    branches: tuple[Branch, ...]
    group: GroupOperator
    made: GroupClass
    shape: GroupShape
    source: str


def compile_groups(plan: Plan, wiring: Wiring, *, skip_late: bool = False) -> CompiledGroups:
    """`skip_late`: late records are counted and passed over; else one that is late is to blame, with LateRecord.

    Raises UnknownOperation, and NotFused for a plan without groups, or in which branches do not agree on theirs.
    """
    by_topic: dict[str, list[Branch]] = {}
    for branch in plan.branches:
        by_topic.setdefault(wiring.topics[branch.source], []).append(branch)
    made = [_grouping(branches, wiring) for branches in groupings(plan)]
    if not made:
        raise NotFused("a plan without groups has no state")
    binds: dict[str, Bind] = {}
    counts: dict[str, Step] = {}
    sources: list[str] = []
    for topic, branches in by_topic.items():
        plain = [branch for branch in branches if branch.group is None]
        grouped = [branch for branch in branches if branch.group is not None]
        staged = len(branches) > 1 and bool(grouped)
        filling = [
            (one, _bind_of(one, made[one.group_number], wiring, skip_late=skip_late, staged=staged)) for one in grouped
        ]
        sources += [text for _, (_, text) in filling]
        stages = [(one.group_number, bind) for one, (bind, _) in filling]
        step = compile_topic(plain, wiring) if plain else None
        sources += [step.source] if step else []
        if step is not None and not grouped:
            binds[topic] = partial(_produce_only, step.step)
        elif staged:
            binds[topic] = partial(_bind_together, stages, rows_of_topic(plain, wiring))
        else:
            binds[topic] = partial(_bind_alone, *stages[0])
        opening = sum(branch.opens_value for branch in grouped)
        counts[topic] = partial(_count, step.step if step else None, opening)
    sources += [one.source for one in made]
    topics = tuple(frozenset(wiring.topics[one.source] for one in each.branches) for each in made)
    shapes = tuple(one.shape for one in made)
    classes = tuple(one.made for one in made)
    return CompiledGroups(shapes, dispatch_by_topic(counts), "\n".join(sources), classes, topics, binds)


def _grouping(branches: Sequence[Branch], wiring: Wiring) -> _Grouping:
    """Raises NotFused where the branches do not agree on the group or what follows."""
    first, group = branches[0], branches[0].group
    if group is None or not all(_alike(one, first) for one in branches):
        raise NotFused("branches that share a group do not agree on it")
    made = group_class(
        group,
        wiring.functions,
        timed=is_timed(first),
        retracts=retracts(first, group),
        compares=compares(first, group),
        sessions=gap_of(first, group) is not None,
    )
    target = wiring.target_of(first)
    emit = emit_code(first, group, made, target.topic, target.partitions, wiring.functions)
    shape = GroupShape(
        execute(emit.text, emit.bound)["emit"],
        made.copy,
        made.merge,
        made.widen,
        made.decoder(),
        slices=slices_of(first, group, apart=are_apart(branches, group)),
        changes=group.changes or not group.window,
        bound=group.bound,
        once=made.once,
        retracts=made.retracts,
        compares=made.compares,
        gap=gap_of(first, group),
    )
    return _Grouping(tuple(branches), group, made, shape, emit.text + emit.legend)


def _alike(one: Branch, other: Branch) -> bool:
    return (one.group, one.after, one.columns, one.sink) == (other.group, other.after, other.columns, other.sink)


def _bind_of(
    branch: Branch, grouping: _Grouping, wiring: Wiring, *, skip_late: bool, staged: bool
) -> tuple[Callable[[Parts], Any], str]:
    """The function that a branch is, once it has its partitions, and its text."""
    rank = grouping.branches.index(branch)
    filling = Filling(skip_late, are_apart(grouping.branches, grouping.group), rank, staged)
    code = absorb_code(branch, grouping.group, grouping.made, wiring.functions, wiring.schemas.text, filling)
    return execute(code.text, code.bound)["bind"], code.text + code.legend


def _bind_alone(number: int, bind: Callable[[Parts], Absorb], groupings: Sequence[Parts]) -> Absorb:
    return bind(groupings[number])


def _produce_only(step: Absorb, _groupings: Sequence[Parts]) -> Absorb:
    return step


def _bind_together(
    stages: Sequence[tuple[int, Callable[[Parts], _Stage]]], plain: Sequence[Rows], groupings: Sequence[Parts]
) -> Absorb:
    """What takes messages for several branches: those that fill groups in `stages`, and those that produce at once."""
    bound = [(number, bind(groupings[number])) for number, bind in stages]

    def absorb(messages: Iterator[Any], produce: Produce, full: Produce) -> tuple[int, int]:
        written = skipped = 0
        try:
            for message in messages:
                records = [record for rows in plain for record in rows(message)]
                tried: list[dict[Any, Any]] = [{} for _ in groupings]
                begun = [stage(message, tried[number]) for number, stage in bound]
                skipped += sum(map(next, begun))
                for record in records:
                    if record is None:
                        skipped += 1
                        continue
                    try:
                        produce(*record)
                    except BufferError:
                        full(*record)
                    written += 1
                for stage in begun:
                    next(stage, None)
        except (ArithmeticError, RecursionError, ValueError) as error:
            raise bad_record(error) from error
        return written, skipped

    return absorb


def _count(
    plain: Step | None, opening: int, messages: Iterator[Any], _produce: Produce, _full: Produce
) -> tuple[int, int]:
    """Counts what plain branches write, and the messages without a value that `opening` branches with groups skip."""
    known = list(messages)
    written, skipped = plain(iter(known), _discard, _discard) if plain else (0, 0)
    return written, skipped + opening * sum(message.value() is None for message in known)


def _discard(*_: Any) -> None:
    """Takes the records of an evaluation that only counts."""
