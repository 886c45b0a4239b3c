"""A past of a million commands, made in memory by the decisions themselves and produced as the decider writes it.

Ten thousand jobs live a hundred commands each: created, run, changed, refused, repeated and dropped, a hundred of them
at a time. One in fifty is left, suspended. Every command has an id of its own, as those of `jobplane sql` have.
"""

import time
from collections.abc import Iterator
from functools import lru_cache

from confluent_kafka import Producer

from jobplane.controlplane.core.facts import Facts, TopicFacts
from jobplane.controlplane.core.request import Request, parse_request
from jobplane.controlplane.core.state import State
from jobplane.controlplane.core.step import StepInput, step
from jobplane.controlplane.decider.batch import Batch
from jobplane.controlplane.log import control_topics
from jobplane.controlplane.topics import COMMANDS, EVENTS, REPORTS, STATE
from jobplane.processors.kafka.cluster import Kafka
from jobplane.schemas.changed import replace
from jobplane.schemas.records.commands import COMMAND_ID
from jobplane.schemas.records.events import Cause
from jobplane.schemas.records.reports import Report, ReportKind
from jobplane.schemas.records.state import Job, encode_key
from jobplane.schemas.wire.codec import encode
from jobplane.schemas.wire.command_record import read_command
from tests.bench.bench import progress
from tests.support.system import System

TOGETHER, LEFT = 100, 50
"""Jobs that live at a time; of so many jobs one is left."""
BATCH = 200
CREATE = "CREATE JOB {} AS INSERT INTO b SELECT id, amount * 2 AS doubled FROM a WHERE amount > 50"
ROUND = ("ALTER JOB {} SUSPEND", "ALTER JOB {} SUSPEND", "ALTER JOB {} RESUME", "ALTER JOB {} RESUME")
"""Accepted, refused, accepted, unchanged."""
Headers = list[tuple[str, str | bytes | None]]
Said_ = tuple[str, str] | ReportKind
"""A command, with its id where that is not to be a new one; or what the job's task reports."""


class Past:
    """Produces commands, reports, events, state and tasks to the topics of a plane, which have just been made."""

    def __init__(self, plane: System) -> None:
        kafka = Kafka(plane.bootstrap)
        control_topics.ensure_topics(kafka, plane.settings)
        self._prefix = plane.prefix
        self._producer = Producer({"bootstrap.servers": plane.bootstrap, "linger.ms": 20, "log_level": 3})
        self._facts = Facts(
            control_topics.plane_id(kafka, plane.prefix), {one: TopicFacts(one, (0,), (9,)) for one in "ab"}
        )
        self._batch = Batch()
        self._now = round(time.time() * 1000) - 86_400_000
        self.state = State()
        self.commands = self.reports = 0

    def live(self, commands: int) -> None:
        """Every job has its hundredth of the commands."""
        jobs = commands // 100
        for first in range(0, jobs, TOGETHER):
            lives = [
                (f"j{at}", _life(f"j{at}", stays=at % LEFT == 0)) for at in range(first, min(first + TOGETHER, jobs))
            ]
            while lives:
                lives = [(name, life) for name, life in lives if self._step(name, next(life, None))]
            if first % 1_000 == 0:
                progress(f"{self.commands:,} commands, {self.state.position.seq:,} events")
        self._write()
        while self._producer.flush(10):
            pass

    def _step(self, name: str, said: Said_ | None) -> bool:
        self._now += 1
        if said is None:
            return False
        if isinstance(said, ReportKind):
            self._report(name, said)
        else:
            self._command(*said)
        if len(self._batch.events) >= BATCH:
            self._write()
        return True

    def _command(self, text: str, given_id: str) -> None:
        offset, value = self.commands, text.encode()
        headers: Headers = [(COMMAND_ID, (given_id or f"5f0c1f6e-0000-4000-8000-{offset:012}").encode())]
        command = read_command(offset, self._now, value, headers, self._prefix)
        self._produce(COMMANDS, value, None, headers)
        self.commands += 1
        cause = Cause(COMMANDS, offset, offset + 1, command.given_id, command.digest)
        request = replace(_request(text), command=command)
        self._batch.add(step(self.state, StepInput(cause, self._now, request), self._facts, self._prefix))

    def _report(self, name: str, said: ReportKind) -> None:
        uid = self.state.names.get(name) or self.state.closing[name]
        job: Job = self.state.jobs[uid]
        attempt = job.tasks[0].attempt + (said is ReportKind.RUNNING)
        report = Report(uid, 0, job.generation, attempt, said, "worker")
        self._produce(REPORTS, encode(report), f"{uid}/0")
        cause = Cause(REPORTS, self.reports, self.reports + 1)
        self.reports += 1
        self._batch.add(step(self.state, StepInput(cause, self._now, report), self._facts, self._prefix))

    def _write(self) -> None:
        for one in self._batch.events:
            self._produce(EVENTS, one.data, one.job)
        for key, record in self._batch.changes.items():
            self._produce(STATE, encode(record) if record is not None else None, encode_key(key))
        for write in self._batch.writes:
            value = encode(write.task) if write.task is not None else None
            self._produce(write.topic, value, write.key, partition=write.partition)
        self._batch = Batch()

    def _produce(
        self,
        topic: str,
        value: bytes | None,
        key: str | bytes | None,
        headers: Headers | None = None,
        partition: int = 0,
    ) -> None:
        while True:
            try:
                self._producer.produce(
                    f"{self._prefix}{topic}", value, key, partition, timestamp=self._now, headers=headers or []
                )
            except BufferError:
                self._producer.poll(0.1)
            else:
                break


def _life(name: str, *, stays: bool) -> Iterator[Said_]:
    """A hundred commands."""
    create = CREATE.format(name)
    yield create, f"create-{name}"
    yield ReportKind.RUNNING
    for at in range(96):
        yield ROUND[at % len(ROUND)].format(name), ""
    yield create, f"create-{name}"
    yield ReportKind.RUNNING
    if stays:
        yield ROUND[0].format(name), ""
        yield "DROP JOB IF EXISTS nobody", ""
    else:
        yield f"DROP JOB {name}", ""
        yield "this is no statement", ""
    yield ReportKind.STOPPED


@lru_cache(4096)
def _request(text: str) -> Request:
    return parse_request(read_command(0, 0, text.encode(), [], "-"))
