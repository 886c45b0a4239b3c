"""A real schema registry for the tests: Apicurio's, with Confluent's interface, from its published archive.

It lives no longer than the process that started it, as the embedded broker does.
"""

import os
import subprocess
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jobplane.controlplane.embedded import jars, java
from jobplane.controlplane.embedded.broker import LIFELINE
from jobplane.controlplane.ports import free_port
from tests.support.system import until

LOCK = Path(__file__).with_name("apicurio-3.0.9.lock.json")
READY_S = 60.0
_FLAGS = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dquarkus.http.host=127.0.0.1")


class SchemaRegistry:
    """Its address stays the same over all starts; what it holds does not outlive the process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/apis/ccompat/v7"

    def start(self) -> None:
        """Returns when it serves."""
        runner = next(unpacked().glob("*-runner.jar"))
        command = [str(java.find_java().executable), *_FLAGS, f"-Dquarkus.http.port={self._port}", "-jar", str(runner)]
        with (self._folder / "registry.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", LIFELINE, "registry", *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        until(self._serves, READY_S, "the schema registry serves")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stdin is not None:
                self._process.stdin.close()
            self._process = None

    def _serves(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "registry.log").read_text()[-2000:]
        try:
            with urllib.request.urlopen(f"{self.url}/subjects", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def unpacked() -> Path:
    """The archive's folder in the cache, unpacked once and whole."""
    (archive,) = jars.resolve(lock=LOCK)
    folder = jars.cache_folder() / LOCK.stem.removesuffix(".lock")
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=jars.cache_folder()) as scratch:
            made = Path(scratch) / "registry"
            with tarfile.open(archive) as packed:
                packed.extractall(made, filter="data")
            try:
                os.rename(made, folder)
            except OSError:
                assert folder.exists()  # another process was faster
    return folder


@contextmanager
def schema_registry(folder: Path) -> Iterator[SchemaRegistry]:
    made = SchemaRegistry(folder)
    try:
        made.start()
        yield made
    finally:
        made.kill()
