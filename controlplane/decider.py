"""The one writer: judges commands and reports in the order of their logs, a batch in one transaction.

1 fence the decider's id · 2 read `state` to the end · 3 read commands and reports from the position found there ·
4 fetch the facts of a batch · 5 decide and fold · 6 write events, state, tasks and position; commit · 7 hand over the
replies asked for. After a doubt its memory is dropped and all begins again at 1. Fenced, it ends; the holder of
`commands`-0 restarts it.
"""

import logging
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from functools import partial

from controlplane import catalog, log
from controlplane.asking import Asking
from controlplane.batch import Batch
from controlplane.closer import Closer
from controlplane.decide import decide, topics_needed
from controlplane.decide_reports import decide_report
from controlplane.evolve import State, job_name
from controlplane.groups import Groups
from controlplane.lookup import Facts
from controlplane.outcome import answer
from controlplane.reconcile import unstopped
from controlplane.replies import Replies, Reply, reply_to
from controlplane.topics import COMMANDS, REPORTS
from controlplane.translate import Request, translate
from processors.kafka import Consumer, Doubt, Fenced, Kafka, Message, assign, judging, poll
from processors.registry import Registry
from processors.transactions import TransactionalProducer
from schemas.events import Body, Cause, Event, JobForgotten
from schemas.received import read_command
from schemas.reports import Report, Said

LOG = logging.getLogger("jobplane.decider")
TRANSACTION_MS = 30_000
BATCH = 200
POLL_S = 0.005
MAX_BACKOFF_S = 5.0


class End(Enum):
    TOLD = "told to stop"
    FENCED = "fenced"


class _Told(Exception):
    pass


@dataclass(slots=True)
class Tally:
    """What /metrics shows of the decider in this process."""

    leading: bool = False
    verdicts: Counter[str] = field(default_factory=Counter)
    batches: int = 0
    restarts: int = 0


class Decider:
    """Runs in a thread of its own until told to stop or fenced."""

    def __init__(
        self,
        kafka: Kafka,
        prefix: str,
        tally: Tally,
        stop: threading.Event,
        groups: Groups,
        session_timeout: float = 6.0,
        registry: Registry | None = None,
    ) -> None:
        self._registry, self._schemas = registry, dict[int, str]()
        self._kafka, self._prefix, self._tally, self._stop = kafka, prefix, tally, stop
        self._closer = Closer(kafka, prefix, groups, session_timeout)
        self._passed: dict[str, int] = {}

    def run(self) -> End:
        """Raises JobplaneError (NewerState, NotSetUp, KafkaRefused …) where going on would not help."""
        backoff = 0.1
        while True:
            try:
                with judging():
                    self._lead()
            except _Told:
                return End.TOLD
            except Fenced:
                return End.FENCED
            except Doubt as doubt:
                LOG.warning("the decider starts again: %s", doubt)
                self._tally.restarts += 1
                backoff = min(backoff * 2, MAX_BACKOFF_S)
                if self._stop.wait(backoff):
                    return End.TOLD
            finally:
                self._tally.leading = False
                self._closer.forget_all()

    def _alive(self) -> None:
        if self._stop.is_set():
            raise _Told

    def _lead(self) -> None:
        kafka, prefix = self._kafka, self._prefix
        began = time.monotonic()
        # 1
        producer = TransactionalProducer(kafka, f"{prefix}decider", TRANSACTION_MS, f"{prefix}{COMMANDS}", self._alive)
        consumer = log.reader(kafka, prefix)
        self._replies = Replies(kafka)
        try:
            # 2
            state = log.read_state(kafka, consumer, prefix, self._alive)
            plane, limit = catalog.plane_id(kafka, prefix), catalog.max_transaction_ms(kafka)
            # 3
            self._assign(consumer, state)
            LOG.info("the decider leads from %s after %.2f s", state.position, time.monotonic() - began)
            self._tally.leading = True
            for job in state.jobs.values():
                self._closer.watch(job.uid, unstopped(job))
            while True:
                self._alive()
                messages = poll(consumer, BATCH, POLL_S)
                if messages:
                    self._batch(producer, state, messages, plane, limit)
                if producer.suspect:
                    raise Doubt(producer.suspect)
                producer.poll()
                self._closer.tick()
        finally:
            self._replies.close()
            consumer.close()

    def _assign(self, consumer: Consumer, state: State) -> None:
        """From the position on; where the log no longer holds it (retention of reports), from its beginning."""
        wanted = {COMMANDS: state.position.commands, REPORTS: state.position.reports}
        topics = {name: (f"{self._prefix}{name}", 0) for name in wanted}
        first = self._kafka.offsets(list(topics.values()), earliest=True)
        self._passed = {name: max(offset, first[topics[name]]) for name, offset in wanted.items()}
        assign(consumer, {topics[name]: offset for name, offset in self._passed.items()})

    def _batch(
        self, producer: TransactionalProducer, state: State, messages: list[Message], plane: str, limit: int
    ) -> None:
        asking = Asking(self._registry, self._schemas)
        inputs = [self._read(message, asking) for message in messages]
        # 4
        facts = self._facts(state, inputs, plane, limit)
        # 5
        batch, verdicts, touched = Batch(), Counter[str](), set[str]()
        replies: list[Reply] = []
        for message, one in zip(messages, inputs, strict=True):
            time_ms = message.timestamp()[1]
            bodies, facts = asking.judging(facts, partial(self._bodies, state, one, time_ms))
            for body in bodies:
                event = Event(state.position.seq + 1, time_ms, self._cause(message, one), body)
                name = job_name(state, event)
                if reply := answer(event, name):
                    verdicts[reply.verdict] += 1
                batch.add(state, event, name)
                touched.add(getattr(body, "uid", ""))
                if copy := reply_to(event, name, state):
                    replies.append(copy)
            self._passed[(message.topic() or "").removeprefix(self._prefix)] = (message.offset() or 0) + 1
        batch.passed(state, self._passed[COMMANDS], self._passed[REPORTS])
        # 6
        if batch:
            producer.begin()
            log.produce_batch(producer, self._prefix, batch)
            producer.flush(TRANSACTION_MS / 1000, self._alive)
            producer.commit()
            self._tally.verdicts += verdicts
            self._tally.batches += 1
            for uid in touched & state.jobs.keys():
                self._closer.watch(uid, unstopped(state.jobs[uid]))
            for event, _ in batch.events:
                if isinstance(event.body, JobForgotten):
                    self._closer.delete_group(event.body.uid)
            # 7
            for copy in replies:
                self._replies.offer(copy)

    def _read(self, message: Message, asking: Asking) -> Request | Report | None:
        if message.topic() == f"{self._prefix}{COMMANDS}":
            read = partial(
                read_command,
                message.offset() or 0,
                message.timestamp()[1],
                message.value(),
                message.headers(),  # type: ignore[arg-type]
                self._prefix,
            )
            return translate(asking.reading(read))
        return log.read_report(message)

    def _facts(self, state: State, inputs: list[Request | Report | None], plane: str, limit: int) -> Facts:
        topics, instants = topics_needed(state, (one for one in inputs if isinstance(one, Request)), self._prefix)
        for one in inputs:
            if isinstance(one, Report) and one.said is Said.SNAPSHOTTED and one.uid in state.jobs:
                topics.add(state.jobs[one.uid].sink.topic)
        if not topics:
            return Facts(plane, max_transaction_ms=limit)
        return catalog.facts(self._kafka, plane, limit, topics, instants)

    def _bodies(self, state: State, one: Request | Report | None, time_ms: int, facts: Facts) -> tuple[Body, ...]:
        match one:
            case Request():
                return decide(state, one, facts, self._prefix)
            case Report():
                return decide_report(state, one, facts, time_ms)
            case None:
                return ()

    def _cause(self, message: Message, one: Request | Report | None) -> Cause:
        offset = message.offset() or 0
        topic = (message.topic() or "").removeprefix(self._prefix)
        if isinstance(one, Request):
            said = one.command
            return Cause(
                topic, offset, offset + 1, said.given_id, said.digest, said.issued_by, said.traceparent, said.reply_to
            )
        return Cause(topic, offset, offset + 1)
