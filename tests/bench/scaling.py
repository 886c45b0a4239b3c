"""Whether a record costs the same with many partitions, with many records, and in one host or two.

The filter query. One core less than hosts and broker need together shows no speed, but CPU for a record: two hosts that
need no more of it than one are twice as fast where there are cores for them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import median

from tests.bench import records
from tests.bench.bench import Bench, progress
from tests.bench.report import Row
from tests.bench.throughput import WORKS, measured

FILTER = next(work for work in WORKS if work.name == "filter")
MOST = 1.1


@dataclass(frozen=True, slots=True)
class Case:
    """`share` of the records asked for, in `partitions`, by a worker with `hosts`."""

    name: str
    partitions: int = 4
    share: float = 1.0
    hosts: int = 2


BASE = Case("4 partitions")
CASES = (
    Case("1 partition", partitions=1),
    Case("64 partitions", partitions=64),
    Case("four times the records", share=4.0),
    Case("one host", hosts=1),
)


def scaling(bench: Bench) -> Iterator[Row]:
    for case in CASES:
        pairs = [(_cost(bench, BASE), _cost(bench, case)) for _ in range(bench.repeat)]
        ratios = tuple(now / base for base, now in pairs)
        yield Row(f"scaling: CPU for a record, {case.name} to {BASE.name}", median(ratios), "times", MOST, ratios)


def _cost(bench: Bench, case: Case) -> float:
    """CPU-seconds of the hosts for a million records."""
    count = int(bench.records * case.share)
    with bench.plane() as plane:
        plane.hosts = case.hosts
        source = plane.topic("in", case.partitions)
        progress(f"{case.name}: filling {source} with {count:,} records")
        records.fill(plane, source, case.partitions, count)
        expected = records.passing(count)
        run = measured(replace(bench, records=count), plane, source, FILTER, expected, partitions=case.partitions)
        plane.delete_topic(source)
    return run.hosts / count * 1e6
