"""A task that is busy leaves its turn to those that waited, and takes no more records than fit into one."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobplane.processors.task.turns import SMALLEST_BATCH, TURN_S, InterpreterTurn, next_batch, open_seconds
from tests.support.system import until


def waiting(turn: InterpreterTurn, count: int) -> bool:
    """Whether so many threads wait, as the lock itself sees it."""
    return len(turn._waiting) == count


def test_whoever_gives_the_turn_back_and_asks_again_waits_behind_all_others() -> None:
    turn, order = InterpreterTurn(patience_s=0), list[str]()

    def run(name: str) -> None:
        for _ in range(2):
            assert turn.acquire(timeout=10)
            order.append(name)
            others = min(2, 6 - len(order))
            until(lambda others=others: waiting(turn, others), 10, "all others have asked")  # type: ignore[misc]
            turn.release()

    assert turn.acquire()
    threads = [threading.Thread(target=run, args=(name,)) for name in "abc"]
    for number, thread in enumerate(threads, 1):
        thread.start()
        until(lambda number=number: waiting(turn, number), 10, "it has asked")  # type: ignore[misc]
    turn.release()
    for thread in threads:
        thread.join(10)
    assert "".join(order) == "abcabc"


def test_a_wait_that_ends_loses_its_place_and_no_turn() -> None:
    turn = InterpreterTurn()
    assert turn.acquire()
    assert not turn.acquire(timeout=0)
    assert waiting(turn, 0)
    turn.release()
    assert turn.acquire(timeout=0)


@pytest.mark.parametrize("patience", [0, 0.001, 1e9])
def test_one_at_a_time_has_the_turn(patience: float) -> None:
    turn, inside, most = InterpreterTurn(patience), list[int](), 0

    def run() -> None:
        nonlocal most
        for _ in range(300):
            while not turn.acquire(timeout=0.0001):
                pass
            inside.append(1)
            most = max(most, len(inside))
            inside.pop()
            turn.release()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads), "a turn was lost"
    assert most == 1
    assert turn.acquire(timeout=0)


@given(most=st.integers(1, 5_000), each=st.floats(1e-7, 1.0))
def test_batches_settle_at_what_fits_into_a_turn(most: int, each: float) -> None:
    """`each` is what a record takes, in seconds."""
    size = min(most, 500)
    for _ in range(20):
        size = next_batch(size, most, size * each)
        assert 1 <= size <= most
    assert size * each <= TURN_S or size <= SMALLEST_BATCH
    assert size == most or 2 * (size + 1) * each > TURN_S / 2, "it could be larger"


@given(interval=st.floats(0.001, 3600), commit=st.floats(0, 60))
def test_commits_are_an_interval_apart(interval: float, commit: float) -> None:
    open_for = open_seconds(interval, commit)
    assert interval / 2 <= open_for <= interval
    assert open_for == interval / 2 or abs(open_for + commit - interval) < 1e-9
