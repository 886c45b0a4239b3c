"""The client: sends commands and reads the control plane. Needs only Kafka; never imports faust.

with Client("kafka:9092") as client:
    result = client.execute("ALTER JOB big SUSPEND", command_id="suspend-7")

`jobplane.controlplane.client.async_client` has the same for asyncio.
"""

import threading
import time
import uuid
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Self

from jobplane.controlplane.client.issuer import user_at_host
from jobplane.controlplane.client.result import NOWHERE, Alive, Result, Sent, Watch
from jobplane.controlplane.core.state import State
from jobplane.controlplane.listings import rows
from jobplane.controlplane.log import control_topics, state_topic
from jobplane.controlplane.query import answer
from jobplane.controlplane.query.newest_records import LAST
from jobplane.controlplane.settings import Settings
from jobplane.controlplane.topics import COMMANDS, MAX_COMMAND_BYTES
from jobplane.processors.kafka.cluster import Kafka, KafkaError, Message, NoAnswer, Producer, delivered_offset, judged
from jobplane.processors.kafka.judging import jobplane_errors
from jobplane.schemas.changed import replace
from jobplane.schemas.errors import ReadStatement
from jobplane.schemas.records.commands import AFTER, COMMAND_ID, ISSUED_BY, REPLY_TO, TRACEPARENT
from jobplane.schemas.records.state import Job
from jobplane.schemas.setup_errors import KafkaUnreachable
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parser import parse

if TYPE_CHECKING:
    from jobplane.controlplane.client.command_follower import CommandFollower
    from jobplane.controlplane.log.events_tail import EventsTail
    from jobplane.controlplane.log.events_topic import Entry
    from jobplane.controlplane.query.dead_letters import DeadLetter
    from jobplane.controlplane.query.dry_run import DryRun, ReadOnlyRegistry

__all__ = ["DELIVERY_S", "Alive", "Client", "Result", "Sent", "Watch"]

DELIVERY_S = 10.0


class Client:
    """A client of one control plane. Threads may share it: every call reads with its own consumer.

    Every method may raise KafkaUnreachable, CredentialsRefused or NotSetUp at the first call, KafkaSilent later.
    """

    def __init__(
        self,
        settings: Settings | str = "127.0.0.1:9092",
        prefix: str = "jobplane.",
        kafka: Mapping[str, str] | None = None,
        *,
        issued_by: str = "",
    ) -> None:
        """Settings, or Kafka's address with the control plane's prefix and properties for librdkafka.

        `issued_by` is the default issuer of every command; without it, the setting or else user@host.
        """
        if isinstance(settings, str):
            settings = Settings(bootstrap=settings, prefix=prefix, kafka=dict(kafka or {}))
        self._prefix = settings.prefix
        self._issued_by = issued_by or settings.issued_by or user_at_host()
        self._kafka = Kafka(settings.bootstrap, settings.kafka)
        self._registry: "ReadOnlyRegistry | None" = None  # noqa: UP037  # it is imported below
        if settings.registry:
            from jobplane.controlplane.query.dry_run import ReadOnlyRegistry

            self._registry = ReadOnlyRegistry(settings.registry)
        self._checked = False
        self._producer: Producer | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections to Kafka and the schema registry. A later call connects again."""
        if self._registry is not None:
            self._registry.close()
        with self._lock:
            self._producer, self._checked = None, False
            self._kafka = Kafka(self._kafka.bootstrap, self._kafka.properties)

    def _check(self) -> None:
        if not self._checked:
            self._kafka.require()
            control_topics.require_topics(self._kafka, self._prefix)
            self._checked = True

    @jobplane_errors()
    def emit(
        self,
        sql: str,
        command_id: str = "",
        *,
        issued_by: str = "",
        reply_to: str = "",
        traceparent: str = "",
        after: str = "",
    ) -> Sent:
        """Append a command; return once Kafka has it. The command is not checked here: the decider judges it.

        With the same `command_id` (default: a new one) a repeat changes nothing. `reply_to` is a topic that gets a copy
        of the outcome. `issued_by` says who sends the command (default: the issuer of this client). With `after`, the
        id of an earlier command, this one is refused if that one was: both can be sent at once.
        Raises KafkaUnreachable if Kafka does not acknowledge the command within 10 s: send it again with its id.
        """
        self._check()
        command_id = command_id or str(uuid.uuid4())
        issuer = issued_by or self._issued_by
        texts = {
            COMMAND_ID: command_id,
            REPLY_TO: reply_to,
            ISSUED_BY: issuer,
            TRACEPARENT: traceparent,
            AFTER: after,
        }
        delivered: list[tuple[KafkaError | None, Message]] = []
        producer = self._writer()
        producer.produce(
            f"{self._prefix}{COMMANDS}",
            sql.encode(),
            partition=0,
            headers=[(name, text.encode()) for name, text in texts.items() if text],
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
                self._producer = None  # a producer may be unusable after an error
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

    @jobplane_errors()
    def execute(
        self,
        sql: str,
        statement: statements.Statement | None = None,
        timeout: float = 60.0,
        watch: Watch = lambda text: None,
        *,
        command_id: str = "",
        issued_by: str = "",
        reply_to: str = "",
        traceparent: str = "",
        alive: Alive = lambda: None,
        sent: Callable[[Sent], None] = lambda sent: None,
        look: bool = False,
    ) -> Result:
        """Append a command and wait for its outcome and its effect, at most `timeout` seconds.

        `statement` is `sql` already parsed. `sent` is called once Kafka has the command. RESUME and RESTART take effect
        when the job gets past the cause of its stop, as far as that is known soon. Raises Refused, before anything is
        sent, if `sql` is not a statement. A verdict of the decider is not raised; the result has it.

        With `look`, which `jobplane sql` sets, CREATE JOB waits until the job has read its first records, or all
        records there are. Meanwhile the client reads the newest records of the sources: see `notices`.
        """
        statement = statement or parse(sql)
        self._check()
        deadline = time.monotonic() + timeout
        with closing(self._open_tail()) as tail:
            command = self.emit(sql, command_id, issued_by=issued_by, reply_to=reply_to, traceparent=traceparent)
            sent(command)
            follower = self._follower(tail, deadline, first_records=look)
            if not look or not isinstance(statement, statements.CreateJob):
                return follower.follow(command, statement, watch, alive)
            from jobplane.controlplane.client.source_notices import SourceNotices
            from jobplane.controlplane.query.notices import TopicSamples

            source_notices = SourceNotices(TopicSamples(self._kafka, self._prefix), statement.inserts)
            result = follower.follow(command, statement, watch, alive, source_notices.begin)
            return replace(result, remarks=(*result.remarks, *source_notices.collect()))

    @jobplane_errors()
    def execute_all(
        self,
        texts: Sequence[str],
        parsed: Sequence[statements.Statement] | None = None,
        timeout: float = 60.0,
        watch: Watch = lambda text: None,
        *,
        issued_by: str = "",
        alive: Alive = lambda: None,
        sent: Callable[[Sent], None] = lambda sent: None,
        done: Callable[[Result], None] = lambda result: None,
        look: bool = False,
    ) -> list[Result]:
        """Append CREATE JOB and CREATE MAPPING commands, and wait for all effects together.

        A command that is refused is the last one: those after it are not sent, or refused with it. If no outcome comes
        for `timeout` seconds, no more are sent; those without one, up to UNJUDGED, stay on the log. `sent` is called
        for each command once Kafka has it, `done` with each result in the order of the texts. For the other parameters
        and the errors see `execute`.
        """
        from jobplane.controlplane.client.group_follower import UNJUDGED, GroupFollower

        parsed = parsed or [parse(text) for text in texts]
        for text, one in zip(texts, parsed, strict=True):
            if not isinstance(one, statements.CreatingStatement):
                raise TypeError(f"execute_all() takes only CREATE JOB and CREATE MAPPING, not: {text}")
        self._check()
        results: list[Result] = []
        with closing(self._open_tail()) as tail:

            def new_follower() -> "CommandFollower":
                return self._follower(tail, time.monotonic() + timeout, first_records=look)

            group = GroupFollower(self._kafka, self._prefix, tail, new_follower, look=look)
            before = ""
            for text, statement in zip(texts, parsed, strict=True):
                if not group.wait_for_outcomes(UNJUDGED - 1, timeout, alive):
                    break
                watch(f"{group.accepted} of {len(texts)} are accepted")
                command = self.emit(text, issued_by=issued_by, after=before)
                sent(command)
                group.add(command, statement)
                before = command.command_id
            else:
                group.wait_for_outcomes(0, timeout, alive)
            for result in group.results(timeout, watch, alive):
                results.append(result)
                done(result)
        return results

    @jobplane_errors()
    def wait(
        self,
        command: Sent | str | int,
        timeout: float = 60.0,
        watch: Watch = lambda text: None,
        *,
        alive: Alive = lambda: None,
    ) -> Result:
        """The outcome and the effect of a command: the result of `emit`, a command id, or an offset on the log.

        A command judged long ago is found too, with the effect it had then. Waits at most `timeout` seconds, also for
        an id that no command has. Raises CommandNotFound for an offset without a command.
        """
        self._check()
        deadline = time.monotonic() + timeout
        with closing(self._open_tail()) as tail:
            follower = self._follower(tail, deadline)
            return follower.follow(follower.find(command), None, watch, alive)

    def _follower(self, tail: "EventsTail", deadline: float, *, first_records: bool = False) -> "CommandFollower":
        from jobplane.controlplane.client.command_follower import CommandFollower  # SHOW does not need it

        return CommandFollower(self._kafka, self._prefix, self._registry, tail, deadline, first_records=first_records)

    @jobplane_errors()
    def read(self, statement: statements.ReadingStatement | str, *, last: int = LAST) -> rows.Listing:
        """The answer to SHOW, DESCRIBE or EXPLAIN, from the current topics.

        EXPLAIN ANALYZE reads the `last` newest records of the sources. Raises Refused with its place if a name is
        unknown, or if the text is not one of these statements.
        """
        if isinstance(statement, str):
            read = parse(statement)
            if not isinstance(read, statements.ReadingStatement):
                raise ReadStatement("read() takes only SHOW, DESCRIBE and EXPLAIN; use execute() for other statements")
            statement = read
        self._check()
        return answer.read(self._kafka, self._prefix, statement, self._registry, last)

    @jobplane_errors()
    def notices(self, sql: str) -> tuple[str, ...]:
        """The notices about a CREATE JOB or INSERT that is not refused, from the newest records of its sources.

        For example: no record has a field of the query; the sink is compacted but the records have no keys. Raises
        Refused if the statement would be refused.
        """
        return self.dry_run().notices(sql)

    def dry_run(self) -> "DryRun":
        """A dry run of CREATE JOB and INSERT on the newest records, with mappings of its own; see DryRun.run."""
        from jobplane.controlplane.query.dry_run import DryRun

        self._check()
        return DryRun(self._kafka, self._prefix, self._registry)

    def show(self, statement: statements.ReadingStatement | str) -> list[rows.Row]:
        """The rows of a SHOW or DESCRIBE."""
        return self.read(statement).rows

    @jobplane_errors()
    def dead_letters(self, job: str) -> "list[DeadLetter]":
        """The dead letters of the live job with this name, else of the newest ended job. Raises JobNotFound."""
        from jobplane.controlplane.core.facts import letters_topic
        from jobplane.controlplane.listings import describe
        from jobplane.controlplane.query import dead_letters

        found = describe.find_job(self.state(), statements.Name(job))
        topic = letters_topic(found, self._prefix)
        return list(dead_letters.read_letters(self._kafka, self._prefix, topic, found.uid))

    @jobplane_errors()
    def at_rest(self, uid: str, timeout: float = 60.0, *, alive: Alive = lambda: None) -> Job | None:
        """The job once it has ended or is suspended; None after the timeout. Raises KeyError for an unknown uid."""
        with closing(self.tail(None)) as tail:
            return tail.wait_for_rest(self.state(), uid, time.monotonic() + timeout, alive)

    @jobplane_errors()
    def retried(self, retry: Job) -> tuple[int, int]:
        """How many dead letters an ended retry has processed, and how many of them failed again."""
        from jobplane.controlplane.query import dead_letters

        source = retry.sources[0]
        uid = source.letters.uid if source.letters else ""
        return dead_letters.count_retried(
            dead_letters.read_letters(self._kafka, self._prefix, source.topic, uid), source
        )

    @jobplane_errors()
    def state(self) -> State:
        """The current state of the control plane."""
        self._check()
        return state_topic.read_current_state(self._kafka, self._prefix)

    def jobs(self) -> list[rows.Row]:
        """The rows of SHOW JOBS, with the columns of `rows.JOB_COLUMNS`: live jobs by name, then ended jobs.

        `lag` and `rate` are None; `show("SHOW JOBS")` has their values.
        """
        return rows.jobs(self.state())

    def snapshots(self) -> list[rows.Row]:
        """The rows of SHOW SNAPSHOTS, with the columns of `rows.SNAPSHOT_COLUMNS`; `time` in milliseconds."""
        return rows.snapshots(self.state())

    def events(
        self, start: int | None = 0, *, follow: bool = False, alive: Alive = lambda: None
    ) -> Generator["Entry", None, None]:
        """Events from an offset of the events log on; with `start` None, from its end.

        Stops at the end that the log has at the call, or never with `follow`. To continue later, keep the last
        `Entry.offset` and start at the next offset. Raises ValueError if `start` is beyond the end.
        """
        with closing(self.tail(start)) as tail:
            while follow or not tail.has_reached_end:
                alive()
                with jobplane_errors():
                    batch = tail.read()
                yield from batch

    @jobplane_errors()
    def tail(self, start: int | None = 0) -> "EventsTail":
        """The events log from `start` on. The caller reads batches from it and closes it."""
        self._check()
        return self._open_tail(start)

    def _open_tail(self, start: int | None = None) -> "EventsTail":
        from jobplane.controlplane.log.events_tail import EventsTail  # SHOW does not need it

        return EventsTail(self._kafka, self._prefix, start)
