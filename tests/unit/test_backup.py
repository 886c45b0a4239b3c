"""The file of a backup survives or says that it did not; what a restore must know, it finds in the records."""

from pathlib import Path

import pytest

from jobplane.controlplane.backup.file import (
    FORMAT,
    BackupRecord,
    BackupTopic,
    Foot,
    Head,
    PartitionRange,
    open_writer,
    read_records,
    verify,
)
from jobplane.controlplane.backup.restore import RestorePlan
from jobplane.processors.state.restored import encode_restored, restored_chunks
from jobplane.schemas.records.state import Position, encode_key
from jobplane.schemas.setup_errors import BadBackup
from jobplane.schemas.wire.codec import encode
from tests.support.plane import Plane, topic

HEAD = Head(FORMAT, "0.1.0", "jobplane.", 7, {"commands": BackupTopic("id", [PartitionRange(0, 3)])})
KEPT = [
    BackupRecord("commands", 0, 0, 1, None, b"DROP JOB a", [("command-id", b"x"), ("empty", None)]),
    BackupRecord("commands", 0, 2, 2, b"", b"", []),
    BackupRecord("tasks", 31, 9, 3, b"k", b"v" * 100_000, []),
]


def written(path: Path, kept: list[BackupRecord] = KEPT, head: Head = HEAD) -> Foot:
    with open_writer(path, head) as writer:
        for record in kept:
            writer.add(record)
        return writer.end()


def test_a_file_survives(tmp_path: Path) -> None:
    file = tmp_path / "a.backup"
    foot = written(file)
    assert verify(file) == (HEAD, foot)
    assert list(read_records(file)) == KEPT
    assert foot.records == {"commands": 2, "tasks": 1}
    assert [one.name for one in tmp_path.iterdir()] == ["a.backup"]


def test_every_damage_is_told(tmp_path: Path) -> None:
    file = tmp_path / "a.backup"
    written(file, KEPT[:2])
    whole = file.read_bytes()
    cut = [whole[:at] for at in range(len(whole))]
    flipped = [whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :] for at in range(10, len(whole))]
    for damaged in (*cut, *flipped, whole + whole):  # the first ten bytes only say when and where gzip ran
        file.write_bytes(damaged)
        with pytest.raises(BadBackup):
            verify(file)


def test_a_newer_file_is_left_to_the_newer_version(tmp_path: Path) -> None:
    written(tmp_path / "a", head=Head(FORMAT + 1, "9", "p.", 0, {}))
    with pytest.raises(BadBackup, match="newer version"):
        verify(tmp_path / "a")


def test_nothing_is_left_of_a_file_that_was_not_finished(tmp_path: Path) -> None:
    with pytest.raises(KeyError), open_writer(tmp_path / "a", HEAD):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_a_restore_knows_what_was_judged() -> None:
    """Reports begin anew at 0 and the position with them; commands keep their offsets up to it."""
    plane = Plane({"src": topic(1), "out": topic(1)})
    plane.command("CREATE JOB a AS INSERT INTO out SELECT * FROM src")
    position = Position(commands=5, reports=1_002, seq=1)
    state = [
        BackupRecord("state", 0, at, 0, encode_key(key), encode(position if key == ("position",) else record), [])
        for at, (key, record) in enumerate(plane.state.records().items())
    ]
    reports = [BackupRecord("reports", 0, offset, 0, b"", b"", []) for offset in (1_000, 1_001, 1_003)]
    plan = RestorePlan.of([*reports[:1], *state, *reports[1:]], {})
    assert (plan.position, plan.reports, list(plan.jobs)) == (position, 2, list(plane.state.jobs))
    restored = [plan.restored_value(one) for one in state]
    assert restored[-1] == encode(Position(commands=5, reports=2, seq=1))
    assert restored[:-1] == [one.value for one in state[:-1]]
    assert [plan.gap(0, 0), plan.gap(3, 1), plan.gap(4, 4), plan.gap(9, 5), plan.gap(9, 3)] == [0, 2, 0, 0, 2]


def test_a_state_that_cannot_be_read_is_not_restored() -> None:
    with pytest.raises(BadBackup, match="newest version"):
        RestorePlan.of([BackupRecord("state", 0, 0, 0, encode_key(("position",)), b"\xc3\x01what is this", [])], {})


def test_a_file_of_before_can_be_restored(tmp_path: Path) -> None:
    head = Head(1, "0.1.0", "jobplane.", 7, {})
    foot = written(tmp_path / "a", head=head)
    assert verify(tmp_path / "a") == (head, foot)


def test_chunks_get_new_places() -> None:
    """A record of a restore before only adds the ids that the topic had."""
    topics = {"job.11223344-5.state": BackupTopic("now", [PartitionRange(0, 9)]), **HEAD.topics}
    before = encode_restored(restored_chunks(["first", "second"], ["src/0/1"]))
    chunks = [
        BackupRecord("job.11223344-5.state", 0, offset, 0, key, value, [])
        for offset, key, value in ((0, b"restored", before), (1, b"src/0/1", b"a"), (7, b"src/0/3", b"b"))
    ]
    plan = RestorePlan.of(chunks, topics)
    assert plan.chunks == {"job.11223344-5.state": ["src/0/1", "src/0/3"]}
    assert plan.ids == {"job.11223344-5.state": ("now", "first", "second")}
    with pytest.raises(BadBackup, match="newest version"):
        RestorePlan.of([BackupRecord("job.11223344-5.state", 0, 0, 0, b"restored", b"\x09", [])], topics)
