"""The step SAVE, and the state in a checkpoint: where the groups' chunks lie, and how far the watermarks are.

A commit is not a state checkpoint: chunks are written now and then, in the transaction of a commit. What is committed
since then is read again after a crash. The chunks of windows that have closed are deleted with the next commit.
"""

import time
from collections.abc import Collection
from dataclasses import dataclass, field

from jobplane.processors.evaluation.verdict import RecordPolicy
from jobplane.processors.kafka.control_topics import STATE_PARTITION, ControlTopics
from jobplane.processors.protocol.steps import Step
from jobplane.processors.state.chunks import encode_chunk
from jobplane.processors.state.manifest import Manifest, encode_state, pin_chunks, state_of
from jobplane.processors.state.saving import Save, SnapshotVersions, close_spans, is_releasing, plan_save
from jobplane.processors.state.size import GroupSize
from jobplane.processors.task.commits import Commits
from jobplane.processors.task.groups.silence import Silence
from jobplane.schemas.failures import RecordTooLarge, StateFull
from jobplane.sql.runtime.groups import GroupState

MOST_READ = 1_000_000
"""Records after which the state is saved, however little time has passed."""


@dataclass(slots=True, kw_only=True)
class GroupCommits(Commits):
    """`manifest` is that of the last state checkpoint, at `saved_at` of the monotonic clock.

    `counted` is the task's counter of records at the state checkpoint. `must_save`: the next commit saves the groups.
    `late` counts the late records that the query has passed over by itself, as of the last commit. `silence` is None
    for groups without a window.
    """

    groups: GroupState
    manifest: Manifest
    counted: int
    must_save: bool
    saved_at: float = field(default_factory=time.monotonic)
    late: int = 0
    silence: Silence | None = None
    known: SnapshotVersions | None = None
    """The snapshots that there were when chunks were last deleted, or there was none to delete."""
    size: GroupSize = field(init=False)

    def __post_init__(self) -> None:
        self.late = self.groups.late
        self.size = GroupSize(self.groups)

    @property
    def read(self) -> int:
        """Records since the last state checkpoint."""
        return self.context.counters.records_in - self.counted

    @property
    def is_saved(self) -> bool:
        """Whether the chunks are the state at the offsets of the task."""
        return self.manifest.saved == self.sources.offsets

    @property
    def is_save_needed(self) -> bool:
        """Whether the next commit has to save the groups."""
        return self.must_save or self.manifest.saved.keys() != self.sources.offsets.keys()

    @property
    def is_save_due(self) -> bool:
        """Whether so much time has passed, or so much was read, that the groups are to be saved."""
        if self.read >= MOST_READ:
            return True
        return self.read > 0 and time.monotonic() - self.saved_at >= self.pipeline.options.state_interval_millis / 1000

    @property
    def state_bytes(self) -> int:
        """The size of the groups in memory."""
        return self.size.bytes

    def state(self) -> bytes:
        """The manifest and the watermarks."""
        return encode_state(state_of((self.manifest,), self.groups.marks(), self.read))

    def plan(self, *, save: bool) -> Save:
        """What a commit writes of the state, after the rows of groups are emitted: chunks only with `save`."""
        self._require_room()
        groups, self.known = self.groups, self.versions
        if not save:
            manifest, deleted = close_spans(self.manifest, groups.spans(), self.known)
            return Save((), deleted, manifest)
        young, live, saved = groups.young_chunks(), groups.spans(), self.manifest.saved
        of_saved = [chunk for chunk in young if chunk.at in saved]
        # of other partitions nothing is saved in the topic yet, whatever was restored
        others = [chunk for at, span in sorted(live) if at not in saved for chunk in groups.whole(at, span)]
        return plan_save(
            self.manifest,
            [*of_saved, *others],
            live,
            groups.whole,
            self.sources.offsets,
            groups.marks(),
            self.known,
        )

    @property
    def is_releasing(self) -> bool:
        """Whether there are chunks to delete because of snapshots that have gone."""
        versions = self.versions
        if versions == self.known:
            return False
        self.known = versions
        return is_releasing(self.manifest, versions)

    @property
    def versions(self) -> SnapshotVersions:
        """What the task record says of the job's snapshots."""
        goal = self.context.latest_goal
        return SnapshotVersions(goal.asked, goal.kept)

    def write(self, plan: Save, *, save: bool, pin: Collection[int]) -> None:
        """The step SAVE. `pin` are the versions of snapshots that are to hold the chunks."""
        if not self.in_transaction:
            self._begin_transaction()
        offsets = list[int]()
        if plan.chunks or plan.deleted:
            self.context.enter(Step.SAVE)
            written = [(one.key, encode_chunk(one.chunk)) for one in plan.chunks]
            deleted = [(key, None) for key in plan.deleted]
            offsets = self.write_records(self.manifest.topic, STATE_PARTITION, [*written, *deleted])
        self.manifest = plan.manifest(offsets)
        self.manifest = pin_chunks(self.manifest, pin)
        if save:
            self.counted, self.saved_at, self.must_save = self.context.counters.records_in, time.monotonic(), False
            self.size.look()

    def _require_room(self) -> None:
        """Raises StateFull where there are more groups than the job, or the host, may hold."""
        most, held = self.pipeline.options.max_processor_accumulated_records, self.groups.groups
        if 0 <= most < held:
            raise StateFull(
                f"task {self.task.key} holds {held:,} groups; maxProcessorAccumulatedRecords allows {most:,}: raise it "
                "and RESUME, or DROP the job"
            )
        self.context.services.state_budget.require_room(self.task.key, self.size.bytes)


def too_large(failure: RecordTooLarge, policy: RecordPolicy, topics: ControlTopics, uid: str) -> RecordTooLarge:
    """The failure where a record of groups, which no record that was read is to blame for, is too large."""
    sinks = f"'{failure.topic}'" if failure.topic else policy.topics
    text = (
        f"a row of a group is larger than {sinks} takes, or the state of one group than '{topics.job_state(uid)}' "
        f"takes, or the list of all open windows than '{topics.checkpoints}' takes"
    )
    return RecordTooLarge(f"{text} ({failure.message}); raise max.message.bytes of that topic, then RESUME")
