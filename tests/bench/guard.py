"""`python -m tests.bench.guard`: fails where a million records cost more CPU than at the commit named in baseline.txt.

Both trees run on this machine, one after the other, in pairs whose order alternates: no figure of another day or
machine takes part. What is dearer than SLACK after the first pairs is measured in as many pairs again, because one busy
minute is no regression. Exit code 1 for a regression; the baseline runs with the packages of this environment.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from tests.bench.bench import progress

HERE = Path(__file__).parents[2]
BASELINE = Path(__file__).with_name("baseline.txt")
SLACK = 1.15
COST = "CPU of the hosts"
Costs = Mapping[str, float]
"""CPU-seconds of the hosts for a million records, by benchmark."""


def ratios(pairs: Sequence[tuple[Costs, Costs]]) -> dict[str, float]:
    """The median, over (baseline, now) pairs, of the cost now to that of the baseline; of what both have measured."""
    names = [name for name in pairs[0][1] if all(name in costs for pair in pairs for costs in pair)]
    return {name: median(now[name] / before[name] for before, now in pairs) for name in names}


def dearer(found: Mapping[str, float]) -> list[str]:
    return [name for name, ratio in found.items() if ratio > SLACK]


def baseline() -> str:
    """The commit named in baseline.txt, whose other lines are comments."""
    (commit,) = [line for line in BASELINE.read_text().splitlines() if line and not line.startswith("#")]
    return commit


@contextmanager
def _tree_at(commit: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="jobplane-guard-") as folder:
        tree = Path(folder) / "tree"
        subprocess.run(["git", "worktree", "add", "--quiet", "--detach", tree, commit], cwd=HERE, check=True)
        try:
            yield tree
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", tree], cwd=HERE, check=True)


def _costs(tree: Path, names: Sequence[str], records: int) -> dict[str, float]:
    """One run of the benchmarks of a tree, by its own code."""
    words = [sys.executable, "-m", "tests.bench", *names, "--records", str(records), "--repeat", "1"]
    before = set(_results(tree))
    subprocess.run(words, cwd=tree, env={**os.environ, "PYTHONPATH": str(tree)}, check=True, stdout=subprocess.DEVNULL)
    (result,) = set(_results(tree)) - before
    rows = json.loads(result.read_text())["rows"]
    return {row["name"]: row["figure"] for row in rows if row["name"].endswith(COST)}


def _results(tree: Path) -> list[Path]:
    return sorted((tree / "bench-results").glob("*.json"))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.guard", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("names", nargs="*", default=["throughput", "formats"], help="benchmarks that count CPU")
    parser.add_argument("--records", type=int, default=2_000_000, help="records for each run [2000000]")
    parser.add_argument("--pairs", type=int, default=3, help="runs of each tree [3]")
    options = parser.parse_args()
    commit, pairs = baseline(), list[tuple[Costs, Costs]]()
    with _tree_at(commit) as tree:
        for again in range(2):
            for number in range(options.pairs):
                order = (tree, HERE) if number % 2 == 0 else (HERE, tree)
                progress(f"== pair {len(pairs) + 1}")
                costs = {one: _costs(one, options.names, options.records) for one in order}
                pairs.append((costs[tree], costs[HERE]))
            if not dearer(ratios(pairs)):
                break
            progress("dearer than allowed: measured again" if not again else "still dearer")
    found = ratios(pairs)
    print(f"CPU to that of {commit[:12]}, the median of {len(pairs)} pairs; at most {SLACK:g}")
    for name, ratio in found.items():
        before, now = (median(pair[side][name] for pair in pairs) for side in (0, 1))
        verdict = "DEARER" if ratio > SLACK else "ok"
        print(f"{name:<50} {before:6.2f} -> {now:6.2f} CPU-s/M  x {ratio:.2f}  {verdict}")
    return 1 if dearer(found) else 0


if __name__ == "__main__":
    sys.exit(main())
