"""The state in a checkpoint is gone on with only by groups of the same kind, whatever version has written it."""

from dataclasses import replace
from typing import Any

import pytest

from jobplane.processors.state.manifest import Manifest, encode_state, state_of
from jobplane.processors.task.groups.restoring import state_in
from jobplane.schemas.failures import CheckpointLost, StateMismatch
from jobplane.sql.plan.grouping.going_on import difference, layout_of
from jobplane.sql.plan.grouping.signature import encode_signatures, signatures
from jobplane.sql.plan.stateful import digest_of_before
from tests.support.grouping import absorb, compiled, emit, message, planned, values

AT = ("s", 0)
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


# Rows that the job of a snapshot has written, or has left out


def changes_of(kept_query: str, asked_query: str, *numbers: int) -> list[Any]:
    """What a job writes for the numbers behind the first, which that of its snapshot has read."""
    first, *others = (message(1, o=o, x=x) for o, x in enumerate(numbers))
    old, new = compiled(kept_query).state([AT]), compiled(asked_query)
    absorb(old, first)
    emit(old)
    (before,), (asked,) = signatures(planned(kept_query)), signatures(planned(asked_query))
    assert not difference([before], [asked])
    state = new.state([AT])
    for chunk in old.young_chunks():
        state.load(chunk, new.decoders([layout_of(before, asked)]))
    absorb(state, *others)
    return values(state)


LEAST_AND_MOST = "SELECT u, MIN(x) AS least, MAX(x) AS most FROM s GROUP BY u"
MOST = "SELECT u, MAX(x) AS most FROM s GROUP BY u"


def test_a_row_written_before_is_taken_back_by_a_new_having() -> None:
    assert changes_of(LEAST_AND_MOST, f"{MOST} HAVING MIN(x) > 0", 3, -1) == [None]
    assert changes_of(f"{MOST} HAVING MAX(x) > 1", f"{MOST} HAVING MAX(x) > 10", 3, -1) == [None]
    assert changes_of(MOST, "SELECT u FROM s GROUP BY u HAVING u <> 'a'", 3, -1) == [None]


def test_a_row_written_before_is_written_again_only_if_it_changes() -> None:
    assert changes_of(LEAST_AND_MOST, f"{MOST} HAVING MIN(x) > 0", 3, 2) == []
    assert changes_of(LEAST_AND_MOST, f"{MOST} HAVING MIN(x) > 0", 3, 4) == [{"u": "a", "most": 4}]
    assert changes_of(LEAST_AND_MOST, MOST, 3, 2) == []


def test_a_row_that_having_has_left_out_is_written() -> None:
    left_out = f"{MOST} HAVING MAX(x) > 10"
    assert changes_of(left_out, f"{MOST} HAVING TRUE", 3, 2) == [{"u": "a", "most": 3}]
    assert changes_of(left_out, "SELECT u FROM s GROUP BY u HAVING TRUE", 3, 2, 1) == [{"u": "a"}]
    with pytest.raises(StateMismatch, match="its HAVING has left out"):
        goes_on(kept(encode_signatures(signatures(planned(left_out)))), MOST)


# Several groups


def test_groups_go_on_with_their_own_only() -> None:
    """Whose order is another one would count what others have counted."""
    small, large = (
        "SELECT window_end, COUNT(*) AS n FROM TUMBLE(TABLE(SELECT * FROM s WHERE x < 9), DESCRIPTOR(ts), INTERVAL '1' "
        "MINUTE) GROUP BY window_start, window_end".replace("x < 9", condition)
        for condition in ("x < 9", "x >= 9")
    )
    data = kept(encode_signatures(signatures(planned(f"{small} UNION ALL {large}"))))
    assert goes_on(data, f"{small} UNION ALL {large}")
    assert goes_on(data, f"{small} UNION ALL {large.replace('9', '10')}")
    with pytest.raises(StateMismatch, match="are in another order"):
        goes_on(data, f"{large} UNION ALL {small}")


def test_groups_of_another_topic_are_refused() -> None:
    old, new = compiled(QUERY).state([AT]), compiled(QUERY).state([AT])
    absorb(old, message(1))
    emit(old)
    (chunk,) = old.young_chunks()
    with pytest.raises(StateMismatch, match="has groups of 't'"):
        new.load(replace(chunk, at=("t", 0)))
    with pytest.raises(StateMismatch, match="has groups of 't'"):
        new.set_marks([{("t", 0): 5}])
