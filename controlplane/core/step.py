"""One step of the control plane: a state, an input and facts become everything that follows from them.

A step has two halves. `judge` decides, and performs nothing: if it raises, nothing has happened. `effects` folds
the events into the state, in place, since a copy of ten thousand jobs would cost most; it cannot fail.
The decider guards the first half, dry runs and tests call both by `step`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from jobplane.controlplane.core.decide import decide
from jobplane.controlplane.core.decide.reports import decide_report
from jobplane.controlplane.core.evolve import evolve, job_name
from jobplane.controlplane.core.facts import Facts
from jobplane.controlplane.core.outcome import Reply, reply_to
from jobplane.controlplane.core.reconcile import Write, reconcile
from jobplane.controlplane.core.request import Request
from jobplane.controlplane.core.state import POSITION, Changes, State
from jobplane.schemas.errors import StatementTooLarge
from jobplane.schemas.records.events import Body, Cause, Event
from jobplane.schemas.records.reports import Report
from jobplane.schemas.wire.codec import encode

LARGEST_EVENT = 900_000
"""Bytes: Kafka's client takes records of a million, with their keys."""


@dataclass(frozen=True, slots=True)
class StepInput:
    """A command or a report. `cause` names its record; `time` is the record's, in epoch milliseconds."""

    cause: Cause
    time: int
    content: Request | Report


@dataclass(frozen=True, slots=True)
class EncodedEvent:
    """An event and its bytes."""

    event: Event
    data: bytes


@dataclass(frozen=True, slots=True)
class KeyedEvent:
    """An event as it is written: the name of its job, which is empty if it has none, and its bytes."""

    event: Event
    job: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Effects:
    """Everything that follows from an input: what the decider writes, then the copies of outcomes it sends."""

    events: tuple[KeyedEvent, ...] = ()
    changes: Changes = field(default_factory=dict)
    writes: tuple[Write, ...] = ()
    replies: tuple[Reply, ...] = ()


def step(state: State, given: StepInput, facts: Facts, prefix: str) -> Effects:
    """Judges an input and folds what follows into the state. Raises what `judge` raises."""
    return effects(state, judge(state, given, facts, prefix))


def judge(state: State, given: StepInput, facts: Facts, prefix: str) -> tuple[EncodedEvent, ...]:
    """The events that follow; the first of a command's is its outcome. Raises NotFetched, StatementTooLarge."""
    if isinstance(given.content, Report):
        return encode_events(state, given, decide_report(state, given.content, facts, given.time))
    return encode_events(state, given, decide(state, given.content, facts, prefix))


def encode_events(state: State, given: StepInput, bodies: Iterable[Body]) -> tuple[EncodedEvent, ...]:
    """The next events, in their order. Raises StatementTooLarge."""
    seq = state.position.seq
    events = [Event(seq + i, given.time, given.cause, body) for i, body in enumerate(bodies, 1)]
    encoded = tuple(EncodedEvent(event, encode(event)) for event in events)
    if any(len(one.data) > LARGEST_EVENT for one in encoded):
        raise StatementTooLarge(
            f"an event of the statement is larger than the limit of {LARGEST_EVENT:,} bytes; "
            "read fewer topics in one job, or give their mappings smaller schemas"
        )
    return encoded


def effects(state: State, events: Iterable[EncodedEvent]) -> Effects:
    """Folds events into the state; returns what must be written and sent for them."""
    keyed, changes, writes, replies = list[KeyedEvent](), Changes(), list[Write](), list[Reply]()
    for one in events:
        job = job_name(state, one.event)
        keyed.append(KeyedEvent(one.event, job, one.data))
        changed = evolve(state, one.event)
        before = {key: state.get(key) for key in changed}
        state.apply(changed)
        changes.pop(POSITION, None)
        changes |= changed
        writes += reconcile(before, state)
        if reply := reply_to(one.event, job, state):
            replies.append(reply)
    return Effects(tuple(keyed), changes, tuple(writes), tuple(replies))
