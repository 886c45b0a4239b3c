"""What the broker says of the topics of many tasks, asked at once, and whether a task may rest there."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from jobplane.processors.kafka.cluster import Kafka
from jobplane.processors.kafka.questions import At
from jobplane.processors.task.context import Rest


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Topics by name: their ids and numbers of partitions; the first and last offsets of partitions."""

    topics: Mapping[str, tuple[str, int]]
    first: Mapping[At, int]
    last: Mapping[At, int]

    def lag(self, rest: Rest) -> int | None:
        """How many offsets are left to read; None where something has changed that the task would have to judge."""
        task, sources, sinks = rest.task, rest.pipeline.sources, rest.pipeline.sinks
        if any(self.topics.get(sink.topic, ("", 0))[0] != sink.topic_id for sink in sinks):
            return None
        for topic, source in sources.items():
            topic_id, count = self.topics.get(topic, ("", 0))
            if topic_id != source.topic_id:
                return None
            if any(task.owns(p) and (topic, p) not in rest.positions for p in range(count)):
                return None
        if not all(
            at in self.last and self.first[at] <= offset <= self.last[at] for at, offset in rest.positions.items()
        ):
            return None
        return sum(self.last[at] - offset for at, offset in rest.positions.items())

    def let_rest(self, rest: Rest) -> bool:
        """Whether nothing is there to read, and nothing has changed that the task would have to judge."""
        return self.lag(rest) == 0


def observe(kafka: Kafka, rests: Iterable[Rest], alive: Callable[[], None]) -> Surroundings:
    """Asks once for all. Raises Doubt where the broker does not answer."""
    names, partitions = set[str](), set[At]()
    for rest in rests:
        names.update(rest.pipeline.sources, rest.pipeline.sink_topics)
        partitions.update(rest.positions)
    topics = kafka.topics(names, alive)
    there = [at for at in partitions if at[1] < topics.get(at[0], ("", 0))[1]]
    return Surroundings(topics, kafka.first_offsets(there, alive), kafka.last_offsets(there, alive))
