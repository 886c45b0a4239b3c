"""What becomes of a record that cannot be read, evaluated or written, as a table: the job's onError decides.

A dead letter is the record as it was read: key, value, headers, timestamp; what went wrong is in headers of our own.
It is written where the output is: in one transaction with offsets and checkpoint.
"""

from collections.abc import Callable
from typing import Any

from processors.kafka import Message
from schemas.failures import RecordFailure
from schemas.options import OnError

DEAD_LETTERS = "dead-letters"
JOB, UID, SOURCE = "jobplane-job", "jobplane-uid", "jobplane-source"
CODE, REASON = "jobplane-code", "jobplane-reason"
OWN = frozenset({JOB, UID, SOURCE, CODE, REASON})
LONGEST_REASON = 1_000
Treat = Callable[[Message, RecordFailure], bool]
"""Whether the task goes on with the record after it."""


def letter(topic: str, job: str, uid: str, message: Message, failure: RecordFailure) -> tuple[Any, ...]:
    """The arguments of Producer.produce. Headers of an earlier dead letter are replaced."""
    why = failure.message[:LONGEST_REASON]
    said = {JOB: job, UID: uid, SOURCE: place_of(message), CODE: failure.code, REASON: why}
    held: Any = message.headers() or ()
    kept = [(name, value) for name, value in held if name not in OWN]
    headers = [*kept, *((name, text.encode()) for name, text in said.items())]
    time = message.timestamp()
    timestamp = time[1] if time[0] else 0
    return topic, message.value(), message.key(), -1, None, None, timestamp, headers


def place_of(message: Message) -> str:
    """`topic-partition@offset`"""
    return f"{message.topic()}-{message.partition()}@{message.offset()}"


def topic_of(named: str, prefix: str) -> str:
    """Where a job's dead letters go."""
    return named or f"{prefix}{DEAD_LETTERS}"


def treatment(on_error: OnError, count: Callable[[str], None], send: Callable[[Message, RecordFailure], None]) -> Treat:
    """`count` is told the code of a record left out, `send` writes a dead letter."""

    def fail(_: Message, __: RecordFailure) -> bool:
        return False

    def skip(_: Message, failure: RecordFailure) -> bool:
        count(failure.code)
        return True

    def dead_letter(message: Message, failure: RecordFailure) -> bool:
        send(message, failure)
        count(failure.code)
        return True

    return {OnError.FAIL: fail, OnError.SKIP: skip, OnError.DEAD_LETTER: dead_letter}[on_error]
