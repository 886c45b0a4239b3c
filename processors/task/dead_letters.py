"""Dead letters: how a record that was put aside is written, and how it is read as the record it was.

It has the record's key, value, headers and timestamp; what went wrong is in headers of our own, and the timestamp too,
because a topic may set its own.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

from jobplane.processors.kafka.cluster import Message
from jobplane.processors.task.on_error import Place, place_of
from jobplane.schemas.failures import RecordFailure, RecordTooLarge

JOB, UID, SOURCE = "jobplane-job", "jobplane-uid", "jobplane-source"
TIME, CODE, REASON = "jobplane-timestamp", "jobplane-code", "jobplane-reason"
OWN = frozenset({JOB, UID, SOURCE, TIME, CODE, REASON})
LONGEST_REASON = 1_000
OVERHEAD = 100
"""Bytes of a record batch round its one record, and then some."""
_SOURCE = re.compile(r"(?P<topic>.+)-(?P<partition>\d{1,9})@(?P<offset>\d{1,18})", re.ASCII)
_TIME = re.compile(r"\d{1,18}", re.ASCII)


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


def sending(
    produce: Callable[..., None], when_full: Callable[..., None], topic: str, limit: int, job: str, uid: str
) -> Callable[[Message, RecordFailure], None]:
    """Writes dead letters of at most `limit` bytes to their topic, with the job's name and uid."""

    def send(message: Message, failure: RecordFailure) -> None:
        record = checked(letter(topic, job, uid, message, failure), limit, message, failure)
        try:
            produce(*record)
        except BufferError:
            when_full(*record)

    return send


class Letter:
    """A dead letter as the record it was: where it lay and when, without the headers that say what was wrong.

    `record` is the letter itself.
    """

    __slots__ = ("_headers", "_offset", "_partition", "_timestamp", "_topic", "key", "record", "value")

    def __init__(self, record: Message, source: Place, time: tuple[int, int], headers: list[tuple[str, Any]]) -> None:
        self._topic, self._partition, self._offset = source
        self._timestamp, self._headers = time, headers or None
        self.record, self.key, self.value = record, record.key, record.value

    def topic(self) -> str:
        return self._topic

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int:
        return self._offset

    def timestamp(self) -> tuple[int, int]:
        return self._timestamp

    def headers(self) -> list[tuple[str, Any]] | None:
        return self._headers


def letters_of(uid: str, messages: Iterable[Message]) -> list[Any]:
    """The dead letters of a job among those of a topic. What does not say whose and which it is, is nobody's."""
    return [letter for message in messages if (letter := _letter(uid, message)) is not None]


def _letter(uid: str, message: Message) -> Letter | None:
    said, kept = headers_of(message)
    found = _SOURCE.fullmatch(said.get(SOURCE, ""))
    if said.get(UID) != uid or found is None:
        return None
    source = found["topic"], int(found["partition"]), int(found["offset"])
    time = said.get(TIME, "")
    return Letter(message, source, (1, int(time)) if _TIME.fullmatch(time) else (0, -1), kept)
