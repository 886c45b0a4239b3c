"""The guard of the benchmarks compares pairs of runs, and allows what lies within its slack."""

from tests.bench.guard import SLACK, dearer, ratios


def test_the_median_of_the_pairs_counts() -> None:
    before = {"copy": 2.0, "filter": 1.0}
    pairs = [(before, {"copy": 2.0, "filter": 1.3}), (before, {"copy": 9.0, "filter": 1.2}), (before, before)]
    found = ratios(pairs)
    assert found == {"copy": 1.0, "filter": 1.2}
    assert dearer(found) == ["filter"]


def test_pairs_compare_runs_of_the_same_minute() -> None:
    """A machine that becomes twice as slow for both trees changes nothing."""
    assert ratios([({"copy": 1.0}, {"copy": 1.1}), ({"copy": 2.0}, {"copy": 2.2})]) == {"copy": 1.1}


def test_what_only_one_tree_measures_is_left_out() -> None:
    assert ratios([({"copy": 1.0}, {"copy": 1.0, "new": 5.0})]) == {"copy": 1.0}


def test_the_slack_itself_is_allowed() -> None:
    assert dearer({"copy": SLACK}) == []
    assert dearer({"copy": SLACK + 0.001}) == ["copy"]
