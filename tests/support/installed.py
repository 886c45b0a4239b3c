"""Virtual environments with the built wheel and what it requires, as pip installs them, and nothing else.

Nothing is downloaded: each required package is linked, file by file, from the environment that the tests run in, and
pip then checks that nothing is missing.
"""

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from importlib.metadata import Distribution, PathDistribution, distribution
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
SOURCES = ("controlplane", "jobplane", "processors", "schemas", "sql")


def build_wheel(folder: Path) -> Path:
    """The wheel of the working tree, built from a copy: a build leaves files where it runs."""
    tree = folder / "tree"
    for name in SOURCES:
        shutil.copytree(ROOT / name, tree / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    run(*PIP, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", folder, tree)
    (wheel,) = folder.glob("*.whl")
    return wheel


def run(*command: str | Path, **environment: str) -> str:
    """Standard output of a program that must succeed."""
    done = attempt(*command, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def attempt(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A program, run in an empty folder and with nothing of the test's Python path or jobplane's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JOBPLANE_", "PYTHON"))}
    with TemporaryDirectory() as folder:
        return subprocess.run(
            command, cwd=folder, env=kept | environment, capture_output=True, text=True, timeout=120, check=False
        )


class Environment:
    """A virtual environment with a wheel of jobplane, perhaps with an extra."""

    def __init__(self, folder: Path, wheel: Path, extra: str = "") -> None:
        venv.create(folder, symlinks=True)
        self.python, self.jobplane = folder / "bin" / "python", folder / "bin" / "jobplane"
        (self.site,) = folder.glob("lib/python*/site-packages")
        for name in required(wheel, extra):
            _link(distribution(name), self.site)
        self.install(f"{wheel}[{extra}]" if extra else wheel)

    def install(self, *what: str | Path) -> None:
        """Raises AssertionError where a requirement is not met by what is there."""
        run(*PIP, "--python", self.python, "install", "--no-index", *what)

    def uninstall(self, name: str) -> None:
        run(*PIP, "--python", self.python, "uninstall", "--yes", name)

    def run_python(self, program: str) -> str:
        """Standard output of a Python program."""
        return run(self.python, "-c", program)

    def packages(self) -> list[Distribution]:
        return list(Distribution.discover(path=[str(self.site)]))


def required(wheel: Path, extra: str = "") -> set[str]:
    """The names of all packages that a wheel requires, with an extra or without, here and on this Python."""
    with ZipFile(wheel) as opened, TemporaryDirectory() as folder:
        opened.extractall(folder)
        (info,) = Path(folder).glob("*.dist-info")
        return _closure(PathDistribution(info), {extra})


def _closure(top: Distribution, extras: set[str]) -> set[str]:
    found: dict[str, set[str]] = {}
    waiting = [(top, extras)]
    while waiting:
        of, wanted = waiting.pop()
        for one in _requirements(of, wanted):
            name = canonicalize_name(one.name)
            if name == top.name:
                waiting.append((top, one.extras))
            elif name not in found or not one.extras <= found[name]:
                found[name] = found.get(name, set()) | one.extras
                waiting.append((distribution(one.name), one.extras))
    return set(found)


def _requirements(of: Distribution, extras: set[str]) -> Iterator[Requirement]:
    for text in of.requires or ():
        one = Requirement(text)
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in extras or {""}):
            yield one


def _link(package: Distribution, site: Path) -> None:
    """Its files, as its RECORD lists them, but for programs and compiled code."""
    for file in package.files or ():
        if ".." in file.parts or file.suffix == ".pyc":
            continue
        target = site / file
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(file.locate(), target)
        except OSError:  # another file system
            shutil.copy2(file.locate(), target)
