"""What becomes of a record that cannot be read, evaluated or written, as a table: the job's onError decides.

A dead letter is the record as it was read: key, value, headers, timestamp; what went wrong is in headers of our own,
and the timestamp too, because a topic may set its own. It is written where the output is: in one transaction with
offsets and checkpoint.
"""

from collections.abc import Callable
from typing import Any

from processors.kafka import Message
from schemas.failures import RecordFailure, RecordTooLarge
from schemas.options import OnError

JOB, UID, SOURCE = "jobplane-job", "jobplane-uid", "jobplane-source"
TIME, CODE, REASON = "jobplane-timestamp", "jobplane-code", "jobplane-reason"
OWN = frozenset({JOB, UID, SOURCE, TIME, CODE, REASON})
LONGEST_REASON = 1_000
OVERHEAD = 100
"""Bytes of a record batch round its one record, and then some."""
Place = tuple[str, int, int]
Treat = Callable[[Message, RecordFailure], bool]
"""Whether the task goes on with the record after it. Raises RecordFailure where its dead letter cannot be written."""


def letter(topic: str, job: str, uid: str, message: Message, failure: RecordFailure) -> tuple[Any, ...]:
    """The arguments of Producer.produce. Headers of an earlier dead letter are replaced."""
    kind, time = message.timestamp()
    said = {
        JOB: job,
        UID: uid,
        SOURCE: place_of(message),
        TIME: str(time) if kind else "",
        CODE: failure.code,
        REASON: failure.message[:LONGEST_REASON],
    }
    _, kept = headers_of(message)
    headers = [*kept, *((name, text.encode()) for name, text in said.items())]
    return topic, message.value(), message.key(), -1, None, None, time if kind else 0, headers


def headers_of(message: Message) -> tuple[dict[str, str], list[tuple[str, Any]]]:
    """What our own headers say, as text, and the others as they are."""
    held: Any = message.headers() or ()
    said = {name: (value or b"").decode(errors="replace") for name, value in held if name in OWN}
    return said, [(name, value) for name, value in held if name not in OWN]


def place_of(message: Message) -> str:
    """`topic-partition@offset`"""
    return f"{message.topic()}-{message.partition()}@{message.offset()}"


def position(message: Message) -> Place:
    """Topic, partition and offset."""
    return message.topic() or "", message.partition() or 0, message.offset() or 0


def checked(record: tuple[Any, ...], limit: int, message: Message, failure: RecordFailure) -> tuple[Any, ...]:
    """The dead letter. Raises RecordTooLarge where it is larger than the `limit` bytes its topic takes."""
    topic, value, key, *_, headers = record
    size = sum(len(one or b"") for one in (value, key)) + sum(len(name) + len(one or b"") for name, one in headers)
    if size + OVERHEAD <= limit:
        return record
    untaken = RecordTooLarge(
        f"its dead letter is larger than the {limit} bytes '{topic}' takes; raise max.message.bytes of the topic, then "
        f"RESUME, or ALTER JOB … OPTIONS (onError 'skip') RESUME; what was wrong with it: {failure.message}"
    )
    untaken.at = place_of(message)
    raise untaken


def sized(produce: Callable[..., None], limit: int) -> Callable[..., None]:
    """Producer.produce that raises RecordTooLarge for a value and key of more than `limit` bytes.

    The client takes what the larger of sink and dead-letter topic takes, so it does not say so by itself.
    """

    def produce_if_not_too_large(topic: str, value: bytes | None, key: bytes | str | None, *rest: Any) -> None:
        if len(value or b"") + len(key or b"") > limit:
            raise RecordTooLarge("too large for its topic")
        produce(topic, value, key, *rest)

    return produce_if_not_too_large


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
