"""A control plane without Kafka: the pure decisions, fed with commands and reports in memory."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from jobplane.controlplane.core.facts import Facts, TopicFacts
from jobplane.controlplane.core.reconcile import Write
from jobplane.controlplane.core.state import State
from jobplane.controlplane.core.step import Effects, effects
from jobplane.controlplane.decider.judge import Judge, ReceivedRecord
from jobplane.controlplane.fetch.schemas import RegistryLookup
from jobplane.controlplane.topics import COMMANDS, REPORTS
from jobplane.schemas.records.commands import AFTER, COMMAND_ID
from jobplane.schemas.records.events import Event
from jobplane.schemas.records.reports import Report
from jobplane.schemas.records.tasks import Task
from jobplane.schemas.wire.codec import encode
from jobplane.sql.functions import BUILT_IN, FunctionCatalogue
from tests.support.subjects import Subjects

PREFIX = "jobplane."
PLANE = "0a1b2c3d"


def topic(partitions: int, *, topic_id: str = "", first: int = 0, last: int = 100) -> TopicFacts:
    return TopicFacts(topic_id or f"id-{partitions}", (first,) * partitions, (last,) * partitions)


@dataclass(slots=True)
class Plane:
    """Everything the decider would have written, as it would have been written."""

    topics: dict[str, TopicFacts] = field(default_factory=dict)
    state: State = field(default_factory=State)
    events: list[Event] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    tasks: dict[str, Task] = field(default_factory=dict)
    commands: int = 0
    reports: int = 0
    now: int = 1_000_000
    unavailable: str = ""
    registry: Subjects | None = None
    functions: FunctionCatalogue = BUILT_IN
    faults: Counter[str] = field(default_factory=Counter)

    def command(self, sql: str | bytes, command_id: str = "", after: str = "") -> list[Event]:
        """Judge one record of the command log; returns its events."""
        value = sql.encode() if isinstance(sql, str) else sql
        headers = [(name, said.encode()) for name, said in ((COMMAND_ID, command_id), (AFTER, after)) if said]
        self.commands += 1
        return self._judged(ReceivedRecord(COMMANDS, self.commands - 1, self._tick(), value, headers))

    def report(self, report: Report) -> list[Event]:
        self.reports += 1
        return self._judged(ReceivedRecord(REPORTS, self.reports - 1, self._tick(), encode(report)))

    def _judged(self, arrived: ReceivedRecord) -> list[Event]:
        case = self.judge.prepare(arrived, RegistryLookup(self.registry, {}))
        events, _ = case.verdict(self.state, self.facts)
        self._take(effects(self.state, events))
        return [one.event for one in events]

    @property
    def judge(self) -> Judge:
        return Judge(PREFIX, lambda met_by: self.faults.update([met_by]))

    @property
    def facts(self) -> Facts:
        return Facts(PLANE, dict(self.topics), tuple(self.topics), 900_000, self.unavailable, functions=self.functions)

    def statuses(self) -> Mapping[str, str]:
        """The status of every job that holds a name."""
        return {name: str(self.state.jobs[uid].status) for name, uid in sorted(self.state.names.items())}

    def _tick(self) -> int:
        self.now += 10
        return self.now

    def _take(self, more: Effects) -> None:
        self.events += (one.event for one in more.events)
        self.writes += more.writes
        for write in more.writes:
            if write.topic == "tasks":
                if write.task is None:
                    self.tasks.pop(write.key, None)
                else:
                    self.tasks[write.key] = write.task
