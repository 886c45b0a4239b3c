"""Issues commands and reads the control plane, from anywhere that reaches Kafka. Never imports faust."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from controlplane import catalog, log, reads, views
from controlplane.effects import Goal, goal
from controlplane.outcome import REFUSED, answer
from controlplane.settings import Settings
from controlplane.topics import COMMANDS, EVENTS, MAX_COMMAND_BYTES
from processors.kafka import Doubt, Kafka, judged
from schemas.commands import COMMAND_ID
from schemas.errors import KafkaUnreachable
from schemas.state import Answer
from sql import nodes

Watch = Callable[[str], None]
"""Told in words how far a statement has come."""
DELIVERY_S = 10.0


@dataclass(frozen=True, slots=True)
class Sent:
    """A command on the log."""

    command_id: str
    offset: int


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one statement. `reply` is None while unanswered; `failure` says why its effect did not come."""

    sent: Sent
    reply: Answer | None
    status: str = ""
    failure: str = ""
    timed_out: bool = False

    def row(self) -> dict[str, Any]:
        reply = self.reply
        if reply is None:
            return {"command_id": self.sent.command_id, "offset": self.sent.offset, "verdict": None}
        row = views.outcome_row(reply, self.status)
        return (
            row | ({"failure": self.failure} if self.failure else {}) | ({"timed_out": True} if self.timed_out else {})
        )


class Client:
    """One connection to one control plane. Not thread-safe.

    Every method may raise KafkaUnreachable or NotSetUp at the first call, Doubt when Kafka goes silent later.
    """

    def __init__(self, settings: Settings) -> None:
        self._prefix = settings.prefix
        self._kafka = Kafka(settings.bootstrap, settings.kafka)
        self._checked = False

    def _check(self) -> None:
        if not self._checked:
            self._kafka.require()
            catalog.require_topics(self._kafka, self._prefix)
            self._checked = True

    def emit(self, sql: str, command_id: str = "") -> Sent:
        """Append a command; return once Kafka has it."""
        self._check()
        command_id = command_id or str(uuid.uuid4())
        delivered: list[Any] = []
        producer = self._kafka.producer(message_max_bytes=MAX_COMMAND_BYTES)
        producer.produce(
            f"{self._prefix}{COMMANDS}",
            sql.encode(),
            partition=0,
            headers=[(COMMAND_ID, command_id.encode())],
            on_delivery=lambda error, message: delivered.append((error, message)),
        )
        producer.flush(DELIVERY_S)
        if not delivered:
            raise KafkaUnreachable(
                f"the command was not acknowledged within {DELIVERY_S:.0f} s ({self._kafka.last_error})"
            )
        error, message = delivered[0]
        if error is not None:
            raise judged(error)
        return Sent(command_id, message.offset())

    def execute(
        self, sql: str, statement: nodes.Statement, timeout: float = 60.0, watch: Watch = lambda text: None
    ) -> Result:
        """Append a command and wait for its outcome and its effect, at most `timeout` seconds."""
        self._check()
        deadline = time.monotonic() + timeout
        topic = (f"{self._prefix}{EVENTS}", 0)
        start = self._kafka.offsets([topic])[topic]
        sent = self.emit(sql)
        reply: Answer | None = None
        aim: Goal | None = None
        consumer = log.reader(self._kafka, self._prefix)
        try:
            for item in log.follow_events(consumer, self._prefix, start, lambda: None):
                if item is not None:
                    name, event = item
                    if reply is None and event.cause.topic == COMMANDS and event.cause.offset == sent.offset:
                        reply = answer(event, name)
                        aim = self._aim(statement, reply, getattr(event.body, "status", ""))
                        if reply is None or aim is None:
                            return Result(sent, reply, getattr(event.body, "status", ""))
                    elif aim is not None:
                        aim.see(event)
                    if aim is not None:
                        watch(aim.status)
                        if aim.over:
                            return Result(sent, reply, aim.status, "" if aim.reached else aim.failure)
                if time.monotonic() > deadline:
                    return Result(sent, reply, aim.status if aim else "", aim.failure if aim else "", timed_out=True)
        finally:
            consumer.close()
        raise Doubt("the events ended")  # they never do

    def _aim(self, statement: nodes.Statement, reply: Answer | None, status: str) -> Goal | None:
        if reply is None or reply.verdict == REFUSED:
            return None
        aim = goal(statement, reply)
        if aim is None:
            return None
        if not status and reply.uid:  # a repeated command: its job may be far on by now
            state = log.read_state(self._kafka, log.reader(self._kafka, self._prefix), self._prefix)
            job = state.jobs.get(reply.uid)
            status = job.status if job else ""
            aim.reached = job is None or any(one.version == aim.version for one in state.snapshots.values())
            aim.at(status, closed=bool(job and job.closed))
        else:
            aim.at(status)
        return aim

    def read(self, statement: nodes.Read) -> views.Listing:
        """The answer to SHOW or DESCRIBE, from the topics as they are now. Raises Refused where a name is unknown."""
        self._check()
        return reads.read(self._kafka, self._prefix, statement)

    def show(self, statement: nodes.Read) -> list[views.Row]:
        """The rows of a SHOW or DESCRIBE."""
        return self.read(statement).rows
