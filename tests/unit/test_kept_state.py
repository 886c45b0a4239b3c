"""The state in a checkpoint is gone on with only by groups of the same kind, whatever version has written it."""

import pytest

from jobplane.processors.state.manifest import Manifest, encode_state, state_of
from jobplane.processors.task.groups.restoring import state_in
from jobplane.schemas.failures import CheckpointLost, StateMismatch
from jobplane.sql.plan.grouping.signature import encode_signatures, signatures
from jobplane.sql.plan.stateful import digest_of_before
from tests.support.grouping import planned

QUERY = "SELECT u, SUM(x) AS total, COUNT(*) AS n FROM s GROUP BY u"
DIGEST = "54bed36f5de617e980dcadaf8944e6edd3a990c376cde6ef225282a55d17ee2a"
"""What the first version with groups has written for QUERY."""


def kept(signature: str) -> bytes:
    return encode_state(state_of((Manifest("state", "id", signature),), [], 0))


def goes_on(data: bytes, query: str = QUERY, *, is_restored: bool = True) -> bool:
    plan = planned(query)
    return state_in(data, plan, signatures(plan), is_restored=is_restored) is not None


def test_a_digest_of_the_first_version_is_known_for_ever() -> None:
    assert digest_of_before(planned(QUERY)) == DIGEST
    assert goes_on(kept(DIGEST))
    with pytest.raises(StateMismatch, match="other keys, windows or aggregates"):
        goes_on(kept(DIGEST), QUERY.replace("SUM", "MAX"))


def test_parts_are_compared_one_by_one() -> None:
    data = kept(encode_signatures(signatures(planned(QUERY))))
    assert goes_on(data)
    assert goes_on(data, "SELECT u, COUNT(*) AS n FROM s WHERE x > 1 GROUP BY u")
    with pytest.raises(StateMismatch, match=r"it has SUM\(x\), COUNT\(\*\), not MAX\(x\)"):
        goes_on(data, QUERY.replace("SUM", "MAX"))
    with pytest.raises(StateMismatch, match="it groups by u, the query groups by x"):
        goes_on(data, "SELECT x, COUNT(*) AS n FROM s GROUP BY x")


def test_a_job_begins_without_state_and_is_not_restored_without() -> None:
    assert not goes_on(b"", is_restored=False)
    with pytest.raises(StateMismatch, match="holds no groups"):
        goes_on(b"")
    with pytest.raises(CheckpointLost, match="cannot be read"):
        goes_on(b"\x09")
    with pytest.raises(StateMismatch):
        goes_on(kept('{"version": 2, "groups": []}'))
