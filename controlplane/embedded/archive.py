"""The class-data archive: from the second start on the broker is up in half the time.

Java writes it when a broker ends in peace, under a name of that broker alone; `keep` then renames it into place, so
nobody reads half of one. Its name covers all that must not change: this Java, these jars, these flags. Java passes over
an archive that does not fit, and nothing here raises: without an archive the broker starts as well, only later.
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
"""The first Java with a one-step ahead-of-time cache. It needs none of the JDK's own, which some runtimes lack."""
_UNUSED_S = 30 * 86_400.0


@dataclass(frozen=True, slots=True)
class Archive:
    """One archive, there or not yet there, and the name a broker of this process writes a new one under."""

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
        """Java's flags: read the archive where there is one, else write one at the end."""
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
        """After the broker ended in peace: what it wrote is the archive from now on. Old ones go."""
        with suppress(OSError):
            self.fresh.replace(self.file)
        with suppress(OSError):
            for other in self.file.parent.iterdir():
                if time.time() - other.stat().st_mtime > _UNUSED_S:
                    other.unlink()

    def drop(self) -> None:
        """After the broker was killed or did not start: what it may have written goes."""
        with suppress(OSError):
            self.fresh.unlink(missing_ok=True)

    def distrust(self) -> None:
        """After a Java that read the archive broke down."""
        self.drop()
        with suppress(OSError):
            self.file.unlink(missing_ok=True)
