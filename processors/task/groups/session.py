"""A session of a task with groups: records fill groups, and each commit has the rows of those that are due.

Beside what any session does, it restores the groups before its first transaction, emits and saves in each commit, and
rests, stops and ends only when the groups are saved.
"""

import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

from msgspec.structs import replace as replace_fields

from jobplane.processors.evaluation.batch import Evaluation
from jobplane.processors.kafka.cluster import Doubt, KafkaException, judged
from jobplane.processors.pipeline import Pipeline
from jobplane.processors.protocol.steps import Step, TaskEnd
from jobplane.processors.state.manifest import UNKNOWN, Manifest, is_pinned, manifest_in, pin_unseen
from jobplane.processors.state.size import size_of_saved
from jobplane.processors.task.context import BATCH
from jobplane.processors.task.groups.commits import GroupCommits, too_large
from jobplane.processors.task.groups.restoring import Restoring, state_in
from jobplane.processors.task.groups.silence import SOON_S, Silence
from jobplane.processors.task.groups.topic import located, state_topic_id
from jobplane.processors.task.session import TaskSession
from jobplane.schemas.failures import LateRecord, PartitionsChanged, RecordTooLarge
from jobplane.schemas.records.progress import PartitionProgress
from jobplane.sql.codegen.compile import Step as EvaluationStep
from jobplane.sql.plan.grouping.signature import encode_signatures, signatures
from jobplane.sql.plan.stateful import grouped_branches, idle_rules, needs_record_key
from jobplane.sql.runtime.groups import GroupState
from jobplane.sql.runtime.idle import SilentPartitions


class GroupSession(TaskSession):
    """Its `commits` are GroupCommits once it has started."""

    __slots__ = ()

    @classmethod
    def step_for(cls, pipeline: Pipeline, partitions: Iterable[tuple[str, int]]) -> EvaluationStep:
        """Until there are groups to fill, it only counts."""
        return pipeline.compiled_groups().count

    @property
    def _group_commits(self) -> GroupCommits:
        return cast("GroupCommits", self.commits)

    def start(self) -> None:
        """The steps LOAD and REPLAY, then as any session."""
        self._require_partitions()
        self.commits = self._restore()
        super().start()

    def loop(self) -> TaskEnd:
        """As any session; where the task rests, its groups stay in memory."""
        end = super().loop()
        rest, commits = self.context.rest, self._group_commits
        if end is TaskEnd.DORMANT and rest is not None:
            self.context.groups = commits.groups
            self.context.services.state_budget.rest(self.task.key, self.context.let_go_of_groups)
            if commits.silence is not None:
                commits.silence.show(at_once=True)
                self.context.rest = replace(rest, until=commits.silence.next_due())
        return end

    def _look_round(self) -> None:
        """As any session; where time goes on without records, windows close with the next commit, which saves.

        Groups are saved between two commits, so that no records wait for it that were read before. Chunks that only
        snapshots named which are gone are deleted with a commit, if there is none by itself.
        """
        super()._look_round()
        commits = self._group_commits
        if not self.open_since and commits.is_save_due:
            self._begin()
            self._commit_groups(save=True)
        if not self.open_since and commits.is_releasing:
            self._begin()
        silence = commits.silence
        if silence is None or self.sources.bounded or self.culprit is not None or self.context.batch < BATCH:
            return
        if silence.look(self.sources.offsets):
            if not self.open_since:
                self.sources.advance()
            if silence.decide(self.sources.offsets):
                self._group_commits.must_save = True
                if not self.open_since:
                    self._begin()

    def _may_rest(self) -> bool:
        """As any session, unless time closes a window soon."""
        silence = self._group_commits.silence
        is_quiet = time.monotonic() - self.read_at >= self.context.services.dormant_after_s
        if is_quiet and silence is not None and silence.next_due() - time.monotonic() < SOON_S:
            return False
        return super()._may_rest()

    def _restore(self) -> GroupCommits:
        """The groups at the checkpoint. Where a task wakes, they are those that it has kept."""
        context, task, old = self.context, self.task, self.commits
        kept, context.groups = context.groups if context.wakes_at(old.checkpoint) else None, None
        if kept is not None and kept.partitions != self.sources.offsets.keys():
            kept = None  # a partition was added while the task rested
        plan, own = self.pipeline.read_plan(), context.services.topics.job_state(task.uid)
        asked = signatures(plan)
        is_restored = task.restore is not None and not old.checkpoint.number
        state = state_in(old.checkpoint.state, plan, asked, is_restored=is_restored)
        compiled = self.pipeline.compiled_groups()
        groups = kept or compiled.state(self.sources.offsets)
        self.evaluation = replace(self.evaluation, step=groups.absorb, recount=compiled.count)
        if state is not None and kept is None:
            context.services.state_budget.require_room(task.key, size_of_saved(state))
            state = located(context.services, state, context.alive)
            registry = context.services.registry
            check = self.evaluation.check
            silent = Evaluation(groups.absorb, check, check, registry, recount=compiled.count)
            positions = old.checkpoint.positions
            Restoring(context, self.clients.consumer, silent, groups, compiled, asked, positions).run(state)
            groups.add_partitions(state.saved.keys())
        read = 0 if state is None else state.read
        manifests = () if state is None else state.manifests
        manifest = manifest_in(manifests, own)
        must_save = manifest is None or len(manifests) > 1 or read == UNKNOWN
        if manifest is None:  # the groups have no chunks of their own yet
            manifest = Manifest(own, state_topic_id(context.services, own, context.alive), "")
        manifest = pin_unseen(manifest, task.kept)
        manifest = replace_fields(manifest, signature=encode_signatures(asked))
        self.context.counters.groups = groups.groups
        return GroupCommits(
            *(context, task, self.pipeline, self.clients, self.sources, old.checkpoint, old.partitions),
            groups=groups,
            manifest=manifest,
            counted=context.counters.records_in - max(0, read),
            must_save=must_save,
            silence=self._silence(groups),
        )

    def _silence(self, groups: GroupState) -> Silence | None:
        """What is known of silent partitions; None for groups without a window, which nothing closes."""
        plan, context = self.pipeline.read_plan(), self.context
        if not any(branch.group and branch.group.window for branch in plan.branches):
            return None
        if context.silent is None:
            context.silent = SilentPartitions(idle_rules(plan, {one.name: one.topic for one in self.task.sources}))
        context.silent.read(self.sources.offsets, time.monotonic())
        return Silence(context, context.silent, groups)

    @property
    def _versions_due(self) -> set[int]:
        """The versions of the snapshots that are to be made."""
        return {one.version for one in self.context.snapshots_due(self.context.latest_goal)}

    def _commit(self) -> None:
        run = self.context.latest_goal.run
        ends = self.context.release.is_set() or not run or self.culprit is not None or self.sources.at_end
        needed = self._group_commits.is_save_needed or bool(self._versions_due)
        self._commit_groups(save=ends or needed)

    def _commit_groups(self, *, save: bool) -> None:
        """The steps EMIT and SAVE, then those of any session."""
        commits, counters = self._group_commits, self.context.counters
        groups, late = commits.groups, commits.late
        with self.context.turn():
            self.context.enter(Step.EMIT)
            if self.sources.at_end:
                groups.close_all()
            try:
                written = groups.emit(self.evaluation.produce, self.evaluation.when_full, datetime.now(UTC))
            except RecordTooLarge as failure:
                raise self._too_large(failure) from failure
            plan = commits.plan(save=save)
        counters.emitted(written, groups.groups)
        if groups.late > late:  # the query passes over them by itself
            counters.refused(LateRecord.code, groups.late - late)
            commits.late = groups.late
        commits.write(plan, save=save, pin=self._versions_due)
        super()._commit()

    def _settle(self) -> None:
        """Saves the groups as they are, and for a snapshot; at the end of a bounded job all windows close first."""
        commits = self._group_commits
        open_windows = self.sources.at_end and commits.groups.has_windows
        if not commits.is_saved or open_windows or not is_pinned(commits.manifest, self._versions_due):
            self._begin()
            self._commit_groups(save=True)

    def _adopt(self) -> None:
        """Groups are made for the partitions that the session began with."""
        self._require_partitions()
        if not self.sources.bounded:
            raise Doubt("a source has more partitions: the task begins again with them")
        super()._adopt()

    def _require_partitions(self) -> None:
        """Raises PartitionsChanged where keys have moved to partitions that are new."""
        if self.sources.bounded:
            return
        grouped = grouped_branches(self.pipeline.read_plan())
        keyed = {one.source for one in grouped if one.group is not None and needs_record_key(one.group)}
        topics = {one.topic for one in self.task.sources if one.name in keyed}
        for topic, source in self.pipeline.sources.items():
            count, before = self.commits.partitions[topic], len(source.start)
            if count > before and topic in topics:
                raise PartitionsChanged(
                    f"'{topic}' has {count} partitions now and had {before} at CREATE JOB: keys have moved to other "
                    "partitions than their groups; DROP the job and create it again, with startFrom at a time after "
                    "that: records of one key are in two partitions before it"
                )

    def _progress(self) -> tuple[PartitionProgress, ...]:
        """With the watermarks, in milliseconds, and since when nothing has come."""
        found = super()._progress()
        if not isinstance(self.commits, GroupCommits):
            return found
        marks, silence = self.commits.groups.watermarks(), self.commits.silence
        if silence is not None:
            silence.show()

        def with_time(one: PartitionProgress) -> PartitionProgress:
            at = one.topic, one.partition
            mark, since = marks.get(at), None if silence is None else silence.since(at)
            return replace(one, watermark=None if mark is None else mark // 1000, silent_since=since)

        return tuple(map(with_time, found))

    def cause_of(self, error: KafkaException) -> Exception:
        """What an error of the client means. No single record that was read is to blame for what Kafka refuses."""
        cause = judged(self.commits.failed_with(error))
        return self._too_large(cause) if isinstance(cause, RecordTooLarge) else cause

    def _too_large(self, failure: RecordTooLarge) -> RecordTooLarge:
        return too_large(failure, self.policy, self.context.services.topics, self.task.uid)
