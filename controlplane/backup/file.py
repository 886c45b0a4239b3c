"""The file of a backup: gzip of MessagePack, each message after its length.

The file is a Head, a BackupRecord for every record, and a Foot with the SHA-256 of everything before it. It is written
under another name and renamed when it is complete.
"""

import gzip
import hashlib
import os
import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import msgspec

from jobplane.schemas.msgspec_types import msgpack_decoder
from jobplane.schemas.setup_errors import BadBackup

FORMAT = 2
"""Since 2 with the state topics of jobs. Files of all formats can be restored."""
_LENGTH = struct.Struct(">I")
LONGEST = 64 * 1024 * 1024


class PartitionRange(msgspec.Struct, frozen=True):
    """The first offset in the partition, and the offset after the last, control records included."""

    first: int
    end: int


class BackupTopic(msgspec.Struct, frozen=True):
    """A topic at the time of the backup, with its partitions in order. Head has its name, without the prefix."""

    id: str
    partitions: list[PartitionRange]


class Head(msgspec.Struct, frozen=True, array_like=True, tag="head"):
    """What the backup contains. `version` is the version of jobplane, `time` is in epoch milliseconds."""

    format: int
    version: str
    prefix: str
    time: int
    topics: dict[str, BackupTopic]


class BackupRecord(msgspec.Struct, frozen=True, array_like=True, tag="kept"):
    """A record; `topic` has no prefix."""

    topic: str
    partition: int
    offset: int
    time: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


class Foot(msgspec.Struct, frozen=True, array_like=True, tag="foot"):
    """The number of records of each topic, and the SHA-256 of the file before the Foot."""

    records: dict[str, int]
    sha256: str


_encode = msgspec.msgpack.Encoder().encode
_decode = msgpack_decoder(Head | BackupRecord | Foot).decode


class BackupWriter:
    def __init__(self, out: IO[bytes], head: Head) -> None:
        self._out, self._sum = out, hashlib.sha256()
        self.records: Counter[str] = Counter()
        self._write(head)

    def add(self, record: BackupRecord) -> None:
        self._write(record)
        self.records[record.topic] += 1

    def end(self) -> Foot:
        foot = Foot(dict(self.records), self._sum.hexdigest())
        self._write(foot)
        return foot

    def _write(self, message: Head | BackupRecord | Foot) -> None:
        data = _encode(message)
        for part in (_LENGTH.pack(len(data)), data):
            self._sum.update(part)
            self._out.write(part)


@contextmanager
def open_writer(path: Path, head: Head) -> Iterator[BackupWriter]:
    """A writer. The file gets its name when the block ends without an exception; else it is removed."""
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as raw:
            with gzip.GzipFile("", "wb", 6, raw) as out:
                yield BackupWriter(out, head)  # type: ignore[arg-type]  # GzipFile writes bytes
            raw.flush()
            os.fsync(raw.fileno())
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)


def verify(path: Path) -> tuple[Head, Foot]:
    """The head and foot of a file, if it is complete. Raises BadBackup."""
    head = foot = None
    counted: Counter[str] = Counter()
    for message in _messages(path):
        match message:
            case Head():
                head = message
            case BackupRecord():
                counted[message.topic] += 1
            case Foot():
                foot = message
    if head is None or foot is None or dict(counted) != foot.records:
        raise BadBackup(f"{path} is damaged: its records are not those that its last message counts")
    if head.format > FORMAT:
        raise BadBackup(
            f"{path} has format {head.format}, this version reads {FORMAT}; restore it with the newer version"
        )
    return head, foot


def read_records(path: Path) -> Iterator[BackupRecord]:
    """The records, in the order of the file. Raises BadBackup."""
    return (message for message in _messages(path) if isinstance(message, BackupRecord))


def _messages(path: Path) -> Iterator[Head | BackupRecord | Foot]:
    total, last = hashlib.sha256(), None
    try:
        with gzip.open(path) as source:
            while prefix := source.read(_LENGTH.size):
                if isinstance(last, Foot):
                    break
                (length,) = _LENGTH.unpack(prefix)
                if length > LONGEST:
                    raise BadBackup(f"{path} is damaged, or not a backup of jobplane")
                data = source.read(length)
                last = _decode(data)
                if isinstance(last, Foot) and last.sha256 != total.hexdigest():
                    raise BadBackup(f"{path} is damaged: its SHA-256 is not the one it was written with")
                total.update(prefix)
                total.update(data)
                yield last
            is_complete = isinstance(last, Foot) and not prefix
    except (OSError, EOFError, zlib.error, struct.error, ValueError) as bad:
        raise BadBackup(f"{path} is damaged, or not a backup of jobplane") from bad
    if not is_complete:
        raise BadBackup(f"{path} is truncated, or has data after its end")
