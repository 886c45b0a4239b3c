"""The fold is total: whatever events say, and in whatever order, it never raises, and what it holds can be written."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from jobplane.controlplane.core.evolve import fold
from jobplane.controlplane.core.reconcile import reconcile, tasks_of
from jobplane.controlplane.core.state import State
from jobplane.controlplane.topics import COMMANDS, REPORTS, TASK_PARTITIONS
from jobplane.schemas.records.events import BODIES, Cause, Event, JobAltered, JobCreated
from jobplane.schemas.wire.codec import decode, decode_record, encode
from tests.support.plane import PLANE

LONG = st.integers(-(2**31), 2**31 - 1)
TEXT = st.sampled_from(["", "a", "b", f"{PLANE}-0", f"{PLANE}-1", "é"])
PARTITIONS = st.lists(st.integers(0, TASK_PARTITIONS - 1), max_size=3).map(tuple)
st.register_type_strategy(int, LONG)
st.register_type_strategy(str, TEXT)
st.register_type_strategy(float, st.floats(allow_nan=False))


def bodies() -> st.SearchStrategy[Any]:
    """Any body at all; a `tasks` partition alone is one of those there are, as the decider hands them out."""
    placing = (JobCreated, JobAltered)
    placed = [st.builds(replace, st.from_type(body), partitions=PARTITIONS) for body in placing]
    return st.one_of(*placed, *(st.from_type(body) for body in BODIES if body not in placing))


CAUSES = st.builds(Cause, st.sampled_from([COMMANDS, REPORTS, "other"]), LONG, LONG, TEXT, TEXT)


@given(st.lists(st.tuples(bodies(), CAUSES), max_size=12))
def test_no_event_stops_the_fold(said: list[tuple[Any, Cause]]) -> None:
    state = State()
    for seq, (body, cause) in enumerate(said, 1):
        event = Event(seq, seq, cause, body)
        assert decode(encode(event), Event) == event
        before = {key: state.get(key) for key in state.records()}
        fold(state, event)
        reconcile(before, state)
        assert state.position.seq == seq
    assert State(state.records().items()) == state
    for job in state.jobs.values():
        tasks_of(job)
    for record in state.records().values():
        assert decode_record(encode(record)) == record
