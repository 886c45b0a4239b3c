"""Small values that several records share. Offsets are the next record to read; times are epoch milliseconds."""

from collections.abc import Iterable
from collections.abc import Mapping as Map
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class MappedColumn:
    """A column of a mapping: its SQL type, and the path of its field in the record's value."""

    name: str
    type: str
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AvroSchema:
    """A schema as JSON text: the reader's of a source, the writer's of a sink.

    `id` is its number in the schema registry, 0 where records are bare: the registry's numbers begin with 1.
    """

    text: str
    id: int = 0


@dataclass(frozen=True, slots=True)
class Mapping:
    """A name for a topic, with the types of its columns. Without columns it is the topic, under another name.

    In a job, one without a statement stands for a topic whose formats the job's own options say. The schemas are those
    of keys and values in Avro, as they were when the job was created.
    """

    name: str
    topic: str
    columns: tuple[MappedColumn, ...]
    options: dict[str, str]
    statement: str
    key_schema: AvroSchema | None = None
    value_schema: AvroSchema | None = None


@dataclass(frozen=True, slots=True)
class Letters:
    """Whose dead letters a source holds: those of this job and uid that were records of `topic`.

    `partitions` is how many that had when the job was created.
    """

    job: str
    uid: str
    topic: str
    partitions: int = 0


@dataclass(frozen=True, slots=True)
class Source:
    """A source topic as it was at CREATE. `start[p]` is the offset at which partition p begins.

    `end[p]`, where there is one, is the offset before which a bounded job stops. `mapping` is what it was read through.
    """

    topic: str
    topic_id: str
    start: tuple[int, ...]
    end: tuple[int, ...] = ()
    mapping: Mapping | None = None
    letters: Letters | None = None

    @property
    def records_of(self) -> str:
        """The topic whose records these are: with dead letters that from which they come."""
        return self.letters.topic if self.letters else self.topic

    @property
    def name(self) -> str:
        """What the query calls it."""
        return self.mapping.name if self.mapping else self.records_of


def by_topic(sources: Iterable[Source]) -> dict[str, Source]:
    """A source for each topic, in the query's order: a topic is read once, however many names the query has for it."""
    found: dict[str, Source] = {}
    for source in sources:
        found.setdefault(source.topic, source)
    return found


@dataclass(frozen=True, slots=True)
class Sink:
    """The topic written to, as it was at CREATE, and the mapping it is written through."""

    topic: str
    topic_id: str
    partitions: int
    mapping: Mapping | None = None


@dataclass(frozen=True, slots=True)
class Package:
    """An installed package whose functions a job's query calls, and its version where the job was created."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job or snapshot failed; `at` is `topic-partition@offset` where one record is to blame, else empty."""

    code: str
    message: str
    at: str = ""

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" + (f" ({self.at})" if self.at else "")


@dataclass(frozen=True, slots=True)
class PartitionOffset:
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class SourceOffsets:
    """How far a task has read its partitions of one source."""

    topic: str
    topic_id: str
    offsets: tuple[PartitionOffset, ...]


@dataclass(frozen=True, slots=True)
class SnapshotPart:
    """One task's record in the snapshots topic: its key, offset, SHA-256 and what it holds of the sources."""

    task: int
    key: str
    offset: int
    digest: str
    sources: tuple[SourceOffsets, ...]


@dataclass(frozen=True, slots=True)
class SnapshotRequest:
    """A snapshot asked for: `version` is the offset of its command, so it is never used twice."""

    name: str
    version: int


@dataclass(frozen=True, slots=True)
class Restore:
    """The snapshot version a job was created from, pinned until every task has a checkpoint of its own."""

    name: str
    version: int
    parts: tuple[SnapshotPart, ...]


@dataclass(frozen=True, slots=True)
class LayoutTask:
    """A task of a former layout: where its checkpoint lies, and whether it ever had one."""

    partition: int
    started: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """A former split of a job's partitions: task i held the partitions p ≡ i (mod the number of tasks)."""

    number: int
    tasks: tuple[LayoutTask, ...]


@dataclass(frozen=True, slots=True)
class PartitionProgress:
    """`end` is the high watermark last heard of; `lag` the records between the two."""

    topic: str
    partition: int
    position: int
    end: int
    lag: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a task is. Rates are records a second since the progress before; `committed` is the last commit's time.

    `state_bytes` is the size of the checkpoint's state, `metrics` are the counters of this run, `trouble` says why it
    last began again, and which packages it runs with that are not those of its job; empty where all is as it should be.
    """

    time: int
    partitions: tuple[PartitionProgress, ...]
    rate_in: float
    rate_out: float
    committed: int
    state_bytes: int
    metrics: dict[str, float] = field(default_factory=dict)
    trouble: str = ""


REFUSED = "records_refused_"
"""Begins the names of those counters that count records left out, or written as dead letters, by a reason's code."""


def refused_by_code(metrics: Map[str, float]) -> dict[str, int]:
    return {name.removeprefix(REFUSED): int(count) for name, count in metrics.items() if name.startswith(REFUSED)}
