"""Questions asked together, and tasks that start a few at a time."""

import threading
from collections.abc import Callable

import pytest

from jobplane.processors.kafka.together import Together
from jobplane.processors.task.gate import Gate

LIMIT_S = 10.0


def in_threads(*calls: Callable[[], object]) -> list[threading.Thread]:
    threads = [threading.Thread(target=call, daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    return threads


def test_those_who_wait_share_the_next_question() -> None:
    rounds: list[set[str]] = []
    first_asked, go_on = threading.Event(), threading.Event()

    def ask(keys: frozenset[str]) -> dict[str, str]:
        rounds.append(set(keys))
        first_asked.set()
        assert go_on.wait(LIMIT_S)
        return {key: key.upper() for key in keys if key != "gone"}

    asked, got = Together(ask), dict[str, dict[str, str]]()

    def get(*keys: str) -> None:
        got[keys[0]] = asked.get(keys)

    first = in_threads(lambda: get("a"))
    assert first_asked.wait(LIMIT_S)
    others = in_threads(lambda: get("b", "gone"), lambda: get("c"))
    while asked._gathering.keys != {"b", "gone", "c"}:
        assert others[0].is_alive()
    go_on.set()
    for thread in (*first, *others):
        thread.join(LIMIT_S)
    assert rounds == [{"a"}, {"b", "gone", "c"}], "the second question began after all of its askers' calls"
    assert got == {"a": {"a": "A"}, "b": {"b": "B"}, "c": {"c": "C"}}


def test_an_error_is_that_of_its_key_alone() -> None:
    asked = Together[str, int](lambda keys: {key: ValueError(key) if key == "bad" else 1 for key in keys})
    assert asked.get(["good"]) == {"good": 1}
    with pytest.raises(ValueError, match="bad"):
        asked.get(["good", "bad"])
    assert asked.get([]) == {}


def test_a_gate_lets_so_many_pass_and_forgets_who_takes_long() -> None:
    gate, inside = Gate(2, LIMIT_S), threading.Semaphore(0)
    leave = threading.Event()

    def start() -> None:
        with gate.passing(lambda: None):
            inside.release()
            assert leave.wait(LIMIT_S)

    threads = in_threads(*[start] * 3)
    assert all(inside.acquire(timeout=LIMIT_S) for _ in range(2))
    assert len(gate._passing) == 2, "the third waits"
    leave.set()
    for thread in threads:
        thread.join(LIMIT_S)
    assert not gate._passing

    stuck = Gate(1, 0.0)
    with stuck.passing(lambda: None):
        done = in_threads(lambda: stuck.passing(lambda: None).__enter__())
        done[0].join(LIMIT_S)
        assert not done[0].is_alive(), "one who takes long keeps nobody"


def test_who_waits_at_a_gate_may_be_told_to_go() -> None:
    class Told(Exception):
        pass

    def alive() -> None:
        raise Told

    gate, told = Gate(1, LIMIT_S), list[BaseException]()

    def wait() -> None:
        try:
            with gate.passing(alive):
                pass
        except Told as error:
            told.append(error)

    with gate.passing(lambda: None):
        (thread,) = in_threads(wait)
        thread.join(LIMIT_S)
    assert told
