"""What must still be so of a job's topics, asked of the broker; and the place of what is to blame where it is not."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from processors.kafka import Kafka, insisting
from processors.pipeline import Pipeline
from processors.run import House
from schemas.failures import DataLost, JobFailure, SinkLost

F = TypeVar("F", bound=JobFailure)


def confirm(house: House, pipeline: Pipeline, alive: Callable[[], None]) -> int:
    """The number of the source's partitions. Raises DataLost or SinkLost where a topic is not that of CREATE JOB."""
    source, sink = pipeline.source, pipeline.sink
    named = {source.topic, sink.topic}

    def both() -> dict[str, tuple[str, int]] | None:
        found = house.topics.ids(named, alive)
        return found if found.keys() == named else None

    found = insisting(both, alive) or house.topics.ids(named, alive)
    if (held := found.get(source.topic)) is None or held[0] != source.topic_id:
        what = "was deleted and recreated" if held else "was deleted"
        raise DataLost(f"the source topic '{source.topic}' {what}; DROP the job and create it anew")
    if (written := found.get(sink.topic)) is None or written[0] != sink.topic_id:
        what = "was deleted and recreated" if written else "was deleted"
        raise SinkLost(f"the sink topic '{sink.topic}' {what}; DROP the job and create it anew")
    return held[1]


def check_held(kafka: Kafka, topic: str, positions: Mapping[int, int]) -> None:
    """Raises DataLost where the source begins after an offset that is needed."""
    earliest = kafka.offsets([(topic, p) for p in positions], earliest=True)
    for p, offset in positions.items():
        if earliest[topic, p] > offset:
            lost = DataLost(f"the source begins at offset {earliest[topic, p]} now; the task needs {offset}")
            raise at_record(lost, topic, p, offset)


def at_record(failure: F, topic: str, partition: int, offset: int) -> F:
    """The failure with the record to blame."""
    failure.at = f"{topic}-{partition}@{offset}"
    return failure
