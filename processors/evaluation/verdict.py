"""The verdict on a record that cannot be read, evaluated or written: what is wrong, and what is done with the record.

A record whose failure is known, and of which nothing is in the open transaction, is treated as onError says. A record
of which a part is in the open transaction, or which Kafka has refused, is left out when the task begins again.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from jobplane.processors.evaluation.place import Place, place_of, position
from jobplane.processors.guard import fault_of
from jobplane.processors.kafka.cluster import Doubt, Fenced, KafkaException, Message, judged
from jobplane.schemas.failures import BadRecord, LateRecord, RecordFailure, RecordTooLarge, Unreadable, WithoutKey
from jobplane.schemas.formats.looks import format_hint
from jobplane.schemas.options import OnError
from jobplane.sql.runtime.operations import bad_record

FORESEEN = (BadRecord, ArithmeticError, RecursionError, ValueError, MemoryError)
"""What evaluating a bad record raises. Any other exception is a fault of jobplane."""


class Interrupted(Exception):
    """The evaluation of a record ends early, and the record is not the reason."""


class Treatment(StrEnum):
    """What is done with a record that failed."""

    SKIP = "skip"
    """Count the record, and continue with the next one."""
    DEAD_LETTER = "dead letter"
    """Write the record to the dead-letter topic, count it, and continue with the next one."""
    STOP = "stop"
    """Commit what comes before the record, then fail."""
    LEAVE_OUT = "leave out"
    """Begin again from the last commit, and treat the record as onError says when it is read the next time."""


TREATMENTS = {OnError.FAIL: Treatment.STOP, OnError.SKIP: Treatment.SKIP, OnError.DEAD_LETTER: Treatment.DEAD_LETTER}


@dataclass(frozen=True, slots=True)
class Verdict:
    """`fault` is the exception if it is a fault of jobplane, for the log."""

    record: Message
    failure: RecordFailure
    treatment: Treatment
    fault: Exception | None = None


@dataclass(frozen=True, slots=True)
class RecordPolicy:
    """How the records of one job are judged: by onError and onLate, what the sinks take, the dead-letter topic.

    `limits` are the sizes in bytes of the largest records that the topics take that the job writes to. The defaults
    judge a record that nobody writes to Kafka.
    """

    on_error: OnError = OnError.SKIP
    limits: Mapping[str, int] = field(default_factory=dict)
    letters: str = ""
    on_late: OnError = OnError.SKIP

    def verdict(self, error: Exception, message: Message, *, partly_written: bool = False) -> Verdict:
        """The verdict on a record whose evaluation raised `error`.

        `partly_written`: the open transaction may hold some of the records that this one gives. Raises the error itself
        where no record is the reason for it.
        """
        if isinstance(error, Fenced | Doubt | Interrupted):
            raise error
        failure = judged(error) if isinstance(error, KafkaException) else error
        if isinstance(failure, LateRecord):
            return self.treated(self.at_record(failure, message), message)
        if isinstance(failure, RecordTooLarge | WithoutKey):
            if not partly_written:
                return self.treated(self.at_record(failure, message), message)
            if self.on_error is OnError.FAIL and isinstance(failure, RecordTooLarge):
                raise error  # the records before it are committed first
            return Verdict(message, self.at_record(failure, message), Treatment.LEAVE_OUT)
        if isinstance(error, KafkaException):
            raise error
        verdict = self.treated(failure_of_record(error, message), message)
        return verdict if isinstance(error, FORESEEN) else Verdict(message, verdict.failure, verdict.treatment, error)

    def treated(self, failure: RecordFailure, message: Message) -> Verdict:
        """The verdict that onError gives, or onLate for a late record."""
        option = self.on_late if isinstance(failure, LateRecord) else self.on_error
        return Verdict(message, failure, TREATMENTS[option])

    def at_record(self, failure: RecordFailure, message: Message) -> RecordFailure:
        """The failure with the place of the record, unless it has one."""
        if failure.at:
            return failure
        if isinstance(failure, RecordTooLarge):
            failure = RecordTooLarge(f"{self._limit_text(failure)}; raise max.message.bytes of the topic, then RESUME")
        failure.at = place_of(message)
        return failure

    @property
    def topics(self) -> str:
        """The topics that the job writes to, quoted."""
        return ", ".join(f"'{topic}'" for topic in self.limits)

    def _limit_text(self, failure: RecordTooLarge) -> str:
        limits = {failure.topic: self.limits[failure.topic]} if failure.topic in self.limits else self.limits
        if len(limits) == 1:
            ((topic, limit),) = limits.items()
            return f"the record is larger than the {limit} bytes '{topic}' takes"
        listed = ", ".join(f"'{topic}' {limit}" for topic, limit in limits.items())
        return f"the record is larger than one of the topics takes that it gives a record to (bytes: {listed})"

    def verdict_on_refusal(
        self, refusal: RecordFailure, message: Message, last_treated: Place | None, refused: Collection[Place]
    ) -> Verdict:
        """The verdict where Kafka refused what a record, alone in its batch, gave.

        If the record is `last_treated`, the last one that was treated as onError says, Kafka refused its dead letter.
        `refused` are the records that are known to be refused: a second refusal stops the task.
        """
        at = position(message)
        if at == last_treated and self.on_error is OnError.DEAD_LETTER:
            text = f"'{self.letters}' does not take its dead letter: {refusal.message}"
            failure = type(refusal)(f"{text}; ALTER JOB … OPTIONS (onError 'skip') RESUME continues without one")
            failure.at = place_of(message)
            return Verdict(message, failure, Treatment.STOP)
        stops = self.on_error is OnError.FAIL or at in refused
        return Verdict(message, self.at_record(refusal, message), Treatment.STOP if stops else Treatment.LEAVE_OUT)


def failure_of_record(error: Exception, message: Message) -> BadRecord:
    """The failure of a record that could not be read or evaluated."""
    match error:
        case Unreadable():
            data = (message.key() if error.of_key else message.value()) or b""
            looks = format_hint(bytes(data), error.wanted, "key" if error.of_key else "value")
            return BadRecord(f"{error.message}{looks}")
        case BadRecord():
            return BadRecord(error.message)
        case MemoryError():
            return BadRecord("evaluating the record takes more memory than is available")
        case _ if isinstance(error, FORESEEN):
            return bad_record(error)
    return BadRecord(
        f"evaluating the record met a fault of jobplane ({fault_of(error)}); report it with the query and the record"
    )
