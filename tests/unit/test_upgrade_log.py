"""Logs that older versions left behind: their events fold to the very state that was recorded beside them."""

import pytest

from jobplane.controlplane.core.evolve import fold
from jobplane.controlplane.core.state import POSITION, State
from jobplane.controlplane.log.state_topic import read_record
from jobplane.controlplane.log.verify import differences
from jobplane.schemas.records.events import Event
from jobplane.schemas.records.state import decode_key
from jobplane.schemas.wire.codec import decode
from tests.support.data_folders import VERSIONS, DataFolder


@pytest.mark.parametrize("version", VERSIONS)
def test_events_fold_to_the_state_that_was_recorded(version: str) -> None:
    folder, state = DataFolder(version), State()
    for _, value in folder.records("events"):
        fold(state, decode(value or b"", Event))
    held = {
        decode_key(key): read_record(value) for key, value in dict(folder.records("state")).items() if value is not None
    }
    assert POSITION in held
    assert len(state.jobs) >= len(folder.expected["jobs"])
    assert list(differences(state.records(), held)) == []
