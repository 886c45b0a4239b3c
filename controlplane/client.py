"""Issues commands and reads the control plane, from anywhere that reaches Kafka. Never imports faust.

with Client("kafka:9092") as client:
    result = client.execute("ALTER JOB big SUSPEND", command_id="suspend-7")

`controlplane.async_client` has the same for asyncio.
"""

import threading
import time
import uuid
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from controlplane import catalog, log, reads, views
from controlplane.effects import Goal, goal
from controlplane.evolve import REMEMBERED_COMMANDS, State
from controlplane.journal import Entry
from controlplane.outcome import REFUSED, answer
from controlplane.sample import LAST
from controlplane.settings import Settings
from controlplane.tail import Tail
from controlplane.topics import COMMANDS, MAX_COMMAND_BYTES
from processors.kafka import Kafka, KafkaError, Message, NoAnswer, Producer, delivered_offset, judged
from schemas.commands import COMMAND_ID, ISSUED_BY, REPLY_TO, TRACEPARENT
from schemas.errors import CommandNotFound, KafkaUnreachable, ReadStatement, Refused
from schemas.events import Cause
from schemas.received import Received, read_command
from schemas.state import Answer, Job
from sql import nodes
from sql.parser import parse

if TYPE_CHECKING:
    from controlplane.dead_letters import DeadLetter
    from controlplane.dry_run import DryRun, Unregistering

Alive = Callable[[], None]
"""Called again and again while something is awaited; what it raises ends the waiting."""
Watch = Callable[[str], None]
"""Told in words how far a statement has come."""
DELIVERY_S = 10.0
NOWHERE = -1
"""The offset of a command that was not found."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A command on the log, and its offset there."""

    command_id: str
    offset: int


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one statement. `reply` is None while unanswered; `failure` says why its effect did not come.

    `status` is that of its job, `text` the statement, where it was read back from the log.
    """

    sent: Sent
    reply: Answer | None
    status: str = ""
    failure: str = ""
    timed_out: bool = False
    text: str = ""

    @property
    def done(self) -> bool:
        """Accepted or unchanged, and its effect has come."""
        return self.reply is not None and self.reply.verdict != REFUSED and not self.failure and not self.timed_out

    def row(self) -> dict[str, Any]:
        """As `jobplane sql -o json` prints it."""
        reply = self.reply
        if reply is None:
            return {"command_id": self.sent.command_id, "offset": self.sent.offset, "verdict": None}
        row = views.outcome_row(reply, self.status)
        return (
            row | ({"failure": self.failure} if self.failure else {}) | ({"timed_out": True} if self.timed_out else {})
        )


class Client:
    """One control plane, as seen from anywhere. Threads may share it: every call reads by a consumer of its own.

    Every method may raise KafkaUnreachable or NotSetUp at the first call, Doubt when Kafka goes silent later.
    """

    def __init__(
        self,
        settings: Settings | str = "127.0.0.1:9092",
        prefix: str = "jobplane.",
        kafka: Mapping[str, str] | None = None,
    ) -> None:
        """Settings, or Kafka's address with the control plane's prefix and properties for librdkafka."""
        if isinstance(settings, str):
            settings = Settings(bootstrap=settings, prefix=prefix, kafka=dict(kafka or {}))
        self._prefix = settings.prefix
        self._kafka = Kafka(settings.bootstrap, settings.kafka)
        self._registry: "Unregistering | None" = None  # noqa: UP037  # it is imported below
        if settings.registry:
            from controlplane.dry_run import Unregistering

            self._registry = Unregistering(settings.registry)
        self._checked = False
        self._producer: Producer | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of Kafka, and of the schema registry. A later call connects anew."""
        if self._registry is not None:
            self._registry.close()
        with self._lock:
            self._producer, self._checked = None, False
            self._kafka = Kafka(self._kafka.bootstrap, self._kafka.properties)

    def _check(self) -> None:
        if not self._checked:
            self._kafka.require()
            catalog.require_topics(self._kafka, self._prefix)
            self._checked = True

    def emit(
        self, sql: str, command_id: str = "", *, issued_by: str = "", reply_to: str = "", traceparent: str = ""
    ) -> Sent:
        """Append a command; return once Kafka has it. It is not looked at here: the decider judges it.

        `command_id` makes a repeat harmless (default: a new one), `reply_to` is a topic that its outcome is copied to.
        Raises KafkaUnreachable where Kafka did not acknowledge it within 10 s: send it again with its id.
        """
        self._check()
        command_id = command_id or str(uuid.uuid4())
        said = {COMMAND_ID: command_id, REPLY_TO: reply_to, ISSUED_BY: issued_by, TRACEPARENT: traceparent}
        delivered: list[tuple[KafkaError | None, Message]] = []
        producer = self._writer()
        producer.produce(
            f"{self._prefix}{COMMANDS}",
            sql.encode(),
            partition=0,
            headers=[(name, text.encode()) for name, text in said.items() if text],
            on_delivery=lambda error, message: delivered.append((error, message)),
        )
        deadline = time.monotonic() + DELIVERY_S + 1
        while not delivered and time.monotonic() < deadline:
            producer.poll(0.05)
        error = delivered[0][0] if delivered else None
        if not delivered or (error is not None and error.name() == "_MSG_TIMED_OUT"):
            raise KafkaUnreachable(
                f"command {command_id} was not acknowledged within {DELIVERY_S:.0f} s ({self._kafka.last_error}); "
                "it may be on the log: send it again with this id"
            )
        if error is not None:
            with self._lock:
                self._producer = None  # it may be good for nothing more
            raise judged(error)
        try:
            return Sent(command_id, delivered_offset(delivered[0][1]))
        except NoAnswer:
            return Sent(command_id, NOWHERE)

    def _writer(self) -> Producer:
        with self._lock:
            if self._producer is None:
                self._producer = self._kafka.producer(
                    message_max_bytes=MAX_COMMAND_BYTES, message_timeout_ms=int(DELIVERY_S * 1000)
                )
            return self._producer

    def execute(
        self,
        sql: str,
        statement: nodes.Statement | None = None,
        timeout: float = 60.0,
        watch: Watch = lambda text: None,
        *,
        command_id: str = "",
        issued_by: str = "",
        reply_to: str = "",
        traceparent: str = "",
        alive: Alive = lambda: None,
    ) -> Result:
        """Append a command and wait for its outcome and its effect, at most `timeout` seconds.

        `statement` is `sql` parsed, where that was done already. Raises Refused, before anything is sent, where `sql`
        is no statement. A verdict of the decider is not raised: it stands in the result.
        """
        statement = statement or parse(sql)
        self._check()
        deadline = time.monotonic() + timeout
        with closing(Tail(self._kafka, self._prefix)) as tail:
            sent = self.emit(sql, command_id, issued_by=issued_by, reply_to=reply_to, traceparent=traceparent)
            return self._follow(tail, sent, statement, deadline, watch, alive)

    def wait(
        self,
        command: Sent | str | int,
        timeout: float = 60.0,
        watch: Watch = lambda text: None,
        *,
        alive: Alive = lambda: None,
    ) -> Result:
        """The outcome and the effect of a command, by what `emit` gave, by its id or by its offset on the log.

        One judged long ago is found as well, with the effect it had then. Waits at most `timeout` seconds; an id that
        no command has is waited for too. Raises CommandNotFound for an offset at which there is no command.
        """
        self._check()
        deadline = time.monotonic() + timeout
        with closing(Tail(self._kafka, self._prefix)) as tail:
            sent = self._find(tail, command)
            if sent.offset != NOWHERE:
                tail.back_to(sent.offset)
            return self._follow(tail, sent, None, deadline, watch, alive)

    def _find(self, tail: Tail, command: Sent | str | int) -> Sent:
        """Where a command is; NOWHERE where its outcome is to be known by its id."""
        if isinstance(command, Sent):
            return command
        if isinstance(command, str):
            answers = self.state().answers
            if known := answers.get(command):
                return Sent(command, known.offset)
            if len(answers) >= REMEMBERED_COMMANDS:  # it may have been forgotten
                tail.seek(tail.first)
            return Sent(command, NOWHERE)
        record = self._command(command)
        if record is None:
            raise CommandNotFound(f"there is no command at offset {command} of '{self._prefix}{COMMANDS}'")
        return Sent(record.shown_id, command)

    def _command(self, offset: int) -> Received | None:
        """A command as it stands on the log; None where there is none."""
        if offset < 0:
            return None
        with closing(self._kafka.consumer(f"{self._prefix}reader", committed=False)) as consumer:
            record = self._kafka.record_at(consumer, f"{self._prefix}{COMMANDS}", 0, offset)
        if record is None:
            return None
        from controlplane.asking import Asking

        headers: Any = record.headers()
        read = partial(read_command, offset, record.timestamp()[1], record.value(), headers, self._prefix)
        return Asking(self._registry, {}).reading(read)

    def _follow(
        self,
        tail: Tail,
        sent: Sent,
        statement: nodes.Statement | None,
        deadline: float,
        watch: Watch,
        alive: Alive,
    ) -> Result:
        """Reads events up to the outcome of `sent`, then to its effect; `statement` is read back where it is None."""
        reply: Answer | None = None
        aim: Goal | None = None
        text = ""
        while True:
            alive()
            for entry in tail.read():
                event = entry.event
                if reply is None and _is_of(event.cause, sent) and (reply := answer(event, entry.job)) is not None:
                    sent = Sent(sent.command_id, event.cause.offset)
                    if statement is None:
                        text, statement = self._statement(sent.offset, reply)
                    status = getattr(event.body, "status", "")
                    aim = self._aim(statement, reply, status) if statement is not None else None
                    if aim is None:
                        return Result(sent, reply, status, text=text)
                elif aim is not None:
                    aim.see(event)
                if aim is not None:
                    watch(aim.status)
                    if aim.over:
                        return Result(sent, reply, aim.status, "" if aim.reached else aim.failure, text=text)
            if time.monotonic() > deadline:
                status, failure = (aim.status, aim.failure) if aim else ("", "")
                return Result(sent, reply, status, failure, timed_out=True, text=text)

    def _statement(self, offset: int, reply: Answer) -> tuple[str, nodes.Statement | None]:
        """The text of a command, and what it says unless it was refused: it may be what the parser failed at."""
        record = self._command(offset)
        if record is None or reply.verdict == REFUSED:
            return record.text if record else "", None
        try:
            return record.text, parse(record.text)
        except Refused:
            return record.text, None

    def _aim(self, statement: nodes.Statement, reply: Answer, status: str) -> Goal | None:
        if reply.verdict == REFUSED:
            return None
        aim = goal(statement, reply)
        if aim is None:
            return None
        if not status and reply.uid:  # a repeated command: its job may be far on by now
            state = self.state()
            job = state.jobs.get(reply.uid)
            status = job.status if job else ""
            aim.reached = job is None or any(one.version == aim.version for one in state.snapshots.values())
            aim.at(status, closed=bool(job and job.closed))
        else:
            aim.at(status)
        return aim

    def read(self, statement: nodes.Read | str, *, last: int = LAST) -> views.Listing:
        """The answer to SHOW, DESCRIBE or EXPLAIN, from the topics as they are now.

        EXPLAIN ANALYZE tries the `last` newest records of the sources. Raises Refused with its place where a name is
        unknown, or the text is no such statement.
        """
        if isinstance(statement, str):
            read = parse(statement)
            if not isinstance(read, nodes.Read):
                raise ReadStatement("only SHOW, DESCRIBE and EXPLAIN are read; execute() what changes something")
            statement = read
        self._check()
        return reads.read(self._kafka, self._prefix, statement, self._registry, last)

    def dry_run(self) -> "DryRun":
        """To try CREATE JOB and INSERT on the newest records, with mappings that nobody else sees; see DryRun.run."""
        from controlplane.dry_run import DryRun

        self._check()
        return DryRun(self._kafka, self._prefix, self._registry)

    def show(self, statement: nodes.Read | str) -> list[views.Row]:
        """The rows of a SHOW or DESCRIBE."""
        return self.read(statement).rows

    def dead_letters(self, job: str) -> "list[DeadLetter]":
        """The dead letters of the live job of a name, else of the newest ended one. Raises JobNotFound."""
        from controlplane import dead_letters, descriptions
        from controlplane.decide_retries import letters_topic

        found = descriptions.named(self.state(), nodes.Name(job))
        topic = letters_topic(found, self._prefix)
        return list(dead_letters.letters(self._kafka, self._prefix, topic, found.uid))

    def at_rest(self, uid: str, timeout: float = 60.0) -> Job | None:
        """A job once it has ended or is suspended; None where that takes longer. Raises KeyError for an unknown uid."""
        with closing(self.tail(None)) as tail:
            return tail.job_at_rest(self.state(), uid, time.monotonic() + timeout)

    def retried(self, retry: Job) -> tuple[int, int]:
        """How many dead letters a retry that has ended was given, and how many of them failed again."""
        from controlplane import dead_letters

        source = retry.sources[0]
        uid = source.letters.uid if source.letters else ""
        return dead_letters.tally(dead_letters.letters(self._kafka, self._prefix, source.topic, uid), source)

    def state(self) -> State:
        """All that the control plane knows, as it is now."""
        self._check()
        return log.state_now(self._kafka, self._prefix)

    def jobs(self) -> list[views.Row]:
        """The rows of SHOW JOBS, with the columns of `views.JOB_COLUMNS`: live jobs by name, then ended ones.

        `lag` and `rate` are None: `show("SHOW JOBS")` has them.
        """
        return views.jobs(self.state())

    def snapshots(self) -> list[views.Row]:
        """The rows of SHOW SNAPSHOTS, with the columns of `views.SNAPSHOT_COLUMNS`; `time` in milliseconds."""
        return views.snapshots(self.state())

    def events(
        self, start: int | None = 0, *, follow: bool = False, alive: Alive = lambda: None
    ) -> Generator[Entry, None, None]:
        """What happened, from an offset of the events log on; `start` None is its end.

        Ends at the end as it is at the call, or never with `follow`. To go on later, keep the last `Entry.offset` and
        start at the one after it. Raises ValueError where `start` is beyond the end.
        """
        with closing(self.tail(start)) as tail:
            while follow or not tail.at_end:
                alive()
                yield from tail.read()

    def tail(self, start: int | None = 0) -> Tail:
        """The events log from `start` on, to be read a batch at a time and closed."""
        self._check()
        return Tail(self._kafka, self._prefix, start)


def _is_of(cause: Cause, sent: Sent) -> bool:
    """Whether an event was caused by a command."""
    if cause.topic != COMMANDS:
        return False
    return cause.command_id == sent.command_id if sent.offset == NOWHERE else cause.offset == sent.offset
