"""Whether a running job makes progress: past its first records, or past the record that stopped it.

RUNNING is reported after a task's first commit, which contains no record yet: a record that stops the job comes later.
The offsets of the job's consumer group show its position. A task that fails at a record commits once, just before that
record. So a job makes progress if each partition has reached the end it had at the first look, or was committed twice.
"""

import time
from collections.abc import Collection, Mapping
from contextlib import closing
from dataclasses import dataclass, field

from jobplane.controlplane.core.goals import Proof
from jobplane.controlplane.log.progress import committed_offsets
from jobplane.processors.kafka.cluster import Kafka
from jobplane.processors.kafka.control_topics import ControlTopics
from jobplane.processors.kafka.questions import At
from jobplane.schemas.options import JobOptions
from jobplane.schemas.records.state import Job

COMMITS = 2
FEW = 100
"""If at most this many offsets are left, all may be transaction markers, so the client checks for records."""
LOOK_S = 0.05
SLACK_S = 2.0
LONGEST_S = {Proof.FIRST_RECORDS: 2.0, Proof.CURE: 10.0}
"""The longest a client waits for commits; else it waits for their intervals and SLACK_S."""


@dataclass(slots=True)
class Evidence:
    """Which partitions have not yet proved progress; pure. `ends` are the ends at the first look."""

    positions: dict[At, int]
    ends: Mapping[At, int]
    commits: dict[At, int] = field(default_factory=dict)

    def see(self, positions: Mapping[At, int]) -> bool:
        """Adds newer positions; True when all partitions have made progress, or have no records left."""
        for at, position in positions.items():
            if position != self.positions[at]:
                self.commits[at] = self.commits.get(at, 0) + 1
        self.positions |= positions
        return not self.open

    @property
    def open(self) -> list[At]:
        return [at for at, end in self.ends.items() if self.positions[at] < end and self.commits.get(at, 0) < COMMITS]


class CommitWatch:
    """Watches the offsets that a job commits, for as long as `proof` allows."""

    def __init__(self, kafka: Kafka, prefix: str, job: Job, proof: Proof) -> None:
        """Raises Doubt if Kafka does not answer, JobFailure if the client is not allowed to read the offsets."""
        self._kafka, self._prefix, self._job = kafka, prefix, job
        interval = JobOptions.of(job.options).snapshot_interval_millis
        self._until = time.monotonic() + min(COMMITS * interval / 1000 + SLACK_S, LONGEST_S[proof])
        self._looked = 0.0
        self._partitions = [
            (topic, p)
            for topic, (_, count) in kafka.topics({source.topic for source in job.sources}).items()
            for p in range(count)
        ]
        self._consumer = kafka.consumer(f"{prefix}job.{job.uid}", committed=False)
        try:
            self._evidence = self._first()
        except BaseException:
            self.close()  # the caller gets no object to close
            raise

    def makes_progress(self) -> bool:
        """Whether the job is now known to make progress."""
        if time.monotonic() - self._looked < LOOK_S:
            return False
        self._looked = time.monotonic()
        return not self._evidence.open or self._evidence.see(
            committed_offsets(self._consumer, self._partitions, self._job)
        )

    @property
    def timed_out(self) -> bool:
        """Whether the time for a proof has passed."""
        return time.monotonic() > self._until

    def close(self) -> None:
        self._consumer.close()

    def _first(self) -> Evidence:
        """The positions and ends at the first look."""
        begin = committed_offsets(self._consumer, self._partitions, self._job)
        ends = self._kafka.stable_offsets(self._partitions)
        at_end = {at for at in self._partitions if begin[at] >= ends[at]}
        near = {at for at in self._partitions if 0 < ends[at] - begin[at] <= FEW}
        at_end |= near - self._with_records(near, begin)
        return Evidence(begin, {at: end for at, end in ends.items() if at not in at_end})

    def _with_records(self, near: Collection[At], begin: Mapping[At, int]) -> set[At]:
        """The partitions that have a committed record after the position."""
        with closing(ControlTopics(self._kafka, self._prefix).state_reader()) as consumer:
            messages = self._kafka.read_from(consumer, {at: begin[at] for at in near})
            return {(message.topic() or "", message.partition() or 0) for message in messages}
