"""How long a command waits for its outcome: from its append until a read_committed consumer has the event.

Commands are sent one after another, each when the last one's outcome is there: accepted, unchanged and refused ones.
"""

import time
from collections import defaultdict
from collections.abc import Iterator

from tests.bench.bench import Bench, progress
from tests.bench.commander import commander
from tests.bench.report import Row, median, percentile

OUTCOME_MS = 150.0
ROUND = (
    ("CREATE", "CREATE JOB {job} AS INSERT INTO {sink} SELECT * FROM {source}"),
    ("refused", "CREATE JOB {job} AS INSERT INTO {sink} SELECT * FROM {source}"),
    ("ALTER", "ALTER JOB {job} SUSPEND"),
    ("refused", "ALTER JOB {job} SUSPEND"),
    ("ALTER", "ALTER JOB {job} RESUME"),
    ("refused", "this is no statement"),
    ("ALTER", "ALTER JOB {job} RESTART"),
    ("refused", "DROP JOB nobody"),
    ("DROP", "DROP JOB {job}"),
    ("unchanged", "DROP JOB IF EXISTS {job}"),
)
"""(kind, statement); five rounds are fifty commands."""


def commands(bench: Bench) -> Iterator[Row]:
    took: dict[str, list[float]] = defaultdict(list)
    with bench.plane() as plane:
        plane.worker()
        topics = {role: f'"{plane.topic(role, 1)}"' for role in ("source", "sink")}
        with commander(plane) as to:
            for i in range(bench.repeat):
                for kind, text in ROUND:
                    began = time.monotonic()
                    event = to.outcome(to.append(text.format(job=f"j{i}", **topics)))
                    took[kind].append((time.monotonic() - began) * 1000)
                    verdict = type(event.body).__name__
                    expected = {"refused": "CommandRefused", "unchanged": "CommandUnchanged"}.get(kind, "Job")
                    assert verdict.startswith(expected), f"{text}: {event.body}"
                progress(f"{(i + 1) * len(ROUND)} commands")
    everything = [one for kind in took.values() for one in kind]
    yield median("commands: outcome", everything, "ms", OUTCOME_MS)
    yield percentile("commands: outcome", everything, 95, "ms")
    for kind, samples in took.items():
        yield median(f"commands: outcome of {kind}", samples, "ms")
