"""When a task whose host died starts again, where, and when it is given up."""

from jobplane.controlplane.core.host_view import Deaths


def after(*deaths: tuple[bool, bool]) -> Deaths:
    """After deaths that were each (alone, with progress before)."""
    told = Deaths()
    for alone, progress in deaths:
        told = told.another(alone=alone, progress=progress)
    return told


SHARED, ALONE = (False, False), (True, False)


def test_deaths_of_shared_hosts_give_nobody_up() -> None:
    told = after(*[SHARED] * 50)
    assert not told.given_up
    assert told.total == 50


def test_the_first_death_counts_little_the_second_is_looked_into() -> None:
    assert (after(SHARED).suspected, after(SHARED).pause_s) == (False, 0.0)
    assert (after(SHARED, SHARED).suspected, after(SHARED, SHARED).pause_s) == (True, 0.5)


def test_three_deaths_alone_without_progress_give_up() -> None:
    assert not after(SHARED, SHARED, ALONE, ALONE).given_up
    assert after(SHARED, SHARED, ALONE, ALONE, ALONE).given_up
    assert after(ALONE, ALONE, ALONE).given_up


def test_progress_begins_the_count_anew() -> None:
    told = after(ALONE, ALONE, (True, True), ALONE)
    assert not told.given_up
    assert (told.in_a_row, told.total) == (2, 4)
    assert after(ALONE, ALONE, (True, True), ALONE, ALONE).given_up


def test_one_that_lived_alone_is_cleared_but_its_deaths_are_counted() -> None:
    told = after(SHARED, ALONE, ALONE).cleared()
    assert (told.in_a_row, told.alone, told.total, told.suspected) == (0, 0, 3, False)


def test_pauses_grow_to_half_a_minute() -> None:
    pauses = [after(*[SHARED] * count).pause_s for count in range(1, 12)]
    assert pauses == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0, 30.0]
    assert after(*[SHARED] * 5_000).pause_s == 30.0
