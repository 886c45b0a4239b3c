"""Which record is to blame when evaluating or producing raises, and how that is told.

Where the culprit is known and nothing of it was produced, it goes the way of onError at once. Where some of it is in
the open transaction, or where the broker names no record, a new life leaves it out: `run.refused` remembers it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from jobplane.processors.guard import fault_of, noted
from jobplane.processors.kafka.cluster import Doubt, Fenced, KafkaException, Message, judged
from jobplane.processors.task.context import Narrowed, Released, Run
from jobplane.processors.task.on_error import Place, place_of, position
from jobplane.schemas.failures import BadRecord, RecordFailure, RecordTooLarge, Unreadable, WithoutKey
from jobplane.schemas.formats.looks import format_hint
from jobplane.schemas.options import OnError
from jobplane.sql.runtime.operations import bad_record

FORESEEN = (BadRecord, ArithmeticError, RecursionError, ValueError, MemoryError)
"""What a record raises that cannot be read or evaluated; any other exception is a fault of jobplane."""


def fault(error: Exception, message: Message) -> BadRecord:
    """What a record has caused that could not be read or evaluated."""
    match error:
        case Unreadable():
            data = (message.key() if error.of_key else message.value()) or b""
            looks = format_hint(bytes(data), error.wanted, "key" if error.of_key else "value")
            return BadRecord(f"{error.message}{looks}")
        case BadRecord():
            return BadRecord(error.message)
        case MemoryError():
            return BadRecord("evaluating the record takes more memory than there is")
        case _ if isinstance(error, FORESEEN):
            return bad_record(error)
    return BadRecord(
        f"evaluating the record met a fault of jobplane ({fault_of(error)}); report it with the query and the record"
    )


@dataclass(frozen=True, slots=True)
class Blame:
    """`topic` is the sink, whose records have at most `limit` bytes; `letters` is where dead letters go."""

    run: Run
    on_error: OnError
    topic: str
    limit: int
    letters: str

    def of(self, error: Exception, message: Message, several: Callable[[Message], bool] | None) -> RecordFailure:
        """What a message has caused. `several`, in a transaction, tells whether it gives more than one record.

        Raises Narrowed where it must be left out in a new life; the error itself where no record is its reason.
        """
        if isinstance(error, Fenced | Doubt | Released):
            raise error
        failure = judged(error) if isinstance(error, KafkaException) else error
        if isinstance(failure, RecordTooLarge | WithoutKey):
            named = self.named(failure, message)
            if several is None or not several(message):
                return named
            if self.on_error is OnError.FAIL and isinstance(failure, RecordTooLarge):
                raise error  # those before it are committed first
            self.run.refused[position(message)] = named
            raise Narrowed(named.message)
        if isinstance(error, KafkaException):
            raise error
        self._note(error, message)
        return fault(error, message)

    def _note(self, error: Exception, message: Message) -> None:
        """A fault of jobplane is in the log once, however many records meet it."""
        if isinstance(error, FORESEEN) or (reference := fault_of(error).reference) in self.run.noted:
            return
        self.run.noted.add(reference)
        noted(error, f"record {place_of(message)}, on its way to '{self.topic}'")

    def named(self, failure: RecordFailure, message: Message) -> RecordFailure:
        """The failure with the record to blame."""
        if failure.at:
            return failure
        if isinstance(failure, RecordTooLarge):
            text = f"the record is larger than the {self.limit} bytes '{self.topic}' takes"
            failure = RecordTooLarge(f"{text}; raise max.message.bytes of the topic, then RESUME")
        failure.at = place_of(message)
        return failure

    def alone(self, refused: RecordFailure, message: Message, treated: Place | None) -> RecordFailure | Narrowed:
        """What follows when Kafka has refused what a message, alone in its batch, gave.

        `treated` is the last one that went the way of onError: what was refused of it is its dead letter.
        """
        at = position(message)
        if at == treated and self.on_error is OnError.DEAD_LETTER:
            text = f"'{self.letters}' does not take its dead letter: {refused.message}"
            failure = type(refused)(f"{text}; ALTER JOB … OPTIONS (onError 'skip') RESUME goes on without one")
            failure.at = place_of(message)
            return failure
        named = self.named(refused, message)
        if self.on_error is OnError.FAIL or at in self.run.refused:
            return named
        self.run.refused[at] = named
        return Narrowed(named.message)
