"""Where a task is in the partitions of its sources, and where the partitions end."""

from collections.abc import Mapping
from typing import Any

from jobplane.processors.evaluation.place import position
from jobplane.processors.fetch.reader import SourceReader
from jobplane.processors.kafka.cluster import Message
from jobplane.processors.pipeline import Pipeline, Positions
from jobplane.schemas.records.progress import PartitionProgress
from jobplane.schemas.records.tasks import Task


class SourcePositions:
    """The next offset to read of each partition that the task owns. `partitions` counts the partitions of a topic."""

    def __init__(self, reader: SourceReader, task: Task, pipeline: Pipeline, offsets: Positions) -> None:
        self._reader, self._task = reader, task
        self.offsets = offsets
        self.bounded = bool(pipeline.ends)
        self._ends = {(topic, p): end for (topic, p), end in pipeline.ends.items() if task.owns(p)}
        self._partitions = {topic: len(source.start) for topic, source in pipeline.sources.items()}
        self._watermarks: Positions = {}

    def has_more(self, partitions: Mapping[str, int]) -> bool:
        """Whether a source has more partitions than the task knows."""
        return any(count > self._partitions[topic] for topic, count in partitions.items())

    def adopt(self, partitions: Mapping[str, int]) -> list[tuple[str, int]]:
        """Adds partitions that a source got since, from their beginning. A bounded job adds none. Returns them."""
        added = [
            (topic, p)
            for topic, count in partitions.items()
            for p in range(self._partitions[topic], count)
            if self._task.owns(p) and (topic, p) not in self.offsets
        ]
        self._partitions = {topic: max(count, partitions[topic]) for topic, count in self._partitions.items()}
        if self.bounded:
            return []
        self.offsets |= dict.fromkeys(added, 0)
        return added

    def advance(self) -> None:
        """Takes the positions of the reader. Where a partition of a bounded job ends, it is read no further."""
        for at, offset in self._reader.positions(self.offsets).items():
            end = self._ends.get(at, offset)
            if offset > end:
                self._reader.pause(at)
            self.offsets[at] = min(offset, end)

    def go_back(self, unread: list[Any]) -> None:
        """Moves the positions back to the first of these messages, or dead letters, in each partition."""
        for message in reversed(unread):
            record = getattr(message, "record", message)
            self.offsets[position(record)[:2]] = record.offset() or 0

    def before_ends(self, messages: list[Message]) -> list[Message]:
        """The messages that a bounded job reads; all in other jobs."""
        if not self._ends:
            return messages
        return [one for one in messages if (one.offset() or 0) < self._ends[position(one)[:2]]]

    @property
    def at_end(self) -> bool:
        """Whether the task of a bounded job has read everything; never true in other jobs."""
        return self.bounded and all(self.offsets[at] >= end for at, end in self._ends.items())

    def progress(self) -> tuple[PartitionProgress, ...]:
        """How far the task is in each partition whose end the client knows."""
        found = []
        for at, reached in self.offsets.items():
            heard = self._reader.watermark(at)
            end = self._watermarks[at] = max(heard, self._watermarks.get(at, heard))
            if end >= 0:  # below, the client does not know the end yet
                found.append(PartitionProgress(*at, reached, end, max(0, end - reached)))
        return tuple(found)
