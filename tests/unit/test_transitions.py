import pytest

from jobplane.controlplane.core.transitions import (
    ENDED,
    STAYS,
    TRANSITIONS,
    JobInput,
    UnforeseenTransition,
    next_status,
    reported_status,
)
from jobplane.schemas.records.state import Status

OTHERS = [
    (status, happened)
    for status in Status
    for happened in JobInput
    if (status, happened) not in STAYS and (status, happened) not in TRANSITIONS
]


def test_no_pair_is_listed_twice() -> None:
    assert not STAYS & TRANSITIONS.keys()


def test_nothing_happens_to_a_job_that_has_ended() -> None:
    assert {(status, happened) for status in ENDED for happened in JobInput} <= set(OTHERS)


@pytest.mark.parametrize(("status", "happened"), OTHERS)
def test_an_unforeseen_pair_raises_for_commands_and_keeps_the_status_for_reports(
    status: Status, happened: JobInput
) -> None:
    with pytest.raises(UnforeseenTransition, match=f"a job that is {status} cannot take '{happened}'"):
        next_status(status, happened)
    assert reported_status(status, happened) is status


@pytest.mark.parametrize(("status", "happened"), sorted(STAYS))
def test_a_listed_pair_keeps_the_status(status: Status, happened: JobInput) -> None:
    assert next_status(status, happened) is status
