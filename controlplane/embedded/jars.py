"""Kafka's jars, from the Maven repository that `jgo` knows, each pinned by SHA-256.

The lock file beside this module names every jar; the class path has no others. A jar is renamed into the cache after
its digest was compared, so a jar under its name is complete. A stamp (size and time of each jar) saves later starts the
hashing and the network. One process at a time fetches; others wait, then find the jars in the cache.

`python -m jobplane.controlplane.embedded.jars` fetches; `… jars lock` writes the lock again from the dependencies that
Kafka declares.
"""

import fcntl
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from jobplane.schemas.setup_errors import BrokerFailed, JarMismatch

KAFKA = "4.4.0"
LOCK = Path(__file__).with_name(f"kafka-{KAFKA}.lock.json")
SERVER = ("org.apache.kafka", "kafka_2.13", KAFKA)
LOGGING = (
    "org.slf4j",
    "slf4j-simple",
    "1.7.36",
)  # Kafka declares no SLF4J binding; without a binding its log stays empty
AT_ONCE = 8

Fetch = Callable[[str, Path], Path]
"""Fetches a jar, given its path in a Maven repository, into a scratch folder; returns the file."""
Progress = Callable[[int, int], None]
"""Called with the number of jars that are ready, and of all jars."""


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """JOBPLANE_CACHE, else ~/.cache/jobplane: files that can be fetched or created again at any time."""
    return Path(environment.get("JOBPLANE_CACHE") or Path.home() / ".cache" / "jobplane").absolute()


def say_progress(done: int, total: int) -> None:
    """Prints one line on standard error; on a terminal the line counts the jars."""
    if sys.stderr.isatty():
        end = "\n" if done == total else ""
        print(f"\rfetching Kafka {KAFKA}: {done}/{total} jars", end=end, file=sys.stderr, flush=True)
    elif done == 0:
        print(f"fetching Kafka {KAFKA}: {total} jars", file=sys.stderr, flush=True)


def fetch_with_jgo(jar: str, scratch: Path) -> Path:
    """Fetches a jar. Raises BrokerFailed if the repository cannot be reached."""
    import requests
    from jgo.maven import MavenContext

    *group, artifact, version, name = PurePosixPath(jar).parts
    classifier, _, kind = name.removeprefix(f"{artifact}-{version}").removeprefix("-").partition(".")
    context = MavenContext(repo_cache=scratch, timeout=30)
    try:
        component = context.project(".".join(group), artifact).at_version(version)
        return component.artifact(classifier=classifier, packaging=kind).resolve()
    except (requests.RequestException, RuntimeError, OSError) as failed:
        raise BrokerFailed(
            f"{jar} could not be downloaded: {failed}; connect to the network once, "
            f"or copy {cache_folder()} from a machine that has it"
        ) from failed


def resolve(
    cache: Path | None = None, lock: Path = LOCK, fetch: Fetch = fetch_with_jgo, progress: Progress = say_progress
) -> tuple[Path, ...]:
    """The jars of the lock, in its order, all checked; fetches those that are missing or damaged.

    Raises JarMismatch if a jar differs from the lock even when fetched again, BrokerFailed without a network.
    """
    folder = (cache or cache_folder()) / "jars"
    locked: dict[str, str] = json.loads(lock.read_text())
    stamp = folder / f"{lock.stem}.stamp"
    if not _is_stamped(folder, locked, stamp):
        folder.mkdir(parents=True, exist_ok=True)
        with _exclusive_lock(folder / ".lock"):
            if not _is_stamped(folder, locked, stamp):
                _fetch_missing(folder, locked, fetch, progress)
                _replace(stamp, json.dumps(_stamp(folder, locked), indent=1))
    return tuple(folder / jar for jar in locked)


def _fetch_missing(folder: Path, locked: Mapping[str, str], fetch: Fetch, progress: Progress) -> None:
    wanting = [jar for jar, digest in locked.items() if not (folder / jar).is_file() or sha256(folder / jar) != digest]
    if not wanting:
        return
    for left in folder.glob(".fetching-*"):  # left by a killed process
        shutil.rmtree(left, ignore_errors=True)
    progress(len(locked) - len(wanting), len(locked))
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetching-") as scratch, ThreadPoolExecutor(AT_ONCE) as pool:
        running = [pool.submit(_fetch_jar, jar, locked[jar], Path(scratch), folder, fetch) for jar in wanting]
        try:
            for done, finished in enumerate(as_completed(running), len(locked) - len(wanting) + 1):
                finished.result()
                progress(done, len(locked))
        finally:
            pool.shutdown(cancel_futures=True)


def _fetch_jar(jar: str, digest: str, scratch: Path, folder: Path, fetch: Fetch) -> None:
    """Fetches a jar, a second time if it is damaged."""
    got = ""
    for attempt in ("first", "second"):
        fetched = fetch(jar, scratch / attempt)
        got = sha256(fetched)
        if got == digest:
            (folder / jar).parent.mkdir(parents=True, exist_ok=True)
            fetched.replace(folder / jar)
            return
    raise JarMismatch(
        f"{PurePosixPath(jar).name}: its SHA-256 is {got}, the lock has {digest}; it was fetched twice and is not "
        "used. Something between this machine and the Maven repository alters files"
    )


def sha256(file: Path) -> str:
    """Hexadecimal."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _stamp(folder: Path, locked: Mapping[str, str]) -> dict[str, list[str | int]]:
    """A cheap test for unchanged jars: the locked digest, size (bytes) and time (ns) of each jar."""
    stats = {jar: (folder / jar).stat() for jar in locked}
    return {jar: [locked[jar], stat.st_size, stat.st_mtime_ns] for jar, stat in stats.items()}


def _is_stamped(folder: Path, locked: Mapping[str, str], stamp: Path) -> bool:
    try:
        return bool(json.loads(stamp.read_text()) == _stamp(folder, locked))
    except (OSError, ValueError):
        return False


def _replace(file: Path, text: str) -> None:
    fresh = file.with_name(f"{file.name}.{os.getpid()}")
    fresh.write_text(text)
    fresh.replace(file)


@contextmanager
def _exclusive_lock(lock: Path) -> Iterator[None]:
    """Waits until no other process has the lock. The kernel releases the lock when its process ends."""
    with lock.open("w") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield


def write_lock(lock: Path = LOCK) -> int:
    """Writes the lock from the dependencies that Kafka declares; returns the number of jars."""
    from jgo.maven import MavenContext
    from jgo.parse import Coordinate

    with tempfile.TemporaryDirectory() as scratch:
        context = MavenContext(repo_cache=Path(scratch), timeout=30)
        asked = [context.create_dependency(Coordinate(*one, scope="compile")) for one in (SERVER, LOGGING)]
        direct, further = context.resolver.resolve(asked)
        wanted = [*direct, *(one for one in further if one.scope in ("compile", "runtime"))]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            files = sorted(set(pool.map(lambda one: one.artifact.resolve(), wanted)))
        digests = {file.relative_to(scratch).as_posix(): sha256(file) for file in files}
    _replace(lock, json.dumps(digests, indent=1) + "\n")
    return len(digests)


if __name__ == "__main__":
    if sys.argv[1:] == ["lock"]:
        print(f"{LOCK.name}: {write_lock()} jars")
    else:
        print(f"Kafka {KAFKA}: {len(resolve())} jars in {cache_folder() / 'jars'}")
