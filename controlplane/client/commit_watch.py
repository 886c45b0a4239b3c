"""Whether a job that runs goes on: past its first records, or past the record that stopped it.

RUNNING is reported after a task's first commit, which holds no record yet: a record that stops the job comes next.
The offsets of the job's consumer group show how far it is. A task that fails at a record commits what lies before it,
once. So it is known that a job goes on when each of its partitions has come to the end it had, or was committed twice.
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
"""So few offsets before a partition's end may all be markers of transactions: the client looks whether they are."""
LOOK_S = 0.05
SLACK_S = 2.0
LONGEST_S = {Proof.FIRST_RECORDS: 2.0, Proof.CURE: 10.0}
"""How long a client waits for commits: their intervals and SLACK_S, and so long at most."""


@dataclass(slots=True)
class Evidence:
    """Partitions of which it is not known yet that they go on; pure. `ends` are those of the first look."""

    positions: dict[At, int]
    ends: Mapping[At, int]
    commits: dict[At, int] = field(default_factory=dict)

    def see(self, positions: Mapping[At, int]) -> bool:
        """Takes newer positions into account; True when all partitions go on, or have nothing left."""
        for at, position in positions.items():
            if position != self.positions[at]:
                self.commits[at] = self.commits.get(at, 0) + 1
        self.positions |= positions
        return not self.open

    @property
    def open(self) -> list[At]:
        return [at for at, end in self.ends.items() if self.positions[at] < end and self.commits.get(at, 0) < COMMITS]


class CommitWatch:
    """Looks at the offsets that a job commits, as long as is worth it for a proof."""

    def __init__(self, kafka: Kafka, prefix: str, job: Job, proof: Proof) -> None:
        """Raises Doubt where Kafka does not answer, JobFailure where the client may not read the offsets."""
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
            self.close()  # nobody has it to close
            raise

    def makes_progress(self) -> bool:
        """Whether it is known now that the job goes on."""
        if time.monotonic() - self._looked < LOOK_S:
            return False
        self._looked = time.monotonic()
        return not self._evidence.open or self._evidence.see(
            committed_offsets(self._consumer, self._partitions, self._job)
        )

    @property
    def timed_out(self) -> bool:
        """Whether it was waited for long enough."""
        return time.monotonic() > self._until

    def close(self) -> None:
        self._consumer.close()

    def _first(self) -> Evidence:
        """The first look."""
        begin = committed_offsets(self._consumer, self._partitions, self._job)
        ends = self._kafka.stable_offsets(self._partitions)
        at_end = {at for at in self._partitions if begin[at] >= ends[at]}
        near = {at for at in self._partitions if 0 < ends[at] - begin[at] <= FEW}
        at_end |= near - self._with_records(near, begin)
        return Evidence(begin, {at: end for at, end in ends.items() if at not in at_end})

    def _with_records(self, near: Collection[At], begin: Mapping[At, int]) -> set[At]:
        """Those partitions that hold a committed record behind the position."""
        found: set[At] = set()
        with closing(ControlTopics(self._kafka, self._prefix).state_reader()) as consumer:
            for topic in {topic for topic, _ in near}:
                starts = {at: begin[at] for at in near if at[0] == topic}
                messages = self._kafka.read_to_end(consumer, topic, [p for _, p in starts], starts=starts)
                found |= {(topic, message.partition() or 0) for message in messages}
        return found
