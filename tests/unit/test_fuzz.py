"""A short run of `make fuzz`, from a seed that stays."""

from tests.fuzz.__main__ import fuzz


def test_hostile_bytes_are_refused_and_nothing_else() -> None:
    assert list(fuzz(20_000, seed=6)) == []
