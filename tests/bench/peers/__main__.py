"""`python -m tests.bench.peers`: jobplane and others do the same work on one broker, one after the other.

Writes docs/performance.md and its drawing. Each engine runs `--repeat` times in an order that is shuffled each time; a
first run, which finds a cold broker, does not count. Whoever loses or doubles a record ends the comparison.
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

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition

from jobplane.controlplane.embedded.broker import Broker
from tests.bench import records
from tests.bench.bench import Bench, progress
from tests.bench.cost import cpu_seconds, peak_mib, tree
from tests.bench.peers.engines import ENGINES, HERE, QUERIES
from tests.bench.peers.page import Figures, write_page
from tests.bench.report import facts
from tests.support.system import System

PARTITIONS = 4
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
    options = parser.parse_args()
    subprocess.run(["mvn", "-q", "-B", "package"], cwd=HERE, check=True)
    machine, found = facts(), defaultdict[tuple[str, str], list[Figures]](list)
    with tempfile.TemporaryDirectory(prefix="jobplane-peers-") as name, Broker(Path(name) / "kafka") as broker:
        bench = Bench(broker, Path(name), options.records, options.repeat)
        with bench.plane() as plane:
            source = plane.topic("in", PARTITIONS)
            progress(f"filling {source} with {bench.records:,} records of {records.SIZE} bytes")
            records.fill(plane, source, PARTITIONS, bench.records)
        _run(bench, "jobplane", "copy", source)
        for _ in range(bench.repeat):
            for work in QUERIES:
                for engine in random.sample(sorted(ENGINES), len(ENGINES)):
                    figures = _run(bench, engine, work, source)
                    found[work, engine].append(figures)
                    progress(f"{engine}, {work}: {figures}")
    medians = {key: _median(runs) for key, runs in found.items()}
    write_page(medians, machine, bench.records, bench.repeat)
    return 0


def _run(bench: Bench, engine: str, work: str, source: str) -> Figures:
    with bench.plane() as plane:
        sink = plane.topic("out", PARTITIONS)
        samples = list[Sample]()
        with ENGINES[engine](plane, source, sink, work, lambda pid: samples.append(_sample(bench, 0, pid))) as run:
            while samples[-1].committed < bench.records:
                samples.append(_sample(bench, _committed(plane, run.group, source), run.pid))
                assert samples[-1].at - samples[0].at < LIMIT_S, f"not within {LIMIT_S:g} s"
                time.sleep(0.2)
            peak = sum(peak_mib(pid) for pid in tree(run.pid))
        expected = records.passing(bench.records) if work == "filter" else records.everything(bench.records)
        assert records.found(plane, sink, expected.records) == expected, f"{engine} lost or doubled records"
        plane.delete_topic(sink)
    return _figures(samples, bench.records, peak)


def _sample(bench: Bench, committed: int, pid: int) -> Sample:
    return Sample(time.monotonic(), committed, cpu_seconds(tree(pid)), cpu_seconds([bench.broker.pid]))


def _committed(plane: System, group: str, source: str) -> int:
    """Records of the source that the group has committed."""
    asked = ConsumerGroupTopicPartitions(group, [TopicPartition(source, p) for p in range(PARTITIONS)])
    try:
        answer = plane.admin.list_consumer_group_offsets([asked])[group].result(10)
    except KafkaException:  # there is no such group yet
        return 0
    return sum(max(0, at.offset) for at in answer.topic_partitions)


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
