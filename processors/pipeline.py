"""From a task's record to the function that moves its records. Pure."""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

from jobplane.schemas.options import JobOptions
from jobplane.schemas.records.mappings import TopicMapping
from jobplane.schemas.records.sources import DeadLetterSource, Sink, Source, sources_by_topic
from jobplane.schemas.records.tasks import Task
from jobplane.sql.codegen.compile import CompiledStep, Step, Wiring, compile_step
from jobplane.sql.plan.plan import plan
from jobplane.sql.syntax.parser import parse_job

Positions = dict[tuple[str, int], int]
"""The next offset to read, by topic and partition."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """`step(messages, produce, when_full)` takes messages of any source; returns (records written, records skipped).

    `sources` are by topic. It is compiled when it is first asked for: a task that only stops or copies needs no query.
    """

    sources: dict[str, Source]
    sink: Sink
    options: JobOptions
    compiled: Callable[[int], CompiledStep]
    """By the number of partitions below which a mirror keeps the record's own."""

    @property
    def step(self) -> Step:
        """Raises what `plan` raises."""
        return self.compiled(sys.maxsize).step

    @property
    def interval_ms(self) -> int:
        return self.options.snapshot_interval_millis

    @property
    def letters(self) -> DeadLetterSource | None:
        """Whose dead letters are read, where it is a retry."""
        return next((source.letters for source in self.sources.values()), None)

    @property
    def starts(self) -> Positions:
        """Where the job begins."""
        return {(topic, p): at for topic, source in self.sources.items() for p, at in enumerate(source.start)}

    @property
    def ends(self) -> Positions:
        """Where a bounded job ends; empty where it never does."""
        return {(topic, p): end for topic, source in self.sources.items() for p, end in enumerate(source.end)}

    def step_for(self, partitions: Iterable[tuple[str, int]]) -> Step:
        """The step for messages of these partitions."""
        beyond = {topic for topic, p in partitions if p >= self.sink.partitions}
        grown = any(_is_mirrored(self.sources[topic], self.sink) for topic in beyond)
        return self.compiled(self.sink.partitions).step if grown else self.step


def pipeline_of(task: Task) -> Pipeline:
    """The query of a task; tasks of one job share what it is compiled to."""
    return pipeline(task.statement, task.options, task.sources, task.sink)


def pipeline(statement: str, options: dict[str, str], sources: tuple[Source, ...], sink: Sink) -> Pipeline:
    """The query of a CREATE JOB in its canonical form."""
    reads = tuple(_Read(source.name, source.records_of, _Mapped(source.mapping)) for source in sources)
    mirrored = tuple(_is_mirrored(source, sink) for source in sources)

    def compiled(mirror: int) -> CompiledStep:
        if any(source.letters for source in sources):  # they may come from partitions added since
            mirror = min(mirror, sink.partitions)
        mirrors = tuple(mirror if one else 0 for one in mirrored)
        return _compiled(statement, sink.topic, sink.partitions, _Mapped(sink.mapping), reads, mirrors)

    return Pipeline(sources_by_topic(sources), sink, JobOptions.of(options), compiled)


def _is_mirrored(source: Source, sink: Sink) -> bool:
    """Whether a copy of its records keeps their partition numbers."""
    partitions = source.letters.partitions if source.letters else len(source.start)
    return partitions == sink.partitions


class _Mapped:
    """A mapping as a key: equal by what it says."""

    def __init__(self, mapping: TopicMapping | None) -> None:
        self.mapping = mapping

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Mapped) and self.mapping == other.mapping

    def __hash__(self) -> int:
        return hash(self.mapping.statement if self.mapping else "")


@dataclass(frozen=True, slots=True)
class _Read:
    """A name in the query, and what it stands for."""

    name: str
    topic: str
    mapped: _Mapped


@lru_cache(maxsize=256)
def _compiled(
    statement: str, topic: str, partitions: int, sink: _Mapped, reads: tuple[_Read, ...], mirrors: tuple[int, ...]
) -> CompiledStep:
    parsed = parse_job(statement)
    sources = {read.name: read.mapped.mapping for read in reads if read.mapped.mapping}
    wiring = Wiring(
        topic,
        partitions,
        {read.name: read.topic for read in reads},
        {read.name: mirror for read, mirror in zip(reads, mirrors, strict=True)},
    )
    return compile_step(plan(parsed.insert, sources, sink.mapping, recorded=True), wiring)
