"""TUMBLE, HOP and CUMULATE give each time the windows that DuckDB finds for it with time_bucket."""

from datetime import UTC, datetime, timedelta
from functools import cache

import duckdb
import msgspec
from confluent_kafka import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from jobplane.sql.codegen.compile import Step, Wiring, compile_step
from jobplane.sql.mapping import build_mapping
from jobplane.sql.plan.plan import plan
from jobplane.sql.runtime.groups_parts import FOREVER, NEVER
from jobplane.sql.runtime.windows import Panes, Windows
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parser import parse, parse_insert

Found = list[tuple[datetime, datetime]]

STEPS = ("7 SECOND", "1 MINUTE", "10 MINUTE", "1 HOUR", "36 HOUR", "1 DAY", "5 DAY", "1 MONTH", "5 MONTH", "2 YEAR")
OFFSETS = {
    "SECOND": "3 SECOND",
    "MINUTE": "-20 SECOND",
    "HOUR": "59 MINUTE",
    "DAY": "23 HOUR",
    "MONTH": "0 MONTH",
    "YEAR": "-7 MONTH",
}
SLIDING = """
    SELECT start, start + {size} FROM (
        SELECT time_bucket({step}, ts, {origin}) - i * {step} AS start, ts FROM moment, range({count}) AS numbers(i)
    ) WHERE start <= ts AND ts < start + {size} ORDER BY start
"""
GROWING = """
    SELECT start, ends FROM (
        SELECT time_bucket({size}, ts, {origin}) AS start, start + (i + 1) * {step} AS ends, ts
        FROM moment, range({count}) AS numbers(i)
    ) WHERE ts < ends ORDER BY ends
"""
created = parse("CREATE MAPPING s (at TIMESTAMP) TYPE Kafka")
assert isinstance(created, statements.CreateMapping)
SOURCES = {"s": build_mapping(created)}
DUCKDB = duckdb.connect()


def interval(length: str, times: int = 1) -> str:
    number, unit = length.split()
    return f"INTERVAL '{int(number) * times}' {unit}"


@cache
def compiled(query: str) -> Step:
    planned = plan(parse_insert(f"INSERT INTO out {query}"), SOURCES)
    return compile_step(planned, Wiring("out", 1, {"s": "s"}, {"s": 0})).step


def ours(source: str, moments: list[datetime]) -> list[Found]:
    """The windows of each, all through one step: what it keeps of one record must not change the next."""
    step, found = compiled(f"SELECT window_start AS s, window_end AS e FROM {source}"), []
    for moment in moments:
        written: list[bytes] = []
        value = msgspec.json.encode({"at": moment})
        step(
            iter([Message("s", 0, 0, None, value, None, None, (1, 1))]),
            lambda *record, to=written: to.append(record[1]),
            lambda *_: None,
        )
        rows = [msgspec.json.decode(one, type=dict[str, datetime]) for one in written]
        found.append([(one["s"].replace(tzinfo=None), one["e"].replace(tzinfo=None)) for one in rows])
    return found


def theirs(query: str, moments: list[datetime]) -> list[Found]:
    moment = "WITH moment AS (SELECT CAST($1 AS TIMESTAMP) AS ts)"
    return [DUCKDB.execute(f"{moment} {query}", [one]).fetchall() for one in moments]


near = st.datetimes(datetime(1960, 1, 1), datetime(2040, 1, 1))  # noqa: DTZ001  # TIMESTAMP
edges = st.integers(-500_000, 500_000).map(lambda one: datetime(1970, 1, 1) + one * timedelta(hours=1))  # noqa: DTZ001
times = st.lists(near | edges, min_size=1, max_size=6)


@settings(max_examples=300, deadline=None)
@given(step=st.sampled_from(STEPS), count=st.integers(1, 9), growing=st.booleans(), moved=st.booleans(), moments=times)
def test_duckdb_finds_the_same_windows(
    *, step: str, count: int, growing: bool, moved: bool, moments: list[datetime]
) -> None:
    part, size, offset = interval(step), interval(step, count), interval(OFFSETS[step.split()[1]])
    arguments = f"TABLE s, DESCRIPTOR(at), {part}, {size}" + (f", {offset}" if moved else "")
    origin = "TIMESTAMP '1970-01-01'" + (f" + {offset}" if moved else "")
    query = (GROWING if growing else SLIDING).format(step=part, size=size, count=count, origin=origin)
    assert ours(f"{'CUMULATE' if growing else 'HOP'}({arguments})", moments) == theirs(query, moments)


ZONED = [
    Windows(1_000, 100, offset=30),
    Windows(1_000, 100, growing=True),
    Windows(5, 1, unit="day", zone="Pacific/Apia"),
    Windows(6, 1, growing=True, unit="day", zone="Pacific/Apia"),
    Windows(6, 2, unit="day", zone="Australia/Lord_Howe"),
    Windows(7, 1, unit="month", zone="America/New_York", growing=True),
]
AROUND = st.integers(0, 92 * 86_400).map(lambda second: datetime(2011, 11, 1, tzinfo=UTC) + timedelta(seconds=second))


@given(windows=st.sampled_from(ZONED), moment=AROUND, data=st.data())
def test_of_the_windows_of_a_pane_those_are_found_that_end_within_a_time(
    windows: Windows, moment: datetime, data: st.DataObject
) -> None:
    panes = Panes(windows)
    begin, end, some = panes.find(moment)
    bounds = st.sampled_from([NEVER, FOREVER, begin, *(bound for one in some for bound in one)]) | AROUND
    after, until = data.draw(bounds), data.draw(bounds)
    assert list(panes.ending(begin, after, until)) == [one for one in some if after < one[1] <= until]
    assert panes.last_end(begin) == some[-1][1]
    assert Panes(windows, bare=True).find(moment) == (begin, end, tuple(dict.fromkeys((some[0], some[-1]))))
    if after <= until and panes.is_same(after, until):
        assert not list(panes.ending(begin, after, until))
