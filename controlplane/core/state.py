"""The state of the control plane: the records of the topic `state`, and the indexes that decisions need.

The state consists of its records and nothing else, so a state folded from `events` and one read from `state` are equal.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from jobplane.controlplane.topics import TASK_PARTITIONS
from jobplane.schemas.records.state import (
    Answer,
    Job,
    Position,
    Snapshot,
    StateKey,
    StateRecord,
    Target,
)

if TYPE_CHECKING:
    from jobplane.schemas.records.mappings import TopicMapping

Changes = dict[StateKey, StateRecord | None]
"""What an event changes, by key; None removes the record."""

POSITION: StateKey = ("position",)


class State:
    """The records by kind, and indexes for decisions; each index follows from the records alone."""

    def __init__(self, records: Iterable[tuple[StateKey, StateRecord]] = ()) -> None:
        self.jobs: dict[str, Job] = {}
        self.names: dict[str, str] = {}
        self.closing: dict[str, str] = {}
        self.ended: OrderedDict[str, None] = OrderedDict()
        """Here and in `answers` the oldest entry is removed first: a plain dict would scan all removed ones for it."""
        self.mappings: dict[str, TopicMapping] = {}
        self.snapshots: dict[str, Snapshot] = {}
        self.answers: OrderedDict[str, Answer] = OrderedDict()
        self._kinds: dict[str, dict[str, Any]] = {
            "job": self.jobs,
            "mapping": self.mappings,
            "snapshot": self.snapshots,
            "command": self.answers,
        }
        self.position = Position()
        self.load = [0] * TASK_PARTITIONS
        for key, record in sorted(records, key=_creation_order):
            self._put(key, record)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, State) and self.records() == other.records()

    __hash__ = None  # type: ignore[assignment]  # it changes

    def records(self) -> dict[StateKey, StateRecord]:
        """Every record by its key, as the topic `state` holds them."""
        found: dict[StateKey, StateRecord] = {("job", uid): job for uid, job in self.jobs.items()}
        found.update((("mapping", name), mapping) for name, mapping in self.mappings.items())
        found.update((("snapshot", name), snapshot) for name, snapshot in self.snapshots.items())
        found.update((("command", given), reply) for given, reply in self.answers.items())
        found[POSITION] = self.position
        return found

    def get(self, key: StateKey) -> StateRecord | None:
        """The record under a key."""
        kind, *name = key
        return self.position if kind == "position" else self._kinds[kind].get(name[0])

    def live_job(self, name: str) -> Job | None:
        """The job that holds a name."""
        return self.jobs.get(self.names.get(name, ""))

    def is_pinned(self, name: str, version: int) -> bool:
        """Whether a snapshot version is current, or a job without a first checkpoint still restores from it."""
        current = self.snapshots.get(name)
        return (current is not None and current.version == version) or any(
            job.restore is not None and (job.restore.name, job.restore.version) == (name, version)
            for job in self.jobs.values()
        )

    def apply(self, changes: Changes) -> None:
        for key, record in changes.items():
            if record is None:
                self._remove(key)
            else:
                self._put(key, record)

    def _put(self, key: StateKey, record: StateRecord) -> None:
        match record:
            case Position():
                self.position = record
                return
            case Job():
                self._index(self.jobs.get(record.uid), record)
        self._kinds[key[0]][key[1]] = record

    def _remove(self, key: StateKey) -> None:
        kind, name = key
        if kind == "job":
            self._index(self.jobs.pop(name), None)
        else:
            self._kinds[kind].pop(name)

    def _index(self, old: Job | None, new: Job | None) -> None:
        if old is not None and new is not None and _index_fields(old) == _index_fields(new):
            return  # most events change nothing that an index depends on
        for job, weight in ((old, -1), (new, 1)):
            if job is not None and not job.closed:
                for task in job.tasks:
                    self.load[task.partition] += weight
        if old is not None:
            self.ended.pop(old.uid, None)
            for index in (self.names, self.closing):
                if index.get(old.name) == old.uid:
                    del index[old.name]
        if new is not None:
            if new.holds_name:
                self.names[new.name] = new.uid
            if new.closed:
                self.ended[new.uid] = None
            elif new.target is Target.END and not new.waits_for:  # nobody waits for a job that never ran
                self.closing[new.name] = new.uid


def _index_fields(job: Job) -> tuple[object, ...]:
    """All of a job that its indexes depend on."""
    return job.closed, job.target, bool(job.pending), job.waits_for, job.name, [task.partition for task in job.tasks]


def _creation_order(item: tuple[StateKey, StateRecord]) -> int:
    """Sorts records by creation, whatever the order in which compaction left them."""
    match item[1]:
        case Job() as job:
            offset = job.uid.rpartition("-")[2]
            return int(offset) if offset.isdecimal() else 0
        case Answer() as reply:
            return reply.seq
        case _:
            return 0


def jobs_using_mapping(state: State, mapping: str) -> list[str]:
    """Names of the live jobs that read or write through a mapping."""
    jobs = (state.jobs[uid] for uid in state.names.values())
    return sorted(job.name for job in jobs if mapping in _mappings_of(job))


def _mappings_of(job: Job) -> set[str]:
    used = [*(sink.mapping for sink in job.sinks), *(source.mapping for source in job.sources)]
    return {one.name for one in used if one is not None and one.statement}
