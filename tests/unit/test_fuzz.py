"""A short run of `make fuzz`, from a seed that stays, on all cores."""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from tests.fuzz.generators import GENERATORS
from tests.fuzz.trying import Tally, tried

INPUTS = 20_000
LEAST_ACCEPTED = {"statements": 0.4, "schemas": 0.3, "commands": 0.2, "formats": 0.1}
"""Where nearly all is refused at the door, nothing behind it is tried."""


def share(name: str, first: int, step: int) -> Tally:
    """Every `step`-th input from the first on."""
    return tried(name, GENERATORS[name], 6, range(first, INPUTS, step))


@pytest.mark.parametrize("name", GENERATORS)
def test_hostile_inputs_give_values_or_are_refused(name: str) -> None:
    cores = os.cpu_count() or 1
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
        tallies = list(pool.map(share, [name] * cores, range(cores), [cores] * cores))
    assert [tally.faults for tally in tallies] == [{}] * cores
    assert sum(tally.accepted for tally in tallies) > INPUTS * LEAST_ACCEPTED[name], [tally.codes for tally in tallies]
