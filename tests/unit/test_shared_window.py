"""A window of messages that several tasks take: each takes every message once, and none waits long for another."""

from typing import Any

import pytest
from confluent_kafka import Message
from hypothesis import given
from hypothesis import strategies as st

from jobplane.processors.fetch.window import MOST_BYTES, MOST_MESSAGES, PATIENCE_S, TURN_S, Window


def messages(*offsets: int, size: int = 1) -> list[Any]:
    return [Message("s", 0, offset, b"k", b"v" * size, None, None, (1, 0)) for offset in offsets]


def offsets(taken: tuple[list[Any], int]) -> list[int]:
    return [one.offset() for one in taken[0]]


def window(*readers: str, begin: int = 0) -> Window:
    made = Window(begin)
    for reader in readers:
        made.join(reader, begin)
    return made


TURNS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), max_size=60)


@given(TURNS, st.lists(st.integers(1, 3), min_size=30, max_size=30), st.data())
def test_each_reader_takes_all_messages_from_its_position_on_once(
    turns: list[tuple[int, int]], gaps: list[int], data: st.DataObject
) -> None:
    """Between messages there may be markers, which no reader sees. Reader 3 comes when it likes."""
    there = [sum(gaps[:i]) for i in range(len(gaps))]
    made, fetched = Window(0), 0
    starts = {0: 0, 1: 0, 2: data.draw(st.integers(0, 5))}
    for reader, start in starts.items():
        made.join(reader, start)
    took: dict[int, list[int]] = {reader: [] for reader in range(4)}
    at = dict(starts)
    for reader, most in turns:
        if reader not in starts:
            starts[reader] = at[reader] = data.draw(st.integers(made.begin, made.end + 3))
            assert made.holds(at[reader])
            made.join(reader, at[reader])
        found = made.take(reader, most)
        if not found[0]:
            end = there[fetched + most] if fetched + most < len(there) else sum(gaps) + 1
            made.add(messages(*there[fetched : fetched + most]), end)
            fetched = min(len(there), fetched + most)
        took[reader] += offsets(found)
        assert found[1] >= at[reader], "a position never goes back"
        at[reader] = found[1]
    for reader, start in starts.items():
        rest = made.take(reader, len(there))
        assert took[reader] + offsets(rest) == [one for one in there[:fetched] if one >= start]
        assert rest[1] == max(start, made.end)


def test_what_all_have_taken_is_dropped_and_who_comes_later_must_be_behind_it() -> None:
    made = window("a", "b")
    made.add(messages(0, 1, 2), 4)
    made.take("a", 3)
    assert made.holds(0)
    made.take("b", 2)
    assert (made.begin, made.end, made.holds(1), made.holds(2)) == (2, 4, False, True)
    assert made.holds(4 + MOST_MESSAGES)
    assert not made.holds(5 + MOST_MESSAGES)
    made.leave("b")
    assert made.begin == 4, "nobody needs it any more"


@pytest.mark.parametrize(
    ("found", "room"),
    [
        (messages(*range(10)), MOST_MESSAGES - 10),
        (messages(*range(MOST_MESSAGES)), 0),
        (messages(0, 1, size=MOST_BYTES // 2), 0),
    ],
    ids=["few", "many", "large"],
)
def test_a_window_is_full_of_messages_or_of_bytes(found: list[Any], room: int) -> None:
    made = window("a", "b")
    made.add(found, len(found))
    assert made.room == room
    made.take("a", MOST_MESSAGES)
    assert made.room == room, "the other has taken nothing"
    made.take("b", MOST_MESSAGES)
    assert made.room == MOST_MESSAGES


def full(*readers: str) -> Window:
    made = window(*readers)
    made.add(messages(*range(MOST_MESSAGES)), MOST_MESSAGES)
    return made


def patience(readers: int) -> float:
    return PATIENCE_S + TURN_S * readers


def test_a_reader_that_holds_up_the_others_is_put_off_after_a_while() -> None:
    made = full("fast", "quick", "slow")
    for reader in ("fast", "quick"):
        made.take(reader, MOST_MESSAGES)
    made.take("slow", 100)
    assert not made.put_off(10.0)
    made.take("slow", 100)
    assert not made.put_off(10.0 + patience(3) - 0.01)
    assert made.put_off(10.0 + patience(3) + 0.01)
    assert "slow" not in made
    assert len(made) == 2
    assert made.room == MOST_MESSAGES


def test_a_reader_that_takes_what_the_window_held_in_time_is_waited_for() -> None:
    made = full("fast", "busy", "third")
    for reader in ("fast", "third"):
        made.take(reader, MOST_MESSAGES)
    assert not made.put_off(10.0)
    made.take("busy", MOST_MESSAGES)
    made.add(messages(*range(MOST_MESSAGES, 2 * MOST_MESSAGES)), 2 * MOST_MESSAGES)
    made.take("fast", MOST_MESSAGES)
    assert not made.put_off(11.0), "a new wait has begun"


def test_one_that_is_faster_than_most_goes_on_alone() -> None:
    made = full("fast", "b", "c")
    made.take("fast", MOST_MESSAGES)
    assert not made.put_off(10.0)
    assert made.put_off(12.0)
    assert ["fast" in made, "b" in made, "c" in made] == [False, True, True]
