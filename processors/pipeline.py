"""From a task's record to the function that moves its records. Pure."""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, lru_cache

from jobplane.processors.old_jobs import plan_of
from jobplane.schemas.failures import PlanUnreadable
from jobplane.schemas.formats.avro.known_schemas import KnownSchemas
from jobplane.schemas.options import JobOptions, OnError, Tombstones
from jobplane.schemas.records.plans import RecordedPlan
from jobplane.schemas.records.sources import DeadLetterSource, Sink, Source, sources_by_topic
from jobplane.schemas.records.tasks import Task
from jobplane.sql.codegen.compile import CompiledStep, Step, TargetTopic, Wiring, compile_step
from jobplane.sql.codegen.groups import CompiledGroups, compile_groups
from jobplane.sql.functions import BUILT_IN, FunctionCatalogue
from jobplane.sql.plan.graph import Plan
from jobplane.sql.plan.recording import UnreadablePlan, read

Positions = dict[tuple[str, int], int]
"""The next offset to read, by topic and partition."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """`step(messages, produce, when_full)` takes messages of any source; returns (records written, records skipped).

    `sources` are by topic. It is compiled when it is first asked for: a task that only stops or copies needs no query.
    """

    sources: dict[str, Source]
    sinks: tuple[Sink, ...]
    options: JobOptions
    compiled: Callable[[bool], CompiledStep]
    """Whether a source may have more partitions than a sink that mirrors it: then the sink's number is the limit."""
    read_plan: Callable[[], Plan]
    """Raises PlanUnreadable; what `plan` raises where no plan was recorded."""
    compiled_groups: Callable[[], CompiledGroups]
    """For a query with groups, which has no step of its own. Raises as `step`."""
    functions: FunctionCatalogue = BUILT_IN
    """Those that the query may call."""

    @property
    def sink_topics(self) -> tuple[str, ...]:
        """The topics written to, each once."""
        return tuple(dict.fromkeys(sink.topic for sink in self.sinks))

    @property
    def step(self) -> Step:
        """Raises PlanUnreadable, and UnknownOperation where a function of a package is missing; what `plan` raises
        where no plan was recorded.
        """
        return self.compiled(False).step

    @property
    def interval_ms(self) -> int:
        return self.options.snapshot_interval_millis

    @property
    def letters(self) -> DeadLetterSource | None:
        """The job whose dead letters are read, if this job is a retry."""
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
        read = list(partitions)
        grown = any(
            p >= sink.partitions and _is_mirrored(self.sources[topic], sink) for sink in self.sinks for topic, p in read
        )
        return self.compiled(grown).step


def pipeline_of(task: Task, functions: FunctionCatalogue = BUILT_IN, schemas: KnownSchemas | None = None) -> Pipeline:
    """The query of a task; tasks of one job share what it is compiled to."""
    return pipeline(lambda: plan_of(task, functions), task.options, task.sources, task.sinks, functions, schemas)


def pipeline(
    recorded: Callable[[], RecordedPlan],
    options: dict[str, str],
    sources: tuple[Source, ...],
    sinks: tuple[Sink, ...],
    functions: FunctionCatalogue = BUILT_IN,
    schemas: KnownSchemas | None = None,
) -> Pipeline:
    """The pipeline of a recorded plan, which is asked for when the query is first compiled.

    `schemas` are those of the registry that are known; pipelines that are given the same share what they compile.
    """
    schemas = schemas or KnownSchemas()
    topics = tuple({source.name: source.records_of for source in sources}.items())
    recorded, read_options = cache(recorded), JobOptions.of(options)
    of_letters = any(source.letters for source in sources)  # they may come from partitions added since

    def compiled(grown: bool) -> CompiledStep:  # noqa: FBT001  # one of two, and the cache's key
        written = tuple(_written(sources, sink, limited=grown or of_letters) for sink in sinks)
        return _compiled(recorded(), written, topics, functions, schemas, read_options.tombstones)

    def compiled_groups() -> CompiledGroups:
        written = tuple(_written(sources, sink, limited=True) for sink in sinks)
        skip_late = read_options.on_late is OnError.SKIP
        return _compiled_groups(recorded(), written, topics, functions, schemas, skip_late)

    return Pipeline(
        sources_by_topic(sources), sinks, read_options, compiled, lambda: _read(recorded()), compiled_groups, functions
    )


_Written = tuple[str, str, int, tuple[tuple[str, int], ...]]
"""What the statement calls a sink, its topic, its partitions, and below which number a copy of each source keeps its
partition.
"""


def _written(sources: Iterable[Source], sink: Sink, *, limited: bool) -> _Written:
    kept = sink.partitions if limited else sys.maxsize
    mirrors = {source.name: kept if _is_mirrored(source, sink) else 0 for source in sources}
    return sink.name, sink.topic, sink.partitions, tuple(mirrors.items())


def _wiring(
    written: Iterable[_Written],
    topics: Iterable[tuple[str, str]],
    functions: FunctionCatalogue,
    schemas: KnownSchemas,
    tombstones: Tombstones,
) -> Wiring:
    targets = {name: TargetTopic(topic, partitions, dict(kept)) for name, topic, partitions, kept in written}
    first = next(iter(targets.values()))
    return Wiring(first.topic, first.partitions, dict(topics), first.mirrors, functions, schemas, tombstones, targets)


def _is_mirrored(source: Source, sink: Sink) -> bool:
    """Whether a copy of its records keeps their partition numbers."""
    partitions = source.letters.partitions if source.letters else len(source.start)
    return partitions == sink.partitions


@lru_cache(maxsize=256)
def _read(recorded: RecordedPlan) -> Plan:
    """Raises PlanUnreadable."""
    try:
        return read(recorded)
    except UnreadablePlan as reason:
        message = f"the plan of the job's query cannot be read here: {reason}"
        raise PlanUnreadable(f"{message}; run the job with the version that created it") from reason


@lru_cache(maxsize=256)
def _compiled(
    recorded: RecordedPlan,
    written: tuple[_Written, ...],
    topics: tuple[tuple[str, str], ...],
    functions: FunctionCatalogue,
    schemas: KnownSchemas,
    tombstones: Tombstones,
) -> CompiledStep:
    return compile_step(_read(recorded), _wiring(written, topics, functions, schemas, tombstones))


@lru_cache(maxsize=256)
def _compiled_groups(
    recorded: RecordedPlan,
    written: tuple[_Written, ...],
    topics: tuple[tuple[str, str], ...],
    functions: FunctionCatalogue,
    schemas: KnownSchemas,
    skip_late: bool,  # noqa: FBT001  # the cache tells keywords apart by their order
) -> CompiledGroups:
    wiring = _wiring(written, topics, functions, schemas, Tombstones.SKIP)
    return compile_groups(_read(recorded), wiring, skip_late=skip_late)
