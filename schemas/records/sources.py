"""Topics of a job as they were at CREATE: its sources with their offsets, and its sinks."""

from collections.abc import Iterable
from dataclasses import dataclass

from jobplane.schemas.records.mappings import TopicMapping


@dataclass(frozen=True, slots=True)
class DeadLetterSource:
    """A source of dead letters: those of this job and uid that were records of `topic`.

    `partitions` is the number of partitions of `topic` when the job was created.
    """

    job: str
    uid: str
    topic: str
    partitions: int = 0


@dataclass(frozen=True, slots=True)
class Source:
    """A source topic as it was at CREATE. `start[p]` is the offset at which partition p begins.

    `end[p]`, if any, is the offset before which a bounded job stops. `mapping` is that of the topic in the query.
    """

    topic: str
    topic_id: str
    start: tuple[int, ...]
    end: tuple[int, ...] = ()
    mapping: TopicMapping | None = None
    letters: DeadLetterSource | None = None

    @property
    def records_of(self) -> str:
        """The topic whose records these are; for dead letters, the topic that they come from."""
        return self.letters.topic if self.letters else self.topic

    @property
    def name(self) -> str:
        """What the query calls it."""
        return self.mapping.name if self.mapping else self.records_of


def sources_by_topic(sources: Iterable[Source]) -> dict[str, Source]:
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
    mapping: TopicMapping | None = None

    @property
    def name(self) -> str:
        """What the statement calls it."""
        return self.mapping.name if self.mapping else self.topic


def mappings_by_name(topics: Iterable[Source | Sink]) -> dict[str, TopicMapping]:
    """The mappings of those that have one, by what the statement calls the topic."""
    return {one.name: one.mapping for one in topics if one.mapping}
