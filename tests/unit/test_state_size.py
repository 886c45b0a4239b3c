"""How much memory groups take, and what becomes of tasks of a host where it is too much."""

import sys
from collections.abc import Callable

import pytest

from jobplane.processors.state.manifest import ChunkPlace, Manifest, SavedPartition, state_of
from jobplane.processors.state.size import GroupSize, bytes_of, size_of_saved
from jobplane.processors.task.groups.budget import LATELY_S, MIB, StateBudget
from jobplane.schemas.failures import StateFull
from tests.support.grouping import absorb, compiled, emit, message


def size_of(call: str, groups: int, values: int) -> int:
    """Of so many groups with as many values each."""
    state = compiled(f"SELECT u, {call} AS a FROM s GROUP BY u").state([("s", 0)])
    size = GroupSize(state)
    assert size.bytes < 1_000
    for i in range(values):
        absorb(state, *(message(1, o=i, u=f"user-{u}", x=1_000 * i + u) for u in range(groups)))
    emit(state)
    return size.bytes


def test_groups_count_with_the_values_that_they_keep() -> None:
    few, many = (size_of("COUNT(*)", groups, 1) for groups in (500, 5_000))
    assert 8 < many / few < 12
    assert 100 < many / 5_000 < 350
    for call in ("ARRAY_AGG(x)", "COUNT(DISTINCT x)", "STRING_AGG(CAST(x AS VARCHAR), '-')"):
        few, many = (size_of(call, 50, values) for values in (20, 200))
        assert 5 < many / few < 12


def test_of_a_large_collection_some_elements_are_looked_at() -> None:
    numbers = list(range(1_000, 101_000))
    exact = sys.getsizeof(numbers) + sum(32 for _ in numbers)
    assert bytes_of(numbers) == pytest.approx(exact, rel=0.01)
    assert bytes_of(dict.fromkeys(numbers)) == pytest.approx(
        sys.getsizeof(dict.fromkeys(numbers)) + 3_200_000, rel=0.01
    )
    assert bytes_of([None, True, 7]) == bytes_of([None, False, -5]) < 112


def test_chunks_tell_what_groups_will_take() -> None:
    place = ChunkPlace("", 0, 0, 100, 2_000, 5)
    manifest = Manifest("t", "id", "s", (SavedPartition("in", 0, 1, chunks=(place, place)),))
    assert size_of_saved(state_of([manifest], (), 0)) == 2 * (100 * 150 + 2_000 * 7)


@pytest.fixture
def budget() -> StateBudget:
    return StateBudget(100 * MIB)


def never() -> None:
    raise AssertionError("the groups of this task stay in memory")


def test_the_largest_task_fails_and_the_others_go_on(budget: StateBudget) -> None:
    budget.require_room("small", 20 * MIB)
    budget.require_room("large", 60 * MIB)
    budget.require_room("small", 30 * MIB)
    budget.require_room("small", 50 * MIB)  # too much, but not the largest
    with pytest.raises(StateFull) as full:
        budget.require_room("large", 61 * MIB)
    assert full.value.message == (
        "the groups of this host would take 116,391,936 bytes, those of task large 63,963,136, the most of all; "
        "state_budget allows 100 MiB: raise it in the settings of the worker, or run it with more hosts, and start it "
        "again; or DROP jobs with groups; then RESUME"
    )
    budget.require_room("small", 95 * MIB)
    budget.require_room("other", 4 * MIB)


def test_a_task_alone_may_take_all_and_no_more(budget: StateBudget) -> None:
    budget.require_room("one", 100 * MIB)
    with pytest.raises(StateFull):
        budget.require_room("one", 100 * MIB + 1)
    StateBudget().require_room("one", 10**15)


def test_a_task_that_was_quiet_does_not_fail_for_another(budget: StateBudget, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    budget.require_room("quiet", 80 * MIB)
    now += LATELY_S
    with pytest.raises(StateFull, match="those of task growing"):
        budget.require_room("growing", 30 * MIB)


def test_groups_of_tasks_that_rest_go_first(budget: StateBudget) -> None:
    gone: list[str] = []

    def goes(task: str) -> Callable[[], None]:
        return lambda: gone.append(task)

    for task, size in (("a", 20), ("b", 40), ("c", 30)):
        budget.require_room(task, size * MIB)
        budget.rest(task, goes(task))
    budget.require_room("growing", 10 * MIB)
    assert gone == []
    budget.require_room("growing", 40 * MIB)
    assert gone == ["b"]
    budget.require_room("c", 30 * MIB)  # it is awake again
    budget.require_room("growing", 65 * MIB)
    assert gone == ["b", "a"]
    with pytest.raises(StateFull):
        budget.require_room("growing", 75 * MIB)


def test_a_task_that_has_ended_holds_nothing(budget: StateBudget) -> None:
    budget.require_room("one", 90 * MIB)
    budget.forget("one")
    budget.rest("one", never)
    budget.require_room("two", 90 * MIB)
