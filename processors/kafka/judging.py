"""What an error of Kafka's client means for whoever met it, as an exception of ours with our words."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import KafkaError, KafkaException

from jobplane.processors.kafka.answers import Doubt, Fenced, OutOfRange
from jobplane.processors.kafka.error_words import in_words
from jobplane.processors.kafka.errors import Meaning, failure_of, meaning
from jobplane.schemas.failures import JobFailure
from jobplane.schemas.setup_errors import KafkaSilent

LOG = logging.getLogger("jobplane.kafka")


def judged(error: KafkaException | KafkaError, topic: str = "") -> Fenced | Doubt | JobFailure:
    """The exception an error of Kafka stands for: Fenced, Doubt, or the JobFailure that asking again cannot mend.

    `topic` is the one it is about, where that is known.
    """
    cause = error.args[0] if isinstance(error, KafkaException) else error
    code = cause.name()
    LOG.debug("the Kafka client says %s: %s", code, cause.str())
    text = in_words(code)
    match meaning(code):
        case Meaning.FENCED:
            return Fenced(text)
        case Meaning.REFUSED:
            return failure_of(code, f"topic '{topic}': {text}" if topic else text)
        case Meaning.OUT_OF_RANGE:
            return OutOfRange(text)
        case Meaning.DOUBT:
            return Doubt(text)


@contextmanager
def judging() -> Iterator[None]:
    """Turns a KafkaException of the block into what it means."""
    try:
        yield
    except KafkaException as error:
        raise judged(error) from error


@contextmanager
def jobplane_errors() -> Iterator[None]:
    """Raises KafkaSilent in place of Doubt: whoever only asks has no producer to discard. Decorates a function."""
    try:
        with judging():
            yield
    except Doubt as doubt:
        raise KafkaSilent(str(doubt)) from doubt
