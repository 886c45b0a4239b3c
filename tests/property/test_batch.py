"""Whatever is written in one transaction: who reads the topics to its end knows all that was decided."""

from hypothesis import given
from hypothesis import strategies as st

from jobplane.controlplane.core.evolve import fold
from jobplane.controlplane.core.state import POSITION, State
from jobplane.controlplane.core.step import EncodedEvent, effects
from jobplane.controlplane.decider.batch import POSITION_INTERVAL, Batch
from jobplane.schemas.records.state import Position, StateKey, StateRecord
from tests.property.test_plane import SAID, play


@given(SAID, st.lists(st.integers(1, 20), min_size=1))
def test_the_last_record_of_each_key_is_enough(said: list[tuple[object, ...]], sizes: list[int]) -> None:
    plane = play(said)
    state, one_by_one = State(), State()
    topic: dict[StateKey, StateRecord] = {}
    tasks: dict[str, object] = {}
    left = list(plane.events)
    while left:
        size = sizes.pop() if sizes else len(left)
        batch = Batch()
        for event in left[:size]:
            batch.add(effects(state, [EncodedEvent(event, b"")]))
            fold(one_by_one, event)
        del left[:size]
        assert list(batch.changes)[-1] == POSITION
        for key, record in batch.changes.items():
            if record is None:
                topic.pop(key, None)
            else:
                topic[key] = record
        for write in batch.writes:
            if write.topic == "tasks":
                tasks[write.key] = write.task
        assert State(topic.items()) == state == one_by_one
    assert {key: task for key, task in tasks.items() if task is not None} == plane.tasks


def test_what_caused_nothing_is_passed_in_the_end() -> None:
    state, batch = State(), Batch()
    batch.advance_position(state, 0, POSITION_INTERVAL - 1)
    assert not batch
    batch.advance_position(state, 7, POSITION_INTERVAL)
    assert batch.changes == {POSITION: Position(7, POSITION_INTERVAL, 0)}
    assert state.position == Position(7, POSITION_INTERVAL, 0)
    batch = Batch()
    batch.advance_position(state, 3, POSITION_INTERVAL)
    assert not batch
