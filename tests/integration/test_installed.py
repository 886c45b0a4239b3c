"""The wheel as pip installs it: what works without extras, what names the missing one, and its neighbours."""

import base64
import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import Distribution
from pathlib import Path
from zipfile import ZipFile

import pytest

from jobplane.controlplane.embedded.jars import cache_folder
from tests.support.installed import PIP, Environment, attempt, run

BESIDE = Path(__file__).parent / "jupysql.txt"
"""A package that has a top-level folder `sql`, as jobplane once had, pinned by its digest."""
CACHE = cache_folder() / "wheels"
NOWHERE = "127.0.0.1:1"
COMMANDS = (["sql", "SHOW JOBS"], ["topic", "list"], ["events"], ["replay"], ["backup", "x.jsonl"])
"""Commands that need Kafka and no extra."""
CLIENTS = f"""
import asyncio
from jobplane import AsyncClient, Client, JobplaneError
async def ask():
    async with AsyncClient("{NOWHERE}") as client:
        return await asyncio.gather(
            asyncio.to_thread(Client("{NOWHERE}").execute, "DROP JOB x"), client.jobs(), return_exceptions=True
        )
for error in asyncio.run(ask()):
    assert isinstance(error, JobplaneError), error
    print(error.code)
"""
PARSED = """
from jobplane import Client
from jobplane.sql.syntax.parser import parse
print(type(parse("SHOW JOBS")).__name__)
"""
IMPORTED = """
import importlib, json, pkgutil, jobplane
failed = {}
for found in pkgutil.walk_packages(jobplane.__path__, "jobplane."):
    try:
        importlib.import_module(found.name)
    except ModuleNotFoundError as error:
        failed[found.name] = error.name.partition(".")[0]
print(json.dumps(failed))
"""


@pytest.fixture(scope="module")
def core(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with the wheel and no extra."""
    return Environment(tmp_path_factory.mktemp("installed") / "core", wheel)


@pytest.fixture
def with_jupysql(wheel: Path, tmp_path: Path) -> Environment:
    """One more, into which jupysql is installed after jobplane; it is downloaded once for this machine."""
    download = (*PIP, "download", "--no-deps", "--require-hashes", "--dest", CACHE, "-r", BESIDE)
    if attempt(*download, "--no-index", "--find-links", CACHE).returncode:
        run(*download)
    environment = Environment(tmp_path / "beside", wheel)
    environment.install("--no-deps", *CACHE.glob("jupysql-0.11.1-*.whl"))
    return environment


def test_the_wheel_is_one_package_with_its_data(wheel: Path) -> None:
    with ZipFile(wheel) as opened:
        names = opened.namelist()
    tops = {name.partition("/")[0] for name in names}
    assert tops == {"jobplane", next(top for top in tops if top.endswith(".dist-info"))}
    for name in ("py.typed", "schemas/avsc/Command.avsc", "controlplane/embedded/kafka-4.4.0.lock.json"):
        assert f"jobplane/{name}" in names


def test_without_extras_it_is_the_client_and_the_command_line(core: Environment) -> None:
    assert "SQL job control" in run(core.jobplane, "--help")
    assert run(core.python, "-m", "jobplane", "--version") == run(core.jobplane, "--version")
    with ThreadPoolExecutor() as pool:  # each waits some seconds for Kafka
        clients = pool.submit(core.run_python, CLIENTS)
        for done in pool.map(lambda words: attempt(core.jobplane, *words, "--bootstrap", NOWHERE), COMMANDS):
            assert (done.returncode, done.stdout) == (5, "")
            assert done.stderr.startswith("error (kafka-unreachable)")
        assert clients.result().split() == ["kafka-unreachable"] * 2


def test_only_the_rooms_of_a_worker_import_what_an_extra_brings(core: Environment) -> None:
    failed: dict[str, str] = json.loads(core.run_python(IMPORTED))
    rooms = tuple(f"jobplane.controlplane.{room}." for room in ("decider", "fetch.groups", "web", "worker"))
    rooms += tuple(f"jobplane.processors.{room}." for room in ("copying", "dormancy", "host", "kafka.wire", "task"))
    others = {name for name in failed if not f"{name}.".startswith(rooms)}
    assert others == {"jobplane.processors.kafka.describe_transactions"}
    assert set(failed.values()) == {"aiokafka", "faust", "prometheus_client"}


@pytest.mark.parametrize("command", ["worker", "dev"])
def test_a_missing_extra_is_named_with_what_installs_it(core: Environment, command: str) -> None:
    done = attempt(core.jobplane, command)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error (extra-missing): jobplane {command} needs the extra '{command}'")
    assert done.stderr.endswith(f"pip install 'jobplane[{command}]'\n")
    assert done.stderr.count("\n") == 1


def test_it_works_beside_a_package_with_a_folder_sql_and_after_it(with_jupysql: Environment) -> None:
    for there in ({"jobplane", "jupysql"}, {"jobplane"}):
        packages = {one.name: one for one in with_jupysql.packages() if one.name in ("jobplane", "jupysql")}
        assert packages.keys() == there
        assert [file for one in packages.values() for file in damaged_files(one)] == []
        assert "SQL job control" in run(with_jupysql.jobplane, "--help")
        assert with_jupysql.run_python(PARSED).strip() == "Show"
        if "jupysql" in there:
            with_jupysql.uninstall("jupysql")


def damaged_files(package: Distribution) -> list[str]:
    """The files of a package that are missing, or not those that were installed."""
    return [str(file) for file in package.files or () if file.hash and not _is_intact(file.locate(), file.hash.value)]


def _is_intact(file: str | os.PathLike[str], digest: str) -> bool:
    path = Path(file)
    if not path.exists():
        return False
    return base64.urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest()).decode().rstrip("=") == digest
