"""The jar cache, with a fetch function of the test's own instead of the network."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

import pytest

from jobplane.controlplane.embedded import jars
from jobplane.schemas.setup_errors import BrokerFailed, JarMismatch

CONTENT = {f"org/example/one{n}/1.{n}/one{n}-1.{n}.jar": f"jar {n}".encode() * 100 for n in range(12)}
FIRST = next(iter(CONTENT))


class Repository:
    """Serves CONTENT, but for a named jar first what is given, call by call."""

    def __init__(self, served: dict[str, Iterable[bytes]] | None = None) -> None:
        self.asked: list[str] = []
        self._served = {jar: iter(contents) for jar, contents in (served or {}).items()}

    def __call__(self, jar: str, scratch: Path) -> Path:
        self.asked.append(jar)
        file = scratch / jar
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(next(self._served.get(jar, iter(())), CONTENT.get(jar, b"")))
        return file


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    file = tmp_path / "example.lock.json"
    file.write_text(json.dumps({jar: hashlib.sha256(content).hexdigest() for jar, content in CONTENT.items()}))
    return file


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def no_network(jar: str, scratch: Path) -> Path:
    raise BrokerFailed(f"{jar} could not be downloaded into {scratch}")


def resolve(cache: Path, lock: Path, fetch: Callable[[str, Path], Path]) -> tuple[Path, ...]:
    return jars.resolve(cache, lock, fetch, lambda *_: None)


def test_fetches_every_jar_of_the_lock_in_its_order(cache: Path, lock: Path) -> None:
    got = resolve(cache, lock, Repository())
    assert [file.relative_to(cache / "jars").as_posix() for file in got] == list(CONTENT)
    assert [file.read_bytes() for file in got] == list(CONTENT.values())


def test_counts_the_jars(cache: Path, lock: Path) -> None:
    said: list[tuple[int, int]] = []
    jars.resolve(cache, lock, Repository(), lambda done, total: said.append((done, total)))
    assert said == [(done, len(CONTENT)) for done in range(len(CONTENT) + 1)]


def test_later_starts_need_no_network(cache: Path, lock: Path) -> None:
    assert resolve(cache, lock, Repository()) == resolve(cache, lock, no_network)


def test_without_a_stamp_the_jars_are_hashed_not_fetched(cache: Path, lock: Path) -> None:
    resolve(cache, lock, Repository())
    next((cache / "jars").glob("*.stamp")).unlink()
    resolve(cache, lock, no_network)


def test_a_damaged_download_is_fetched_once_more(cache: Path, lock: Path) -> None:
    repository = Repository({FIRST: [CONTENT[FIRST][:10]]})
    assert resolve(cache, lock, repository)[0].read_bytes() == CONTENT[FIRST]
    assert repository.asked.count(FIRST) == 2


def test_another_jar_than_the_locked_one_is_refused(cache: Path, lock: Path) -> None:
    repository = Repository({FIRST: [b"evil", b"evil"]})
    with pytest.raises(JarMismatch, match=PurePosixPath(FIRST).name) as refused:
        resolve(cache, lock, repository)
    assert hashlib.sha256(b"evil").hexdigest() in refused.value.message
    assert not (cache / "jars" / FIRST).exists()
    assert not list((cache / "jars").glob("*.stamp"))


def test_what_came_before_a_failure_is_kept(cache: Path, lock: Path) -> None:
    with pytest.raises(JarMismatch):
        resolve(cache, lock, Repository({FIRST: [b"evil", b"evil"]}))
    there = {jar for jar in CONTENT if (cache / "jars" / jar).exists()}
    repository = Repository()
    resolve(cache, lock, repository)
    assert set(repository.asked) == CONTENT.keys() - there


def test_a_jar_changed_in_the_cache_is_fetched_again(cache: Path, lock: Path) -> None:
    changed = resolve(cache, lock, Repository())[3]
    changed.write_bytes(b"changed")
    repository = Repository()
    resolve(cache, lock, repository)
    assert repository.asked == [list(CONTENT)[3]]
    assert changed.read_bytes() == list(CONTENT.values())[3]


def test_a_new_lock_fetches_what_it_changed(cache: Path, lock: Path) -> None:
    resolve(cache, lock, Repository())
    locked = json.loads(lock.read_text())
    newer = "org/example/newer/2.0/newer-2.0.jar"
    content = b"newer"
    lock.write_text(json.dumps(locked | {newer: hashlib.sha256(content).hexdigest()}))
    repository = Repository({newer: [content]})
    assert len(resolve(cache, lock, repository)) == len(CONTENT) + 1
    assert repository.asked == [newer]


def test_two_first_users_fetch_each_jar_once(cache: Path, lock: Path) -> None:
    """flock excludes two opened files, in one process or in two."""
    repository = Repository()
    got: list[tuple[Path, ...]] = []
    both = [threading.Thread(target=lambda: got.append(resolve(cache, lock, repository))) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert got[0] == got[1]
    assert sorted(repository.asked) == sorted(CONTENT)


def test_the_cache_can_be_put_elsewhere() -> None:
    assert jars.cache_folder({"JOBPLANE_CACHE": "/elsewhere"}) == Path("/elsewhere")
    assert jars.cache_folder({}) == Path.home() / ".cache" / "jobplane"


def test_the_committed_lock_pins_kafka_and_a_log_binding() -> None:
    locked = json.loads(jars.LOCK.read_text())
    assert all(len(digest) == 64 and set(digest) <= set("0123456789abcdef") for digest in locked.values())
    for group, artifact, version in (jars.SERVER, jars.LOGGING):
        assert f"{group.replace('.', '/')}/{artifact}/{version}/{artifact}-{version}.jar" in locked
