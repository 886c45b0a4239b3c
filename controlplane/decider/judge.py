"""Judges the records of the logs behind one guard: no content of a command or report may stop the decider.

An unforeseen error while a command is read, parsed or judged refuses that command (`internal-error`); an unforeseen
error in a report drops that report. Events are encoded before they are folded, so a command whose events cannot be
written is refused. A crash of the process itself, such as a segmentation fault, cannot be guarded against.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from jobplane.controlplane.core.decide import needed_topics
from jobplane.controlplane.core.facts import Facts
from jobplane.controlplane.core.request import Request, parse_request
from jobplane.controlplane.core.state import State
from jobplane.controlplane.core.step import EncodedEvent, StepInput, encode_events, judge
from jobplane.controlplane.fetch.schemas import RegistryLookup
from jobplane.controlplane.topics import COMMANDS
from jobplane.processors.guard import Fault, log_fault
from jobplane.processors.kafka.cluster import Doubt, Fenced, KafkaException
from jobplane.schemas.errors import InternalError, Refused
from jobplane.schemas.records.events import Cause, CommandRefused
from jobplane.schemas.records.reports import Report, ReportKind
from jobplane.schemas.wire.codec import UnknownRecord, decode
from jobplane.schemas.wire.command_record import Headers, ReceivedCommand, read_command

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ReceivedRecord:
    """A record of `commands` or `reports`; `topic` is without the prefix. With a `fault` it is not judged again."""

    topic: str
    offset: int
    time: int
    value: bytes | None
    headers: Headers | None = None
    fault: Fault | None = None

    @property
    def is_command(self) -> bool:
        return self.topic == COMMANDS

    def __str__(self) -> str:
        return f"{'command' if self.is_command else 'report'} at offset {self.offset}"


@dataclass(frozen=True, slots=True)
class Judge:
    """`count` is called with what met a fault, a command or a report. `judge` decides; it is pure."""

    prefix: str
    count: Callable[[str], None]
    judge: Callable[[State, StepInput, Facts, str], tuple[EncodedEvent, ...]] = judge

    def prepare(self, received: ReceivedRecord, registry: RegistryLookup) -> "RecordToJudge":
        """The record, decoded and parsed, ready for its verdict."""
        record = RecordToJudge(self, received, registry)
        record.read()
        return record


@dataclass(slots=True)
class RecordToJudge:
    """One record on its way to its verdict. `content` is None if it is not a report: anyone may write."""

    judge: Judge
    received: ReceivedRecord
    registry: RegistryLookup
    content: Request | Report | None = None

    def read(self) -> None:
        """Decodes and parses the record. An error becomes the content of a request, which refuses it."""
        one = self.received
        if not one.is_command:
            self.content = self._guarded(self._read_report, lambda _: None)
            return
        read = partial(read_command, one.offset, one.time, one.value, one.headers, self.judge.prefix)
        command = self._guarded(lambda: self.registry.read_with(read), self._unread)
        if one.fault is not None:
            self.content = Request(command, error=_internal_error(one.fault))
        else:
            self.content = self._guarded(lambda: parse_request(command), lambda error: Request(command, error=error))

    def _read_report(self) -> Report | None:
        try:
            return None if self.received.fault else decode(self.received.value or b"", Report)
        except UnknownRecord:
            return None

    def _unread(self, error: Refused) -> ReceivedCommand:
        one, data = self.received, self.received.value or b""
        return ReceivedCommand(one.offset, one.time, "", "", hashlib.sha256(data).hexdigest(), len(data), error)

    def needed_topics(self, state: State, created: Mapping[str, set[str]]) -> tuple[set[str], set[tuple[str, int]]]:
        """Topics, and (topic, instant) pairs, whose facts the verdict needs; for `created` see `created_mappings`."""
        match self.content:
            case Request() as request:

                def refused(error: Refused) -> tuple[set[str], set[tuple[str, int]]]:
                    self.content = Request(request.command, error=error)
                    return set(), set()

                return self._guarded(lambda: needed_topics(state, request, self.judge.prefix, created), refused)
            case Report(said=ReportKind.SNAPSHOTTED, uid=uid) if uid in state.jobs:
                return {sink.topic for sink in state.jobs[uid].sinks}, set()
        return set(), set()

    def verdict(self, state: State, facts: Facts) -> tuple[tuple[EncodedEvent, ...], Facts]:
        """The events, the first of a command's is its outcome; and the facts with the registry's answers to it."""
        if self.content is None:
            return (), facts
        given = StepInput(self.cause, self.received.time, self.content)

        def refused(error: Refused) -> tuple[tuple[EncodedEvent, ...], Facts]:
            if isinstance(given.content, Report):
                return (), facts
            place, length = error.place, given.content.command.length
            refusal = CommandRefused(error.code, error.message, place.line, place.column, length)
            return encode_events(state, given, (refusal,)), facts

        def judged(known: Facts) -> tuple[EncodedEvent, ...]:
            return self.judge.judge(state, given, known, self.judge.prefix)

        return self._guarded(lambda: self.registry.judge_with(facts, judged), refused)

    @property
    def cause(self) -> Cause:
        """The record as its events name it."""
        at = self.received.topic, self.received.offset, self.received.offset + 1
        if not isinstance(self.content, Request):
            return Cause(*at)
        said = self.content.command
        return Cause(*at, said.given_id, said.digest, said.issued_by, said.traceparent, said.reply_to)

    def _guarded(self, act: Callable[[], T], otherwise: Callable[[Refused], T]) -> T:
        """The guard: `otherwise` handles every error, foreseen or not, except Kafka's, which the decider handles."""
        try:
            return act()
        except (Doubt, Fenced, KafkaException):
            raise
        except Exception as error:  # noqa: BLE001  # the guard of judging, docs/decisions/0016
            if isinstance(error, Refused) and self.received.is_command:
                return otherwise(error)
            self.judge.count("command" if self.received.is_command else "report")
            return otherwise(_internal_error(log_fault(error, str(self.received))))


def _internal_error(fault: Fault) -> InternalError:
    return InternalError(
        f"judging the statement met a fault of jobplane ({fault}), and nothing was changed; the worker's log has "
        "details under this reference: report it, and until it is fixed write the statement in another way"
    )
