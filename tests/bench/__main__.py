"""`python -m tests.bench [name …]`: measures the product on a broker of its own, and reports. Nothing here is a test.

The figures go to standard output and to bench-results/, progress to standard error. A target that is missed is said,
and changes no exit code: 0 done, 1 something broke, 130 interrupted.
"""

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from jobplane.controlplane.embedded.broker import Broker
from tests.bench.backlog import backlog
from tests.bench.bench import Bench, progress
from tests.bench.commands import commands
from tests.bench.formats import formats
from tests.bench.groups import groups
from tests.bench.history import history
from tests.bench.latency import groups_latency, latency
from tests.bench.many_jobs import jobs, plane_of
from tests.bench.queries import queries
from tests.bench.report import Row, facts, save, table
from tests.bench.scaling import scaling
from tests.bench.shared import shared
from tests.bench.start import create, start
from tests.bench.takeover import takeover
from tests.bench.throughput import throughput


@dataclass(frozen=True, slots=True)
class Benchmark:
    """`repeat` is how often it measures unless told otherwise."""

    run: Callable[[Bench], Iterator[Row]]
    repeat: int
    about: str


BENCHMARKS = {
    "throughput": Benchmark(throughput, 3, "CPU and time for a million records, memory"),
    "formats": Benchmark(formats, 3, "a million records from one format to another"),
    "scaling": Benchmark(scaling, 3, "a record's cost with 1 to 64 partitions, few records or many, one host or two"),
    "shared": Benchmark(shared, 2, "ten jobs of one topic, which share its fetch or do not"),
    "groups": Benchmark(groups, 3, "windows and groups beside the filter query; a million groups after a kill"),
    "backlog": Benchmark(backlog, 1, "memory while a backlog of 10 GB is worked off, and without Kafka"),
    "queries": Benchmark(queries, 9, "compiling a query, and what a column costs, without Kafka"),
    "latency": Benchmark(latency, 1, "from source to sink at a steady rate"),
    "groups-latency": Benchmark(groups_latency, 1, "the same through groups, whose rows are written as they change"),
    "start": Benchmark(start, 5, "until a worker is ready"),
    "create": Benchmark(create, 5, "until a new job's first output"),
    "commands": Benchmark(commands, 5, "until a command's outcome"),
    "history": Benchmark(history, 2, "a log of a million commands: replay, a worker's start, 300 more a second"),
    "jobs": Benchmark(jobs, 1, "a thousand jobs: creation, rest, records for a hundred of them, a kill"),
    "plane": Benchmark(plane_of, 1, "ten thousand jobs: a worker's start, its memory"),
    "takeover": Benchmark(takeover, 3, "until the tasks of a killed worker run again"),
}


def main() -> int:
    options = _options()
    machine, rows = facts(), list[Row]()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupted)
    try:
        with tempfile.TemporaryDirectory(prefix="jobplane-bench-") as name, Broker(Path(name) / "kafka") as broker:
            for chosen in options.names or BENCHMARKS:
                benchmark = BENCHMARKS[chosen]
                progress(f"== {chosen}: {benchmark.about}")
                bench = Bench(broker, Path(name), options.records, options.repeat or benchmark.repeat, options.jobs)
                rows.extend(benchmark.run(bench))
    except KeyboardInterrupt:
        progress("interrupted; what was measured until then:")
        return 130
    finally:
        _show(machine, rows)
    return 0


def _options() -> argparse.Namespace:
    about = "\n".join(f"  {name:<12}{one.about} (x {one.repeat})" for name, one in BENCHMARKS.items())
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=f"Measures, and reports. Benchmarks:\n{about}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="name", help="which benchmarks; all where none is named")
    parser.add_argument("--records", type=int, default=2_000_000, help="records for throughput [2000000]")
    parser.add_argument("--repeat", type=int, default=0, help="how often to measure, for all benchmarks")
    parser.add_argument("--jobs", type=int, default=0, help="jobs for the benchmarks jobs [1000] and plane [10000]")
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in BENCHMARKS]:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    if options.records < 1 or options.repeat < 0 or options.jobs < 0:
        parser.error("--records, --repeat and --jobs are positive")
    return options


def _interrupted(*_: object) -> NoReturn:
    """Ends the run once: what is being stopped is not interrupted again."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _show(machine: dict[str, str], rows: list[Row]) -> None:
    for name, fact in machine.items():
        print(f"{name:<16} {fact}")
    if rows:
        print(f"\n{table(rows)}", flush=True)
        progress(f"written to {save(machine, rows)}")


if __name__ == "__main__":
    sys.exit(main())
