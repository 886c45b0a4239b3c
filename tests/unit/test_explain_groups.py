"""What EXPLAIN says of groups: what closes windows, what bounds the state, and a safer watermark."""

import pytest

from jobplane.controlplane.query.group_explanation import explain_groups
from jobplane.schemas.options import JobOptions
from jobplane.schemas.records.sources import Source
from tests.support.grouping import MAPPING, planned

WINDOWS = "TUMBLE(TABLE s, DESCRIPTOR(ts), INTERVAL '1' MINUTE)"
HOP = "HOP(TABLE s, DESCRIPTOR(ts), INTERVAL '10' MINUTE, INTERVAL '1' HOUR)"
SESSION = "SESSION(TABLE s, DESCRIPTOR(ts), INTERVAL '1' MINUTE)"
BY = "GROUP BY window_start, window_end"
RULED = MAPPING.replace("SECOND)", "SECOND IDLE AFTER INTERVAL '1' MINUTE)")


def explained(query: str, mapping: str = MAPPING, most: int = -1, end: tuple[int, ...] = ()) -> dict[str, str]:
    source = Source("s", "id", (0, 0, 0), end)
    return dict(explain_groups(planned(query, mapping), [source], JobOptions(max_processor_accumulated_records=most)))


@pytest.mark.parametrize(
    ("query", "mapping", "time"),
    [
        (
            f"SELECT window_end, count(*) AS n FROM {WINDOWS} {BY}",
            MAPPING,
            "windows wait for the watermarks of all 3 partitions of 's': one that is empty or silent holds back all",
        ),
        (
            f"SELECT window_end, count(*) AS n FROM {WINDOWS} {BY}",
            RULED,
            (
                "windows wait for the watermarks of all 3 partitions of 's': one that is read to its end and "
                "silent for PT1M holds back none; when all are, time goes on with the clock"
            ),
        ),
        (
            f"SELECT window_end, k, count(*) AS n FROM {WINDOWS} {BY}, k",
            MAPPING,
            "windows wait for the watermark of their own partition of 's'; while it is silent they wait",
        ),
        (
            f"SELECT window_end, k, count(*) AS n FROM {WINDOWS} {BY}, k",
            RULED,
            (
                "windows wait for the watermark of their own partition of 's'; once it is silent for "
                "PT1M, its time goes on with the clock"
            ),
        ),
    ],
)
def test_what_closes_windows(query: str, mapping: str, time: str) -> None:
    assert explained(query, mapping)["time"] == time
    assert explained(query, mapping, end=(1, 1, 1))["time"] == f"{time}; at stopAt all close"


@pytest.mark.parametrize(
    ("query", "state"),
    [
        (
            f"SELECT window_end, count(*) AS n FROM {WINDOWS} {BY}",
            (
                "the groups of open windows, about 2 at once (windows of PT1M and a lag of PT5S), and more while "
                "partitions are apart in time"
            ),
        ),
        (
            f"SELECT window_end, k, count(*) AS n FROM {HOP} {BY}, k",
            (
                "the groups of open windows, about 7 at once (windows of PT1H every PT10M and a lag of PT5S), kept in "
                "parts of PT10M"
            ),
        ),
        (
            f"SELECT window_end, count(*) AS n FROM {SESSION} {BY}",
            (
                "the groups of sessions that have not ended, each until the watermark passes its end, and more while "
                "partitions are apart in time"
            ),
        ),
        ("SELECT u, count(*) AS n FROM s GROUP BY u", "a group is kept for ever"),
        ("SELECT count(*) AS n FROM s", "one group is kept for ever"),
    ],
)
def test_what_bounds_the_state(query: str, state: str) -> None:
    unlimited = "the number of groups is not limited (maxProcessorAccumulatedRecords '-1')"
    limited = "with more than 5,000 groups in a task the job stops (maxProcessorAccumulatedRecords)"
    for most, limit in ((-1, unlimited), (5_000, limited)):
        found = explained(query, most=most)["state"]
        assert found == f"{state}; {limit}; the worker's state_budget limits their memory"


@pytest.mark.parametrize(
    ("watermark", "advice"),
    [
        ("ts - INTERVAL '5' SECOND", "LEAST(ts, __timestamp) - INTERVAL '5' SECOND"),
        ("ts", "LEAST(ts, __timestamp)"),
        ("LEAST(ts, __timestamp) - INTERVAL '5' SECOND", ""),
        ("__timestamp", ""),
    ],
)
def test_a_safer_watermark(watermark: str, advice: str) -> None:
    mapping = MAPPING.replace("ts - INTERVAL '5' SECOND", watermark)
    if watermark == "__timestamp":
        mapping = mapping.replace("FOR ts", "FOR __timestamp")
    time = "__timestamp" if watermark == "__timestamp" else "ts"
    query = f"SELECT window_end, count(*) AS n FROM {WINDOWS.replace('(ts)', f'({time})')} {BY}"
    found = explained(query, mapping).get("advice", "")
    assert (f"WATERMARK FOR ts AS {advice} in the mapping" in found) if advice else not found


def test_a_lag_that_is_not_known() -> None:
    query = f"SELECT window_end, count(*) AS n FROM {WINDOWS} {BY}"
    state = explained(query, MAPPING.replace("ts - INTERVAL '5' SECOND", "ts"))["state"]
    assert state.startswith("the groups of open windows, about 2 at once (windows of PT1M), and more")
    state = explained(query, MAPPING.replace("ts - INTERVAL '5' SECOND", "ts - INTERVAL '1' SECOND * x"))["state"]
    assert state.startswith("the groups of open windows (windows of PT1M and the lag of the watermark), and more")
