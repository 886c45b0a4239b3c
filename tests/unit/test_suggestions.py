"""Which names are taken for a slip of a known one, and which are not."""

import time
from random import Random

import pytest

from jobplane.schemas.formats import FORMAT_OPTIONS
from jobplane.schemas.options import OPTION_NAMES, PEERS, PEERS_OF_VALUES, JobOptions, canonical_value
from jobplane.schemas.suggestions import (
    LONGEST,
    did_you_mean,
    edit_distance,
    fold_name,
    names_containing,
    nearest_names,
)
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parser import parse

JOBS = ["big", "orders", "orders.eu", "job-1", "job-2", "first_name", "last_name", "snapshotIntervalMillis"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Big", ["big"]),
        ("bigg", ["big"]),
        ("ibg", ["big"]),
        ("ordes", ["orders"]),
        ("ORDERS_EU", ["orders.eu"]),
        ("snapshot_interval_millis", ["snapshotIntervalMillis"]),
        ("snapshotIntervallMilis", ["snapshotIntervalMillis"]),
        ("bg", []),
        ("bogs", []),
        ("dig", []),
        ("job-3", []),
        ("jobb-1", ["job-1"]),
    ],
)
def test_a_slip_is_one_letter_or_in_a_long_name_two(name: str, meant: list[str]) -> None:
    assert nearest_names(name, JOBS) == meant


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("name", ["first_name", "last_name"]),
        ("interval", []),
        ("snapshotInterval", ["snapshotIntervalMillis"]),
        ("eu", []),
        ("", []),
    ],
)
def test_a_name_may_be_the_first_or_last_words_of_another(name: str, meant: list[str]) -> None:
    assert names_containing(name, JOBS) == meant


def test_a_long_name_has_no_neighbour() -> None:
    assert did_you_mean("x" * LONGEST + "y", ["x" * LONGEST]) == ""


def test_more_than_three_neighbours_are_none() -> None:
    assert did_you_mean("cats", ["catz", "caty", "catx", "catw"]) == ""


@pytest.mark.parametrize(
    ("a", "b", "count"), [("", "", 0), ("abc", "", 3), ("form", "from", 1), ("kitten", "sitting", 3), ("ca", "abc", 3)]
)
def test_edits(a: str, b: str, count: int) -> None:
    assert edit_distance(a, b, 9) == edit_distance(b, a, 9) == count
    assert all((edit_distance(a, b, most) > most) == (count > most) for most in (0, 1, 2))


def test_many_long_names_are_looked_through_soon() -> None:
    signs = Random(1)
    names = ["prod.payments." + "".join(signs.choices("abcdefgh.", k=40)) for _ in range(5_000)]
    began = time.process_time()
    assert did_you_mean(names[0] + "xxx", names) == ""
    assert did_you_mean(names[0][:-1] + "x", names) == f"; did you mean '{names[0]}'?"
    assert time.process_time() - began < 2


def test_what_others_call_options_is_an_option_here() -> None:
    assert set(PEERS.values()) <= set(OPTION_NAMES)
    assert not {fold_name(name) for name in (*OPTION_NAMES, *FORMAT_OPTIONS)} & PEERS.keys()
    assert all(name == fold_name(name) for name in (*PEERS, *PEERS_OF_VALUES))


@pytest.mark.parametrize(
    ("name", "text", "kept"),
    [
        ("autoScaling", "TRUE", "true"),
        ("processingGuarantee", "EXACTLYONCE", "exactlyOnce"),
        ("onError", "Deadletter", "deadLetter"),
        ("startFrom", "Latest", "latest"),
        ("startFrom", "2026-01-31T08:30:00Z", "2026-01-31T08:30:00Z"),
        ("valueFormat", "JSON-Flat", "json-flat"),
        ("deadLetterTopic", "TRUE", "TRUE"),
    ],
)
def test_words_of_options_are_taken_in_any_case(name: str, text: str, kept: str) -> None:
    assert canonical_value(name, text) == kept
    statement = parse(f"ALTER JOB a OPTIONS ({name} '{text}')")
    assert isinstance(statement, statements.AlterJob)
    assert isinstance(statement.change, statements.NewOptions)
    assert statement.change.options[0].value == kept
    given = [(o.name.text, o.value, o.name.place, o.value_place) for o in statement.change.options]
    JobOptions.read(given)
