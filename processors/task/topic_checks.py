"""Asks the broker whether the topics of a job are still those it was created with, and still hold what it needs."""

from collections.abc import Callable
from typing import TypeVar

from jobplane.processors.kafka.cluster import Kafka, insisting
from jobplane.processors.pipeline import Pipeline, Positions
from jobplane.processors.task.context import TaskServices
from jobplane.schemas.failures import DataLost, JobFailure, SinkLost

F = TypeVar("F", bound=JobFailure)


def confirm(services: TaskServices, pipeline: Pipeline, alive: Callable[[], None]) -> dict[str, int]:
    """The number of partitions of each source. Raises DataLost or SinkLost where a topic is not that of CREATE JOB."""
    sources = pipeline.sources
    named = {*sources, *pipeline.sink_topics}

    def complete() -> dict[str, tuple[str, int]] | None:
        found = services.kafka.topics(named, alive)
        return found if found.keys() == named else None

    found = insisting(complete, alive) or services.kafka.topics(named, alive)
    for topic, source in sources.items():
        if (held := found.get(topic)) is None or held[0] != source.topic_id:
            what = "was deleted and recreated" if held else "was deleted"
            raise DataLost(f"the source topic '{topic}' {what}; DROP the job and create it again")
    for sink in pipeline.sinks:
        if (written := found.get(sink.topic)) is None or written[0] != sink.topic_id:
            what = "was deleted and recreated" if written else "was deleted"
            raise SinkLost(f"the sink topic '{sink.topic}' {what}; DROP the job and create it again")
    return {topic: found[topic][1] for topic in sources}


def check_held(kafka: Kafka, positions: Positions) -> None:
    """Raises DataLost where a source begins after an offset that is needed."""
    earliest = kafka.first_offsets(positions)
    for (topic, p), offset in positions.items():
        if earliest[topic, p] > offset:
            lost = DataLost(f"the source begins at offset {earliest[topic, p]} now; the task needs {offset}")
            raise at_record(lost, topic, p, offset)


def check_end(kafka: Kafka, positions: Positions, alive: Callable[[], None]) -> None:
    """Raises DataLost where a source ends before a position for 5 s, asked again and again: records were cut off."""

    def beyond() -> dict[tuple[str, int], int]:
        return {at: end for at, end in kafka.last_offsets(positions, alive).items() if end < positions[at]}

    if insisting(lambda: None if beyond() else True, alive):
        return
    for (topic, p), end in beyond().items():
        lost = DataLost(f"the source ends at offset {end} now; the task has read up to {positions[topic, p]}")
        raise at_record(lost, topic, p, positions[topic, p])


def at_record(failure: F, topic: str, partition: int, offset: int) -> F:
    """The failure with the record to blame."""
    failure.at = f"{topic}-{partition}@{offset}"
    return failure
