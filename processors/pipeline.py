"""From a task's record to the function that moves its records. Pure."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from schemas.options import JobOptions
from schemas.tasks import Task
from schemas.values import Mapping, Sink, Source
from sql import nodes
from sql.compile import CompiledStep, Wiring, compile_step
from sql.parser import parse
from sql.plan import plan, source_names


@dataclass(frozen=True, slots=True)
class Pipeline:
    """`step(messages, produce, when_full)` returns (records written, records skipped).

    `grown_step()` is what does the same where the source has more partitions than the sink had at CREATE.
    """

    source: Source
    sink: Sink
    options: JobOptions
    step: Callable[..., tuple[int, int]]
    grown_step: Callable[[], Callable[..., tuple[int, int]]]
    code: str

    @property
    def interval_ms(self) -> int:
        return self.options.snapshot_interval_millis


def pipeline_of(task: Task) -> Pipeline:
    """The compiled query of a task; tasks of one job share it."""
    source, sink = task.sources[0], task.sink
    mirrors = len(source.start) == sink.partitions
    through = (_Mapped(source.mapping), _Mapped(sink.mapping))

    def compiled(mirror: int) -> CompiledStep:
        return _compiled(task.statement, sink.topic, mirror if mirrors else 0, through)

    usual = compiled(sys.maxsize)
    options = JobOptions.of(task.options)
    return Pipeline(source, sink, options, usual.step, lambda: compiled(sink.partitions).step, usual.source)


class _Mapped:
    """A mapping as a key: equal by what it says."""

    def __init__(self, mapping: Mapping | None) -> None:
        self.mapping = mapping

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Mapped) and self.mapping == other.mapping

    def __hash__(self) -> int:
        return hash(self.mapping.statement if self.mapping else "")


@lru_cache(maxsize=256)
def _compiled(statement: str, topic: str, mirror: int, through: tuple[_Mapped, _Mapped]) -> CompiledStep:
    parsed = parse(statement)
    if not isinstance(parsed, nodes.CreateJob):
        raise TypeError(f"a task's statement is a CREATE JOB, not {statement!r}")
    source, sink = (one.mapping for one in through)
    (name,) = (one.text for one in source_names(parsed.insert))
    wiring = Wiring(topic, sys.maxsize, {name: source.topic if source else name}, {name: mirror})
    return compile_step(plan(parsed.insert, {name: source} if source else {}, sink), wiring)
