"""A plan becomes one Python function made of our own templates; names and constants of the user are bound as values.

The function never guards a row: whatever a record raises ends it. Then every message before the culprit was produced,
nothing of the culprit was, and `operator.length_hint(messages)` tells how many come after it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from jobplane.schemas.formats.avro.known_schemas import KnownSchemas
from jobplane.schemas.options import Tombstones
from jobplane.sql.codegen.branch import BranchCode, branch_code
from jobplane.sql.codegen.encode import encode, encode_tombstone
from jobplane.sql.codegen.row import Row
from jobplane.sql.functions import BUILT_IN, FunctionCatalogue
from jobplane.sql.plan.graph import Branch, Plan
from jobplane.sql.plan.tombstones import tombstone_branch
from jobplane.sql.runtime import operations

Step = Callable[[Iterator[Any], Callable[..., None], Callable[..., None]], tuple[int, int]]
"""`step(messages, produce, full)` → (records written, tombstones skipped).

`messages` are confluent_kafka.Message, `produce` is Producer.produce, called as (topic, value, key, partition, None,
None, timestamp[, headers]); after a BufferError `full` is called with the same arguments. Raises BadRecord.
"""

Rows = Callable[[Any], Iterator[tuple[Any, ...] | None]]
"""From a message to the records that it gives, None for a tombstone skipped."""

_HEAD = """\
def step(messages, produce, full):
    written = skipped = 0
    try:
        for m in messages:
            v = m.value()
"""
_SKIP = """\
            if v is None:
                skipped += 1
                continue
"""
_FORWARD = """\
            if v is None:
                for record in tombstone(m):
                    try:
                        produce(*record)
                    except BufferError:
                        full(*record)
                    written += 1
                continue
"""
_TAIL = """\
            try:
                produce({arguments})
            except BufferError:
                full({arguments})
            written += 1
    except (ArithmeticError, RecursionError, ValueError) as error:
        raise bad_record(error) from error
    return written, skipped
"""
_ROWS_HEAD = """\
def {name}(m):
    for m in (m,):
            v = m.value()
"""
_ROWS_SKIP = """\
            if v is None:
                yield None
                continue
"""
_ROWS_FORWARD = """\
            if v is None:
                yield from tombstone(m)
                continue
"""
_GATHERED = """\
def step(messages, produce, full):
    written = skipped = 0
    try:
        for m in messages:
            for record in [{gathered}]:
                if record is None:
                    skipped += 1
                    continue
                try:
                    produce(*record)
                except BufferError:
                    full(*record)
                written += 1
    except (ArithmeticError, RecursionError, ValueError) as error:
        raise bad_record(error) from error
    return written, skipped
"""


@dataclass(frozen=True, slots=True)
class TargetTopic:
    """A topic written to with its partitions at CREATE.

    `mirrors`, by the name a source has in the query: a copy keeps partition numbers below that, none where it is 0.
    """

    topic: str
    partitions: int
    mirrors: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Wiring:
    """The topic written to with its partitions at CREATE and, by the name a source has in the query, the topic read.

    `mirrors` are those of a TargetTopic. Where a statement has several targets, `targets` are they by the names that it
    calls them.
    `functions` are those that the query may call, `schemas` those of the registry that its records may be written by.
    `tombstones` is the option of the job; with FORWARD all branches of the plan must be able to: see
    jobplane.sql.plan.tombstones.
    """

    topic: str
    partitions: int
    topics: Mapping[str, str]
    mirrors: Mapping[str, int]
    functions: FunctionCatalogue = BUILT_IN
    schemas: KnownSchemas = field(default_factory=KnownSchemas)
    tombstones: Tombstones = Tombstones.SKIP
    targets: Mapping[str, TargetTopic] = field(default_factory=dict)

    def target_of(self, branch: Branch) -> TargetTopic:
        name = branch.sink.target
        return self.targets[name] if name else TargetTopic(self.topic, self.partitions, self.mirrors)


@dataclass(frozen=True, slots=True)
class CompiledStep:
    """`source` is the functions' text with a legend of the values bound to them, for people."""

    step: Step
    source: str


def compile_step(plan: Plan, wiring: Wiring) -> CompiledStep:
    """The step that takes messages of any topic of the wiring."""
    of_topic: dict[str, list[Branch]] = {}
    for branch in plan.branches:
        of_topic.setdefault(wiring.topics[branch.source], []).append(branch)
    compiled = {topic: compile_topic(branches, wiring) for topic, branches in of_topic.items()}
    source = "\n".join(one.source for one in compiled.values())
    if len(compiled) == 1:
        return CompiledStep(next(iter(compiled.values())).step, source)
    return CompiledStep(dispatch_by_topic({topic: one.step for topic, one in compiled.items()}), source)


def dispatch_by_topic(steps: Mapping[str, Step]) -> Step:
    """Runs of messages of one topic go through that topic's step."""

    def step(messages: Iterator[Any], produce: Callable[..., None], full: Callable[..., None]) -> tuple[int, int]:
        written = skipped = 0
        for topic, run in groupby(messages, lambda message: message.topic()):
            more, fewer = steps[topic](run, produce, full)
            written, skipped = written + more, skipped + fewer
        return written, skipped

    return step


def compile_topic(branches: Sequence[Branch], wiring: Wiring) -> CompiledStep:
    """The step that takes messages of the one topic that these branches read."""
    made = [_branch_code(branch, wiring, encode) for branch in branches]
    tombstones = [_tombstone(branch, wiring) for branch in branches]
    if len(made) == 1 and not made[0].several:
        return _loop(made[0], tombstones[0])
    return _gather_rows(made, tombstones)


def _branch_code(branch: Branch, wiring: Wiring, encode: Callable[[Row, Branch], None]) -> BranchCode:
    target = wiring.target_of(branch)
    mirror, schema_text = target.mirrors[branch.source], wiring.schemas.text
    return branch_code(branch, target.topic, target.partitions, mirror, wiring.functions, schema_text, encode)


def rows_of_topic(branches: Sequence[Branch], wiring: Wiring) -> list[Rows]:
    """What the branches that read a topic make of a message."""
    made = [_branch_code(branch, wiring, encode) for branch in branches]
    return [one.function for one in _rows_of(made, [_tombstone(branch, wiring) for branch in branches])]


@dataclass(frozen=True, slots=True)
class _Rows:
    """A function with its text."""

    function: Rows
    source: str


def _rows(name: str, one: BranchCode, without_value: str = "", **bound: Any) -> _Rows:
    text = _ROWS_HEAD.format(name=name) + without_value + "".join(one.lines) + f"{one.indent}yield {one.arguments},\n"
    return _Rows(execute(text, one.bound | bound)[name], text + one.legend)


def _tombstone(branch: Branch, wiring: Wiring) -> _Rows | None:
    """What makes the tombstone written for one read; None if the branch skips tombstones, or takes them as records."""
    if not branch.opens_value or wiring.tombstones is Tombstones.SKIP:
        return None
    return _rows("tombstone", _branch_code(tombstone_branch(branch), wiring, encode_tombstone))


def _without_value(one: BranchCode, tombstone: _Rows | None, skip: str, forward: str) -> tuple[str, dict[str, Any]]:
    """The lines for a message without a value, and what their names stand for."""
    if tombstone is not None:
        return forward, {"tombstone": tombstone.function}
    return (skip, {}) if one.opens_value else ("", {})


def _loop(one: BranchCode, tombstone: _Rows | None) -> CompiledStep:
    without_value, bound = _without_value(one, tombstone, _SKIP, _FORWARD)
    text = _HEAD + without_value + "".join(one.lines) + _TAIL.format(arguments=one.arguments)
    sources = [*([tombstone.source] if tombstone else []), text + one.legend]
    return CompiledStep(execute(text, one.bound | bound)["step"], "\n".join(sources))


def _gather_rows(made: Sequence[BranchCode], tombstones: Sequence[_Rows | None]) -> CompiledStep:
    """A record may give several here: they are gathered, so that none is produced if one of them fails."""
    rows = list(_rows_of(made, tombstones))
    bound = {f"rows{i}": one.function for i, one in enumerate(rows)}
    step = _GATHERED.format(gathered=", ".join(f"*rows{i}(m)" for i in range(len(rows))))
    return CompiledStep(execute(step, bound)["step"], "\n".join([*(one.source for one in rows), step]))


def _rows_of(made: Sequence[BranchCode], tombstones: Sequence[_Rows | None]) -> Iterator[_Rows]:
    for one, tombstone in zip(made, tombstones, strict=True):
        without_value, names = _without_value(one, tombstone, _ROWS_SKIP, _ROWS_FORWARD)
        rows = _rows("rows", one, without_value, **names)
        yield _Rows(rows.function, "\n".join([*([tombstone.source] if tombstone else []), rows.source]))


def execute(text: str, bound: Mapping[str, Any]) -> dict[str, Any]:
    names = {**bound, "bad_record": operations.bad_record}
    exec(compile(text, "<query>", "exec"), names)  # noqa: S102  # our own templates only: see sql/codegen/expressions.py
    return names
