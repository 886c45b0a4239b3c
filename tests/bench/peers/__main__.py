"""`python -m tests.bench.peers`: jobplane and others do the same work on one broker, one after the other.

Writes docs/performance.md and its drawing if all works are measured. Each engine runs `--repeat` times in an order that
is shuffled each time; a first run, which finds a cold broker, does not count. Whoever loses or doubles a record ends
the comparison.
"""

import argparse
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jobplane.controlplane.embedded.broker import Broker
from tests.bench import records
from tests.bench.bench import Bench, progress
from tests.bench.cost import cpu_seconds, peak_mib, tree
from tests.bench.groups import count_of, finals, orders
from tests.bench.peers.engines import ENGINES, HERE, QUERIES, WITHOUT_WINDOWS
from tests.bench.peers.page import Figures, write_page
from tests.bench.report import facts
from tests.support.system import System

PARTITIONS, USERS = 4, 1_000
LIMIT_S = 900.0
STEADY = (0.25, 0.95)
"""Between these shares of the records an engine is warm, and not yet at its last commit."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What an engine and the broker had used when so many records were committed."""

    at: float
    committed: int
    engine: float
    broker: float


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.peers", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--records", type=int, default=8_000_000, help="records of each run [8000000]")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each engine and work [3]")
    parser.add_argument("--works", nargs="+", choices=QUERIES, default=list(QUERIES), help="what to measure [all]")
    options = parser.parse_args()
    subprocess.run(["mvn", "-q", "-B", "package"], cwd=HERE, check=True)
    machine, found = facts(), defaultdict[tuple[str, str], list[Figures]](list)
    with tempfile.TemporaryDirectory(prefix="jobplane-peers-") as name, Broker(Path(name) / "kafka") as broker:
        bench = Bench(broker, Path(name), options.records, options.repeat)
        with bench.plane() as plane:
            sources = {work: _filled(bench, plane, work) for work in options.works}
        _run(bench, "jobplane", options.works[0], sources[options.works[0]])
        for _ in range(bench.repeat):
            for work in options.works:
                engines = sorted(ENGINES.keys() - WITHOUT_WINDOWS if work == "windows" else ENGINES)
                for engine in random.sample(engines, len(engines)):
                    figures = _run(bench, engine, work, sources[work])
                    found[work, engine].append(figures)
                    progress(f"{engine}, {work}: {figures}")
    medians = {key: _median(runs) for key, runs in found.items()}
    if set(options.works) == QUERIES.keys():
        write_page(medians, machine, bench.records, bench.repeat)
    for (work, engine), figures in medians.items():
        print(f"{work}, {engine}: {figures}")
    return 0


def _filled(bench: Bench, plane: System, work: str) -> str:
    """A topic with the records of a work."""
    source = plane.topic(f"in-{work}", PARTITIONS, retention_ms="-1")
    progress(f"filling {source} with {bench.records:,} records of {records.SIZE} bytes")
    made = orders(bench.records, USERS) if work == "windows" else None
    records.fill(plane, source, PARTITIONS, bench.records, made)
    return source


def _run(bench: Bench, engine: str, work: str, source: str) -> Figures:
    with bench.plane() as plane:
        sink = plane.topic("out", PARTITIONS, retention_ms="-1")
        samples = list[Sample]()
        with ENGINES[engine](plane, source, sink, work, lambda pid: samples.append(_sample(bench, 0, pid))) as run:
            while samples[-1].committed < bench.records:
                samples.append(_sample(bench, _committed(plane, run.group, source), run.pid))
                assert samples[-1].at - samples[0].at < LIMIT_S, f"not within {LIMIT_S:g} s"
                time.sleep(0.2)
            peak = sum(peak_mib(pid) for pid in tree(run.pid))
        assert _is_right(plane, sink, work, bench.records), f"{engine} lost or doubled records"
        plane.delete_topic(sink)
    return _figures(samples, bench.records, peak)


def _is_right(plane: System, sink: str, work: str, count: int) -> bool:
    """Kafka Streams writes windows that have closed once a second, so that the last of them may be missing."""
    if work == "windows":
        least, most = finals(count, USERS, but_last=1), finals(count, USERS)
        found = records.found(plane, sink, least.records, count_of)
        return least.records <= found.records <= most.records and least.ids <= found.ids <= most.ids
    expected = records.passing(count) if work == "filter" else records.everything(count)
    return records.found(plane, sink, expected.records) == expected


def _sample(bench: Bench, committed: int, pid: int) -> Sample:
    return Sample(time.monotonic(), committed, cpu_seconds(tree(pid)), cpu_seconds([bench.broker.pid]))


def _committed(plane: System, group: str, source: str) -> int:
    """Records of the source that the group has committed."""
    return sum(max(0, at.offset) for at in plane.committed(group, source, PARTITIONS))


def _figures(samples: Sequence[Sample], count: int, peak: float) -> Figures:
    first, last = samples[0], samples[-1]
    warm, end = (next(one for one in samples if one.committed >= share * count) for share in STEADY)
    steady = max(1, end.committed - warm.committed)
    return Figures(
        (last.engine - first.engine) / count * 1e6,
        (end.engine - warm.engine) / steady * 1e6,
        (last.broker - first.broker) / count * 1e6,
        count / (last.at - first.at),
        peak,
    )


def _median(runs: Sequence[Figures]) -> Figures:
    return Figures(*[statistics.median(column) for column in zip(*runs, strict=True)])


if __name__ == "__main__":
    sys.exit(main())
