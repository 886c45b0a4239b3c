"""The class-data archive of Java: from the second start on, the broker starts in half the time.

Java writes the archive when a broker ends normally, under a name of that broker; `keep` then renames it into place, so
that no process reads an incomplete one. Its name depends on the Java, the jars and the flags. Java ignores an archive
that does not fit. Nothing here raises: without an archive the broker starts too, only more slowly.
"""

import hashlib
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from jobplane.controlplane.embedded.java import Java

AOT = 25
"""The first Java with a one-step ahead-of-time cache, which does not need the JDK's own archive."""
_UNUSED_S = 30 * 86_400.0


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive, which may not exist yet, and the name under which a broker of this process writes a new one."""

    file: Path
    fresh: Path
    ahead_of_time: bool

    @classmethod
    def of(cls, cache: Path, java: Java, jars: Sequence[Path], flags: Sequence[str]) -> "Archive":
        """The archive in the cache for this Java, class path and flags."""
        seen = [(str(file), (stat := file.stat()).st_size, stat.st_mtime_ns) for file in (java.executable, *jars)]
        key = hashlib.sha256(repr((java.version, seen, tuple(flags))).encode()).hexdigest()[:16]
        file = cache / "archives" / f"java-{java.version}-{key}.archive"
        return cls(file, file.with_suffix(f".{os.getpid()}-{time.monotonic_ns()}"), java.major >= AOT)

    def flags(self) -> list[str]:
        """Java's flags: read the archive if it exists, else write one at the end."""
        if self.file.exists():
            with suppress(OSError):
                os.utime(self.file)
            return [f"-XX:{'AOTCache' if self.ahead_of_time else 'SharedArchiveFile'}={self.file}"]
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
        except OSError:
            return []
        return [f"-XX:{'AOTCacheOutput' if self.ahead_of_time else 'ArchiveClassesAtExit'}={self.fresh}"]

    def keep(self) -> None:
        """Call after the broker ended normally: its file becomes the archive. Removes old archives."""
        with suppress(OSError):
            self.fresh.replace(self.file)
        with suppress(OSError):
            for other in self.file.parent.iterdir():
                if time.time() - other.stat().st_mtime > _UNUSED_S:
                    other.unlink()

    def drop(self) -> None:
        """Call after the broker was killed or did not start: removes the file it may have written."""
        with suppress(OSError):
            self.fresh.unlink(missing_ok=True)

    def distrust(self) -> None:
        """Call after a Java that used the archive crashed: removes the archive."""
        self.drop()
        with suppress(OSError):
            self.file.unlink(missing_ok=True)
