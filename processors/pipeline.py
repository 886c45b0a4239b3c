"""From a task's record to the function that moves its records. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from schemas.options import JobOptions
from schemas.tasks import Task
from schemas.values import Sink, Source
from sql import nodes
from sql.compile import compile_step
from sql.parser import parse
from sql.plan import plan


@dataclass(frozen=True, slots=True)
class Pipeline:
    """`step(messages, produce, when_full)` returns (records written, records skipped)."""

    source: Source
    sink: Sink
    interval_ms: int
    step: Callable[..., tuple[int, int]]
    code: str


def pipeline_of(task: Task) -> Pipeline:
    """The compiled query of a task; tasks of one job share it."""
    source, sink = task.sources[0], task.sink
    compiled: Any = _compiled(task.statement, sink.topic, len(source.start) == sink.partitions)
    return Pipeline(source, sink, JobOptions.of(task.options).snapshot_interval_millis, compiled.step, compiled.source)


@lru_cache(maxsize=256)
def _compiled(statement: str, topic: str, mirror: bool) -> Any:  # noqa: FBT001  # a fact, not a switch
    parsed = parse(statement)
    if not isinstance(parsed, nodes.CreateJob):
        raise TypeError(f"a task's statement is a CREATE JOB, not {statement!r}")
    return compile_step(plan(parsed.insert), topic, mirror)
