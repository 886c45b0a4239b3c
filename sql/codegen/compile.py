"""A plan becomes one Python function made of our own templates; names and constants of the user are bound as values.

The function never guards a row: whatever a record raises ends it. Then every message before the culprit was produced,
nothing of the culprit was, and `operator.length_hint(messages)` tells how many come after it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from jobplane.schemas.formats.avro.known_schemas import KnownSchemas
from jobplane.sql.codegen.branch import BranchCode, branch_code
from jobplane.sql.functions import BUILT_IN, FunctionCatalogue
from jobplane.sql.plan.graph import Branch, Plan
from jobplane.sql.runtime import operations

Step = Callable[[Iterator[Any], Callable[..., None], Callable[..., None]], tuple[int, int]]
"""`step(messages, produce, full)` → (records written, tombstones skipped).

`messages` are confluent_kafka.Message, `produce` is Producer.produce, called as (topic, value, key, partition, None,
None, timestamp[, headers]); after a BufferError `full` is called with the same arguments. Raises BadRecord.
"""

_HEAD = """\
def step(messages, produce, full):
    written = skipped = 0
    try:
        for m in messages:
            v = m.value()
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
def rows(m):
    for m in (m,):
            v = m.value()
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
class Wiring:
    """The topic written to with its partitions at CREATE and, by the name a source has in the query, the topic read.

    `mirrors`, by the same names: a copy keeps partition numbers below that, none where it is 0.
    `functions` are those that the query may call, `schemas` those of the registry that its records may be written by.
    """

    topic: str
    partitions: int
    topics: Mapping[str, str]
    mirrors: Mapping[str, int]
    functions: FunctionCatalogue = BUILT_IN
    schemas: KnownSchemas = field(default_factory=KnownSchemas)


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
    compiled = {topic: _of_topic(branches, wiring) for topic, branches in of_topic.items()}
    source = "\n".join(one.source for one in compiled.values())
    if len(compiled) == 1:
        return CompiledStep(next(iter(compiled.values())).step, source)
    return CompiledStep(_dispatch_by_topic({topic: one.step for topic, one in compiled.items()}), source)


def _dispatch_by_topic(steps: Mapping[str, Step]) -> Step:
    """Runs of messages of one topic go through that topic's step."""

    def step(messages: Iterator[Any], produce: Callable[..., None], full: Callable[..., None]) -> tuple[int, int]:
        written = skipped = 0
        for topic, run in groupby(messages, lambda message: message.topic()):
            more, fewer = steps[topic](run, produce, full)
            written, skipped = written + more, skipped + fewer
        return written, skipped

    return step


def _of_topic(branches: list[Branch], wiring: Wiring) -> CompiledStep:
    made = [
        branch_code(
            branch,
            wiring.topic,
            wiring.partitions,
            wiring.mirrors[branch.source],
            wiring.functions,
            wiring.schemas.text,
        )
        for branch in branches
    ]
    if len(made) == 1 and not made[0].several:
        (one,) = made
        text = _HEAD + "".join(one.lines) + _TAIL.format(arguments=one.arguments)
        return CompiledStep(_execute(text, one.bound)["step"], text + one.legend)
    return _gather_rows(made)


def _gather_rows(made: list[BranchCode]) -> CompiledStep:
    """A record may give several here: they are gathered, so that none is produced if one of them fails."""
    bound: dict[str, Any] = {}
    texts = []
    for i, one in enumerate(made):
        skip = [line.replace("skipped += 1", "yield None") for line in one.lines]
        text = _ROWS_HEAD + "".join(skip) + f"{one.indent}yield {one.arguments},\n"
        bound[f"rows{i}"] = _execute(text, one.bound)["rows"]
        texts.append(text + one.legend)
    step = _GATHERED.format(gathered=", ".join(f"*rows{i}(m)" for i in range(len(made))))
    return CompiledStep(_execute(step, bound)["step"], "\n".join([*texts, step]))


def _execute(text: str, bound: Mapping[str, Any]) -> dict[str, Any]:
    names = {**bound, "bad_record": operations.bad_record}
    exec(compile(text, "<query>", "exec"), names)  # noqa: S102  # our own templates only: see sql/codegen/expressions.py
    return names
