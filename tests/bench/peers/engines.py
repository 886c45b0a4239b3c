"""What is compared: each engine reads the same topic, does the same work, and writes exactly once."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.groups import GROUPED, JITTER_MS, MAPPING, WINDOW_MS
from tests.support.system import System

HERE = Path(__file__).parent
COMMIT_MS = 1_000
QUERIES = {
    "copy": 'SELECT * FROM "{source}"',
    "filter": 'SELECT id, user, amount * 2 AS doubled FROM "{source}" WHERE amount > 50',
    "windows": GROUPED.format(size=WINDOW_MS / 1_000),
}
"""By the work that they are."""


@dataclass(frozen=True, slots=True)
class Run:
    """The group whose committed offsets say how far an engine is; the process that it and its children are."""

    group: str
    pid: int


Begin = Callable[[int], None]
"""To be called with a process as the work begins: what the process and its children have used before does not count."""
Engine = Callable[[System, str, str, str, Begin], AbstractContextManager[Run]]
"""Runs in its block: the plane whose broker it uses, the source, the sink, and the work."""


@contextmanager
def product(plane: System, source: str, sink: str, work: str, begin: Begin) -> Iterator[Run]:
    """A worker that has started, with its hosts; the job is created in the run."""
    worker = plane.worker()
    if work == "windows":
        plane.done(MAPPING.format(source=source, lag=JITTER_MS // 1_000))
    begin(worker.process.pid)
    options = f"OPTIONS (snapshotIntervalMillis '{COMMIT_MS}')"
    result = plane.done(f'CREATE JOB load {options} AS INSERT INTO "{sink}" {QUERIES[work].format(source=source)}')
    assert result.reply is not None
    try:
        yield Run(f"{plane.prefix}job.{result.reply.uid}", worker.process.pid)
    finally:
        worker.stop()


def peer(*command: str) -> Engine:
    """A process of its own, which is told what to do by its arguments and ended by a signal."""

    @contextmanager
    def run(plane: System, source: str, sink: str, work: str, begin: Begin) -> Iterator[Run]:
        group = f"peer-{sink}"
        words = [*command, plane.bootstrap, source, sink, group, work, str(COMMIT_MS)]
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        begin(process.pid)
        try:
            yield Run(group, process.pid)
        finally:
            process.terminate()
            process.wait(20)

    return run


JAVA = ("java", "-Xmx2g", "-cp", f"{HERE}/target/peers-1.jar:{HERE}/target/lib/*")
ENGINES: dict[str, Engine] = {
    "jobplane": product,
    "Kafka Streams 4.1": peer(*JAVA, "peers.StreamsPeer"),
    "a loop in Python": peer(sys.executable, str(HERE / "loop.py")),
}
WITHOUT_WINDOWS = frozenset({"a loop in Python"})
