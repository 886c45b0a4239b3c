"""Data folders that older versions left behind: `tests/data_folders` holds them, each with what is expected of it."""

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka.record.memory_records import MemoryRecords

from tests.support.packages import install

FOLDER = Path(__file__).parents[1] / "data_folders"
VERSIONS = sorted(path.stem for path in FOLDER.glob("*.json"))
PREFIX = "jobplane."
COMMIT = b"\0\0\0\1"
"""The key of the control record that ends a transaction which was committed: a version, then what it is."""


@dataclass(frozen=True, slots=True)
class DataFolder:
    """The data folder that the version called `version` left behind."""

    version: str

    @property
    def expected(self) -> dict[str, Any]:
        """What must be found there, and what must come of it."""
        found: dict[str, Any] = json.loads((FOLDER / f"{self.version}.json").read_text())
        return found

    def unpack(self, data: Path) -> None:
        """Into a folder as `jobplane dev --data` takes it."""
        with tarfile.open(FOLDER / f"{self.version}.tar.xz") as archive:
            archive.extractall(data, filter="data")

    def records(self, topic: str) -> Iterator[tuple[bytes, bytes | None]]:
        """Key and value of the records of partition 0 of a control topic, read from the bytes of its segments."""
        with tarfile.open(FOLDER / f"{self.version}.tar.xz") as archive:
            names = [name for name in archive.getnames() if f"/{PREFIX}{topic}-0/" in name and name.endswith(".log")]
            for name in sorted(names):
                segment = archive.extractfile(name)
                assert segment is not None
                yield from _records(MemoryRecords(segment.read()))


def _records(segment: MemoryRecords) -> Iterator[tuple[bytes, bytes | None]]:
    while (batch := segment.next_batch()) is not None:
        for record in batch:
            if batch.is_control_batch:
                assert record.key == COMMIT, "no transaction was aborted when the folder was recorded"
            else:
                yield record.key or b"", record.value


def install_package(site: Path) -> None:
    """The package whose function a recorded job calls, into a folder for PYTHONPATH."""
    site.mkdir()
    source = 'def louder(text: str) -> str:\n    """Louder."""\n    return text + "!"\n'
    install(site, "louder", "1.0", source, louder="louder:louder")
