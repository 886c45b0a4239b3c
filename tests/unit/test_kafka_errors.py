"""What errors of Kafka mean."""

import pytest

from jobplane.processors.kafka.errors import Meaning, failure_of, meaning
from jobplane.schemas.failures import BadRecord, RecordTooLarge


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("_FENCED", Meaning.FENCED),
        ("INVALID_PRODUCER_EPOCH", Meaning.FENCED),
        ("_AUTO_OFFSET_RESET", Meaning.OUT_OF_RANGE),
        ("OFFSET_OUT_OF_RANGE", Meaning.OUT_OF_RANGE),
        ("TOPIC_AUTHORIZATION_FAILED", Meaning.REFUSED),
        ("_TIMED_OUT", Meaning.DOUBT),
        ("NOT_LEADER_FOR_PARTITION", Meaning.DOUBT),
        ("INVALID_PRODUCER_ID_MAPPING", Meaning.DOUBT),
        ("an error of next year", Meaning.DOUBT),
    ],
)
def test_meaning(code: str, expected: Meaning) -> None:
    assert meaning(code) is expected


def test_a_refused_error_is_a_failure_of_the_job() -> None:
    assert isinstance(failure_of("POLICY_VIOLATION", "x"), BadRecord)
    assert isinstance(failure_of("MSG_SIZE_TOO_LARGE", "x"), RecordTooLarge)
