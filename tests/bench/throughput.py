"""How much CPU the task hosts need for a million records, and how fast they are.

A worker with its default hosts, four partitions, exactly once, a commit a second. The source is full before the job
is created; what is measured runs from CREATE JOB to the commit of the last record. Each run has a new worker, whose
hosts have started.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tests.bench import records
from tests.bench.bench import Bench, progress
from tests.bench.cost import cpu_seconds, peak_mib
from tests.bench.report import Row, median
from tests.support.system import System, until

PARTITIONS = 4
LIMIT_S = 300.0
QUIET_S = 0.05
PEAK_MIB = 250.0
CREATE = """CREATE JOB load OPTIONS (processingGuarantee 'exactlyOnce', snapshotIntervalMillis '1000'{formats})
            AS INSERT INTO "{sink}" {query}"""


TWELVE = """SELECT id, user, amount, amount * 2 AS doubled, amount - 1 AS less, amount > 50 AS large,
            UPPER(user) AS loud, LENGTH(pad) AS size, SUBSTRING(user, 2, 3) AS part, ROUND(amount / 7.0, 2) AS rounded,
            COALESCE(note, 'none') AS note, CONCAT(user, '-', SUBSTRING(pad, 1, 1)) AS label FROM "{source}\""""


@dataclass(frozen=True, slots=True)
class Work:
    """A query, and the CPU seconds per million records of its source that the hosts may need.

    `formats` are more options of the job, such as those that say how topics without a mapping are carried.
    """

    name: str
    query: str
    target: float
    formats: str = ""


WORKS = (
    Work("SELECT *", 'SELECT * FROM "{source}"', 0.35),
    Work("SELECT * record by record", 'SELECT * FROM "{source}"', 2.6, ", copy 'rows'"),
    Work("filter", 'SELECT id, user, amount * 2 AS doubled FROM "{source}" WHERE amount > 50', 2.0),
    Work("12 columns, 6 functions", TWELVE, 6.0),
)


@dataclass(frozen=True, slots=True)
class Run:
    """CPU seconds of the hosts and of the broker, seconds from CREATE on, and MiB of the largest host."""

    hosts: float
    broker: float
    wall: float
    peak: float


def throughput(bench: Bench) -> Iterator[Row]:
    with bench.plane() as plane:
        source = plane.topic("in", PARTITIONS)
        progress(f"filling {source} with {bench.records:,} records of {records.SIZE} bytes")
        records.fill(plane, source, PARTITIONS, bench.records)
        for work in WORKS:
            count = records.passing(bench.records) if work.name == "filter" else records.everything(bench.records)
            runs = [measured(bench, plane, source, work, count) for _ in range(bench.repeat)]
            yield from rows(f"throughput {work.name}", runs, bench.records, work.target)


def rows(name: str, runs: Sequence[Run], count: int, target: float) -> Iterator[Row]:
    """What several runs over `count` records gave."""
    million = count / 1e6
    yield median(f"{name}: CPU of the hosts", [run.hosts / million for run in runs], "CPU-s/M records", target)
    yield median(f"{name}: CPU of the broker", [run.broker / million for run in runs], "CPU-s/M records")
    yield median(f"{name}: time", [run.wall for run in runs], "s")
    yield median(f"{name}: speed", [count / run.wall / 1000 for run in runs], "krecords/s")
    peaks = tuple(run.peak for run in runs)
    yield Row(f"{name}: peak memory of a host", max(peaks), "MiB", PEAK_MIB, peaks)


def measured(
    bench: Bench,
    plane: System,
    source: str,
    work: Work,
    expected: records.Expected,
    id_of: Callable[[bytes], int] = records.id_of,
    partitions: int = PARTITIONS,
) -> Run:
    """One run of a query over a full source. `id_of` reads what it writes; source and sink have `partitions`."""
    # 1 a new worker: its memory is this run's alone
    worker = plane.worker()
    sink = plane.topic("out", partitions)
    hosts = worker.host_pids()
    until(lambda: _are_quiet(hosts), LIMIT_S, "the hosts have started: that is no record's cost")
    # 2 from CREATE to the last commit
    cpu, broker_cpu, began = cpu_seconds(hosts), cpu_seconds([bench.broker.pid]), time.monotonic()
    result = plane.done(CREATE.format(sink=sink, query=work.query.format(source=source), formats=work.formats))
    assert result.reply is not None
    uid = result.reply.uid
    count = sum(plane.ends(source).values())
    until(lambda: committed(plane, uid, source, partitions) == count, LIMIT_S, f"{count} records are committed")
    run = Run(
        cpu_seconds(hosts) - cpu,
        cpu_seconds([bench.broker.pid]) - broker_cpu,
        time.monotonic() - began,
        max(peak_mib(pid) for pid in hosts),
    )
    progress(f"{work.name}: {run.hosts:.2f} CPU-s, {run.wall:.2f} s, {run.peak:.0f} MiB")
    # 3 the output is right, and nothing of it is left for the next run
    assert worker.host_pids() == hosts, "a host died"
    assert records.found(plane, sink, expected.records, id_of) == expected
    plane.done("DROP JOB load")
    worker.stop()
    plane.delete_topic(sink)
    return run


def _are_quiet(hosts: Sequence[int]) -> bool:
    """Whether they have done next to nothing for a second."""
    before = cpu_seconds(hosts)
    time.sleep(1)
    return cpu_seconds(hosts) - before < QUIET_S


def committed(plane: System, uid: str, source: str, partitions: int = PARTITIONS) -> int:
    """Records of the source that the job has committed."""
    return sum(max(0, at.offset) for at in plane.committed(f"{plane.prefix}job.{uid}", source, partitions))
