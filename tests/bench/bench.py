"""What every benchmark is given: a broker that runs, control planes of its own, and how often to measure."""

import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jobplane.controlplane.embedded.broker import Broker
from tests.support.system import System, system


def progress(text: str) -> None:
    """A line for who waits; figures go to standard output."""
    print(text, file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class Bench:
    """`records` is for the benchmarks that move many; `repeat` is how often a figure is measured.

    `jobs` is for those with many jobs; 0 is as many as each has by itself.
    """

    broker: Broker
    folder: Path
    records: int
    repeat: int
    jobs: int = 0

    @contextmanager
    def plane(self) -> Iterator[System]:
        """A new control plane without a worker. Workers have one host a core, as they do by default."""
        prefix = f"b{uuid.uuid4().hex[:8]}."
        folder = self.folder / prefix.rstrip(".")
        folder.mkdir()
        with system(self.broker.bootstrap, prefix, folder, hosts=0) as made:
            yield made
