"""A plan with groups becomes two functions: one that adds messages to groups, one that makes records of groups."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from jobplane.sql.codegen.absorb import absorb_code
from jobplane.sql.codegen.accumulating import group_class
from jobplane.sql.codegen.compile import Step, Wiring, execute
from jobplane.sql.codegen.group_changes import compares
from jobplane.sql.codegen.group_rows import emit_code
from jobplane.sql.plan.graph import Branch, NotFused, Plan
from jobplane.sql.plan.grouping.going_on import StateLayout
from jobplane.sql.plan.grouping.group_windows import gap_of, slices_of
from jobplane.sql.plan.stateful import is_timed, retracts
from jobplane.sql.runtime.groups import Absorb, GroupState
from jobplane.sql.runtime.groups_due import GroupShape, Produce
from jobplane.sql.runtime.groups_parts import At, Groups, Partition

Decode = Callable[[bytes], Groups]
Bind = Callable[[Mapping[int, Partition]], Absorb]


@dataclass(frozen=True, slots=True)
class CompiledGroups:
    """`source` is the functions' text with a legend of the values bound to them, for people.

    `decoder` makes what reads chunks of a layout.
    `count` is a Step that changes nothing and returns what `absorb` of a state would.
    """

    shape: GroupShape
    decoder: Callable[[StateLayout | None], Decode]
    count: Step
    source: str
    _binds: Mapping[str, Bind]

    def state(self, partitions: Iterable[At]) -> GroupState:
        """Empty groups of a task that reads these partitions."""
        return GroupState(self.shape, partitions, self._bind)

    def _bind(self, parts: Mapping[At, Partition]) -> Absorb:
        of_topic: dict[str, dict[int, Partition]] = {topic: {} for topic in self._binds}
        for (topic, number), part in parts.items():
            of_topic[topic][number] = part
        steps = {topic: bind(of_topic[topic]) for topic, bind in self._binds.items()}
        return next(iter(steps.values())) if len(steps) == 1 else _by_topic(steps)


def compile_groups(plan: Plan, wiring: Wiring, *, skip_late: bool = False) -> CompiledGroups:
    """`skip_late`: late records are counted and passed over; else one that is late is to blame, with LateRecord.

    Raises UnknownOperation, and NotFused for a plan that has no groups, or in which not all rows come to the same ones.
    """
    branches = {wiring.topics[branch.source]: branch for branch in plan.branches}
    first = plan.branches[0]
    group = first.group
    if group is None or len(branches) < len(plan.branches) or not all(_alike(one, first) for one in branches.values()):
        raise NotFused("groups of several SELECTs need a newer version")
    made = group_class(
        group,
        wiring.functions,
        timed=is_timed(first),
        retracts=retracts(first, group),
        compares=compares(first, group),
        sessions=gap_of(first, group) is not None,
    )
    emit = emit_code(first, group, made, wiring.topic, wiring.partitions, wiring.functions)
    shape = GroupShape(
        execute(emit.text, emit.bound)["emit"],
        made.copy,
        made.merge,
        made.widen,
        made.decoder(),
        slices=slices_of(first, group),
        changes=group.changes or not group.window,
        bound=group.bound,
        once=not made.columns,
        retracts=made.retracts,
        compares=made.compares,
        gap=gap_of(first, group),
    )
    binds: dict[str, Bind] = {}
    sources: list[str] = []
    for topic, branch in branches.items():
        code = absorb_code(branch, group, made, wiring.functions, wiring.schemas.text, skip_late=skip_late)
        binds[topic] = execute(code.text, code.bound)["bind"]
        sources.append(code.text + code.legend)
    opening = {topic for topic, branch in branches.items() if branch.opens_value}
    source = "\n".join([*sources, emit.text + emit.legend])
    return CompiledGroups(shape, made.decoder, _counting(opening), source, binds)


def _alike(one: Branch, other: Branch) -> bool:
    return (one.group, one.after, one.columns, one.sink) == (other.group, other.after, other.columns, other.sink)


def _by_topic(steps: Mapping[str, Absorb]) -> Absorb:
    """Runs of messages of one topic go through that topic's step."""

    def absorb(messages: Iterator[Any], produce: Produce, full: Produce) -> tuple[int, int]:
        skipped = 0
        for topic, run in groupby(messages, lambda message: message.topic()):
            skipped += steps[topic](run, produce, full)[1]
        return 0, skipped

    return absorb


def _counting(opening: set[str]) -> Step:
    """Counts the messages without a value, of topics for which they are skipped."""

    def count(messages: Iterator[Any], _produce: Produce, _full: Produce) -> tuple[int, int]:
        return 0, sum(message.value() is None and message.topic() in opening for message in messages)

    return count
