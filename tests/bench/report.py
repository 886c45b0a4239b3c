"""What a benchmark hands back, and how it is shown: a table for people, JSON for comparisons."""

import json
import os
import platform
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import confluent_kafka

from jobplane.controlplane.embedded import jars

FOLDER = Path(__file__).parents[2] / "bench-results"
_HEAD = ("benchmark", "figure", "unit", "target", "")


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `target` is the most it should be, None where there is none; `samples` are what it was made of."""

    name: str
    figure: float
    unit: str
    target: float | None = None
    samples: tuple[float, ...] = ()

    @property
    def verdict(self) -> str:
        if self.target is None:
            return ""
        return "ok" if self.figure <= self.target else "MISSED"


def median(name: str, samples: Sequence[float], unit: str, target: float | None = None) -> Row:
    """The median of several measurements."""
    return Row(name, statistics.median(samples), unit, target, tuple(samples))


def percentile(name: str, samples: Sequence[float], percent: int, unit: str, target: float | None = None) -> Row:
    """The smallest sample that at least `percent` of a hundred samples do not exceed."""
    ordered = sorted(samples)
    return Row(f"{name}, p{percent}", ordered[-(-len(ordered) * percent // 100) - 1], unit, target)


def facts() -> dict[str, str]:
    """The machine and the versions that the figures hold for."""
    return {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()} {platform.release()}",
        "load": " ".join(f"{load:.2f}" for load in os.getloadavg()) + " (1, 5, 15 minutes, at the start)",
        "python": platform.python_version(),
        "kafka": f"{jars.KAFKA}, one node",
        "confluent_kafka": f"{confluent_kafka.__version__}, librdkafka {confluent_kafka.libversion()[0]}",
    }


def table(rows: Sequence[Row]) -> str:
    """The rows in columns, figures to the right."""
    lines = [_HEAD]
    for row in rows:
        target = "" if row.target is None else f"<= {row.target:g}"
        lines.append((row.name, f"{row.figure:,.{2 if row.figure < 100 else 0}f}", row.unit, target, row.verdict))
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    return "\n".join(
        f"{name:<{widths[0]}}  {figure:>{widths[1]}}  {unit:<{widths[2]}}  {target:<{widths[3]}}  {verdict}".rstrip()
        for name, figure, unit, target, verdict in lines
    )


def save(machine: dict[str, str], rows: Sequence[Row]) -> Path:
    """Writes bench-results/<UTC time>.json; returns its path."""
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.json"
    listed = [asdict(row) | {"verdict": row.verdict} for row in rows]
    path.write_text(json.dumps({"facts": machine, "rows": listed}, indent=1) + "\n")
    return path
