"""The one writer: judges commands and reports in the order of their logs, a batch in one transaction.

1 fence the decider's id · 2 read `state` to the end · 3 read commands and reports from the position found there ·
4 fetch the facts of a batch · 5 step: judge and fold · 6 write events, state, tasks and position; commit · 7 hand over
the replies asked for. After a doubt its memory is dropped and all begins again at 1. Fenced, it ends; the holder of
`commands`-0 restarts it.

What judging a record raises stays with that record (controlplane/decider/judge.py). An error that nobody foresaw
in the other steps is a doubt too: the same records come one at a time then, and the one that it comes from is not
judged again.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from jobplane.controlplane.core.decide import created_mappings
from jobplane.controlplane.core.facts import Facts
from jobplane.controlplane.core.outcome import answer_of
from jobplane.controlplane.core.reconcile import unstopped_tasks
from jobplane.controlplane.core.request import Request
from jobplane.controlplane.core.state import State
from jobplane.controlplane.core.state_topics import ClosedStates
from jobplane.controlplane.core.step import effects
from jobplane.controlplane.decider.batch import Batch, produce_batch
from jobplane.controlplane.decider.fencing import Fencer
from jobplane.controlplane.decider.judge import Judge, ReceivedRecord, RecordToJudge
from jobplane.controlplane.decider.replies import Replies
from jobplane.controlplane.fetch.groups import Groups
from jobplane.controlplane.fetch.schemas import RegistryLookup
from jobplane.controlplane.fetch.topics import fetch_facts, max_transaction_ms
from jobplane.controlplane.log import control_topics, state_topic
from jobplane.controlplane.topics import CHECKPOINTS, COMMANDS, EVENTS, REPORTS, STATE, TASKS, TOPICS
from jobplane.processors.guard import Fault, log_fault
from jobplane.processors.kafka.abandoning import returns
from jobplane.processors.kafka.cluster import CALL_S, Consumer, Doubt, Fenced, Kafka, Message, assign, poll_ready
from jobplane.processors.kafka.control_topics import ControlTopics
from jobplane.processors.kafka.hanging import TransactionPlace
from jobplane.processors.kafka.judging import judging
from jobplane.processors.kafka.transactions import TransactionalProducer
from jobplane.processors.registry.client import Registry
from jobplane.schemas.errors import JobplaneError
from jobplane.schemas.failures import RecordFailure
from jobplane.schemas.records.events import JobForgotten, uid_of
from jobplane.sql.functions import BUILT_IN, FunctionCatalogue

LOG = logging.getLogger("jobplane.decider")
TRANSACTION_MS = 30_000
WRITTEN_TOPICS = frozenset({EVENTS, STATE, TASKS, CHECKPOINTS})
BATCH = 200
POLL_S = 0.5
"""How often the decider looks whether it must stop, while there is no record."""
MAX_BACKOFF_S, CALM_S = 5.0, 30.0
"""The longest pause before the decider starts again, and how long it must lead until the pauses are short again."""


class End(Enum):
    STOPPED = "told to stop"
    FENCED = "fenced"


class _StopRequested(Exception):
    pass


@dataclass(slots=True)
class DeciderMetrics:
    """What /metrics shows of the decider in this process."""

    leading: bool = False
    verdicts: Counter[str] = field(default_factory=Counter)
    batches: int = 0
    restarts: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    """Faults of jobplane, by the part in which they occurred."""

    def fault(self, met_by: str) -> None:
        self.faults[met_by] += 1

    def count(self, batch: Batch) -> None:
        """Counts a batch that is committed, and the verdicts in it."""
        given = (answer_of(one.event, one.job) for one in batch.events)
        self.verdicts.update(one.verdict for one in given if one is not None)
        self.batches += 1


@dataclass(slots=True)
class Suspects:
    """Finds the record that causes a fault outside its judging: after a fault, records are read one at a time.

    `culprits` are the records found, by topic and offset. If the refusal of a culprit meets a fault too, no record is
    to blame.
    """

    in_hand: list[ReceivedRecord] = field(default_factory=list)
    alone: int = 0
    culprits: dict[tuple[str, int], Fault] = field(default_factory=dict)

    def batch_size(self, otherwise: int) -> int:
        """How many records to read at once."""
        return 1 if self.alone else otherwise

    def take(self, received: Iterable[ReceivedRecord]) -> list[ReceivedRecord]:
        """Starts the work on records; a known culprit is marked with its fault."""
        self.in_hand = [replace(one, fault=self.culprits.get((one.topic, one.offset))) for one in received]
        return self.in_hand

    def blame_batch(self, fault: Fault) -> None:
        """A fault happened while these records were in hand; one record alone is the culprit."""
        if len(self.in_hand) == 1:
            self.culprits[self.in_hand[0].topic, self.in_hand[0].offset] = fault
        self.alone = max(self.alone, len(self.in_hand))
        self.in_hand = []

    def clear(self) -> None:
        """The records in hand met no fault."""
        self.alone = max(0, self.alone - len(self.in_hand))
        self.in_hand = []


class Decider:
    """Runs in its own thread until it is stopped or fenced."""

    def __init__(
        self,
        kafka: Kafka,
        prefix: str,
        tally: DeciderMetrics,
        stop: threading.Event,
        groups: Groups,
        session_timeout: float = 6.0,
        registry: Registry | None = None,
        judge: Judge | None = None,
        functions: FunctionCatalogue = BUILT_IN,
    ) -> None:
        self._functions = functions
        self._registry, self._schemas = registry, dict[int, str]()
        self._kafka, self._prefix, self._tally, self._stop = kafka, prefix, tally, stop
        self._fencer = Fencer(kafka, prefix, groups, session_timeout)
        self._next_offsets: dict[str, int] = {}
        self._judge = judge or Judge(prefix, tally.fault)
        self._suspects = Suspects()

    def run(self) -> End:
        """Raises JobplaneError (NewerState, NotSetUp, KafkaRefused …) if a restart would not help."""
        backoff = 0.1
        while True:
            began = time.monotonic()
            try:
                with judging():
                    self._lead()
            except _StopRequested:
                return End.STOPPED
            except Fenced:
                return End.FENCED
            except Doubt as doubt:
                LOG.warning("the decider starts again: %s", doubt)
            except Exception as error:
                # the guard of the decider, docs/decisions/0016
                if isinstance(error, JobplaneError) and not isinstance(error, RecordFailure):
                    raise  # it names what a person must change first
                self._tally.fault("decider")
                self._suspects.blame_batch(log_fault(error, "the decider starts again"))
            finally:
                self._tally.leading = False
                self._fencer.forget_all()
                self._suspects.in_hand = []
            self._tally.restarts += 1
            backoff = 0.1 if time.monotonic() - began > CALM_S else min(backoff * 2, MAX_BACKOFF_S)
            if self._stop.wait(backoff):
                return End.STOPPED

    def _alive(self) -> None:
        if self._stop.is_set():
            raise _StopRequested

    def _lead(self) -> None:
        kafka, prefix = self._kafka, self._prefix
        began = time.monotonic()
        # 1
        producer = TransactionalProducer(
            kafka, f"{prefix}decider", TRANSACTION_MS, f"{prefix}{COMMANDS}", self._alive, _transaction_place(prefix)
        )
        # 2
        state = self._read_state()
        consumer = ControlTopics(kafka, prefix).follower()
        self._replies = Replies(kafka)
        try:
            plane, limit = control_topics.plane_id(kafka, prefix), max_transaction_ms(kafka)
            # 3
            self._assign(consumer, state)
            LOG.info("the decider leads from %s after %.2f s", state.position, time.monotonic() - began)
            self._tally.leading = True
            for job in state.jobs.values():
                self._fencer.watch(job.uid, unstopped_tasks(job))
            existing = ControlTopics(kafka, prefix).job_states(kafka.topic_names())
            self._closed_states = ClosedStates(state, existing)
            self._fencer.delete_states(self._closed_states.released(state))
            while True:
                self._alive()
                messages = poll_ready(consumer, self._suspects.batch_size(BATCH), POLL_S)
                if messages:
                    self._batch(producer, state, self._suspects.take(map(self._received, messages)), plane, limit)
                    self._suspects.clear()
                if producer.suspect:
                    raise Doubt(producer.suspect)
                producer.poll()
                self._fencer.tick()
        finally:
            self._replies.close()
            returns(consumer.close, CALL_S)

    def _read_state(self) -> State:
        reader = ControlTopics(self._kafka, self._prefix).state_reader()
        try:
            return state_topic.read_state(self._kafka, reader, self._prefix, self._alive)
        finally:
            returns(reader.close, CALL_S)

    def _assign(self, consumer: Consumer, state: State) -> None:
        """Reads on from the position; if retention has deleted those reports, from the first that is left."""
        wanted = {COMMANDS: state.position.commands, REPORTS: state.position.reports}
        topics = {name: (f"{self._prefix}{name}", 0) for name in wanted}
        first = self._kafka.first_offsets(list(topics.values()))
        self._next_offsets = {name: max(offset, first[topics[name]]) for name, offset in wanted.items()}
        assign(consumer, {topics[name]: offset for name, offset in self._next_offsets.items()})

    def _received(self, message: Message) -> ReceivedRecord:
        headers: Any = message.headers()
        topic = (message.topic() or "").removeprefix(self._prefix)
        return ReceivedRecord(topic, message.offset() or 0, message.timestamp()[1], message.value(), headers)

    def _batch(
        self, producer: TransactionalProducer, state: State, received: list[ReceivedRecord], plane: str, limit: int
    ) -> None:
        registry = RegistryLookup(self._registry, self._schemas)
        records = [self._judge.prepare(one, registry) for one in received]
        # 4
        facts = self._facts(state, records, plane, limit)
        # 5
        batch = Batch()
        for record in records:
            events, facts = record.verdict(state, facts)
            batch.add(effects(state, events))
            self._next_offsets[record.received.topic] = record.received.offset + 1
        batch.advance_position(state, self._next_offsets[COMMANDS], self._next_offsets[REPORTS])
        # 6
        if batch:
            producer.begin()
            produce_batch(producer, self._prefix, batch)
            producer.flush(TRANSACTION_MS / 1000, self._alive)
            producer.commit()
            self._tally.count(batch)
            for uid in {uid_of(one.event.body) for one in batch.events} & state.jobs.keys():
                self._fencer.watch(uid, unstopped_tasks(state.jobs[uid]))
            for one in batch.events:
                if isinstance(one.event.body, JobForgotten):
                    self._fencer.delete_group(one.event.body.uid)
            happened = [one.event for one in batch.events]
            if ClosedStates.may_release(happened):
                self._fencer.delete_states(self._closed_states.released(state, happened))
            # 7
            for reply in batch.replies:
                self._replies.offer(reply)

    def _facts(self, state: State, records: Sequence[RecordToJudge], plane: str, limit: int) -> Facts:
        topics, instants = set[str](), set[tuple[str, int]]()
        created = created_mappings(one.content for one in records if isinstance(one.content, Request))
        for record in records:
            more, at = record.needed_topics(state, created)
            topics, instants = topics | more, instants | at
        if not topics:
            return Facts(plane, max_transaction_ms=limit, functions=self._functions)
        return fetch_facts(self._kafka, plane, limit, topics, instants, self._functions)


def _transaction_place(prefix: str) -> TransactionPlace:
    """The topics of the decider's transactions; only the decider writes to `state`."""
    written = {f"{prefix}{topic.name}": range(topic.partitions) for topic in TOPICS if topic.name in WRITTEN_TOPICS}
    return TransactionPlace(f"{prefix}{STATE}", 0, lambda key: True, written)
