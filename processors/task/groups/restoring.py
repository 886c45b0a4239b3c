"""The steps LOAD and REPLAY: the groups of a task as they were at its checkpoint.

The chunks hold the groups at the last state checkpoint. The records from there to the checkpoint are read again and
make the same groups as before; what they gave is in the sink already, so nothing is produced. That this is so is
checked: as many records must come as before, and lead to the same watermarks.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from jobplane.processors.evaluation.batch import Evaluation, RecordBatch
from jobplane.processors.evaluation.place import position
from jobplane.processors.kafka.cluster import Consumer, Doubt, Message, OutOfRange, TopicPartition, assign, poll
from jobplane.processors.pipeline import Positions
from jobplane.processors.protocol.steps import Step
from jobplane.processors.state.chunks import UnknownState
from jobplane.processors.state.manifest import UNKNOWN, CheckpointState, Manifest, decode_state
from jobplane.processors.task.context import BATCH, TaskContext
from jobplane.processors.task.groups.fetching import fetch_chunks
from jobplane.processors.task.topic_checks import check_held
from jobplane.schemas.failures import CheckpointLost, DataLost, StateMismatch
from jobplane.sql.codegen.groups import CompiledGroups
from jobplane.sql.plan.graph import Plan
from jobplane.sql.plan.grouping.going_on import difference, layout_of
from jobplane.sql.plan.grouping.signature import GroupSignature, decode_signatures
from jobplane.sql.plan.stateful import digest_of_before
from jobplane.sql.runtime.groups import GroupState

WAIT_S, SILENT_S = 0.1, 30.0
"""How long a poll waits, and after how long without a record the session begins again."""
_REMEDY = "DROP the job and create it again"


@dataclass(frozen=True, slots=True)
class Restoring:
    """Puts into `groups`, which are empty, what they were at the positions `until`."""

    context: TaskContext
    consumer: Consumer
    evaluation: Evaluation
    groups: GroupState
    compiled: CompiledGroups
    asked: Sequence[GroupSignature]
    until: Positions

    def run(self, state: CheckpointState) -> None:
        """Raises CheckpointLost, DataLost or Doubt."""
        context = self.context
        context.enter(Step.LOAD)
        for manifest in state.manifests:
            self._load(manifest)
        context.enter(Step.REPLAY)
        count = self._replay({at: offset for at, offset in state.saved.items() if offset < self.until[at]})
        self.groups.silent = True
        self.groups.emit(refuse, refuse)
        self.groups.silent = False
        if state.read not in (UNKNOWN, count) or self.groups.marks() != state.marks:
            raise DataLost(
                f"records between the state checkpoint and the last commit are not what they were: {state.read:,} were "
                f"read, now there are {count:,}. A source of groups must keep its records, also those under one key, "
                f"for longer than stateIntervalMillis; {_REMEDY}"
            )

    def _load(self, manifest: Manifest) -> None:
        kept = decode_signatures(manifest.signature)
        pairs = zip(kept, self.asked, strict=True) if kept else ()
        decoders = self.compiled.decoders([layout_of(*pair) for pair in pairs]) if kept else ()
        take = partial(self.groups.load, decoders=decoders)
        fetch_chunks(self.context.services, manifest, take, self.context.alive)
        self.groups.set_marks(manifest.marks)

    def _replay(self, starts: Positions) -> int:
        """Reads the records from `starts` to `until` without output; returns their number."""
        if not starts:
            return 0
        kafka, left, count, heard = self.context.services.kafka, set(starts), 0, time.monotonic()
        check_held(kafka, starts)
        assign(self.consumer, starts)
        while left:
            self.context.alive()
            try:
                messages = poll(self.consumer, BATCH, WAIT_S)
            except OutOfRange:
                check_held(kafka, starts)
                raise
            count += self._absorb([one for one in messages if (one.offset() or 0) < self._end(one)])
            for at in self.consumer.position([TopicPartition(*at) for at in left]):
                place = at.topic, at.partition
                if at.offset >= self.until[place]:
                    left.discard(place)
                    self.consumer.pause([TopicPartition(*place)])
            if messages:
                heard = time.monotonic()
            elif left and time.monotonic() - heard > SILENT_S:
                topic, partition = min(left)
                raise Doubt(f"{topic}-{partition}: the offset {self.until[topic, partition]} was not reached")
        self.consumer.resume([TopicPartition(*at) for at in starts])
        return count

    def _end(self, message: Message) -> int:
        return self.until[position(message)[:2]]

    def _absorb(self, messages: list[Message]) -> int:
        """As it was done before; records that cannot be evaluated have had their verdict then."""
        if not messages:
            return 0
        with self.context.turn():
            self.evaluation.run(RecordBatch(messages))
        return len(messages)


def state_in(data: bytes, plan: Plan, asked: Sequence[GroupSignature], *, is_restored: bool) -> CheckpointState | None:
    """The state of a checkpoint; None for a task that begins.

    `is_restored`: it comes from a snapshot. Raises CheckpointLost, and StateMismatch for groups of another kind.
    """
    if not data:
        if is_restored:
            raise StateMismatch(
                "the snapshot holds no groups: the job would miss what came before it; create the job without "
                "initialSnapshotName"
            )
        return None
    try:
        state = decode_state(data)
    except UnknownState as bad:
        raise CheckpointLost(f"the state in the checkpoint cannot be read: {bad}") from bad
    for manifest in state.manifests:
        kept = decode_signatures(manifest.signature)
        if kept is None and manifest.signature != digest_of_before(plan):
            why = "it has other keys, windows or aggregates than the query"
        else:
            why = "" if kept is None else difference(kept, asked)
        if why:
            raise StateMismatch(
                f"the query cannot go on with the groups of the snapshot: {why}; create the job with the query of the "
                "snapshot, or without initialSnapshotName"
            )
    return state


def refuse(*_: object) -> None:
    """What takes the records of an evaluation that must not have any."""
    raise AssertionError("nothing is produced in silence")
