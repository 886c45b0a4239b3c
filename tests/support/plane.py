"""A control plane without Kafka: the pure decisions, fed with commands and reports in memory."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from controlplane.asking import Asking
from controlplane.decide import decide
from controlplane.decide_reports import decide_report
from controlplane.evolve import State, evolve
from controlplane.lookup import Facts, TopicFacts
from controlplane.reconcile import Write, reconcile
from controlplane.topics import COMMANDS, REPORTS
from controlplane.translate import translate
from schemas.commands import COMMAND_ID
from schemas.events import Cause, Event
from schemas.received import read_command
from schemas.reports import Report
from schemas.tasks import Task
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

    def command(self, sql: str | bytes, command_id: str = "") -> list[Event]:
        """Judge one record of the command log; returns its events."""
        value = sql.encode() if isinstance(sql, str) else sql
        headers = [(COMMAND_ID, command_id.encode())] if command_id else []
        asking = Asking(self.registry, {})
        command = asking.reading(partial(read_command, self.commands, self._tick(), value, headers, PREFIX))
        request = translate(command)
        bodies, _ = asking.judging(self.facts, lambda facts: decide(self.state, request, facts, PREFIX))
        cause = Cause(COMMANDS, self.commands, self.commands + 1, command.given_id, command.digest)
        self.commands += 1
        return [self._fold(body, cause) for body in bodies]

    def report(self, report: Report) -> list[Event]:
        bodies = decide_report(self.state, report, self.facts, self._tick())
        cause = Cause(REPORTS, self.reports, self.reports + 1)
        self.reports += 1
        return [self._fold(body, cause) for body in bodies]

    @property
    def facts(self) -> Facts:
        return Facts(PLANE, dict(self.topics), tuple(self.topics), 900_000, self.unavailable)

    def statuses(self) -> Mapping[str, str]:
        """The status of every job that holds a name."""
        return {name: str(self.state.jobs[uid].status) for name, uid in sorted(self.state.names.items())}

    def _tick(self) -> int:
        self.now += 10
        return self.now

    def _fold(self, body: object, cause: Cause) -> Event:
        event = Event(self.state.position.seq + 1, self.now, cause, body)  # type: ignore[arg-type]
        changes = evolve(self.state, event)
        before = {key: self.state.get(key) for key in changes}
        self.state.apply(changes)
        for write in reconcile(before, self.state):
            self.writes.append(write)
            if write.topic == "tasks":
                if write.task is None:
                    self.tasks.pop(write.key, None)
                else:
                    self.tasks[write.key] = write.task
        self.events.append(event)
        return event
