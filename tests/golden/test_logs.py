"""Logs of events as older versions wrote them, byte for byte: they decode and fold to what they meant, forever.

A file is named by the version of the events it holds: events in base64, `----`, then what they fold to.
"""

import base64
from pathlib import Path

import pytest

from jobplane.controlplane.core.evolve import fold
from jobplane.controlplane.core.state import State
from jobplane.schemas.records.events import Event
from jobplane.schemas.wire.codec import decode, decode_record, encode

FOLDER = Path(__file__).parent / "logs"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.txt")), ids=lambda path: path.stem)
def test_an_old_log_folds_to_what_it_meant(path: Path) -> None:
    events, _, meant = path.read_text().partition("----\n")
    state = State()
    for line in events.splitlines():
        fold(state, decode(base64.b64decode(line), Event))
    assert summary(state) == meant.splitlines()
    for record in state.records().values():
        assert decode_record(encode(record)) == record


def summary(state: State) -> list[str]:
    jobs = sorted(state.jobs.values(), key=lambda job: job.created)
    return [
        *(
            f"job {job.uid} {job.name} {job.target} {job.status} generation {job.generation} "
            f"tasks {' '.join(task.phase for task in job.tasks)}"
            for job in jobs
        ),
        *(f"snapshot {one.name} {one.version} {one.digest[:8]}" for one in state.snapshots.values()),
        *(f"command {one.command_id} {one.verdict}" for one in state.answers.values()),
    ]
