"""When it is known that a job goes on."""

from jobplane.controlplane.client.commit_watch import Evidence

A, B = ("orders", 0), ("orders", 1)


def test_a_partition_that_is_read_to_its_end_goes_on() -> None:
    seen = Evidence({A: 3}, {A: 7})
    assert not seen.see({A: 3})
    assert not seen.see({A: 5})
    assert seen.see({A: 7})


def test_one_commit_may_be_that_before_a_bad_record_two_are_not() -> None:
    seen = Evidence({A: 3}, {A: 1_000})
    assert not seen.see({A: 5})
    assert not seen.see({A: 5})
    assert seen.see({A: 6})


def test_every_partition_that_has_something_left_must_go_on() -> None:
    seen = Evidence({A: 3, B: 3}, {A: 7, B: 9})
    assert not seen.see({A: 7, B: 3})
    assert seen.open == [B]
    assert seen.see({A: 7, B: 9})


def test_nothing_left_is_known_at_once() -> None:
    assert Evidence({A: 3, B: 4}, {A: 3}).open == []
