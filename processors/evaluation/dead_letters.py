"""Dead letters: how a record that failed is written to the dead-letter topic, and how it is read again.

A dead letter has the key, value, headers and timestamp of the record. Headers of our own say what went wrong, and hold
the timestamp too, because a topic may replace the timestamp of a record.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from jobplane.processors.evaluation.place import Place, place_of
from jobplane.processors.kafka.cluster import Message
from jobplane.schemas.failures import RecordFailure, RecordTooLarge

JOB, UID, SOURCE = "jobplane-job", "jobplane-uid", "jobplane-source"
TIME, CODE, REASON = "jobplane-timestamp", "jobplane-code", "jobplane-reason"
OWN = frozenset({JOB, UID, SOURCE, TIME, CODE, REASON})
LONGEST_REASON = 1_000
OVERHEAD = 100
"""More bytes than a record batch has around its one record."""
_SOURCE = re.compile(r"(?P<topic>.+)-(?P<partition>\d{1,9})@(?P<offset>\d{1,18})", re.ASCII)
_TIME = re.compile(r"\d{1,18}", re.ASCII)


def letter(topic: str, job: str, uid: str, message: Message, failure: RecordFailure) -> tuple[Any, ...]:
    """The arguments of Producer.produce. Headers of an earlier dead letter are replaced."""
    kind, time = message.timestamp()
    own = {
        JOB: job,
        UID: uid,
        SOURCE: place_of(message),
        TIME: str(time) if kind else "",
        CODE: failure.code,
        REASON: failure.message[:LONGEST_REASON],
    }
    _, others = headers_of(message)
    headers = [*others, *((name, text.encode()) for name, text in own.items())]
    return topic, message.value(), message.key(), -1, None, None, time if kind else 0, headers


def headers_of(message: Message) -> tuple[dict[str, str], list[tuple[str, Any]]]:
    """Our own headers, as text, and the other headers unchanged."""
    held: Any = message.headers() or ()
    own = {name: (value or b"").decode(errors="replace") for name, value in held if name in OWN}
    return own, [(name, value) for name, value in held if name not in OWN]


@dataclass(frozen=True, slots=True)
class DeadLetterWriter:
    """Writes dead letters of at most `limit` bytes to `topic`, with the job's name and uid."""

    produce: Callable[..., None]
    when_full: Callable[..., None]
    topic: str
    limit: int
    job: str
    uid: str

    def write(self, message: Message, failure: RecordFailure) -> None:
        """Raises RecordTooLarge where the topic does not take a record of this size."""
        record = letter(self.topic, self.job, self.uid, message, failure)
        self._require_size(record, message, failure)
        try:
            self.produce(*record)
        except BufferError:
            self.when_full(*record)

    def _require_size(self, record: tuple[Any, ...], message: Message, failure: RecordFailure) -> None:
        topic, value, key, *_, headers = record
        size = sum(len(one or b"") for one in (value, key)) + sum(len(name) + len(one or b"") for name, one in headers)
        if size + OVERHEAD <= self.limit:
            return
        too_large = RecordTooLarge(
            f"its dead letter is larger than the {self.limit} bytes '{topic}' takes; raise max.message.bytes of the "
            "topic, then RESUME, or ALTER JOB … OPTIONS (onError 'skip') RESUME; the record's own failure: "
            f"{failure.message}"
        )
        too_large.at = place_of(message)
        raise too_large


class Letter:
    """A dead letter read as the record that failed: with its place and timestamp, without our own headers.

    `record` is the dead letter itself.
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
    """The dead letters of a job among the records of a topic. A record without our headers belongs to no job."""
    return [letter for message in messages if (letter := _letter(uid, message)) is not None]


def _letter(uid: str, message: Message) -> Letter | None:
    own, others = headers_of(message)
    found = _SOURCE.fullmatch(own.get(SOURCE, ""))
    if own.get(UID) != uid or found is None:
        return None
    source = found["topic"], int(found["partition"]), int(found["offset"])
    time = own.get(TIME, "")
    return Letter(message, source, (1, int(time)) if _TIME.fullmatch(time) else (0, -1), others)
