"""What an error of Kafka means for whoever met it, as a table. Anything not named here is doubt.

FENCED        another owns the transactional id, or may: end, and ask the broker before starting again
DOUBT         it is not known what the broker did: a new producer, fenced, continues from the checkpoint
OUT_OF_RANGE  the client says that its offset is not there: doubt, until the broker is asked for the offsets it holds
REFUSED       asking again gives the same answer: the job stops with this cause
"""

from enum import Enum

from jobplane.schemas.failures import BadRecord, JobFailure, KafkaRefused, RecordTooLarge, SinkLost


class Meaning(Enum):
    FENCED = "fenced"
    DOUBT = "doubt"
    OUT_OF_RANGE = "out of range"
    REFUSED = "refused"


_FENCED = frozenset({"_FENCED", "PRODUCER_FENCED", "INVALID_PRODUCER_EPOCH"})

_OUT_OF_RANGE = frozenset({"OFFSET_OUT_OF_RANGE", "_AUTO_OFFSET_RESET", "_LOG_TRUNCATION"})

_REFUSED: dict[str, type[JobFailure]] = {
    "MSG_SIZE_TOO_LARGE": RecordTooLarge,
    "RECORD_LIST_TOO_LARGE": RecordTooLarge,
    "INVALID_RECORD": BadRecord,
    "INVALID_TIMESTAMP": BadRecord,
    "POLICY_VIOLATION": BadRecord,
    "TOPIC_AUTHORIZATION_FAILED": KafkaRefused,
    "GROUP_AUTHORIZATION_FAILED": KafkaRefused,
    "CLUSTER_AUTHORIZATION_FAILED": KafkaRefused,
    "TRANSACTIONAL_ID_AUTHORIZATION_FAILED": KafkaRefused,
    "INVALID_TRANSACTION_TIMEOUT": KafkaRefused,
    "UNKNOWN_TOPIC_OR_PART": SinkLost,
    "UNKNOWN_TOPIC_OR_PARTITION": SinkLost,
    "_UNKNOWN_TOPIC": SinkLost,
    "_UNKNOWN_PARTITION": SinkLost,
}


def meaning(code: str) -> Meaning:
    """The meaning of an error by its librdkafka name, such as `_FENCED`."""
    if code in _FENCED:
        return Meaning.FENCED
    if code in _OUT_OF_RANGE:
        return Meaning.OUT_OF_RANGE
    return Meaning.REFUSED if code in _REFUSED else Meaning.DOUBT


def failure_of(code: str, message: str) -> JobFailure:
    """The job's failure for a refused error; raises KeyError for any other."""
    return _REFUSED[code](message)
