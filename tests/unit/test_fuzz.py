"""A short run of `make fuzz`, from a seed that stays."""

import pytest

from tests.fuzz.generators import GENERATORS
from tests.fuzz.trying import tried

INPUTS = 20_000
LEAST_ACCEPTED = {"statements": 0.3, "schemas": 0.3, "commands": 0.2, "formats": 0.1}
"""Where nearly all is refused at the door, nothing behind it is tried."""


@pytest.mark.parametrize("name", GENERATORS)
def test_hostile_inputs_give_values_or_are_refused(name: str) -> None:
    tally = tried(name, GENERATORS[name], 6, range(INPUTS))
    assert tally.faults == {}
    assert tally.accepted > INPUTS * LEAST_ACCEPTED[name], tally.codes
